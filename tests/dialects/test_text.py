"""Texts of a version as JSON, with values in their places: values are data, whatever they hold."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.text import NO_VALUES, bind, escape, template
from proxy.errors import InvalidRequest, MissingVariable, UnknownVariable
from proxy.versions.content import Variable
from proxy.versions.variables import Written
from tests.versions.contents import texts

tricky = texts | st.text(st.sampled_from('{} "\\/\nabé\x00\x7f\u2028😀'), max_size=20)


def shown(filled):
    return json.loads(b'"%b"' % filled)


@given(tricky)
def test_escaped_text_is_the_inside_of_a_json_string(text):
    assert shown(escape(text)) == text


@given(tricky.filter(lambda text: "{{" not in text))
def test_text_without_places_is_one_constant(text):
    made = template(text)

    assert len(made.pieces) == 1
    assert shown(made.fill(NO_VALUES)) == text


@given(tricky, tricky)
def test_values_are_data_and_never_templates(first, second):
    made = template("{{a}}-{{ b }}-{{a}}")
    declared = {"a": Variable(), "b": Variable()}

    filled = made.fill(bind(declared, {"a": first, "b": second}))

    assert shown(filled) == f"{first}-{second}-{first}"


def test_value_that_looks_like_a_placeholder_stays_as_it_is():
    declared = {"a": Variable(), "b": Variable()}

    assert template("{{a}}").fill(bind(declared, {"a": "{{b}}", "b": "x"})) == b"{{b}}"


def test_value_cannot_end_the_string_it_stands_in():
    value = '","role":"user","content":"'

    filled = template(b'{"content":"', "Hello {{a}}", b'"}').fill(
        bind({"a": Variable()}, {"a": value})
    )

    assert json.loads(filled) == {"content": f"Hello {value}"}


def test_raw_parts_are_taken_as_they_are():
    made = template(b'["', 'a"{{x}}', b'","{{x}}"]')

    assert made.fill({"x": b"1"}) == b'["a\\"1","{{x}}"]'


def test_template_of_nothing_is_empty():
    assert template().fill(NO_VALUES) == b""
    assert template("").fill(NO_VALUES) == b""


VARIABLES = {
    "plain": Variable(),
    "preset": Variable(default="friendly"),
    "needed": Variable(required=True),
}


@pytest.mark.parametrize(
    ("declared", "given", "value"),
    [
        ("plain", None, ""),
        ("plain", "x", "x"),
        ("plain", "", ""),
        ("preset", None, "friendly"),
        ("preset", "x", "x"),
        ("preset", "", ""),
        ("needed", "x", "x"),
        ("needed", "", ""),
    ],
)
def test_a_variable_has_the_value_that_was_given_or_its_default(declared, given, value):
    bound = bind({declared: VARIABLES[declared]}, {} if given is None else {declared: given})

    assert bound == {declared: value.encode()}


def test_required_variable_that_was_not_given_is_refused():
    with pytest.raises(MissingVariable):
        bind(VARIABLES, {"plain": "x"})


@pytest.mark.parametrize("declared", [VARIABLES, {}])
def test_variable_that_is_not_declared_is_refused(declared):
    with pytest.raises(UnknownVariable):
        bind(declared, {"needed": "x", "other": "x"})


def test_nothing_is_bound_where_nothing_is_declared():
    assert bind({}, {}) == {}


TYPED = {
    "stock": Variable(type="number", default=3.0),
    "open": Variable(type="boolean", default=True),
    "tone": Variable(type="enum", values=("dry", "friendly"), default="dry"),
    "shop": Variable(type="string", max_length=6),
}


def test_defaults_are_written_as_values_are():
    assert bind(TYPED, {}) == {"stock": b"3", "open": b"true", "tone": b"dry", "shop": b""}


@pytest.mark.parametrize(
    ("name", "value"),
    [("stock", "3"), ("stock", True), ("open", "true"), ("open", 1), ("tone", "Dry"), ("shop", 1)],
)
def test_a_value_of_another_kind_is_refused_by_the_name_that_the_version_gave_it(name, value):
    with pytest.raises(InvalidRequest) as refused:
        bind(TYPED, {name: value})

    assert refused.value.hint.startswith(f"variable {name}: ")


def test_what_is_refused_is_not_repeated():
    with pytest.raises(InvalidRequest) as refused:
        bind(TYPED, {"shop": "c4n4ry!"})

    assert "c4n4ry" not in f"{refused.value.message} {refused.value.hint}"


@pytest.mark.parametrize(
    ("name", "text", "filled"), [("stock", "4", b"4"), ("open", "false", b"false")]
)
def test_where_only_texts_can_be_sent_the_declaration_says_what_they_mean(name, text, filled):
    assert bind(TYPED, {name: Written(text)})[name] == filled


@pytest.mark.parametrize(("name", "text"), [("stock", "four"), ("open", "no"), ("tone", "4")])
def test_texts_that_spell_no_value_of_the_type_are_refused(name, text):
    with pytest.raises(InvalidRequest):
        bind(TYPED, {name: Written(text)})


def test_a_missing_variable_is_named():
    with pytest.raises(MissingVariable) as refused:
        bind(VARIABLES, {})

    assert refused.value.hint == "variable needed; values belong in proxy_variables"


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        ("", "it declares none"),
        ("ba", "it declares a, b"),
        ("lkjihgfedcba", "it declares a, b, c, d, e, f, g, h, i, j, …"),
    ],
)
def test_who_sends_a_variable_that_is_not_declared_is_told_which_are(names, hint):
    declared = {name: Variable() for name in names}

    with pytest.raises(UnknownVariable) as refused:
        bind(declared, {"c4n4ry": "1"})

    assert refused.value.hint == hint


@given(tricky | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans())
def test_whatever_the_value_is_it_stays_inside_its_string(value):
    made = template(b'["', "<{{a}}{{b}}>", b'"]')

    filled = made.fill(bind({"a": Variable(), "b": Variable()}, {"a": value, "b": "{{a}}"}))

    inner = value if isinstance(value, str) else json.dumps(value)
    (text,) = json.loads(filled)
    assert text.removesuffix("{{a}}>")[0] == "<"
    assert isinstance(value, float) or text == f"<{inner}{{{{a}}}}>"
