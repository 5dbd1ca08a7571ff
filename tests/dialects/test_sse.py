"""The end of a stream is kept: the same end however it was cut, and never more than it takes."""

import gc
from collections import deque
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.sse import KEPT_BYTES, MAX_EVENT_BYTES, Document, Tail

KB, MB = 1024, 1024 * 1024


def fed(watcher, *chunks):
    for chunk in chunks:
        watcher.feed(chunk)
    return watcher


def pieces(stream, size):
    return [stream[at : at + size] for at in range(0, len(stream), size)]


def data(*chunks):
    return list(fed(Tail(), *chunks).data())


def held_bytes(watcher):
    """Return how many bytes of the stream what watches it keeps alive."""
    held = 0
    found = [watcher]
    while found:
        one = found.pop()
        if isinstance(one, bytes | bytearray):
            held += len(one)
        elif isinstance(one, Tail | Document | dict | list | tuple | deque):
            found += gc.get_referents(one)
    return held


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: 1\n\n", [b"1"]),
        (b"data:1\n\n", [b"1"]),
        (b"data:  1\n\n", [b" 1"]),
        (b"data: 1\r\n\r\ndata: 2\r\n\r\n", [b"1", b"2"]),
        (b"data: 1\n\r\ndata: 2\r\n\n", [b"1", b"2"]),
        (b"event: x\ndata: 1\nid: 7\n\n", [b"1"]),
        (b"data: 1\ndata: 2\n\n", [b"1\n2"]),
        (b": comment\n\n", []),
        (b": comment\ndata: 1\n\n", [b"1"]),
        (b"event: ping\n\n", []),
        (b"\n\n\n\ndata: 1\n\n\n\n", [b"1"]),
        (b"data: half", [b"half"]),
        (b"database: 1\n\n", []),
        (b"", []),
    ],
)
def test_data_of_events_is_read(stream, expected):
    assert data(stream) == expected
    assert data(*pieces(stream, 1)) == expected


lines = st.sampled_from([b"data: {}", b"data:x", b": c", b"event: e", b"", b"data: " + b"y" * 700])
ends = st.sampled_from([b"\n", b"\r\n"])


@st.composite
def streams(draw):
    """Draw a stream, mostly of events; some are large enough to push others out."""
    parts = []
    for _ in range(draw(st.integers(0, 12))):
        size = draw(st.sampled_from([0, 5, 300, KEPT_BYTES - 8, KEPT_BYTES, 3 * KEPT_BYTES]))
        end = draw(ends)
        parts += [draw(lines), end, b"data: ", b"x" * size, end, end]
    return b"".join(parts) + draw(st.sampled_from([b"", b"data: tail", b"data: tail\n", b"\r"]))


@given(streams(), st.data())
def test_what_is_kept_does_not_depend_on_the_cuts(stream, drawn):
    cuts = drawn.draw(st.lists(st.integers(0, len(stream)), max_size=12))
    edges = [0, *sorted({*cuts} - {0, len(stream)}), len(stream)]
    chunks = [stream[a:b] for a, b in pairwise(edges) if a < b]

    assert data(*chunks) == data(stream)


@settings(max_examples=40)
@given(streams(), st.sampled_from([1, 2, 3, 7, 100, KEPT_BYTES, 20 * KB]))
def test_what_is_kept_does_not_depend_on_the_size_of_reads(stream, size):
    assert data(*pieces(stream, size)) == data(stream)


@pytest.mark.parametrize("size", [1 * KB, 16 * KB, 64 * KB, 2 * MB])
def test_an_event_up_to_the_limit_is_seen_however_it_comes(size):
    event = b"data: %b\n\n" % (b"x" * (MAX_EVENT_BYTES - 8))
    stream = b"data: before\n\n" + event + b"data: [DONE]\n\n"

    assert data(*pieces(stream, size)) == [event[6:-2], b"[DONE]"]


@pytest.mark.parametrize("size", [1 * KB, 16 * KB, 64 * KB, 3 * MB])
@pytest.mark.parametrize("end", [b"\n\n", b"\r\n\r\n"])
def test_a_larger_event_is_lost_from_sight_and_the_next_is_seen(size, end):
    torn = b"data: %bdata: 1" % (b"x" * (2 * MAX_EVENT_BYTES))
    stream = b"data: before%b%b%bdata: after%b" % (end, torn, end, end)

    assert data(*pieces(stream, size)) == [b"after"]


def test_a_large_last_event_outlasts_what_little_follows_it():
    large = b"data: %b\n\n" % (b"x" * 100 * KB)

    assert data(large, b"data: [DONE]\n\n", b": bye\n\n") == [large[6:-2], b"[DONE]"]


@pytest.mark.parametrize(
    ("chunks", "between"),
    [
        ([], True),
        ([b"data: 1\n\n"], True),
        ([b"data: 1\r\n\r\n"], True),
        ([b"data: 1\n", b"\n"], True),
        ([b"data: 1\r", b"\n\r", b"\n"], True),
        ([b"data: 1\n\r", b"\n"], True),
        ([b"data: 1", b"\n\n", b": c\n\n"], True),
        ([b"data: 1"], False),
        ([b"data: 1\n"], False),
        ([b"data: 1\r\n\r"], False),
        ([b"data: 1\n\ndata: 2"], False),
        ([b"data: 1\n\n", b"d"], False),
        ([b"x" * MB, b"x" * MB], False),
        ([b"x" * MB, b"x" * MB, b"\n", b"\n"], True),
        ([b"x" * MB, b"x" * MB + b"\r\n", b"\r\n"], True),
    ],
)
def test_it_knows_whether_the_stream_stands_at_the_end_of_an_event(chunks, between):
    assert fed(Tail(), *chunks).between_events is between


def test_a_document_never_stands_between_events():
    assert not fed(Document(), b"{}\n\n").between_events


@pytest.mark.parametrize("size", [100, 3 * KB, 64 * KB])
@pytest.mark.parametrize("event_bytes", [20, 700, 5 * KB])
def test_a_long_stream_of_events_holds_little(size, event_bytes):
    event = b"data: %b\n\n" % (b"x" * event_bytes)
    watcher = Tail()

    held = [
        held_bytes(fed(watcher, chunk)) for chunk in pieces(event * (200 * KB // len(event)), size)
    ]

    assert KEPT_BYTES <= held[-1] <= max(held) <= 2 * KEPT_BYTES + 2 * max(len(event), 3 * KB)


@pytest.mark.parametrize("size", [1 * KB, 64 * KB])
def test_an_endless_event_holds_no_more_than_the_limit(size):
    watcher, most = Tail(), 0
    for _ in range(4 * MB // size):
        watcher.feed(b"x" * size)
        most = max(most, held_bytes(watcher))

    assert most <= MAX_EVENT_BYTES + size


def test_a_document_is_kept_whole_up_to_the_limit():
    limit = b"x" * MAX_EVENT_BYTES

    assert fed(Document(), b"{", b'"a":1', b"}").whole() == b'{"a":1}'
    assert fed(Document(), *pieces(limit, 64 * KB)).whole() == limit


def test_a_document_beyond_the_limit_is_not_kept():
    watcher = fed(Document(), *pieces(b"x" * (MAX_EVENT_BYTES + 1), 64 * KB))

    assert watcher.whole() == b""
    assert held_bytes(watcher) == 0
