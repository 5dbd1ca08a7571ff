"""One line a request, whatever ended it, with every field that dashboards were promised."""

import json
import re

import pytest

from proxy.observe.request_line import Outcome
from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    BODY,
    EVENT,
    LIST,
    scene_of,
)
from tests.raw_client import request
from tests.vendor_script import LAST_CHUNK, Cut, Say, Stall, chunk, head, stream_head, whole

TEXT, NUMBER, COUNT, FLAG, TEXTS = (str,), (int, float), (int,), (bool,), (list,)
NONE = (type(None),)

# The contract: name, what it may be.
FIELDS = {
    "event": TEXT,
    "ts": TEXT,
    "request_id": TEXT,
    "app": TEXT + NONE,
    "model": TEXT + NONE,
    "version": TEXT + NONE,
    "digest": TEXT + NONE,
    "label": TEXT + NONE,
    "epoch": COUNT + NONE,
    "kept": FLAG + NONE,
    "dialect": TEXT + NONE,
    "vendor": TEXT + NONE,
    "vendor_model": TEXT + NONE,
    "served_model": TEXT + NONE,
    "status": COUNT,
    "outcome": TEXT,
    "stream": FLAG,
    "attempt": COUNT,
    "duration_ms": NUMBER,
    "ttft_ms": NUMBER + NONE,
    "proxy_ms": NUMBER + NONE,
    "input_tokens": COUNT + NONE,
    "output_tokens": COUNT + NONE,
    "cached_tokens": COUNT + NONE,
    "finish_reason": TEXT + NONE,
    "bytes_in": COUNT,
    "bytes_out": COUNT,
    "dropped": TEXTS,
    "app_fields": TEXTS,
    "unmanaged": FLAG,
    "call": TEXT + NONE,
    "observed": TEXT + NONE,
    "would_change": TEXTS,
    "would_fail": TEXT + NONE,
    "error": TEXT + NONE,
}

USAGE = {"prompt_tokens": 11, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 4}}
FINISH = {"index": 0, "delta": {}, "finish_reason": "stop"}
DOCUMENT = json.dumps(
    {"model": "gpt-4o-real", "choices": [{"finish_reason": "stop"}], "usage": USAGE}
).encode()
LAST = (
    b"data: %b\n\ndata: [DONE]\n\n"
    % json.dumps({"model": "gpt-4o-real", "choices": [FINISH], "usage": USAGE}).encode()
)

SHORT = {"timeouts": {"first_byte_s": 0.2, "idle_s": 0.2}}

# By what happens: the vendor's script, what the app sends, and what the line says of the end.
ENDS = {
    "document": ([Say(whole(DOCUMENT))], ASK, (200, "ok", None)),
    "stream": ([Say(stream_head() + chunk(LAST) + LAST_CHUNK)], ASK_STREAM, (200, "ok", None)),
    "no end marker": (
        [Say(stream_head() + chunk(EVENT) + LAST_CHUNK)],
        ASK_STREAM,
        (200, "incomplete", None),
    ),
    "error of the vendor": ([Say(whole(b"{}", status=429))], ASK, (429, "vendor_error", None)),
    "error in a stream": (
        [Say(stream_head() + chunk(b'data: {"error":{"code":"x"}}\n\n') + LAST_CHUNK)],
        ASK_STREAM,
        (200, "vendor_error", None),
    ),
    "silence": ([Stall()], ASK, (504, "failed", "upstream_timeout")),
    "reset": ([Cut()], ASK, (502, "failed", "upstream_unreachable")),
    "redirect": (
        [Say(head(302, ("content-length", "0")))],
        ASK,
        (502, "failed", "upstream_protocol"),
    ),
    "our key": ([Say(whole(b"{}", status=401))], ASK, (502, "failed", "upstream_auth")),
    "broken stream": (
        [Say(stream_head() + chunk(EVENT)), Cut()],
        ASK_STREAM,
        (200, "broken", "upstream_unreachable"),
    ),
    "silence in a stream": (
        [Say(stream_head() + chunk(EVENT)), Stall()],
        ASK_STREAM,
        (200, "broken", "upstream_timeout"),
    ),
    "body": ([], request("{"), (400, "refused", "invalid_json")),
    "model": ([], request({**BODY, "model": "nobody"}), (404, "refused", "unknown_model")),
    "path": ([], request(BODY, path="/nothing"), (404, "refused", "not_found")),
    "method": ([], request(BODY, path="/v1/models"), (405, "refused", "method_not_allowed")),
    "framing": ([], b"\x00\r\n\r\n", (400, "refused", "bad_framing")),
    "models": ([], LIST, (200, "ok", None)),
    "no such model": (
        [],
        LIST.replace(b"/models", b"/models/nobody"),
        (404, "refused", "unknown_model"),
    ),
}


