"""Questions and answers as they travel: what is not ours to read is as good as nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.versions.question import (
    CONTENT,
    HOLDINGS,
    PREPARE,
    Give,
    Holdings,
    Prepare,
    Prepared,
    Wanted,
    answer,
    answered,
    asked,
    question,
)
from proxy.versions.record import Pin, Question

V1 = Wanted("shop", 1, "shop-v1-aaaaaa", "sha256:" + "a" * 64)


@pytest.mark.parametrize(
    ("kind", "body"),
    [(PREPARE, Prepare((V1,))), (CONTENT, Give("web-1/0a", V1))],
)
def test_a_question_is_read_as_it_was_asked(kind, body):
    assert asked(question("q1", kind, body), type(body)) == body


def test_a_question_may_have_no_body():
    assert question("q1", HOLDINGS) == Question("q1", HOLDINGS, {})


@pytest.mark.parametrize("body", [{}, {"versions": 7}, {"versions": [{"model": "shop"}]}])
def test_a_question_that_cannot_be_read_is_none(body):
    assert asked(Question("q1", PREPARE, body), Prepare) is None


def test_what_a_later_release_adds_is_skipped():
    later = {"versions": [{"model": "shop", "number": 1, "id": V1.id, "digest": V1.digest, "x": 1}]}

    assert asked(Question("q1", PREPARE, {**later, "more": True}), Prepare) == Prepare((V1,))


@pytest.mark.parametrize(
    "body",
    [
        Prepared({}),
        Prepared({V1.id: "version_corrupt"}),
        Holdings(7, (Pin("shop", "prod", 7, V1.id, V1.digest, "op"),), (V1,)),
    ],
)
def test_an_answer_is_read_as_it_was_given(body):
    assert answered(answer(body), type(body)) == body


@given(st.binary(max_size=40))
def test_an_answer_that_cannot_be_read_is_none(body):
    assert answered(body, Holdings) is None
