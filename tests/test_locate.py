"""Lines of keys: right on text that parses, never an error on text that does not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.locate import field_name, json_lines, json_places, line_of, toml_lines
from proxy.versions import toml
from tests.versions.contents import objects_without_null, values

TOML = '''\
# [not.a.table]
[model]
vendor = "x"  # id = "no"
"a.b".c = """
[fake]
k = 1
"""
numbers = [
  1, # ]
  { a = 1 },
]
[[routing.fallback]]
vendor = "eu"
[[routing.fallback]]
vendor = "us"
[routing.fallback.more]
deep = '[ " \'
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("model",), 2),
        (("model", "vendor"), 3),
        (("model", "a.b", "c"), 4),
        (("model", "numbers"), 8),
        (("model", "numbers", 1, "a"), 8),
        (("routing", "fallback", 0, "vendor"), 13),
        (("routing", "fallback", 1, "vendor"), 15),
        (("routing", "fallback", 1, "more", "deep"), 17),
        (("model", "missing"), 2),
        (("fake",), 0),
        ((), 0),
    ],
)
def test_toml_keys_are_found_where_they_stand(path, line):
    assert line_of(toml_lines(TOML), path) == line


@pytest.mark.parametrize(
    ("path", "line"),
    [((0,), 2), ((0, "name"), 2), ((0, "x"), 3), ((0, "x", 1), 3), ((1,), 5), ((1, "a\n"), 6)],
)
def test_json_keys_are_found_where_they_stand(path, line):
    text = '[\n  {"name": "a, [\\" {",\n   "x": [1, 2]}\n  ,\n  {\n "a\\n": {}}]'

    assert line_of(json_lines(text), path) == line


def test_a_repeated_json_key_is_seen_twice():
    places = [path for path, _ in json_places('[{"a": 1, "b": {"a": 2}, "\\u0061": 3}]')]

    assert places.count((0, "a")) == 2


def _paths(value, path=()):
    if path:
        yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _paths(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _paths(item, (*path, index))


@given(values, st.sampled_from([None, 1, 4]))
def test_every_part_of_a_json_text_has_a_line(value, indent):
    lines = json_lines(json.dumps(value, indent=indent))

    assert set(lines) == set(_paths(value))


@given(st.dictionaries(st.text("ab. \"'#=\n[]", min_size=1, max_size=5), objects_without_null))
def test_every_table_and_key_of_a_toml_text_has_a_line(table):
    text = toml.dumps(table)
    lines = toml_lines(text)

    for path in _paths(table):
        if all(isinstance(part, str) for part in path):
            line = text.split("\n")[line_of(lines, path) - 1]
            assert json.dumps(path[0], ensure_ascii=False)[1:-1] in line or len(path) > 1


@given(st.text(st.sampled_from("ab[]{}\"'=.,:#\n\\ 0é")) | st.text())
def test_no_text_raises(text):
    for lines in (toml_lines(text), json_lines(text)):
        assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())


def test_a_field_is_written_as_people_do():
    path = ("generation", "extra", "openai.chat", 2, "a")

    assert field_name(path) == 'generation.extra."openai.chat"[2].a'
