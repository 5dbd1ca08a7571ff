"""docs/templates.md is played against the program, line by line."""

import re
from pathlib import Path

import pytest

from proxy.errors import InvalidRequest, OverrideRejected
from proxy.versions.content import MessagesRule
from proxy.versions.variables import VariableType
from tests.dialects.composing import (
    MESSAGES,
    RESPONSES,
    compose,
    in_every_dialect,
    list_name,
    messages_of,
    says,
    version,
)

PAGE = (Path(__file__).parent.parent.parent / "docs" / "templates.md").read_text()
TABLES = dict(re.findall(r"<!-- templates: (\w+) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL))
DECLARED = {
    "none": {},
    "string": {"type": "string", "default": "x"},
    "number": {"type": "number", "default": 0},
    "boolean": {"type": "boolean", "default": True},
    "enum": {"type": "enum", "values": ["dry", "friendly"], "default": "friendly"},
}


def rows(table):
    lines = TABLES[table].replace("`", "").splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


@in_every_dialect
@pytest.mark.parametrize(("kind", "sent", "filled"), rows("values"))
def test_values_are_filled_in_as_the_page_says(dialect, kind, sent, filled):
    content = version(
        messages=[{"role": "user", "content": "<{{x}}>"}],
        variables={"x": DECLARED[kind], "tone": {"default": "dry"}},
    )
    body = f'{{"{list_name(dialect)}":[],"proxy_variables":{{"x":{sent}}}}}'
    if filled == "400 invalid_request":
        with pytest.raises(InvalidRequest):
            compose(dialect, content, body)
        return

    received = compose(dialect, content, body)

    assert messages_of(dialect, received)[0]["content"] == f"<{filled}>"


SHOTS = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
PARTS = {
    "few-shot": SHOTS,
    "template": [{"role": "user", "content": "On x!"}],
    "the app's": [{"role": "user", "content": "hi"}],
}
CONTINUED = {
    RESPONSES: {"previous_response_id": "resp_1"},
    MESSAGES: {"thread": {"type": "continue", "id": "t"}},
}


def making(rule):
    return version(
        system="Ours.",
        messages=SHOTS,
        user="On {{x}}!",
        variables={"x": {"required": True}},
        policy={"messages": rule},
    )


def goes_out(dialect, content, said, fields):
    body = {**(says(dialect) if said == "something" else {}), **fields}
    received = compose(dialect, content, {**body, "proxy_variables": {"x": "x"}})
    return messages_of(dialect, received)


def named(parts):
    return [message for part in parts.split(", ") for message in PARTS[part]]


@in_every_dialect
@pytest.mark.parametrize(("rule", "said", "out"), rows("messages"))
def test_messages_go_out_as_the_page_says(dialect, rule, said, out):
    content = making(rule)
    if out == "refused":
        with pytest.raises(OverrideRejected):
            goes_out(dialect, content, said, {})
        return

    sent = goes_out(dialect, content, said, {})

    assert sent[sent[0]["role"] == "system" :] == named(out)


@pytest.mark.parametrize("dialect", CONTINUED, ids=lambda one: one.name)
@pytest.mark.parametrize(("rule", "said", "out"), rows("continued"))
def test_conversations_that_the_vendor_keeps_go_on_as_the_page_says(dialect, rule, said, out):
    content = making(rule)
    if out == "refused":
        with pytest.raises(OverrideRejected):
            goes_out(dialect, content, said, CONTINUED[dialect])
        return

    assert goes_out(dialect, content, said, CONTINUED[dialect]) == named(out)


def test_the_page_has_every_rule_with_and_without_the_apps_words():
    cases = {(rule, said) for rule in MessagesRule.__args__ for said in ("nothing", "something")}

    assert {row[:2] for row in rows("messages")} == cases
    assert {row[:2] for row in rows("continued")} == cases


def test_the_page_has_every_type():
    kinds = {kind for kind, _, _ in rows("values")}

    assert kinds == {"none", *VariableType.__args__}


@pytest.mark.parametrize(
    ("kind", "sent", "filled"), [("number", "25e-1", "2.5"), ("boolean", "false", "false")]
)
def test_a_prompt_object_may_send_texts_for_them(kind, sent, filled):
    content = version(system="{{x}}", variables={"x": DECLARED[kind]})

    received = compose(RESPONSES, content, {"prompt": {"id": "a", "variables": {"x": sent}}})

    assert received.fields["instructions"] == filled
