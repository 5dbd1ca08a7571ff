"""Contents to files and back: the tree can always say what is live."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import NotWritable
from proxy.versions import checkout, sources, toml
from proxy.versions.content import Content
from proxy.versions.identity import canonical, digest
from tests.versions.contents import contents, objects_without_null, prompts

MODEL = {"vendor": "openai", "id": "gpt-4o"}


@given(contents(system=prompts))
def test_files_read_again_give_the_same_digest(content):
    files = checkout.write(content)

    again = sources.read(files, allow_secrets=True)

    assert digest(canonical(again)) == digest(canonical(content))


@given(contents())
def test_a_content_is_written_faithfully_or_not_at_all(content):
    try:
        files = checkout.write(content)
    except NotWritable:
        return

    assert sources.read(files, allow_secrets=True) == content


@given(st.dictionaries(st.text(st.characters(exclude_categories=("Cs",))), objects_without_null))
def test_toml_text_parses_to_what_was_written(table):
    assert tomllib.loads(toml.dumps(table)) == table


def test_empty_parts_have_no_file():
    files = checkout.write(Content.model_validate({"model": MODEL}))

    assert files == {"version.toml": b'[model]\nvendor = "openai"\nid = "gpt-4o"\n'}


def test_a_prompt_gets_one_final_newline():
    files = checkout.write(Content.model_validate({"model": MODEL, "system": "a\n\nb\n"}))

    assert files["system.md"] == b"a\n\nb\n\n"


def test_null_in_a_toml_table_is_refused():
    content = Content.model_validate(
        {"model": MODEL, "generation": {"extra": {"openai.chat": {"a": None}}}}
    )

    with pytest.raises(NotWritable, match="null"):
        checkout.write(content)


def test_null_in_tool_parameters_is_kept():
    tool = {"name": "find", "parameters": {"properties": {"a": {"enum": [1, None]}}}}
    content = Content.model_validate({"model": MODEL, "tools": [tool]})

    assert sources.read(checkout.write(content)) == content


def test_a_prompt_that_files_would_change_is_refused():
    content = Content.model_validate({"model": MODEL, "system": "one\r\ntwo"})

    with pytest.raises(NotWritable, match="without a change"):
        checkout.write(content)


def test_tables_are_written_with_headers_that_people_write():
    content = Content.model_validate(
        {
            "model": MODEL,
            "generation": {"temperature": 0.2, "extra": {"openai.chat": {"effort": "low"}}},
            "variables": {"shop": {"required": True}},
            "routing": {"fallback": [{"vendor": "openai-eu", "id": "gpt-4o"}]},
        }
    )

    text = checkout.write(content)["version.toml"].decode()

    assert text == (
        '[model]\nvendor = "openai"\nid = "gpt-4o"\n\n'
        "[generation]\ntemperature = 0.2\n\n"
        '[generation.extra."openai.chat"]\neffort = "low"\n\n'
        "[variables.shop]\nrequired = true\n\n"
        '[[routing.fallback]]\nvendor = "openai-eu"\nid = "gpt-4o"\n'
    )
