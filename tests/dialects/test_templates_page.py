"""docs/templates.md is played against the program, line by line."""

import re
from pathlib import Path

import pytest

from proxy.errors import InvalidRequest
from proxy.versions.variables import VariableType
from tests.dialects.composing import RESPONSES, compose, in_every_dialect, list_name, version

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

    assert received.fields[list_name(dialect)][0]["content"] == f"<{filled}>"


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
