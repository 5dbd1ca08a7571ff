"""What the proxy learns from answers of the Messages API, however they come, however they end."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.anthropic_answer import MOST_HEAD_BYTES
from proxy.dialects.sse import KEPT_BYTES, MAX_EVENT_BYTES
from tests.dialects.composing import MESSAGES
from tests.wire.recordings import recording

(COUNT,) = MESSAGES.others

USAGE = {"input_tokens": 41, "cache_creation_input_tokens": 9, "cache_read_input_tokens": 100}


def event(kind, **fields):
    data = json.dumps({"type": kind, **fields})
    return f"event: {kind}\ndata: {data}\n\n".encode()


START = event(
    "message_start", message={"model": "claude-x", "usage": {**USAGE, "output_tokens": 1}}
)
TEXT = event("content_block_delta", delta={"type": "text_delta", "text": "hi"})
LAST = event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 19})
STOP = event("message_stop")
PING = event("ping")


def seen(*pieces, stream=True, endpoint=MESSAGES):
    observer = endpoint.observer(stream=stream)
    for piece in pieces:
        observer.feed(piece)
    return observer.finish()


def facts(found):
    return (found.served_model, found.input_tokens, found.output_tokens, found.cached_tokens)


def test_a_stream_tells_model_usage_reason_and_end():
    found = seen(START, PING, TEXT, LAST, STOP)

    assert facts(found) == ("claude-x", 150, 19, 100)
    assert (found.finish_reason, found.ended, found.failed) == ("end_turn", True, False)


@pytest.mark.parametrize("before", [b"", PING, b": comment\n\n", event("new", x="y" * 1000)])
def test_the_first_event_is_remembered_however_long_the_stream(before):
    middle = [TEXT * 10] * 200

    found = seen(before, START, *middle, LAST, STOP)

    assert len(b"".join(middle)) > 10 * KEPT_BYTES
    assert facts(found) == ("claude-x", 150, 19, 100)


def test_counts_at_the_end_replace_those_of_the_beginning():
    late = event("message_delta", usage={**USAGE, "input_tokens": 50, "output_tokens": 19})

    assert facts(seen(START, late, STOP)) == ("claude-x", 159, 19, 100)


@settings(max_examples=60)
@given(cuts=st.lists(st.integers(0, 4000), max_size=12), crlf=st.booleans())
def test_what_is_learnt_does_not_depend_on_how_the_network_cut_it(cuts, crlf):
    stream = b"".join((PING, START, *[TEXT] * 20, LAST, STOP))
    whole = stream.replace(b"\n", b"\r\n") if crlf else stream
    edges = [0, *sorted(cut for cut in set(cuts) if cut < len(whole)), len(whole)]

    found = seen(*(whole[a:b] for a, b in pairwise(edges)))

    assert facts(found) == ("claude-x", 150, 19, 100)
    assert found.ended


@pytest.mark.parametrize("pieces", [(), (START,), (START, TEXT), (START, TEXT, LAST)])
def test_a_stream_without_its_last_event_has_not_ended(pieces):
    assert seen(*pieces).ended is False


@pytest.mark.parametrize("name", [b"event: error\n", b""])
def test_an_error_in_a_stream_ends_it_and_is_a_failure(name):
    error = b'data: {"type":"error","error":{"type":"overloaded_error","message":"x"}}\n\n'

    found = seen(START, TEXT, name + error)

    assert (found.ended, found.failed, found.served_model) == (True, True, "claude-x")


def test_a_beginning_that_never_ends_is_not_kept():
    junk = [b"x" * 1023 + b"\n"] * (MOST_HEAD_BYTES // 1024 + 1)

    found = seen(*junk, b"\n", START, *[TEXT * 10] * 200, LAST, STOP)

    assert (found.served_model, found.ended) == (None, True)


@pytest.mark.parametrize(
    "junk", [b"data: {\n\n", b"data: 1\n\n", b"\xff\n\n", b'data: {"a":1}\n\n']
)
def test_junk_is_no_answer_and_no_harm(junk):
    found = seen(junk, junk)

    assert facts(found) == (None, None, None, None)
    assert found.ended is False


def test_a_document_tells_the_same():
    message = {"type": "message", "model": "claude-x", "stop_reason": "tool_use"}
    usage = {**USAGE, "output_tokens": 19}

    found = seen(json.dumps({**message, "usage": usage}).encode(), stream=False)

    assert facts(found) == ("claude-x", 150, 19, 100)
    assert (found.finish_reason, found.ended, found.failed) == ("tool_use", True, False)


def test_an_error_document_is_a_failure():
    found = seen(b'{"type":"error","error":{"type":"api_error","message":"x"}}', stream=False)

    assert (found.ended, found.failed) == (True, True)


@pytest.mark.parametrize("endpoint", [MESSAGES, COUNT])
@pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"input_tokens":1'])
def test_half_a_document_has_not_ended(endpoint, text):
    assert seen(text, stream=False, endpoint=endpoint).ended is False


@pytest.mark.parametrize("text", [b'{"type":"error"}', b'{"input_tokens":"x","model":1}'])
def test_a_count_that_is_whole_has_ended_whatever_it_says(text):
    found = seen(text, stream=False, endpoint=COUNT)

    assert (found.input_tokens, found.ended) == (None, True)


def test_a_document_that_is_too_large_is_lost_sight_of():
    found = seen(b"x" * MAX_EVENT_BYTES, b"x", stream=False)

    assert (found.lost_sight, found.ended) == (True, False)


def test_a_count_of_tokens_is_their_number():
    found = seen(b'{"input_tokens":14}', stream=False, endpoint=COUNT)

    assert (found.input_tokens, found.ended) == (14, True)


@pytest.mark.parametrize(
    ("name", "ended"),
    [
        ("anthropic-stream-text", True),
        ("anthropic-stream-crlf-split", True),
        ("anthropic-stream-unknown-event", True),
        ("anthropic-stream-data-only", True),
        ("anthropic-stream-error-overloaded", True),
        ("anthropic-stream-truncated", False),
        ("anthropic-stream-connection-lost", False),
    ],
)
def test_recorded_streams_are_understood(name, ended):
    found = seen(*recording(name).pieces)

    assert (found.served_model, found.ended) == ("claude-opus-5-5", ended)
