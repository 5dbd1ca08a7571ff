"""What is seen of an answer with embeddings, small or larger than what is held of one."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.embeddings_answer import EmbeddingsDocument
from proxy.dialects.sse import MAX_EVENT_BYTES

MODEL = "text-embedding-3-small"
ROW = {"object": "embedding", "index": 0, "embedding": [0.25] * 8}


def answer(rows=1, **fields):
    usage = {"prompt_tokens": 4, "total_tokens": 4}
    return {"object": "list", "data": [ROW] * rows, "model": MODEL, "usage": usage, **fields}


LARGE = answer(rows=MAX_EVENT_BYTES // len(json.dumps(ROW)) + 1)


def seen(text, step=65536):
    observer = EmbeddingsDocument()
    for start in range(0, len(text), step):
        observer.feed(text[start : start + step])
    return observer.finish()


@pytest.mark.parametrize("indent", [None, 1], ids=["plain", "indented"])
@pytest.mark.parametrize("found", [answer(), LARGE], ids=["small", "large"])
def test_model_and_usage_are_seen_however_large_the_answer_is(found, indent):
    told = seen(json.dumps(found, indent=indent).encode())

    assert (told.served_model, told.input_tokens, told.output_tokens) == (MODEL, 4, None)
    assert (told.ended, told.lost_sight, told.failed) == (True, False, False)


def test_an_error_is_a_failure():
    assert seen(b'{"error":{"message":"no"}}').failed


@pytest.mark.parametrize("cut", [1, 30, 200])
def test_answer_that_was_cut_has_no_end(cut):
    assert not seen(json.dumps(answer()).encode()[:-cut]).ended
    assert not seen(json.dumps(LARGE).encode()[:-cut]).ended


def test_sight_is_lost_of_a_large_answer_that_ends_in_its_list():
    turned = dict(reversed(LARGE.items()))

    told = seen(json.dumps(turned).encode())

    assert (told.ended, told.lost_sight, told.served_model) == (True, True, None)


@settings(max_examples=30)
@given(step=st.integers(1, 5000), rows=st.integers(0, 60))
def test_what_is_seen_does_not_depend_on_how_it_was_cut(step, rows):
    text = json.dumps(answer(rows)).encode()

    assert seen(text, step) == seen(text)


def test_memory_does_not_grow_with_the_answer():
    observer = EmbeddingsDocument()
    for _ in range(40):
        observer.feed(b"x" * 100_000)

    assert len(observer.whole()) == 0
    assert len(observer._end) <= 5000
