"""What is learnt from an answer in the Responses dialect, however the network cut it."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.dialects.base import Seen
from proxy.dialects.responses_answer import (
    FINAL,
    ResponsesDocument,
    ResponsesStream,
)
from proxy.dialects.sse import MAX_EVENT_BYTES
from proxy.dialects.told import TokenCount

USAGE = {
    "input_tokens": 12,
    "input_tokens_details": {"cached_tokens": 8},
    "output_tokens": 34,
    "output_tokens_details": {"reasoning_tokens": 3},
}


def response(status="completed", **more):
    return {"id": "resp_1", "model": "gpt-4o-2024-08-06", "status": status, "output": [], **more}


def event(kind, **more):
    return {"type": kind, "sequence_number": 1, **more}


def delta(text="word "):
    return event("response.output_text.delta", delta=text, item_id="msg_1")


def final(status="completed", **more):
    return event(f"response.{status}", response=response(status, usage=USAGE, **more))


BEGIN = [
    event("response.created", response=response("in_progress", usage=None)),
    event("response.in_progress", response=response("in_progress", usage=None)),
]
WHOLE = [*BEGIN, delta(), delta(), final()]
SEEN = Seen("gpt-4o-2024-08-06", 12, 34, 8, "completed", ended=True)


def stream(events, end="\n"):
    return "".join(
        f"event: {one['type']}{end}data: {json.dumps(one)}{end}{end}" for one in events
    ).encode()


def seen(*chunks, watcher=ResponsesStream):
    observer = watcher()
    for piece in chunks:
        observer.feed(piece)
    return observer.finish()


def cut(text, cuts):
    edges = [0, *sorted({place for place in cuts if 0 < place < len(text)}), len(text)]
    return [text[a:b] for a, b in pairwise(edges)]


@given(st.lists(st.integers(0, 1500), max_size=10), st.sampled_from(["\n", "\r\n"]))
@example(list(range(1500)), "\r\n")
def test_the_same_stream_is_seen_the_same_however_it_is_cut(cuts, end):
    assert seen(*cut(stream(WHOLE, end), cuts)) == SEEN


@pytest.mark.parametrize("size", [1000, 16_000, 64_000, 10_000_000])
@pytest.mark.parametrize("answer_bytes", [3_000, 200_000, MAX_EVENT_BYTES - 2000])
def test_a_last_event_that_repeats_the_whole_answer_is_seen(size, answer_bytes):
    text = stream([*BEGIN, delta(), final(output=["x" * answer_bytes])])

    assert seen(*cut(text, range(0, len(text), size))) == SEEN


def test_a_last_event_beyond_the_limit_is_lost_from_sight():
    text = stream([*BEGIN, delta(), final(output=["x" * MAX_EVENT_BYTES])])

    assert seen(*cut(text, range(0, len(text), 64_000))) == Seen()


def test_an_end_marker_that_some_vendors_add_hides_nothing():
    text = stream([*WHOLE[:-1], final(output=["x" * 20_000])])

    assert seen(text, b"data: [DONE]\n\n") == SEEN


@pytest.mark.parametrize(
    ("last", "reason", "failed"),
    [
        (final("completed"), "completed", False),
        (final("failed"), "failed", True),
        (final("incomplete"), "incomplete", False),
        (
            final("incomplete", incomplete_details={"reason": "max_output_tokens"}),
            "max_output_tokens",
            False,
        ),
        (final("incomplete", incomplete_details={"reason": None}), "incomplete", False),
    ],
)
def test_every_final_event_ends_the_stream(last, reason, failed):
    assert last["type"] in FINAL
    assert seen(stream([*BEGIN, last])) == Seen(
        "gpt-4o-2024-08-06", 12, 34, 8, reason, ended=True, failed=failed
    )


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (BEGIN, Seen("gpt-4o-2024-08-06", finish_reason="in_progress")),
        ([delta()], Seen()),
        ([event("error", message="no", code="x")], Seen(ended=True, failed=True)),
        ([event("error", error={"message": "no"})], Seen(ended=True, failed=True)),
        ([event("response.completed")], Seen(ended=True)),
        ([event("response.completed", response=None)], Seen(ended=True)),
        ([event("response.new", response=7), final()], SEEN),
    ],
)
def test_what_a_stream_tells(events, expected):
    assert seen(stream(events)) == expected


def test_events_without_names_and_garbage_are_looked_past():
    text = b"data: {broken\n\ndata: []\n\n: ping\n\n" + stream(WHOLE).replace(b"event: ", b": ")

    assert seen(text) == SEEN


@pytest.mark.parametrize("length", range(0, len(stream([*BEGIN, final()])) - 3, 11))
def test_a_stream_that_was_cut_never_looks_ended(length):
    assert not seen(stream([*BEGIN, final()])[:length]).ended


@given(st.lists(st.integers(0, 500), max_size=6))
def test_a_document_tells_everything_however_it_is_cut(cuts):
    text = json.dumps(response(usage=USAGE)).encode()

    assert seen(*cut(text, cuts), watcher=ResponsesDocument) == SEEN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"status":"failed"}', Seen(finish_reason="failed", ended=True, failed=True)),
        ('{"status":"queued","usage":null}', Seen(finish_reason="queued", ended=True)),
        ('{"error":{"message":"no"}}', Seen(ended=True)),
        ("", Seen()),
        ("<html>", Seen()),
        ('{"model":"m"', Seen()),
        ("[" * 100_000, Seen()),
    ],
)
def test_what_a_document_tells(text, expected):
    assert seen(text.encode(), watcher=ResponsesDocument) == expected


@pytest.mark.parametrize(
    ("text", "tokens", "ended"),
    [
        (b'{"object":"response.input_tokens","input_tokens":61}', 61, True),
        (b'{"error":{"message":"no"}}', None, True),
        (b'{"input_tokens":6', None, False),
    ],
)
def test_a_count_of_tokens_is_seen(text, tokens, ended):
    observer = TokenCount("input_tokens")
    for byte in text:
        observer.feed(bytes([byte]))

    seen = observer.finish()

    assert (seen.input_tokens, seen.ended) == (tokens, ended)