@pytest.mark.vendor(overrides=SHORT)
@pytest.mark.parametrize("name", ENDS)
async def test_every_end_leaves_one_line_with_every_field(scene, name):
    script, sent, (status, outcome, error) = ENDS[name]
    scene.vendor.play(*script)

    await scene.ask(sent)
    line = await scene.line()
    await scene.nothing_in_flight()

    assert (line["status"], line["outcome"], line["error"]) == (status, outcome, error)
    assert line.keys() == FIELDS.keys()
    assert {name: value for name, value in line.items() if type(value) not in FIELDS[name]} == {}
    assert len(await scene.lines()) == 1


@pytest.mark.parametrize("raw", [ASK, ASK_STREAM], ids=["document", "stream"])
@pytest.mark.vendor(Say(whole(DOCUMENT)))
async def test_line_says_who_was_asked_for_what_and_what_came_back(scene, raw):
    streams = raw is ASK_STREAM
    if streams:
        scene.vendor.play(Say(stream_head() + chunk(EVENT)), Say(chunk(LAST) + LAST_CHUNK))
    version = scene.proxy.version("recommender", 1)

    answer = await scene.ask(raw)

    line = await scene.line()
    assert (
        line
        | {
            "app": "local",
            "model": "recommender",
            "version": version.id,
            "digest": version.digest,
            "label": "prod",
            "dialect": "openai.chat",
            "vendor": "openai",
            "vendor_model": "gpt-4o-2024-08-06",
            "served_model": "gpt-4o-real",
            "stream": streams,
            "attempt": 1,
            "input_tokens": 11,
            "output_tokens": 7,
            "cached_tokens": 4,
            "finish_reason": "stop",
            "bytes_in": len(raw.partition(b"\r\n\r\n")[2]),
            "bytes_out": len(answer.body),
            "dropped": [],
        }
        == line
    )
    assert line["epoch"] == scene.proxy.running.follower.snapshot.epoch


SLOWLY = (
    *(Stall(0.05), Say(stream_head() + chunk(EVENT))),
    *(Stall(0.1), Say(chunk(LAST) + LAST_CHUNK)),
)


@pytest.mark.vendor(*SLOWLY)
async def test_times_of_a_line_are_those_of_the_request(scene):
    await scene.ask(ASK_STREAM)

    line = await scene.line()

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    assert 0 <= line["proxy_ms"] < line["ttft_ms"] < line["duration_ms"]
    assert line["ttft_ms"] >= 45
    assert line["duration_ms"] >= 145


async def test_fields_that_the_app_decided_are_named(scene):
    await scene.ask(request({**BODY, "user": "u", "temperature": 1, "logprobs": True}))

    line = await scene.line()
    assert line["app_fields"] == ["user", "logprobs"]
    assert line["dropped"] == ["temperature"]


async def test_no_prompt_and_no_answer_is_logged(scene):
    body = {**BODY, "messages": [{"role": "user", "content": "c4n4ry"}], "user": "c4n4ry"}
    scene.vendor.play(Say(whole(b'{"choices":[{"message":{"content":"c4n4ry"}}]}')))

    await scene.ask(request(body))
    await scene.line()

    assert b"c4n4ry" not in bytes(scene.proxy.log.written)


async def test_label_that_was_asked_for_is_named(scene):
    await scene.proxy.pin("recommender", 1, "staging")

    await scene.ask(request({**BODY, "model": "recommender@staging"}))

    assert (await scene.line())["label"] == "staging"


async def test_explicit_version_has_neither_label_nor_epoch(scene):
    await scene.ask(request({**BODY, "model": "recommender@v1"}))

    line = await scene.line()
    assert (line["label"], line["epoch"]) == (None, None)
    assert line["version"] == scene.proxy.version("recommender", 1).id


@pytest.mark.vendor(overrides={"limits": {"body_bytes": 1000}})
async def test_line_of_a_body_that_was_refused_says_what_its_head_told(scene):
    head = b"POST /v1/responses HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    await scene.ask(head + b"fff\r\n" + b"x" * 2000)

    line = await scene.line()
    assert (line["app"], line["dialect"], line["error"]) == (
        "local",
        "openai.responses",
        "body_too_large",
    )


async def test_lines_may_be_switched_off(tmp_path):
    async with scene_of(tmp_path, overrides={"log": {"requests": False}}) as scene:
        assert (await scene.ask()).body == ANSWER
        await scene.nothing_in_flight()

        assert await scene.proxy.lines("proxy.started", 1)
        assert await scene.lines(0) == []


def test_outcomes_are_a_closed_set():
    """Dashboards and metrics group by them: an outcome that is added is added here too."""
    assert set(Outcome) == {
        "ok",
        "refused",
        "failed",
        "vendor_error",
        "incomplete",
        "broken",
        "client_closed",
        "stalled",
        "drained",
    }


async def test_answer_too_large_to_be_looked_at_is_a_whole_answer_all_the_same(tmp_path):
    text = json.dumps({"text": "x" * 2**21}).encode()

    async with scene_of(tmp_path, Say(whole(text))) as scene:
        answer = await scene.ask()

        line = await scene.line()
    assert answer.body == text
    assert (line["outcome"], line["bytes_out"]) == ("ok", len(text))
