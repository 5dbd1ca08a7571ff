"""Calls that the proxy does not serve itself, passed through: any path, of any size."""

import asyncio
import hashlib
import itertools
import json

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.harness import CANARY
from tests.http.frames import apart
from tests.http.scene import ANSWER, ASK, BODY, refused, scene_of
from tests.raw_client import raw_app, request
from tests.vendor_script import (
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

PASSING = {"models": {"unmanaged": "passthrough"}}
passing = pytest.mark.vendor(overrides=PASSING)


def get(path="/v1/files", method="GET", *headers):
    lines = [f"{method} {path} HTTP/1.1", "Host: proxy.test", "Authorization: Bearer sk-app-0000"]
    return ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode()


def upload(body, path="/v1/files"):
    return request(body, path=path).replace(b"application/json", b"multipart/form-data; boundary=x")


async def test_by_default_nothing_is(scene):
    assert refused(await scene.ask(get())) == (404, "not_found")


@passing
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "PUT", "PATCH"])
async def test_a_call_without_a_body_passes(scene, method):
    answer = await scene.ask(get("/v1/files/file-1?limit=2&key=app", method, "Range: bytes=0-1"))

    assert (answer.status, answer.body) == (200, ANSWER)
    (sent,) = scene.vendor.requests
    assert sent.line == f"{method} /v1/files/file-1?limit=2 HTTP/1.1"
    assert sent.header("authorization") == f"Bearer {CANARY}"
    assert sent.header("range") == "bytes=0-1"


