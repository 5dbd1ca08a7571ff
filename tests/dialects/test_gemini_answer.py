"""What the proxy learns from answers of Gemini's API, however they come, however they end."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.sse import KEPT_BYTES, MAX_EVENT_BYTES
from tests.dialects.composing import GEMINI
from tests.wire.recordings import recording

STREAM, COUNT, EMBED, BATCH = GEMINI.others


def chunk(text="hi", reason=None, **fields):
    candidate = {"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}
    candidate |= {"finishReason": reason} if reason else {}
    told = {"promptTokenCount": 31, "totalTokenCount": 31}
    return {
        "candidates": [candidate],
        "usageMetadata": told,
        "modelVersion": "gemini-9-001",
        "responseId": "r",
        **fields,
    }


USAGE = {
    "promptTokenCount": 31,
    "toolUsePromptTokenCount": 4,
    "candidatesTokenCount": 9,
    "thoughtsTokenCount": 22,
    "cachedContentTokenCount": 7,
    "totalTokenCount": 66,
}
LAST = chunk("", "STOP", usageMetadata=USAGE)
ERROR = {"error": {"code": 503, "message": "Overloaded", "status": "UNAVAILABLE"}}


def event(data, end="\r\n\r\n"):
    return f"data: {json.dumps(data)}{end}".encode()


def seen(*pieces, stream=True, endpoint=STREAM):
    observer = endpoint.observer(stream=stream)
    for piece in pieces:
        observer.feed(piece)
    return observer.finish()


def facts(found):
    return (found.served_model, found.input_tokens, found.output_tokens, found.cached_tokens)


@pytest.mark.parametrize("end", ["\r\n\r\n", "\n\n"])
def test_a_stream_tells_model_usage_reason_and_end(end):
    found = seen(event(chunk(), end), event(LAST, end))

    assert facts(found) == ("gemini-9-001", 35, 31, 7)
    assert (found.finish_reason, found.ended, found.failed) == ("STOP", True, False)


def test_a_document_tells_the_same():
    found = seen(json.dumps(LAST).encode(), stream=False, endpoint=GEMINI)

    assert facts(found) == ("gemini-9-001", 35, 31, 7)
    assert (found.finish_reason, found.ended) == ("STOP", True)


def test_a_list_of_chunks_tells_the_same():
    """That is how a stream comes without `alt=sse`."""
    body = json.dumps([chunk(), chunk(), LAST], indent=1).encode()

    found = seen(*(body[i : i + 7] for i in range(0, len(body), 7)), stream=False)

    assert facts(found) == ("gemini-9-001", 35, 31, 7)
    assert (found.finish_reason, found.ended) == ("STOP", True)


def test_a_list_that_was_cut_has_not_ended():
    whole = json.dumps([chunk(), LAST]).encode()

    assert seen(whole[:-40], stream=False).ended is False
    assert seen(json.dumps([chunk()]).encode(), stream=False).ended is False


@pytest.mark.parametrize("pieces", [(), (event(chunk()),), (event(chunk()), event(LAST)[:-40])])
def test_a_stream_without_a_reason_has_not_ended(pieces):
    assert seen(*pieces).ended is False


def test_a_long_stream_is_told_by_its_end():
    middle = [event(chunk("x" * 100))] * 400

    found = seen(*middle, event(LAST))

    assert len(b"".join(middle)) > 10 * KEPT_BYTES
    assert facts(found) == ("gemini-9-001", 35, 31, 7)
    assert found.ended


def test_thoughts_and_signatures_hide_nothing():
    part = {"functionCall": {"name": "a"}, "thoughtSignature": "Q" * 100_000}
    candidate = {"content": {"parts": [part]}, "finishReason": "STOP"}

    found = seen(event(chunk()), event({**LAST, "candidates": [candidate]}))

    assert (found.finish_reason, found.output_tokens) == ("STOP", 31)


@pytest.mark.parametrize("stream", [True, False])
def test_a_prompt_that_was_blocked_is_an_end(stream):
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "modelVersion": "m"}
    body = event(blocked) if stream else json.dumps(blocked).encode()

    found = seen(body, stream=stream)

    assert (found.finish_reason, found.ended, found.failed) == ("SAFETY", True, False)


@pytest.mark.parametrize("body", [ERROR, [ERROR]])
def test_an_error_is_a_failure(body):
    found = seen(json.dumps(body).encode(), stream=False)

    assert (found.ended, found.failed) == (True, True)


def test_an_error_in_mid_stream_is_a_failure():
    found = seen(event(chunk()), event(ERROR))

    assert (found.ended, found.failed, found.served_model) == (True, True, "gemini-9-001")


def test_a_new_reason_and_new_fields_are_no_hindrance():
    new = chunk("x", "NOVEL_REASON", novel={"a": [1]})

    assert seen(event(new)).finish_reason == "NOVEL_REASON"


@pytest.mark.parametrize("text", [b"", b"{", b"[]", b"1", b'{"candidates":7', b"[" * 100_000])
def test_what_cannot_be_read_tells_nothing(text):
    for endpoint in (GEMINI, *GEMINI.others):
        found = seen(text, stream=False, endpoint=endpoint)
        assert (found.finish_reason, found.ended) == (None, False)


def test_candidates_that_are_none_tell_nothing():
    found = seen(b'{"candidates":7}', stream=False, endpoint=GEMINI)

    assert (found.finish_reason, found.ended) == (None, False)


def test_a_document_that_is_too_large_is_lost_sight_of():
    found = seen(b"[" + b" " * MAX_EVENT_BYTES, b"]", stream=False)

    assert (found.lost_sight, found.ended) == (True, False)


def test_a_count_tells_the_input():
    found = seen(b'{"totalTokens":31,"promptTokensDetails":[]}', stream=False, endpoint=COUNT)

    assert (found.input_tokens, found.ended) == (31, True)


@pytest.mark.parametrize(
    ("endpoint", "body", "tokens"),
    [
        (EMBED, {"embedding": {"values": [0.1]}}, None),
        (BATCH, {"embeddings": [], "usageMetadata": {"promptTokenCount": 2}}, 2),
        (EMBED, {"error": {"code": 400, "message": "no"}}, None),
        (COUNT, {"error": {"code": 400, "message": "no"}}, None),
    ],
)
def test_other_documents_have_ended_when_they_are_whole_and_tell_the_input_if_they_can(
    endpoint, body, tokens
):
    found = seen(json.dumps(body).encode(), stream=False, endpoint=endpoint)

    assert (found.input_tokens, found.ended) == (tokens, True)


@settings(max_examples=60)
@given(cuts=st.lists(st.integers(0, 3000)))
def test_what_is_learnt_does_not_depend_on_how_the_stream_was_cut(cuts):
    torn = recording("gemini-stream-text").answer
    edges = [0, *sorted(min(cut, len(torn)) for cut in cuts), len(torn)]

    found = seen(*(torn[a:b] for a, b in pairwise(edges)))

    assert facts(found) == ("gemini-3.5-pro", 31, 31, 0)
    assert found.ended
