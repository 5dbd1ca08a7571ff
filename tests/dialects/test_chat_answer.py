"""What is learnt from an answer in the chat dialect, however the network cut it."""

import json
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.dialects.base import Seen
from proxy.dialects.chat_answer import ChatDocument, ChatStream
from proxy.dialects.sse import MAX_EVENT_BYTES

MODEL = "gpt-4o-2024-08-06"


def chunk(choices=(), model=MODEL, **more):
    return {"id": "chatcmpl-1", "model": model, "choices": list(choices), **more}


def word(text):
    return chunk([{"index": 0, "delta": {"content": text}, "finish_reason": None}], usage=None)


def stop(reason="stop", index=0):
    return chunk([{"index": index, "delta": {}, "finish_reason": reason}], usage=None)


USAGE = {
    "prompt_tokens": 12,
    "completion_tokens": 34,
    "total_tokens": 46,
    "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
}
COUNTED = chunk(usage=USAGE)
DONE = "[DONE]"
WHOLE = [word("Hel"), word("lo"), stop(), COUNTED, DONE]
SEEN = Seen(MODEL, 12, 34, 8, "stop", ended=True)


def stream(events, end="\n"):
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    return "".join(f"data: {text}{end}{end}" for text in texts).encode()


def seen(*chunks, watcher=ChatStream):
    observer = watcher()
    for piece in chunks:
        observer.feed(piece)
    return observer.finish()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_whole_stream_tells_everything(end):
    assert seen(stream(WHOLE, end)) == SEEN


@given(st.lists(st.integers(0, 2000), max_size=10), st.sampled_from(["\n", "\r\n"]))
@example(list(range(2000)), "\r\n")
def test_the_same_stream_is_seen_the_same_however_it_is_cut(cuts, end):
    text = stream([word("é" * 20), *WHOLE], end)
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(text)}), len(text)]

    assert seen(*(text[a:b] for a, b in pairwise(edges))) == SEEN


@pytest.mark.parametrize("size", [1, 13, 5000, 70_000])
def test_a_long_stream_is_seen_the_same_at_any_size_of_reads(size):
    text = stream([*([word("word ")] * 800), *WHOLE])

    assert seen(*(text[at : at + size] for at in range(0, len(text), size))) == SEEN


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], Seen()),
        ([word("a")], Seen(MODEL)),
        ([stop("length")], Seen(MODEL, finish_reason="length")),
        ([stop("tool_calls"), DONE], Seen(MODEL, None, None, None, "tool_calls", True)),
        ([DONE], Seen(ended=True)),
        ([" [DONE] "], Seen(ended=True)),
        ([stop("stop", 0), stop("length", 1)], Seen(MODEL, finish_reason="length")),
        ([chunk(model=""), word("a")], Seen(MODEL)),
        ([word("a"), chunk(model="")], Seen(MODEL)),
        ([chunk(model=None, usage={})], Seen()),
        ([chunk(usage={"prompt_tokens": 1, "new": []}), DONE], Seen(MODEL, 1, ended=True)),
        ([chunk(x_groq={"usage": {"prompt_tokens": 1}}), DONE], Seen(MODEL, 1, ended=True)),
        ([chunk(x_groq={"id": "req_1"}), chunk(x_groq=None)], Seen(MODEL)),
        ([{"error": {"message": "overloaded"}}], Seen(failed=True)),
        ([word("a"), {"error": "overloaded"}], Seen(MODEL, failed=True)),
        ([chunk(error=None), DONE], Seen(MODEL, ended=True)),
        (["{broken", stop(), "[]", '"x"', DONE], Seen(MODEL, None, None, None, "stop", True)),
        ([chunk(model=7), stop(), DONE], Seen(MODEL, None, None, None, "stop", True)),
    ],
)
def test_what_a_stream_tells(events, expected):
    assert seen(stream(events)) == expected


def test_comments_names_and_pings_are_looked_past():
    text = b": ping\n\nevent: x\nid: 1\n" + stream(WHOLE).replace(b"\n\n", b"\n\n: ping\n\n")

    assert seen(text) == SEEN


def test_usage_that_comes_with_every_chunk_counts_once():
    early = chunk(usage={"prompt_tokens": 12, "completion_tokens": 1})

    assert seen(stream([early, *WHOLE])) == SEEN


@pytest.mark.parametrize("length", range(0, len(stream([stop(), COUNTED])), 7))
def test_a_stream_that_was_cut_never_looks_ended(length):
    assert not seen(stream([stop(), COUNTED])[:length]).ended


@given(st.binary(max_size=200))
@example(b"data: " + b"[" * 100_000 + b"\n\n")
@example(b"data: \xff\xfe\n\n")
def test_garbage_teaches_nothing_and_breaks_nothing(garbage):
    observer = ChatStream()
    observer.feed(garbage)
    observer.feed(b"\n\n")

    assert observer.finish().input_tokens is None


# --- documents

DOCUMENT = {
    "id": "chatcmpl-1",
    "model": MODEL,
    "choices": [{"index": 0, "message": {"content": "Hello"}, "finish_reason": "stop"}],
    "usage": USAGE,
}


@given(st.lists(st.integers(0, 400), max_size=6))
def test_a_document_tells_everything_however_it_is_cut(cuts):
    text = json.dumps(DOCUMENT).encode()
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(text)}), len(text)]

    assert seen(*(text[a:b] for a, b in pairwise(edges)), watcher=ChatDocument) == SEEN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"error":{"message":"no","code":"x"}}', Seen(ended=True, failed=True)),
        ('{"model":"m"}', Seen("m", ended=True)),
        ("{}", Seen(ended=True)),
        ("", Seen()),
        ("<html>", Seen()),
        ('{"model":"m"', Seen()),
        ("[1]", Seen()),
        ("[" * 100_000, Seen()),
    ],
)
def test_what_a_document_tells(text, expected):
    assert seen(text.encode(), watcher=ChatDocument) == expected


def test_a_document_that_is_too_large_is_lost_from_sight():
    text = json.dumps({**DOCUMENT, "x": "x" * MAX_EVENT_BYTES}).encode()

    assert seen(text, watcher=ChatDocument) == Seen(lost_sight=True)
