"""The `text` object of the Responses dialect: the format is ruled, what is beside it is not."""

import json
from itertools import product

import pytest

from proxy.errors import InvalidRequest, OverrideRejected, WrongDialect
from tests.dialects.composing import CHAT, RESPONSES, compose, says, version

OURS = {"type": "json_schema", "name": "answer", "schema": {"x": 1}, "strict": True}
THEIRS = '{ "type":"json_object" }'

SENT = {
    "nothing": None,
    "null": "null",
    "empty": "{ }",
    "null format": '{"format":null}',
    "format": f'{{"format":{THEIRS}}}',
    "verbosity": '{"verbosity":"low"}',
    "both": f'{{"verbosity":"low", "format" : {THEIRS}}}',
    "unknown": '{"new":[1.0e0, 2]}',
}
REFUSED = None

# What `text` goes out as, and what is dropped, by (rule, whether the version sets a format).
FORMAT = {"format": OURS}
TABLE = {
    ("pinned", True): {
        "nothing": (FORMAT, ()),
        "null": (FORMAT, ()),
        "empty": (FORMAT, ()),
        "null format": (FORMAT, ()),
        "format": (FORMAT, ("text.format",)),
        "verbosity": ({**FORMAT, "verbosity": "low"}, ()),
        "both": ({**FORMAT, "verbosity": "low"}, ("text.format",)),
        "unknown": ({**FORMAT, "new": [1, 2]}, ()),
    },
    ("default", True): {
        "nothing": (FORMAT, ()),
        "null": (FORMAT, ()),
        "empty": (FORMAT, ()),
        "null format": (FORMAT, ()),
        "format": ({"format": {"type": "json_object"}}, ()),
        "verbosity": ({**FORMAT, "verbosity": "low"}, ()),
        "both": ({"format": {"type": "json_object"}, "verbosity": "low"}, ()),
        "unknown": ({**FORMAT, "new": [1, 2]}, ()),
    },
    ("pinned", False): {
        "nothing": ("absent", ()),
        "null": (None, ()),
        "empty": ({}, ()),
        "null format": ({"format": None}, ()),
        "format": ({"format": {"type": "json_object"}}, ()),
        "verbosity": ({"verbosity": "low"}, ()),
        "both": ({"format": {"type": "json_object"}, "verbosity": "low"}, ()),
        "unknown": ({"new": [1, 2]}, ()),
    },
}
TABLE["default", False] = TABLE["pinned", False]
for has in (True, False):
    TABLE["reject", has] = TABLE["pinned", has] | {"format": REFUSED, "both": REFUSED}

CASES = [
    pytest.param(rule, has, sent, TABLE[rule, has][sent], id=f"{rule}-{has}-{sent}")
    for rule, has, sent in product(("pinned", "default", "reject"), (True, False), SENT)
]


def asks(text):
    body = json.dumps(says(RESPONSES))
    return body if text is None else f'{body[:-1]},"text":{text}}}'


@pytest.mark.parametrize(("rule", "has_format", "sent", "expected"), CASES)
def test_text_is_merged_member_by_member(rule, has_format, sent, expected):
    generation = {"response_format": OURS} if has_format else {}
    ways = [
        {"generation": rule},
        {"generation": "default", "fields": {"response_format": rule}},
        {"generation": "reject", "fields": {"response_format": rule}},
    ]
    for policy in ways:
        content = version(generation=generation, policy=policy)
        if expected is REFUSED:
            with pytest.raises(OverrideRejected):
                compose(RESPONSES, content, asks(SENT[sent]))
            continue
        out, dropped = expected
        received = compose(RESPONSES, content, asks(SENT[sent]))

        assert received.fields.get("text", "absent") == out
        assert received.dropped == dropped


def test_what_the_app_decided_in_text_is_listed_and_keeps_its_spelling():
    received = compose(
        RESPONSES, version(generation={"response_format": OURS}), asks(SENT["unknown"])
    )

    assert received.spelled["text"].endswith(',"new":[1.0e0, 2]}')
    assert received.app_fields == ("text.new",)


@pytest.mark.parametrize("kind", ["text", "json_object"])
def test_format_without_a_schema_is_its_type(kind):
    content = version(generation={"response_format": {"type": kind}})

    assert compose(RESPONSES, content, asks(None)).fields["text"] == {"format": {"type": kind}}
    assert compose(CHAT, content, says(CHAT)).fields["response_format"] == {"type": kind}


@pytest.mark.parametrize(
    ("rule", "sent", "out", "dropped"),
    [
        ("pinned", None, "low", ()),
        ("pinned", '{"verbosity":null}', "low", ()),
        ("pinned", '{"verbosity":"high"}', "low", ("text.verbosity",)),
        ("default", None, "low", ()),
        ("default", '{"verbosity":"high"}', "high", ()),
        ("reject", None, "low", ()),
    ],
)
def test_extra_members_of_text_are_under_the_rule_of_text(rule, sent, out, dropped):
    extra = {RESPONSES.name: {"text": {"verbosity": "low"}}}
    content = version(generation={"extra": extra}, policy={"fields": {"text": rule}})

    received = compose(RESPONSES, content, asks(sent))

    assert received.fields["text"] == {"verbosity": out}
    assert received.dropped == dropped


def test_extra_member_of_text_that_is_rejected_is_refused():
    extra = {RESPONSES.name: {"text": {"verbosity": "low"}}}
    content = version(generation={"extra": extra}, policy={"generation": "reject"})

    with pytest.raises(OverrideRejected):
        compose(RESPONSES, content, asks('{"verbosity":"high"}'))


@pytest.mark.parametrize("text", ['"low"', "[]", "1"])
def test_text_that_is_no_object_is_refused(text):
    with pytest.raises(InvalidRequest):
        compose(RESPONSES, version(), asks(text))


@pytest.mark.parametrize("text", ["low", ["low"], 1, None, {"a,b": 1}, {"a\nb": 1}])
def test_extra_text_that_is_no_object_of_parameters_is_not_served(text):
    content = version(generation={"extra": {RESPONSES.name: {"text": text}}})

    with pytest.raises(WrongDialect):
        RESPONSES.compile(content)
