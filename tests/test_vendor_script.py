"""The raw vendor of the tests: exact bytes, exact endings, and it sees when the proxy goes."""

import asyncio
import shutil

import pytest

from tests.raw_client import raw_app, request
from tests.vendor_script import (
    LAST_CHUNK,
    Cut,
    Fin,
    Say,
    ScriptedVendor,
    Stall,
    chunk,
    stream_head,
    whole,
)
from tests.vendor_tls import authority

ASK = request({"model": "m"})


def address(vendor):
    return ("127.0.0.1", int(vendor.url.rpartition(":")[2]))


async def test_request_is_kept_as_it_came():
    async with ScriptedVendor(Say(whole(b"{}"))) as vendor, raw_app(address(vendor)) as app:
        await app.send(ASK)
        answer = await app.answer()

        assert (answer.status, answer.body) == (200, b"{}")
        assert bytes(vendor.connections[0].received) == ASK
        assert vendor.requests[0].body == b'{"model": "m"}'


async def test_connection_is_kept_for_the_next_request():
    async with ScriptedVendor(Say(whole(b"{}"))) as vendor, raw_app(address(vendor)) as app:
        for _ in range(2):
            await app.send(ASK)
            await app.answer()

        assert len(vendor.connections) == 1
        assert len(vendor.requests) == 2


async def test_script_of_one_request_comes_before_the_usual_one():
    async with ScriptedVendor(Say(whole(b"{}"))) as vendor, raw_app(address(vendor)) as app:
        vendor.play(Say(stream_head() + chunk(b"a")), Say(chunk(b"b") + LAST_CHUNK))
        await app.send(ASK)
        first = await app.answer()
        await app.send(ASK)
        second = await app.answer()

    assert (first.body, second.body) == (b"ab", b"{}")


@pytest.mark.parametrize(("ending", "seen"), [(Cut(), "reset"), (Fin(), "cut")])
async def test_ending_is_what_was_asked(ending, seen):
    script = (Say(stream_head() + chunk(b"a")), ending)

    async with ScriptedVendor(*script) as vendor, raw_app(address(vendor)) as app:
        await app.send(ASK)
        answer = await app.answer()

    assert (answer.body, answer.ending) == (b"a", seen)


async def test_vendor_sees_when_the_other_side_closes():
    async with ScriptedVendor(Stall()) as vendor:
        async with raw_app(address(vendor)) as app:
            await app.send(ASK)
            await vendor.received()
            connection = await vendor.connected()
            assert not connection.closed.is_set()
            app.leave()

        await asyncio.wait_for(connection.closed.wait(), 5)
        assert connection.ended == "fin"


async def test_chunked_request_is_put_together():
    head = ASK[: ASK.index(b"Content-Length")]
    framed = b"Transfer-Encoding: chunked\r\n\r\n" + chunk(b'{"a":') + chunk(b"1}") + LAST_CHUNK

    async with ScriptedVendor(Say(whole(b"{}"))) as vendor, raw_app(address(vendor)) as app:
        await app.send(head + framed)
        await app.answer()

        assert vendor.requests[0].body == b'{"a":1}'


async def test_greeting_comes_before_any_request():
    greeting = [Say(b"hello"), Fin()]

    async with ScriptedVendor(greeting=greeting) as vendor, raw_app(address(vendor)) as app:
        assert await app.read_some() == b"hello"


async def test_body_may_be_left_unread():
    big = request({"model": "m", "filler": "A" * 2**23})

    vendor = ScriptedVendor(Stall(), reads="head", receive_buffer_bytes=4096)
    async with vendor, raw_app(address(vendor)) as app:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(app.send(big), 0.2)

        assert len((await vendor.connected()).received) < 2**20


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
async def test_tls_certificate_is_good_for_its_authority_only(tmp_path):
    context = authority(tmp_path).server("IP:127.0.0.1")
    curl = ("curl", "--silent", "--fail", "--noproxy", "*")

    async with ScriptedVendor(Say(whole(b"{}")), tls=context) as vendor:
        codes = []
        for trust in (("--cacert", tmp_path / "ca.pem"), ()):
            process = await asyncio.create_subprocess_exec(
                *curl, *trust, vendor.url, stdout=asyncio.subprocess.DEVNULL
            )
            codes.append(await process.wait())

    assert codes == [0, 60]
