"""Routing rules as a version holds them: what may be written, and what it is identified by."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.versions.content import Content, complaints
from proxy.versions.identity import canonical
from proxy.versions.routing import Routing

MODEL = {"vendor": "openai", "id": "gpt-4o"}
REFUSALS = ("status:400", "status:401", "status:404", "status:413", "status:429", "status:529")
RISKS = (
    *("status:408", "status:499", "status:500", "status:502", "status:503", "status:504"),
    *("status:5xx", "first_byte_timeout", "reset"),
)


def content(**routing):
    return Content.model_validate({"model": MODEL, "routing": routing})


def test_rules_that_existed_before_keep_their_identity():
    spare = {"vendor": "openai-eu", "id": "gpt-4o"}

    stored = canonical(content(timeout_s=120, attempts=2, fallback=[spare]))

    assert stored == (
        b'{"model":{"id":"gpt-4o","vendor":"openai"},"routing":{"attempts":2,'
        b'"fallback":[{"id":"gpt-4o","vendor":"openai-eu"}],"timeout_s":120},"schema":1}'
    )


def test_saying_the_defaults_makes_no_other_version():
    said = content(timeout_s=600, attempts=1, retry_on=[], may_bill_twice=False, fallback=[])

    assert canonical(said) == canonical(content())


def test_a_target_that_shares_is_part_of_the_identity():
    other = {"vendor": "azure", "id": "gpt-4o"}

    stored = canonical(content(targets=[other]))

    assert b'"routing":{"targets":[{"id":"gpt-4o","vendor":"azure"}]}' in stored
    assert canonical(content(targets=[{**other, "weight": 1}], weight=1)) == stored
    assert canonical(content(targets=[{**other, "weight": 2}])) != stored


@given(st.lists(st.sampled_from(REFUSALS), max_size=8), st.randoms())
def test_order_of_the_failures_makes_no_other_version(names, random):
    other = [*names, *names]
    random.shuffle(other)

    assert canonical(content(retry_on=names)) == canonical(content(retry_on=other))


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_may_be_repeated_for_nothing(name):
    assert content(retry_on=[name]).routing.retry_on == (name,)


@pytest.mark.parametrize("name", RISKS)
def test_what_may_be_billed_twice_is_repeated_only_where_that_is_said(name):
    with pytest.raises(ValidationError, match=rf"{name}: .* say may_bill_twice = true"):
        content(retry_on=["status:429", name])

    assert complaints(content(retry_on=[name], may_bill_twice=True)) == []


@pytest.mark.parametrize(
    "name",
    [
        *("", "429", "status:200", "status:399", "status:600", "status:4xx", "status:4290"),
        *("status:٤٢٩", "status:429\n", "Reset", "timeout", "connect", "status:5XX"),
    ],
)
def test_what_names_no_failure_is_refused(name):
    with pytest.raises(ValidationError, match="first_byte_timeout or reset"):
        Routing(retry_on=(name,))


@pytest.mark.parametrize("key", ["user", "header:x-session-id", "field:user", "field:a.b_C-1"])
def test_a_request_may_be_kept_by_what_it_holds(key):
    other = {"vendor": "azure", "id": "gpt-4o"}

    assert content(sticky=[key], targets=[other]).routing.sticky == (key,)
    with pytest.raises(ValidationError, match=r"sticky: there are no \[\[routing.targets\]\]"):
        content(sticky=[key])


@pytest.mark.parametrize(
    "key", ["", "User", "header:", "header:X-A", "field:a.b.c", "field:", "cookie:a", "user\n"]
)
def test_what_names_no_value_of_a_request_is_refused(key):
    with pytest.raises(ValidationError, match="must be user, header:NAME"):
        content(sticky=[key], targets=[{"vendor": "azure", "id": "gpt-4o"}])


def test_a_wait_of_a_target_is_part_of_the_identity():
    spare = {"vendor": "azure", "id": "gpt-4o"}

    stored = canonical(content(fallback=[{**spare, "first_byte_timeout_s": 5}]))

    assert b'"fallback":[{"first_byte_timeout_s":5,"id":"gpt-4o","vendor":"azure"}]' in stored


def test_the_least_of_requests_goes_with_a_rate():
    with pytest.raises(ValidationError, match=r"min_requests: goes with failure_rate"):
        content(breaker={"min_requests": 5})

    assert complaints(content(breaker={"min_requests": 5, "failure_rate": 0.5})) == []


@pytest.mark.parametrize("rate", [0, -0.1, 1.01, float("nan")])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValidationError):
        content(breaker={"failure_rate": rate})


@pytest.mark.parametrize(
    "name", ["timeout_s", "connect_timeout_s", "first_byte_timeout_s", "idle_timeout_s"]
)
@pytest.mark.parametrize("seconds", [0, -1, 86401, float("inf"), float("nan")])
def test_a_wait_has_bounds(name, seconds):
    with pytest.raises(ValidationError):
        Routing(**{name: seconds})
