"""What vendors do wrong on the wire, and what the app is told: never half an answer as a whole."""

import asyncio
import json

import pytest

from tests.e2e.models import JACKETS
from tests.harness import running_proxy
from tests.http.test_back_pressure import deaf_app
from tests.raw_client import raw_app, request
from tests.vendor_script import (
    LAST_CHUNK,
    Cut,
    Fin,
    Say,
    ScriptedVendor,
    Stall,
    chunk,
    head,
    stream_head,
    whole,
)

BODY = {"model": "recommender", "messages": [{"role": "user", "content": "hi"}]}
ASK = request(BODY)
ASK_STREAM = request({**BODY, "stream": True})

ANSWER = b'{"id":"x","choices":[]}'
EVENT = b'data: {"choices":[]}\n\n'
DONE = b"data: [DONE]\n\n"
JSON = ("content-type", "application/json")
SSE = ("content-type", "text/event-stream")

SHORT = {"timeouts": {"first_byte_s": 0.3, "idle_s": 0.3, "write_s": 0.3, "connect_s": 0.5}}
FEW = {"limits": {"upstream_head_bytes": 4096}}


class Scene:
    """A scripted vendor, a proxy in front of it, and one connection of an app."""

    def __init__(self, vendor, proxy, app):
        self.vendor, self.proxy, self.app = vendor, proxy, app

    async def ask(self, raw=ASK):
        await self.app.send(raw)
        return await self.app.answer()

    async def line(self):
        return (await self.proxy.lines("request.finished", 1))[-1]


@pytest.fixture
async def scene(tmp_path, request):
    """Play the script of the test's marker; its keywords are for the vendor or the settings."""
    marker = request.node.get_closest_marker("vendor")
    options = dict(marker.kwargs)
    overrides = options.pop("overrides", {})
    async with ScriptedVendor(*marker.args, **options) as vendor:
        models = {"recommender": JACKETS}
        async with (
            running_proxy(tmp_path, vendor.url, models, overrides) as proxy,
            raw_app(proxy.address) as app,
        ):
            yield Scene(vendor, proxy, app)


def failed(answer, status, code):
    """Say whether `answer` is an error of the proxy's own, whole and in the dialect's shape."""
    assert (answer.status, answer.header("x-proxy-error")) == (status, code)
    assert answer.json["error"]["code"] == code
    return answer.ending == "tidy"


# Before the head of an answer: a status.


@pytest.mark.vendor(Cut())
async def test_reset_before_the_head_is_unreachable_and_not_repeated(scene):
    assert failed(await scene.ask(), 502, "upstream_unreachable")
    assert len(scene.vendor.requests) == 1


@pytest.mark.vendor(Fin())
async def test_close_before_the_head_is_unreachable(scene):
    assert failed(await scene.ask(), 502, "upstream_unreachable")


@pytest.mark.vendor(Say(b"HTTP/1.1 200 OK\r\ncontent-"), Fin())
async def test_half_a_head_is_unreachable(scene):
    assert failed(await scene.ask(), 502, "upstream_unreachable")


@pytest.mark.vendor(Say(b"\x16\x03\x01 no http\r\n\r\n"), Stall())
async def test_garbage_for_a_head_is_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Say(head(200, ("content-length", "5"), ("content-length", "6"))), Stall())
async def test_two_lengths_are_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Say(head(200, *[("x-filler", "a" * 60000)] * 4)), Stall(), overrides=FEW)
async def test_huge_head_is_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Say(b"HTTP/1.1 200 OK\r\nx-filler: " + b"a" * 9000), Stall(), overrides=FEW)
async def test_head_without_an_end_is_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Say(head(101, ("upgrade", "websocket"), ("connection", "upgrade"))), Stall())
async def test_switch_of_protocols_is_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Say(head(103) * 1000), Stall())
async def test_flood_of_informational_heads_is_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Say(head(100) + head(103) + whole(ANSWER)))
async def test_few_informational_heads_are_left_out(scene):
    answer = await scene.ask()

    assert (answer.status, answer.body, answer.informational) == (200, ANSWER, [])


