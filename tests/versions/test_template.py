"""Placeholders: what is one, what only looks like one, and that nothing else is changed."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.versions.template import IDENTIFIER, cut, placeholders


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", []),
        ("no place", []),
        ("{{shop}}", ["shop"]),
        ("a {{ shop }} b", ["shop"]),
        ("{{\tshop \t}}", ["shop"]),
        ("{{a}}{{b}}{{a}}", ["a", "b", "a"]),
        ("{{_A9}}", ["_A9"]),
        ("{{{shop}}}", ["shop"]),
        ("{{%s}}" % ("x" * 64), ["x" * 64]),
    ],
)
def test_placeholders_are_found_in_order(text, names):
    assert list(placeholders(text)) == names


@pytest.mark.parametrize(
    "text",
    [
        *("{shop}", "{{}}", "{{ }}", "{{1st}}", "{{a-b}}", "{{a.b}}", "{{a b}}", "{ {a}}"),
        *("{{a\n}}", "{{größe}}", "{{a|upper}}", "{{#if a}}", "{{a}", "{{٣}}", '{{"a"}}'),
        "{{%s}}" % ("x" * 65),
    ],
)
def test_braces_around_anything_else_are_text(text):
    assert cut(text) == [text]


pieces = st.text(st.sampled_from("ab{}_ \n1"), max_size=12)


@given(pieces)
@example("{{{{a}}}}")
def test_text_is_cut_and_nothing_of_it_is_lost(text):
    parts = cut(text)

    assert parts[1::2] == list(placeholders(text))
    assert len(parts) % 2 == 1
    back = "".join(f"{{{{{part}}}}}" if place % 2 else part for place, part in enumerate(parts))
    assert back.replace(" ", "") == text.replace(" ", "")


@given(st.lists(st.sampled_from(["x", "shop", " and ", "{", "}"]), max_size=6))
def test_what_is_found_is_an_identifier(parts):
    assert all(IDENTIFIER.fullmatch(name) for name in placeholders("{{".join(parts) + "}}"))
