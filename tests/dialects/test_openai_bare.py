"""Embeddings and legacy completions: a version's model and parameters, and the app's own words."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.openai_completions import PARAMETERS
from proxy.dialects.policy import MAX_NAME, TRANSPORT
from proxy.errors import OverrideRejected, UnknownVariable, WrongDialect
from tests.dialects.composing import (
    COMPLETIONS,
    EMBEDDINGS,
    VENDOR_MODEL,
    compose,
    in_bare_dialects,
    read,
    says,
    version,
)
from tests.wire.spelled import members

FULL = {
    "system": "Ours, {{tone}}.",
    "messages": [{"role": "user", "content": "Q"}],
    "tools": [{"name": "search"}],
    "variables": {"tone": {"required": True}},
}
SAID = {EMBEDDINGS: "input", COMPLETIONS: "prompt"}
DIMENSIONS = {"extra": {EMBEDDINGS.name: {"dimensions": 256, "encoding_format": "float"}}}
GENERATION = {
    "temperature": 0.5,
    "top_p": 1,
    "max_output_tokens": 300,
    "stop": ["END"],
    "seed": 7,
    "presence_penalty": -1,
    "frequency_penalty": 0,
}


@in_bare_dialects
def test_prompts_and_tools_of_a_version_have_no_place(dialect):
    received = compose(dialect, version(**FULL), says(dialect, "a text"))

    assert received.fields == {"model": VENDOR_MODEL, SAID[dialect]: "a text"}


@in_bare_dialects
def test_what_the_app_says_goes_out_as_it_is_spelled(dialect):
    said = f'{{"model":"recommender","{SAID[dialect]}":[ "\\u00e9" ,[1, 2.0]] }}'

    received = compose(dialect, version(), said)

    assert received.spelled[SAID[dialect]] == '[ "\\u00e9" ,[1, 2.0]]'
    assert (received.dropped, received.app_fields) == ((), ())


@in_bare_dialects
def test_request_that_says_nothing_is_for_the_vendor_to_refuse(dialect):
    assert compose(dialect, version(), {"model": "recommender"}).fields == {"model": VENDOR_MODEL}


def test_parameters_of_the_version_go_out_with_a_completion():
    received = compose(COMPLETIONS, version(generation=GENERATION), says(COMPLETIONS, max_tokens=5))

    wire = {one.wire: GENERATION[one.field] for one in PARAMETERS}
    assert received.fields == {"model": VENDOR_MODEL, "prompt": "hi", **wire}
    assert received.dropped == ("max_tokens",)


def test_embeddings_get_what_the_version_sets_for_them_and_nothing_of_generation():
    content = version(generation={**GENERATION, "top_k": 4, **DIMENSIONS}, **FULL)

    received = compose(EMBEDDINGS, content, says(EMBEDDINGS, dimensions=3, user="u"))

    ours = {"dimensions": 256, "encoding_format": "float"}
    assert received.fields == {"model": VENDOR_MODEL, "input": "hi", **ours, "user": "u"}
    assert (received.dropped, received.app_fields) == (("dimensions",), ("user",))


@in_bare_dialects
def test_values_for_placeholders_are_taken_and_unknown_ones_refused(dialect):
    assert compose(dialect, version(**FULL), says(dialect, proxy_variables={"tone": "dry"})).fields

    with pytest.raises(UnknownVariable):
        compose(dialect, version(**FULL), says(dialect, proxy_variables={"other": "dry"}))


@pytest.mark.parametrize(
    "generation", [{"top_k": 1}, {"tool_choice": "auto"}, {"response_format": {"type": "text"}}]
)
def test_version_that_sets_what_a_completion_lacks_is_not_served(generation):
    with pytest.raises(WrongDialect) as raised:
        COMPLETIONS.compile(version(generation=generation))

    assert next(iter(generation)) in raised.value.hint


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, []),
        ({"system": "Ours."}, ["its system prompt"]),
        (FULL, ["its system prompt, its messages, its tools"]),
    ],
)
def test_people_are_told_what_a_completion_leaves_out(parts, words):
    told = list(COMPLETIONS.advice(version(**parts)))

    assert told == [f"the prompt is the app's own: {one} will not go out" for one in words]
    assert list(EMBEDDINGS.advice(version(**parts))) == []


def test_embeddings_are_never_a_stream_and_completions_may_be():
    streaming = '{"model":"recommender","stream":true}'

    assert (read(EMBEDDINGS, streaming).stream, read(COMPLETIONS, streaming).stream) == (
        False,
        True,
    )


TRICKS = ('"model":"a","model":"b"', '"mod\\u0065l":"b"')


@in_bare_dialects
@pytest.mark.parametrize("trick", TRICKS)
def test_escapes_and_repetitions_smuggle_nothing_past_the_policy(dialect, trick):
    extra = {"extra": {dialect.name: {"user": "ours"}}}
    body = f'{json.dumps(says(dialect))[:-1]},{trick},"us\\u0065r":"theirs"}}'

    received = compose(dialect, version(generation=extra), body)

    names = [name for name, _ in members(received.body.decode())]
    assert sorted(names) == sorted({"model", SAID[dialect], "user"})
    assert (received.fields["model"], received.fields["user"]) == (VENDOR_MODEL, "ours")


@in_bare_dialects
def test_injected_bytes_are_the_same_in_every_request(dialect):
    extra = {"extra": {dialect.name: {"user": "ours"}}}

    first, second = (compose(dialect, version(generation=extra), says(dialect, t)) for t in "ab")

    beginning, said, _ = first.body.partition(b'"a"')
    assert said
    assert second.body.startswith(beginning + b'"b"')


NAMES = (
    "temperature",
    "max_tokens",
    "dimensions",
    "user",
    "stream_options",
    "tools",
    "new\nfield",
    "",
    "é",
)
VALUES = ("null", "1.50e0", "true", "[ ]", '{ "a":[1.0]}', '"\\u00e9"')
RULES = st.sampled_from(["pinned", "default", "reject"])
drawn_members = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=6)


@in_bare_dialects
@settings(max_examples=60)
@given(sent=drawn_members, rule=RULES, is_set=st.booleans())
def test_every_field_goes_out_as_it_was_spelled_or_is_told_of(dialect, sent, rule, is_set):
    fields = {"dimensions": 256} if is_set else {}
    temperature = {"temperature": 0.5} if is_set else {}
    generation = {**temperature, "extra": {dialect.name: fields}}
    content = version(generation=generation, policy={"generation": rule})
    text = "".join(f",{json.dumps(name)}:{value}" for name, value in sent)
    try:
        received = compose(dialect, content, f'{{"model":"recommender"{text}}}')
    except OverrideRejected:
        assert rule == "reject"
        return

    names = [name for name, _ in members(received.body.decode())]
    assert len(set(names)) == len(names)
    for name, value in dict(sent).items():
        if name in received.dropped:
            assert (rule, is_set) == ("pinned", True)
        elif value != "null":
            assert received.spelled[name] == value
            assert (name[:MAX_NAME] in received.app_fields) is (name not in TRANSPORT)
