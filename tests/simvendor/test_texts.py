"""Embeddings and legacy completions of the simulated vendor, as the vendor's have them (captured in
tests/wire)."""

import base64
import json
import math
import struct

import pytest

from proxy.simvendor import completions, embeddings
from proxy.simvendor.answer import STREAM, WHOLE
from proxy.simvendor.wrong import Wrong, check_completions, check_embeddings


def embedded(**fields):
    body = {"model": "text-embedding-3-small", "input": "a", **fields}
    check_embeddings(body)
    found = embeddings.answer(body, embeddings.asked(body, json.dumps(body).encode()))
    assert found.content_type == WHOLE
    return json.loads(b"".join(found.pieces))


def completed(**fields):
    body = {"model": "gpt-3.5-turbo-instruct", "prompt": "Order", **fields}
    check_completions(body)
    return completions.answer(body, completions.asked(body, json.dumps(body).encode()))


def whole(**fields):
    return json.loads(b"".join(completed(**fields).pieces))


def chunks(**fields):
    found = completed(stream=True, **fields)
    assert found.content_type == STREAM
    assert found.pieces[-1] == b"data: [DONE]\n\n"
    return [json.loads(event.removeprefix(b"data: ")) for event in found.pieces[:-1]]


def vectors(found):
    return [row["embedding"] for row in found["data"]]


def test_a_text_has_one_vector_of_its_model():
    first, again, other = (vectors(embedded(input=text))[0] for text in ("a", "a", "b"))
    (another,) = vectors(embedded(model="text-embedding-3-large"))

    assert first == again
    assert first not in (other, another)
    assert len(first) == embeddings.DIMENSIONS
    assert math.isclose(math.hypot(*first), 1)


def test_vectors_are_as_long_as_is_asked_for_and_in_the_order_of_the_texts():
    found = embedded(input=["a", "b c"], dimensions=3)

    assert [len(one) for one in vectors(found)] == [3, 3]
    assert [row["index"] for row in found["data"]] == [0, 1]
    assert vectors(found)[0] == vectors(embedded(dimensions=3))[0]
    assert found["usage"] == {"prompt_tokens": 3, "total_tokens": 3}


def test_packed_vectors_hold_the_same_numbers():
    (plain,) = vectors(embedded(dimensions=4))
    (packed,) = vectors(embedded(dimensions=4, encoding_format="base64"))

    assert struct.unpack("<4f", base64.b64decode(packed)) == pytest.approx(plain)


@pytest.mark.parametrize("given", [[1, 2], [[1], [2, 3]]])
def test_texts_may_be_given_as_numbers_of_tokens(given):
    assert len(vectors(embedded(input=given, dimensions=1))) == (2 if given == [[1], [2, 3]] else 1)


@pytest.mark.parametrize(
    "fields",
    [
        {"model": None},
        {"input": None},
        {"input": []},
        {"input": 7},
        {"dimensions": 0},
        {"dimensions": True},
        {"encoding_format": "hex"},
    ],
)
def test_what_cannot_be_embedded_is_refused(fields):
    with pytest.raises(Wrong) as raised:
        embedded(**fields)

    assert raised.value.status == 400


def test_completion_shows_what_the_vendor_was_given():
    found = whole(temperature=0, max_tokens=100)

    assert (found["object"], found["model"]) == (
        "text_completion",
        "gpt-3.5-turbo-instruct:20230824-v2",
    )
    assert found["choices"][0]["text"] == (
        "[gpt-3.5-turbo-instruct:20230824-v2 | temperature 0 | max_tokens 100 | tools none"
        " | no system prompt] You asked: Order"
    )
    assert found["choices"][0]["finish_reason"] == "stop"


def test_limit_cuts_a_completion():
    (choice,) = whole(max_tokens=2)["choices"]

    assert choice["finish_reason"] == "length"
    assert len(choice["text"].split()) == 2


def test_streamed_completion_says_the_same_piece_by_piece():
    found = chunks(n=2, echo=True)

    texts = ["", ""]
    for chunk in found:
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["text"]
    assert texts == [choice["text"] for choice in whole(n=2, echo=True)["choices"]]
    assert texts[0].startswith("Order")
    assert all("usage" not in chunk for chunk in found)


def test_usage_comes_last_where_it_is_asked_for():
    *rest, last = chunks(stream_options={"include_usage": True})

    assert {chunk["usage"] for chunk in rest} == {None}
    assert last["choices"] == []
    assert last["usage"] == whole()["usage"]


@pytest.mark.parametrize("fields", [{"model": ""}, {"prompt": 7}, {"temperature": 3}])
def test_what_cannot_be_completed_is_refused(fields):
    with pytest.raises(Wrong):
        completed(**fields)