@pytest.mark.vendor(Say(head(302, ("location", "http://127.0.0.1:1/"), ("content-length", "0"))))
async def test_redirect_is_not_followed(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


@pytest.mark.vendor(Stall(), overrides=SHORT)
async def test_silent_vendor_is_a_timeout_and_its_connection_is_closed(scene):
    assert failed(await scene.ask(), 504, "upstream_timeout")

    connection = await scene.vendor.connected()
    await asyncio.wait_for(connection.closed.wait(), 5)


@pytest.mark.vendor(Stall(), reads="nothing", receive_buffer_bytes=4096, overrides=SHORT)
async def test_vendor_that_does_not_take_the_request_is_a_timeout(scene):
    big = {**BODY, "messages": [{"role": "user", "content": "A" * 2**24}]}

    assert failed(await scene.ask(request(big)), 504, "upstream_timeout")


@pytest.mark.vendor(
    Say(head(200, JSON, ("content-encoding", "br"), ("content-length", "3")) + b"abc")
)
async def test_compression_that_the_app_did_not_offer_is_a_protocol_error(scene):
    assert failed(await scene.ask(), 502, "upstream_protocol")


# After it: a broken connection.


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT)), Cut())
async def test_reset_in_a_stream_sends_the_error_event_and_breaks_off(scene):
    answer = await scene.ask(ASK_STREAM)

    event = answer.body.removeprefix(EVENT)
    assert json.loads(event.removeprefix(b"data: "))["error"]["code"] == "upstream_unreachable"
    assert answer.ending != "tidy"
    assert (await scene.line())["outcome"] == "broken"


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT + b'data: {"ch')), Cut())
async def test_nothing_is_added_to_half_an_event(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.body == EVENT + b'data: {"ch'
    assert answer.ending != "tidy"


@pytest.mark.vendor(Say(stream_head() + b"1f\r\ndata: {"), Fin())
async def test_half_a_chunk_breaks_off(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.body.startswith(b"data: {")
    assert answer.ending != "tidy"


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT) + b"zz\r\n"), Stall())
async def test_garbage_between_chunks_breaks_off(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.body.startswith(EVENT)
    assert answer.ending != "tidy"


@pytest.mark.vendor(Say(head(200, JSON, ("content-length", "100")) + ANSWER), Fin())
async def test_document_that_is_shorter_than_it_said_breaks_off(scene):
    answer = await scene.ask()

    assert (answer.body, answer.ending) == (ANSWER, "cut")


@pytest.mark.vendor(Say(head(200, SSE) + EVENT), Fin())
async def test_end_of_the_connection_is_no_end_of_a_stream(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.body.startswith(EVENT)
    assert answer.ending != "tidy"


@pytest.mark.vendor(Say(head(200, SSE) + EVENT + DONE), Fin())
async def test_stream_that_says_its_end_may_end_with_the_connection(scene):
    answer = await scene.ask(ASK_STREAM)

    assert (answer.body, answer.ending) == (EVENT + DONE, "tidy")
    assert (await scene.line())["outcome"] == "ok"


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT)), Stall(), overrides=SHORT)
async def test_stream_that_falls_silent_breaks_off(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.body.startswith(EVENT)
    assert answer.ending != "tidy"
    assert (await scene.line())["error"] == "upstream_timeout"


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT) + LAST_CHUNK))
async def test_tidy_end_without_the_end_marker_is_passed_on_and_logged(scene):
    answer = await scene.ask(ASK_STREAM)

    assert (answer.body, answer.ending) == (EVENT, "tidy")
    assert (await scene.line())["outcome"] == "incomplete"


# Connections.


@pytest.mark.vendor(Say(whole(ANSWER) + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"))
async def test_bytes_after_an_answer_never_become_the_next_answer(scene):
    first, second = await scene.ask(), await scene.ask()

    assert (first.body, second.body) == (ANSWER, ANSWER)
    assert len(scene.vendor.connections) == 2


@pytest.mark.vendor(Say(whole(ANSWER)))
async def test_connection_is_used_again_after_a_whole_answer(scene):
    for _ in range(3):
        assert (await scene.ask()).status == 200

    assert len(scene.vendor.connections) == 1


@pytest.mark.vendor(Say(whole(ANSWER, ("connection", "close"))), Fin())
async def test_connection_that_the_vendor_closes_is_not_used_again(scene):
    first, second = await scene.ask(), await scene.ask()

    assert (first.status, second.status) == (200, 200)
    assert len(scene.vendor.connections) == 2


@pytest.mark.vendor(Say(stream_head() + chunk(EVENT)), Stall())
async def test_app_that_goes_ends_the_call_at_once(scene):
    await scene.app.send(ASK_STREAM)
    await scene.app.read_some()

    scene.app.vanish()

    connection = await scene.vendor.connected()
    async with asyncio.timeout(1):
        await connection.closed.wait()
    assert (await scene.line())["outcome"] == "client_closed"


@pytest.mark.vendor(*[Say(stream_head())], *[Say(chunk(b"x" * 65536))] * 400, Say(LAST_CHUNK))
async def test_app_that_does_not_read_holds_the_vendor_back(scene):
    # Of a size of its own, or the kernel would hold up to 33 MB for it.
    async with deaf_app(scene.proxy.address, kernel_bytes=2**17) as app:
        await app.send(ASK_STREAM)
        connection = await scene.vendor.connected()
        await scene.vendor.received()

        said = await scene.vendor.said_until_blocked()

        # The rest waits at the vendor, not in the proxy: what is under way is what kernels hold.
        assert said < 400 * 65536 * 0.8
        assert not connection.closed.is_set()
        answer = await app.answer()
    assert (len(answer.body), answer.ending) == (400 * 65536, "tidy")
