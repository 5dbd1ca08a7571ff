"""What Anthropic's API needs of a version's generation part, and what it refuses."""

import pytest

from proxy.dialects.anthropic_generation import USUAL_MAX_TOKENS
from proxy.errors import OverrideRejected, WrongDialect
from tests.dialects.composing import MESSAGES, compose, says, version

SENT = {"nothing": {}, "null": {"max_tokens": None}, "a limit": {"max_tokens": 7}}
REFUSED = "refused"

# What goes out as the limit, by (rule, the version's), for what an app sends.
TABLE = {
    ("pinned", 300): {"nothing": 300, "null": 300, "a limit": 300},
    ("default", 300): {"nothing": 300, "null": 300, "a limit": 7},
    ("reject", 300): {"nothing": 300, "null": 300, "a limit": 300},
    ("pinned", None): {"nothing": USUAL_MAX_TOKENS, "null": USUAL_MAX_TOKENS, "a limit": 7},
    ("default", None): {"nothing": USUAL_MAX_TOKENS, "null": USUAL_MAX_TOKENS, "a limit": 7},
}
CASES = [
    pytest.param(*of, sent, out, id=f"{of[0]}-{of[1]}-{sent}")
    for of, row in TABLE.items()
    for sent, out in row.items()
]


def limited(rule, own, **policy):
    generation = {} if own is None else {"max_output_tokens": own}
    return version(generation=generation, policy={"generation": rule, **policy})


@pytest.mark.parametrize(("rule", "own", "sent", "out"), CASES)
def test_a_limit_always_goes_out(rule, own, sent, out):
    received = compose(MESSAGES, limited(rule, own), says(MESSAGES, **SENT[sent]))

    assert received.fields["max_tokens"] == out
    decided = sent == "a limit"
    assert received.dropped == (("max_tokens",) if decided and out != 7 else ())
    assert received.app_fields == (("max_tokens",) if decided and out == 7 else ())


def test_a_limit_is_refused_where_just_that_is_said():
    content = limited("pinned", 300, fields={"max_output_tokens": "reject"})

    assert compose(MESSAGES, content, says(MESSAGES)).fields["max_tokens"] == 300
    with pytest.raises(OverrideRejected):
        compose(MESSAGES, content, says(MESSAGES, max_tokens=7))


@pytest.mark.parametrize("policy", [{}, {"fields": {"max_output_tokens": "reject"}}])
def test_a_limit_that_nobody_may_set_is_told_at_once(policy):
    with pytest.raises(WrongDialect) as caught:
        MESSAGES.compile(limited("reject", None, **policy))

    assert "max_output_tokens" in caught.value.hint


@pytest.mark.parametrize(
    "generation",
    [
        *({"seed": 1}, {"presence_penalty": 1}, {"frequency_penalty": 1}, {"temperature": 1.5}),
        {"response_format": {"type": "json_object"}},
    ],
)
def test_what_the_api_lacks_or_refuses_is_not_served(generation):
    with pytest.raises(WrongDialect) as caught:
        MESSAGES.compile(version(generation=generation))

    assert caught.value.hint


# --- betas


def with_betas(betas):
    return version(generation={"extra": {MESSAGES.name: {"betas": betas}}})


def test_betas_of_the_version_go_into_the_header_and_not_into_the_body():
    received = compose(MESSAGES, with_betas(["a-2025-01-01", "b"]), says(MESSAGES))

    assert received.headers == ((b"anthropic-beta", b"a-2025-01-01,b"),)
    assert "betas" not in received.fields


def test_a_version_without_betas_adds_no_header():
    assert compose(MESSAGES, with_betas([]), says(MESSAGES)).headers == ()
    assert compose(MESSAGES, version(), says(MESSAGES)).headers == ()


@pytest.mark.parametrize("betas", ["a", [1], ["a,b"], ["a\r\nx-evil: 1"], [""], {"a": 1}])
def test_betas_that_are_no_names_are_not_served(betas):
    with pytest.raises(WrongDialect):
        MESSAGES.compile(with_betas(betas))


# --- what people should know


def advice(**generation):
    return "; ".join(MESSAGES.advice(version(generation=generation)))


def test_people_are_told_of_a_missing_limit_and_of_sampling():
    assert advice(max_output_tokens=300) == ""
    assert str(USUAL_MAX_TOKENS) in advice()
    assert "2026-10-21" in advice(max_output_tokens=300, temperature=0.5, top_k=3)
