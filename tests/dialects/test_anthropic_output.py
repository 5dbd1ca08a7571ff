"""Structured output of the Messages API: `output_config.format`, and its older name."""

import pytest

from proxy.errors import InvalidRequest, OverrideRejected
from tests.dialects.composing import MESSAGES, compose, says, version

WANTED = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}
OURS = {"type": "json_schema", "schema": {"type": "object"}}
THEIRS = {"type": "json_schema", "schema": {"type": "array"}}


def formatted(rule="pinned", **more):
    return version(
        generation={"response_format": WANTED, **more},
        policy={"fields": {"response_format": rule}},
    )


def test_a_schema_goes_out_without_its_name():
    received = compose(MESSAGES, formatted(), says(MESSAGES))

    assert received.fields["output_config"] == {"format": OURS}


def test_what_is_beside_the_format_is_the_apps():
    body = says(MESSAGES, output_config={"effort": "low", "format": THEIRS})

    received = compose(MESSAGES, formatted(), body)

    assert received.fields["output_config"] == {"format": OURS, "effort": "low"}
    assert received.dropped == ("output_config.format",)
    assert received.app_fields == ("output_config.effort",)


def test_an_effort_of_the_versions_stands_beside_the_apps_format():
    content = version(generation={"extra": {MESSAGES.name: {"output_config": {"effort": "low"}}}})

    received = compose(MESSAGES, content, says(MESSAGES, output_config={"format": THEIRS}))

    assert received.fields["output_config"] == {"effort": "low", "format": THEIRS}


def test_text_is_no_format_and_takes_the_apps_away():
    content = version(generation={"response_format": {"type": "text"}})

    received = compose(MESSAGES, content, says(MESSAGES, output_config={"format": THEIRS}))

    assert "output_config" not in received.fields
    assert received.dropped == ("output_config.format",)


# What goes out under the newer and the older name, and what is dropped: by rule, and by what the
# app sends under either.
NEWER, OLDER = {"output_config": {"format": THEIRS}}, {"output_format": THEIRS}
TABLE = [
    ("pinned", OLDER, {"output_config": {"format": OURS}}, ("output_format",)),
    ("default", OLDER, OLDER, ()),
    ("default", {**NEWER, **OLDER}, NEWER, ("output_format",)),
    ("default", {"output_format": None}, {"output_config": {"format": OURS}}, ()),
]


@pytest.mark.parametrize(("rule", "sent", "out", "dropped"), TABLE)
def test_two_names_are_one_setting(rule, sent, out, dropped):
    received = compose(MESSAGES, formatted(rule), says(MESSAGES, **sent))

    names = ("output_config", "output_format")
    assert {name: received.fields[name] for name in names if name in received.fields} == out
    assert received.dropped == dropped


@pytest.mark.parametrize("sent", [NEWER, OLDER])
def test_a_format_is_rejected_under_either_name(sent):
    with pytest.raises(OverrideRejected):
        compose(MESSAGES, formatted("reject"), says(MESSAGES, **sent))


def test_an_older_format_passes_where_a_version_has_none():
    received = compose(MESSAGES, version(), says(MESSAGES, **OLDER))

    assert received.fields["output_format"] == THEIRS
    assert received.app_fields == ("output_format",)


def test_an_output_config_that_is_no_object_is_refused():
    with pytest.raises(InvalidRequest):
        compose(MESSAGES, version(), says(MESSAGES, output_config="low"))
