"""A stored prompt becomes a version that is composed as the vendor composed the prompt."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.stored_prompt import read_stored_prompt
from proxy.locate import field_name
from proxy.versions import checkout, sources
from tests.dialects.composing import RESPONSES, compose
from tests.versions.contents import prompts
from tests.wire.recordings import recording

WHOLE = {
    "id": "pmpt_1",
    "version": "3",
    "name": "support",
    "model": "gpt-5.1",
    "messages": [
        {"role": "developer", "content": [{"type": "input_text", "text": "You help {{shop}}."}]},
        {"role": "user", "content": "Q"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "A"}]},
        {"role": "user", "content": [{"type": "input_text", "text": "Where is {{order}}?"}]},
    ],
    "variables": {"shop": "", "order": {"type": "input_text", "text": ""}},
    "temperature": 0.2,
    "max_output_tokens": 300,
    "reasoning": {"effort": "low", "summary": None},
    "text": {
        "format": {
            "type": "json_schema",
            "name": "a",
            "schema": {"type": "object"},
            "strict": True,
        },
        "verbosity": "low",
    },
    "tools": [
        {
            "type": "function",
            "name": "find",
            "description": None,
            "parameters": {"type": "object"},
            "strict": True,
        }
    ],
    "tool_choice": {"type": "function", "name": "find"},
    "truncation": "auto",
}


def imported(value):
    stored = read_stored_prompt(value, "openai")
    assert (stored.left_out, stored.wrong) == ((), ())
    return sources.read(checkout.write(stored.content), allow_secrets=True)


def complaints(value):
    stored = read_stored_prompt(value, "openai")
    return [(field_name(path), words) for path, words in (*stored.left_out, *stored.wrong)]


def minimal(**fields):
    return {"model": "gpt-5.1", "instructions": "Ours.", **fields}


def test_a_call_by_the_prompt_becomes_what_the_prompt_said():
    content = imported(WHOLE)
    call = {"prompt": {"id": "pmpt_1", "variables": {"shop": "Alpine", "order": 'A"1'}}}

    received = compose(RESPONSES, content, call)

    assert received.fields == {
        "model": "gpt-4o-2024-08-06",  # the one that the test composes with
        "instructions": "You help Alpine.",
        "input": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "A"},
            {"role": "user", "content": 'Where is A"1?'},
        ],
        "temperature": 0.2,
        "max_output_tokens": 300,
        "reasoning": {"effort": "low"},
        "text": WHOLE["text"],
        "tools": [
            {"type": "function", "name": "find", "parameters": {"type": "object"}, "strict": True}
        ],
        "tool_choice": {"type": "function", "name": "find"},
        "truncation": "auto",
    }
    assert content.model.id == "gpt-5.1"
    assert received.dropped == ()


def test_what_the_app_says_follows_what_the_prompt_says():
    variables = {"shop": "Alpine", "order": "1"}

    received = compose(
        RESPONSES,
        imported(WHOLE),
        {"prompt": {"id": "pmpt_1", "variables": variables}, "input": "And {{order}}?"},
    )

    assert [one["content"] for one in received.fields["input"]][2:] == [
        "Where is 1?",
        "And {{order}}?",
    ]


def test_a_response_to_a_call_with_the_variables_names_as_values_is_as_good_as_an_export():
    answer = json.loads(recording("openai-responses-stored-prompt").answer)
    asked_again = json.loads(json.dumps(answer).replace("A-1009", "{{order}}"))

    content = imported(asked_again)

    assert content.model.id == "gpt-5.6-2026-07-09"
    assert content.system == "Answer about order {{order}}"
    assert content.variables["order"].required
    # Defaults that the vendor repeats are none of the prompt's.
    assert content.generation.temperature is None
    assert content.generation.extra == {"openai.responses": {"reasoning": {"effort": "none"}}}


def test_a_response_with_the_variables_filled_in_has_lost_the_template():
    answer = json.loads(recording("openai-responses-stored-prompt").answer)

    (complaint,) = complaints(answer)

    assert complaint[0] == "prompt.variables.order"
    assert "call again with {{order}} as its value" in complaint[1]


def test_the_prompts_name_and_id_are_found():
    stored = read_stored_prompt(WHOLE, "openai")
    referred = read_stored_prompt(minimal(prompt={"id": "pmpt_2", "version": "1"}), "openai")

    assert (stored.name, stored.id) == ("support", "pmpt_1")
    assert (referred.name, referred.id) == ("", "pmpt_2")


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"novelty": 1}, "novelty"),
        ({"background": True}, "background"),
        ({"tools": [{"type": "web_search"}]}, "tools[0]"),
        ({"tools": [{"type": "function", "name": "a", "defer": True}]}, "tools[0].defer"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": {"type": "web_search"}}, "tool_choice"),
        ({"text": "plain"}, "text"),
        ({"messages": [{"type": "function_call", "name": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "messages[0]"),
        ({"messages": [{"role": "user", "content": "a", "new": 1}]}, "messages[0].new"),
        (
            {"messages": [{"role": "user", "content": [{"type": "input_image"}]}]},
            "messages[0].content[0]",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": "a"},
                    {"role": "system", "content": "late"},
                ]
            },
            "messages[1]",
        ),
        ({"input": 7}, "input"),
        ({"instructions": "Hello {{first-name}}"}, '"{{first-name}}"'),
        ({"variables": {"first-name": ""}}, "variables.first-name"),
        ({"variables": {"picture": {"type": "input_image"}}}, "variables.picture"),
    ],
)
def test_what_is_not_understood_is_named_and_nothing_else(fields, place):
    assert [field for field, _ in complaints(minimal(**fields))] == [place]


@pytest.mark.parametrize(
    ("fields", "place"),
    [
        ({"model": None}, "model.id"),
        ({"temperature": 3}, "generation.temperature"),
        ({"text": {"format": {"type": "json_schema"}}}, "generation.response_format"),
        ({"tools": [{"type": "function", "name": "a b"}]}, "tools[0].name"),
    ],
)
def test_what_makes_no_version_is_named(fields, place):
    assert place in [field for field, _ in complaints(minimal(**fields))]


def test_what_is_null_says_nothing():
    tool = {"type": "function", "name": "find", "new": None}
    said = [{"role": "user", "content": "Q", "new": None}]
    whole = minimal(tools=[tool], messages=said, new=None, temperature=None)

    content = imported(whole)

    assert [one.name for one in content.tools] == ["find"]
    assert content.user == "Q"


def test_a_call_that_is_no_part_of_a_prompt_is_passed_over():
    about = {
        "id": "resp_1",
        "status": "completed",
        "usage": {},
        "user": "u",
        "metadata": {"a": "b"},
    }

    assert imported(minimal(**about)) == imported(minimal())


words = prompts.filter(lambda text: "{" not in text and "\r" not in text)
texts = st.lists(words | st.sampled_from(["{{x}}", "{{ y }}", "{"]), max_size=3).map("".join)
roles = st.sampled_from(["user", "assistant"])


@given(
    system=texts,
    said=st.lists(st.tuples(roles, texts.filter(bool)), max_size=4),
    x=st.text(st.sampled_from('a"{}y\\'), min_size=1, max_size=6),
    y=words.filter(bool),
    temperature=st.none() | st.sampled_from([0, 0.5, 2]),
)
def test_whatever_a_prompt_says_it_is_composed_as_if_it_were_written_out(
    system, said, x, y, temperature
):
    stored = {
        "model": "gpt-5.1",
        "instructions": system,
        "messages": [{"role": role, "content": text} for role, text in said],
        "temperature": temperature,
    }
    values = {"x": x, "y": y}

    def out(text):
        return re.sub(r"\{\{ ?([xy]) ?\}\}", lambda match: values[match[1]], text)

    content = imported({key: value for key, value in stored.items() if value is not None})
    used = {name: values[name] for name in content.variables}
    received = compose(RESPONSES, content, {"prompt": {"id": "p", "variables": used}})

    assert received.fields.get("instructions", "") == out(system)
    spoken = [{"role": role, "content": out(text)} for role, text in said]
    assert received.fields.get("input", []) == spoken
    assert received.fields.get("temperature") == temperature
