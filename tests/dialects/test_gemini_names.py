"""Fields have two spellings, as proto3's JSON has them, and are one."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.gemini_names import camel, one_spelling, snake, spellings
from proxy.errors import InvalidRequest

KNOWN = spellings(["topP", "contents", "proxy_variables", "_responseJsonSchema"])


def raw(text):
    return msgspec.Raw(text.encode())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("generationConfig", "generation_config"),
        ("topP", "top_p"),
        ("responseJsonSchema", "response_json_schema"),
        ("_responseJsonSchema", "_response_json_schema"),
        ("contents", "contents"),
    ],
)
def test_a_name_has_another_spelling(one, other):
    assert (snake(one), camel(other)) == (other, one)


def test_the_other_spelling_becomes_the_one_that_is_known():
    fields = {name: raw("1") for name in ("top_p", "contents", "proxyVariables", "free_name")}

    found = one_spelling(fields, KNOWN)

    assert list(found) == ["topP", "contents", "proxy_variables", "free_name"]


def test_fields_without_another_spelling_are_left_alone():
    fields = {"topP": raw("1"), "free_name": raw("2")}

    assert one_spelling(fields, KNOWN) is fields


@pytest.mark.parametrize("order", [("topP", "top_p"), ("top_p", "topP")])
def test_a_field_under_both_is_refused(order):
    with pytest.raises(InvalidRequest, match="topP was sent under two names"):
        one_spelling({name: raw("1") for name in order}, KNOWN)


@pytest.mark.parametrize("order", [("topP", "top_p"), ("top_p", "topP")])
def test_null_under_one_of_both_is_not_sent(order):
    first, second = order

    assert bytes(one_spelling({first: raw("null"), second: raw("7")}, KNOWN)["topP"]) == b"7"
    assert bytes(one_spelling({first: raw("7"), second: raw("null")}, KNOWN)["topP"]) == b"7"


@given(st.from_regex(r"[a-z]{1,5}(_[a-z]{1,5}){0,4}", fullmatch=True))
def test_a_spelling_leads_back_to_the_name(name):
    assert snake(camel(name)) == name
