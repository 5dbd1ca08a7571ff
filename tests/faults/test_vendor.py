"""A vendor that misbehaves, beyond what `tests/e2e/test_broken_vendor.py` and `tests/http` hold:
streams that are odd, ends that do not come, and vendors beside it that are well."""

import asyncio
import json

import pytest

from tests.e2e.models import HATS, JACKETS, recommender
from tests.harness import running_proxy
from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    BODY,
    DONE,
    EVENT,
    refused,
    scene_of,
)
from tests.raw_client import raw_app, request
from tests.vendor_script import (
    LAST_CHUNK,
    Fin,
    Say,
    ScriptedVendor,
    Stall,
    chunk,
    stream_head,
    whole,
)

ERROR = b'data: {"error":{"message":"no","type":"server_error","code":"overloaded"}}\n\n'

STREAM_HEAD = Say(stream_head())


@pytest.fixture
async def scene(tmp_path, request):
    marker = request.node.get_closest_marker("vendor")
    script, options = (marker.args, marker.kwargs) if marker else ((), {})
    async with scene_of(tmp_path, *script, **options) as opened:
        yield opened


# --- errors within a stream


@pytest.mark.parametrize("before", [b"", EVENT], ids=["first", "after content"])
async def test_error_event_of_the_vendor_is_passed_on_and_counted_as_one(scene, before):
    scene.vendor.play(STREAM_HEAD, Say(chunk(before + ERROR) + LAST_CHUNK))

    answer = await scene.ask(ASK_STREAM)

    assert (answer.status, answer.body, answer.ending) == (200, before + ERROR, "tidy")
    line = await scene.line()
    assert (line["outcome"], line["attempt"]) == ("vendor_error", 1)


# --- bytes that are no good stream

ODD = {
    "no empty line": b'data: {"choices":[]}\ndata: [DONE]\n',
    "carriage returns alone": EVENT.replace(b"\n", b"\r") + DONE,
    "a byte order mark": b"\xef\xbb\xbf" + EVENT + DONE,
    "a flood of comments": b": keep-alive\n\n" * 20_000 + EVENT + DONE,
    "a line without end": b"data: " + b"x" * (10 * 2**20) + b"\n\n" + DONE,
    "nothing but zeros": b"\x00" * 4096 + b"\n\n" + DONE,
    "no Unicode": b'data: {"choices":["\xff\xfe\xc0"]}\n\n' + DONE,
    "no JSON": b"data: {{{{\n\n" + DONE,
    "deep JSON": b"data: " + b"[" * 100_000 + b"]" * 100_000 + b"\n\n" + DONE,
    "unknown fields": b"id: 1\nretry: 5\nevent: nonsense\nfoo\n\n" + EVENT + DONE,
    "a thousand events at once": EVENT * 1000 + DONE,
}


@pytest.mark.parametrize("name", ODD)
async def test_odd_bytes_of_a_stream_are_passed_on_as_they_are(scene, name):
    pieces = [ODD[name][at : at + 2**16] for at in range(0, len(ODD[name]), 2**16)]
    scene.vendor.play(STREAM_HEAD, *(Say(chunk(piece)) for piece in pieces), Say(LAST_CHUNK))

    answer = await scene.ask(ASK_STREAM)

    assert (answer.status, answer.body == ODD[name], answer.ending) == (200, True, "tidy")
    assert (await scene.line())["outcome"] in ("ok", "incomplete")
    scene.vendor.play(Say(whole(ANSWER)))
    assert (await scene.ask()).body == ANSWER


# --- ends that do not come


@pytest.mark.parametrize(
    "flood",
    [b"x-note: a\r\n", b"x" * 1024, b""],
    ids=["trailers", "one trailer", "chunk extension"],
)
async def test_end_that_does_not_come_to_its_end_is_broken_off(scene, flood):
    begin = b"0\r\n" if flood else b"5;"
    more = [Say((flood or b"e" * 1024) * 64)] * 200
    scene.vendor.play(STREAM_HEAD, Say(chunk(EVENT) + begin), *more, Stall())

    answer = await scene.ask(ASK_STREAM)

    assert answer.body.startswith(EVENT)
    assert answer.ending != "tidy"
    line = await scene.line()
    assert (line["outcome"], line["error"]) == ("broken", "upstream_protocol")


# --- at the moment of reuse


PATIENT = {"recommender": recommender(more="[routing]\nattempts = 3\n")}


@pytest.mark.vendor(models=PATIENT)
async def test_connection_that_is_closed_as_it_is_used_again_loses_one_request_and_no_second(scene):
    """The request may have been served and billed: it is not sent again, whatever the routing."""
    scene.vendor.play(Say(whole(ANSWER)))
    await scene.ask()
    scene.vendor.play(Fin())

    answer = await scene.ask()

    assert refused(answer) == (502, "upstream_unreachable")
    assert len(scene.vendor.requests) == 2
    assert len(scene.vendor.connections) == 1


# --- beside a vendor that is well


async def test_vendor_that_is_away_takes_nothing_from_another(tmp_path):
    other = recommender().copy()
    other["version.toml"] = other["version.toml"].replace('"openai"', '"spare"')
    async with ScriptedVendor(Stall()) as silent, ScriptedVendor(Say(whole(ANSWER))) as well:
        vendors = {"openai": {}, "spare": {"base_url": well.url}}
        overrides = {"vendors": vendors, "limits": {"upstream_connections": 10}}
        models = {"recommender": JACKETS, "other": other}
        async with running_proxy(tmp_path, silent.url, models, overrides) as proxy:
            waiting = [await asyncio.open_connection(*proxy.address) for _ in range(20)]
            for _, writer in waiting:
                writer.write(ASK)
            await silent.received(10)
            async with raw_app(proxy.address) as app:
                await app.send(request({**BODY, "model": "other"}))
                answer = await app.answer()
            for _, writer in waiting:
                writer.close()

    assert answer.body == ANSWER


# --- a switch in the middle


async def test_stream_that_outlives_a_pin_ends_with_the_version_it_began_with(tmp_path):
    pinned = asyncio.Event()
    script = (Say(stream_head() + chunk(EVENT)), Stall(until=pinned), Say(chunk(DONE) + LAST_CHUNK))
    async with scene_of(tmp_path, *script) as scene:
        await scene.proxy.register("recommender", HATS)
        await scene.app.send(ASK_STREAM)
        await scene.vendor.received()
        await scene.proxy.pin("recommender", 2)
        await scene.proxy.lines("pin.changed", 2)
        pinned.set()
        answer = await scene.app.answer()
        after = await scene.ask(ASK_STREAM)
        lines = await scene.lines(2)

    jackets, hats = (scene.proxy.version("recommender", number) for number in (1, 2))
    assert (answer.body, answer.ending) == (EVENT + DONE, "tidy")
    assert [one.header("x-proxy-version") for one in (answer, after)] == [jackets.id, hats.id]
    assert [line["version"] for line in lines] == [jackets.id, hats.id]
    # Before the pin the proxy asked for the vendor's models: a request without a body.
    asked = [json.loads(one.body) for one in scene.vendor.requests if one.body]
    prompts = [body["messages"][0]["content"] for body in asked]
    assert [prompt.split()[2] for prompt in prompts] == ["jackets.", "hats."]
