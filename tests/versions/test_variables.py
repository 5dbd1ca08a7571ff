"""Values for variables: what fits a declaration, and how it is written into a text."""

import json

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.versions.content import Content, Variable, unused_variables
from proxy.versions.identity import canonical, digest
from proxy.versions.variables import as_declared, fitting, misfit, written

ANY = Variable()
DECLARED = {
    "string": Variable(type="string"),
    "short": Variable(type="string", max_length=3),
    "number": Variable(type="number", required=True),
    "boolean": Variable(type="boolean", required=True),
    "enum": Variable(type="enum", values=("dry", "friendly"), required=True),
}
texts = st.text(st.characters(exclude_categories=("Cs",)))
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@given(texts | numbers | st.booleans())
def test_without_a_type_every_scalar_fits(value):
    assert misfit(ANY, value) == ""


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("string", "", ""),
        ("string", 3, "a string"),
        ("string", True, "a string"),
        ("short", "äöü", ""),
        ("short", "äöü!", "at most 3 characters"),
        ("number", 3, ""),
        ("number", -0.5, ""),
        ("number", "3", "a number"),
        ("number", True, "a number"),
        ("boolean", False, ""),
        ("boolean", 0, "true or false"),
        ("boolean", "true", "true or false"),
        ("enum", "dry", ""),
        ("enum", "Dry", "one of the declared values"),
        ("enum", "", "one of the declared values"),
        ("enum", 1, "a string"),
    ],
)
def test_a_type_takes_its_own_values_and_no_others(name, value, expected):
    assert (
        misfit(DECLARED[name], value).removesuffix(" is expected").removesuffix(" are expected")
        == expected
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a{{b}}", "a{{b}}"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (3.0, "3"),
        (-0.0, "0"),
        (2.50, "2.5"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1e-7, "1e-7"),
        (2**60 + 1, "1152921504606846977"),
    ],
)
def test_numbers_and_booleans_are_written_as_json(value, text):
    assert written(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_written_as_a_digest_would_have_it(value):
    assert written(value) == rfc8785.dumps(value).decode()


@given(texts | numbers.map(json.dumps) | st.sampled_from(["true", "false", "null", " 1 ", "01"]))
def test_a_text_is_read_as_the_type_where_it_spells_one(text):
    for declared in DECLARED.values():
        read = as_declared(declared, text)

        assert read == text or (misfit(declared, read) == "" and json.loads(text) == read)


@pytest.mark.parametrize("name", DECLARED)
def test_there_is_a_fitting_value_for_every_declaration(name):
    assert misfit(DECLARED[name], fitting("question", DECLARED[name])) == ""


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"required": True, "default": "x"}, "a required variable has no default"),
        ({"type": "enum", "required": True}, "values go with type enum"),
        ({"values": ["a"]}, "values go with type enum"),
        ({"type": "enum", "values": ["a", "a"], "required": True}, "a value is there twice"),
        ({"type": "enum", "values": ["a"], "default": "b"}, "the default does not fit"),
        ({"type": "enum", "values": ["a"]}, "needs a default"),
        ({"type": "number"}, "needs a default"),
        ({"type": "number", "default": "3"}, "the default does not fit: a number is expected"),
        ({"type": "boolean", "default": 1}, "the default does not fit"),
        ({"type": "string", "default": False}, "the default does not fit"),
        ({"type": "string", "default": "long", "max_length": 3}, "the default does not fit"),
        ({"type": "number", "max_length": 3, "required": True}, "max_length goes with a string"),
        ({"default": ["x"]}, "must be a string, a number or a boolean"),
        ({"type": "integer"}, "Input should be"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(fields, complaint):
    with pytest.raises(ValidationError, match=complaint):
        Variable.model_validate(fields)


def test_untyped_variables_have_the_digest_that_they_always_had():
    content = Content.model_validate(
        {
            "model": {"vendor": "openai", "id": "gpt-4o-2024-08-06"},
            "system": "{{shop}}, {{tone}}, {{hint}}",
            "variables": {"shop": {"required": True}, "tone": {"default": "dry"}, "hint": {}},
        }
    )

    # Written down before variables had types.
    assert digest(canonical(content)) == (
        "sha256:77889bc6116bde82eda5228cea88b688574177856f586914ac2cee436453d190"
    )


def test_variables_that_stand_in_no_text_are_found():
    content = Content.model_validate(
        {
            "model": {"vendor": "openai", "id": "m"},
            "system": "{{a}}",
            "messages": [{"role": "user", "content": "{{ b }}"}],
            "variables": {name: {} for name in "dcba"},
        }
    )

    assert unused_variables(content) == ["c", "d"]