@passing
@pytest.mark.parametrize("size", [1, 70_000, 1_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_passes_as_it_is(scene, size, chunked):
    body = bytes(range(256)) * (size // 256) + b"a" * (size % 256)
    raw = upload(body)
    if chunked:
        lines, _, _ = raw.partition(b"\r\n\r\n")
        start = lines.rpartition(b"\r\n")[0]
        pieces = b"".join(chunk(body[at : at + 50_000]) for at in range(0, size, 50_000))
        raw = start + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + pieces + b"0\r\nX-T: 1\r\n\r\n"

    answer = await scene.ask(raw)

    assert answer.body == ANSWER
    (sent,) = scene.vendor.requests
    assert sent.body == body
    assert sent.header("content-type") == "multipart/form-data; boundary=x"
    assert (sent.header("transfer-encoding") == "chunked") is chunked
    assert b"X-T" not in sent.framed
    assert (await scene.line())["bytes_in"] == size


@passing
async def test_it_is_stamped_logged_and_counted(scene):
    answer = await scene.ask(upload(b"abc"))

    assert answer.header("x-proxy-version") == "unversioned"
    assert answer.header("x-proxy-upstream") == "openai;attempt=1"
    line = await scene.line()
    names = ("unmanaged", "call", "vendor", "app", "outcome", "status", "model", "version")
    assert {name: line[name] for name in names} == {
        "unmanaged": True,
        "call": "POST /v1/files",
        "vendor": "openai",
        "app": "local",
        "outcome": "ok",
        "status": 200,
        "model": None,
        "version": None,
    }
    stats = scene.proxy.running.gateway.stats
    assert stats.unmanaged == {("openai", "ok", 2): 1}


@passing
async def test_a_model_that_is_not_ours_is_counted_too(scene):
    await scene.ask(request({**BODY, "model": "gpt-4o"}))
    await scene.ask(ASK)

    assert [line["unmanaged"] for line in await scene.lines(2)] == [True, False]
    assert scene.proxy.running.gateway.stats.unmanaged == {("openai", "ok", 2): 1}


@passing
async def test_another_method_on_a_path_of_ours_passes(scene):
    await scene.ask(get("/v1/chat/completions?limit=1"))
    await scene.ask(get("/v1/models/ft:gpt-4o", "DELETE"))

    assert [one.line for one in scene.vendor.requests] == [
        "GET /v1/chat/completions?limit=1 HTTP/1.1",
        "DELETE /v1/models/ft:gpt-4o HTTP/1.1",
    ]


@passing
async def test_the_list_of_models_stays_ours(scene):
    answer = await scene.ask(get("/v1/models"))

    assert [one["id"] for one in answer.json["data"]] == ["recommender"]


@passing
@pytest.mark.parametrize("target", ["/v1/../admin", "/v1//files", "/v1/%2e%2e/admin"])
async def test_a_path_that_may_lead_elsewhere_does_not_pass(scene, target):
    assert refused(await scene.ask(get(target))) == (404, "not_found")
    assert scene.vendor.connections == []


@passing
async def test_an_upgrade_does_not_pass(scene):
    raw = get("/v1/realtime", "GET", "Connection: upgrade", "Upgrade: websocket")

    assert refused(await scene.ask(raw)) == (400, "bad_framing")
    assert scene.vendor.connections == []


async def test_an_app_that_was_granted_certain_models_may_not(tmp_path):
    hexdigits = hashlib.sha256(b"sk-app-0000").hexdigest()
    apps = {"web": {"token_sha256": hexdigits, "models": ["recommender"]}}
    async with scene_of(tmp_path, overrides={**PASSING, "apps": apps}) as scene:
        assert refused(await scene.ask(get())) == (404, "not_found")
        async with raw_app(scene.proxy.address) as app:
            await app.send(request({**BODY, "model": "gpt-4.1"}))
            assert refused(await app.answer()) == (404, "unknown_model")


async def test_an_app_without_a_token_may_not(tmp_path):
    apps = {"apps": {"web": {"token_sha256": "0" * 64}}}
    async with scene_of(tmp_path, overrides={**PASSING, **apps}) as scene:
        assert refused(await scene.ask(upload(b"abc"))) == (401, "unauthorized")


async def test_the_marks_of_a_dialect_choose_the_vendor(tmp_path):
    vendors = {"openai": {}, "claude": {"dialects": ["anthropic.messages"]}}
    async with ScriptedVendor(Say(whole(ANSWER))) as claude:
        vendors["claude"]["base_url"] = claude.url + "/base"
        async with scene_of(tmp_path, overrides={**PASSING, "vendors": vendors}) as scene:
            answer = await scene.ask(get("/v1/files", "GET", "anthropic-version: 2023-06-01"))
            await scene.ask(get())

            assert answer.header("x-proxy-upstream") == "claude;attempt=1"
            assert [one.line for one in claude.requests] == ["GET /base/v1/files HTTP/1.1"]
            assert claude.requests[0].header("x-api-key") == CANARY
            assert len(scene.vendor.requests) == 1


async def test_without_a_vendor_of_the_kind_nothing_passes(tmp_path):
    vendors = {"openai": {"dialects": ["anthropic.messages"]}}
    async with scene_of(tmp_path, overrides={**PASSING, "vendors": vendors}) as scene:
        assert refused(await scene.ask(get())) == (404, "not_found")


@pytest.mark.vendor(Say(stream_head() + chunk(b"data: 1\n\n")), Stall(), overrides=PASSING)
async def test_an_answer_comes_as_it_is_said(scene):
    await scene.app.send(upload(b"abc", "/v1/audio/speech"))

    assert (await scene.app.read_some()).endswith(chunk(b"data: 1\n\n"))

    scene.app.vanish()
    assert (await scene.line())["outcome"] == "client_closed"


FILE = ("content-disposition", "attachment"), ("etag", '"a"'), ("set-cookie", "a=b")


@pytest.mark.vendor(Say(whole(b"\x00" * 100_000, *FILE)), overrides=PASSING)
async def test_a_file_comes_with_its_name_and_without_cookies(scene):
    answer = await scene.ask(get("/v1/files/file-1/content"))

    assert (len(answer.body), answer.ending) == (100_000, "tidy")
    assert answer.header("content-disposition") == "attachment"
    assert answer.header("set-cookie") is None


@pytest.mark.vendor(Say(head(200) + b"to the end"), Fin(), overrides=PASSING)
async def test_an_answer_may_end_with_its_connection(scene):
    assert (await scene.ask(get())).body == b"to the end"


@pytest.mark.vendor(Say(stream_head() + chunk(b"half")), Cut(), overrides=PASSING)
async def test_half_an_answer_cannot_pass_for_a_whole_one(scene):
    answer = await scene.ask(get())

    assert (answer.body, answer.ending) == (b"half", "cut")
    assert (await scene.line())["outcome"] == "broken"


@pytest.mark.vendor(Cut(), overrides=PASSING)
async def test_a_vendor_that_breaks_off_is_called_once(scene):
    assert refused(await scene.ask(upload(b"abc"))) == (502, "upstream_unreachable")
    assert len(scene.vendor.connections) == 1


@pytest.mark.vendor(Say(whole(b"no", status=401)), overrides=PASSING)
async def test_a_refused_key_of_the_operators_is_not_the_apps_affair(scene):
    assert refused(await scene.ask(get())) == (502, "upstream_auth")


@pytest.mark.vendor(Say(whole(b'{"error":1}', status=422)), overrides=PASSING)
async def test_the_vendors_own_error_passes(scene):
    answer = await scene.ask(get())

    assert (answer.status, answer.body) == (422, b'{"error":1}')
    assert (await scene.line())["outcome"] == "vendor_error"


@passing
async def test_many_calls_on_one_connection_are_answered_in_order(scene):
    await scene.app.send(upload(b"one") + ASK + get() + upload(b"two") + ASK)

    answers = [await scene.app.answer() for _ in range(5)]

    assert [one.status for one in answers] == [200] * 5
    bodies = [one.body for one in scene.vendor.requests if "/files" in one.line]
    assert bodies == [b"one", b"", b"two"]


@passing
async def test_a_body_is_asked_for_where_the_app_waits(scene):
    raw = upload(b"abc").replace(b"Host:", b"Expect: 100-continue\r\nHost:")
    lines, _, body = raw.partition(b"\r\n\r\n")
    await scene.app.send(lines + b"\r\n\r\n")
    assert await scene.app.read_some() == b"HTTP/1.1 100 Continue\r\n\r\n"

    assert (await scene.ask(body)).body == ANSWER


async def test_a_body_that_nobody_takes_is_not_asked_for(tmp_path):
    vendors = {"openai": {"base_url": "http://127.0.0.1:1"}}
    raw = upload(b"abc").replace(b"Host:", b"Expect: 100-continue\r\nHost:")
    async with scene_of(tmp_path, overrides={**PASSING, "vendors": vendors}) as scene:
        answer = await scene.ask(raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")

        assert answer.informational == []
        assert refused(answer) == (502, "upstream_unreachable")
        assert answer.header("connection") == "close"


@pytest.mark.vendor(Say(whole(b'{"error":1}', status=413)), reads="head", overrides=PASSING)
async def test_an_answer_before_the_body_is_over_passes_and_closes(scene):
    raw = upload(b"x" * 1_000_000)
    await scene.app.send(raw[:100_000])

    answer = await scene.app.answer()

    assert (answer.status, answer.header("connection")) == (413, "close")
    assert await scene.app.closed() == "cut"
    await scene.nothing_in_flight()


@passing
async def test_a_body_that_breaks_its_framing_ends_the_vendors_call(scene):
    await scene.app.send(get("/v1/files", "POST", "Transfer-Encoding: chunked") + chunk(b"abcde"))
    connection = await scene.vendor.connected()

    answer = await scene.ask(b"nonsense\r\n")

    assert refused(answer) == (400, "bad_framing")
    await asyncio.wait_for(connection.closed.wait(), 5)
    assert connection.requests == []


@passing
async def test_an_app_that_goes_in_the_middle_ends_the_vendors_call(scene):
    await scene.app.send(upload(b"x" * 1000)[:-1])
    connection = await scene.vendor.connected()
    scene.app.vanish()

    await asyncio.wait_for(connection.closed.wait(), 5)
    line = await scene.line()
    assert (line["outcome"], line["status"]) == ("client_closed", 499)
    assert connection.requests == []


@pytest.mark.vendor(overrides={**PASSING, "timeouts": {"body_s": 0.2}})
async def test_an_app_that_stops_sending_is_told(scene):
    answer = await scene.ask(upload(b"x" * 1000)[:-1])

    assert refused(answer) == (408, "request_timeout")


@pytest.mark.vendor(Stall(), overrides={**PASSING, "timeouts": {"first_byte_s": 0.2}})
async def test_a_vendor_that_says_nothing_is_left(scene):
    assert refused(await scene.ask(upload(b"abc"))) == (504, "upstream_timeout")


@pytest.mark.vendor(Stall(), reads="nothing", overrides={**PASSING, "timeouts": {"write_s": 0.2}})
async def test_a_vendor_that_takes_nothing_is_left(scene):
    sending = asyncio.create_task(scene.app.send(upload(b"x" * 12_000_000)))

    answer = await scene.app.answer()

    assert refused(answer) == (504, "upstream_timeout")
    scene.app.vanish()
    await asyncio.gather(sending, return_exceptions=True)


@passing
async def test_the_connection_serves_on_after_each(scene):
    for _ in range(3):
        assert json.loads((await scene.ask(upload(b"x" * 100_000))).body) == json.loads(ANSWER)

    assert len(scene.vendor.connections) == 1
    assert len(scene.vendor.requests) == 3


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 2000), max_size=12))
def test_calls_in_a_row_may_be_cut_anywhere(cuts, tmp_path_factory):
    """Such with a length, in chunks and without a body, between managed ones."""
    chunked = get("/v1/files", "POST", "Transfer-Encoding: chunked")
    row = upload(b"length") + ASK + chunked + chunk(b"chu") + chunk(b"nks") + b"0\r\n\r\n"
    row += get() + ASK + upload(b"")
    edges = sorted({0, len(row), *(cut % len(row) for cut in cuts)})

    async def seen():
        async with scene_of(tmp_path_factory.mktemp("row"), overrides=PASSING) as scene:
            await apart(scene.app, *(row[one:two] for one, two in itertools.pairwise(edges)))
            answers = [(await scene.app.answer()).status for _ in range(6)]
            bodies = [one.body for one in scene.vendor.requests if "/files" in one.line]
            return answers, bodies

    assert uvloop.run(seen()) == ([200] * 6, [b"length", b"chunks", b"", b""])
