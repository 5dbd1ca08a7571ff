"""Responses: instructions, input, and prompt objects that are resolved here."""

import json
from itertools import product

import pytest

from proxy.dialects.base import Seen
from proxy.errors import (
    InvalidRequest,
    MissingVariable,
    OverrideRejected,
    UnknownVariable,
    UpstreamTimeout,
)
from tests.dialects.composing import RESPONSES, VENDOR_MODEL, compose, read, says, version
from tests.wire.spelled import elements

USER = '{ "role":"user","content":"hi\\u0021","n":1.0e0 }'

# What an app may send of a system prompt of its own: instructions, and system items of the input.
SENT = {
    "none": (None, []),
    "null": ("null", []),
    "instructions": ('"Theirs."', []),
    "item": (None, ['{"role":"system","content":"Item."}']),
    "both": (
        '"Theirs."',
        ['{"role":"developer","content":[{"type":"input_text","text":"Item."}]}'],
    ),
    "empty": ('""', ['{"role":"system","content":""}']),
}
SILENT = ("none", "null")
REFUSED = "refused"

# The instructions that go out, None for none: by (rule, version has some), by what is sent.
TABLE = {
    ("replace", True): dict.fromkeys(SENT, "Ours."),
    ("replace", False): dict.fromkeys(SENT, None),
    ("append", True): {
        "none": "Ours.",
        "null": "Ours.",
        "instructions": "Ours.\n\nTheirs.",
        "item": "Ours.\n\nItem.",
        "both": "Ours.\n\nTheirs.\n\nItem.",
        "empty": "Ours.",
    },
    ("append", False): {
        "none": None,
        "null": None,
        "instructions": "Theirs.",
        "item": "Item.",
        "both": "Theirs.\n\nItem.",
        "empty": None,
    },
    ("reject", True): {**dict.fromkeys(SENT, REFUSED), **dict.fromkeys(SILENT, "Ours.")},
    ("reject", False): {**dict.fromkeys(SENT, REFUSED), **dict.fromkeys(SILENT, None)},
}
DROPPED = {
    "none": (),
    "null": (),
    "instructions": ("instructions",),
    "item": ("input.system",),
    "both": ("instructions", "input.system"),
    "empty": ("instructions", "input.system"),
}
CASES = [
    pytest.param(rule, has, sent, TABLE[rule, has][sent], id=f"{rule}-{has}-{sent}")
    for rule, has, sent in product(("replace", "append", "reject"), (True, False), SENT)
]


def asks(*items, **spelled):
    """Return an app's body: items of the input, and fields spelled in a certain way."""
    rest = "".join(f',"{name}":{text}' for name, text in spelled.items() if text is not None)
    return f'{{"model":"recommender","input":[{", ".join(items)}]{rest}}}'


@pytest.mark.parametrize(("rule", "has_system", "sent", "expected"), CASES)
def test_instructions_go_out_by_the_rule(rule, has_system, sent, expected):
    content = version(system="Ours." if has_system else "", policy={"system": rule})
    instructions, items = SENT[sent]
    body = asks(*items, USER, instructions=instructions)
    if expected == REFUSED:
        with pytest.raises(OverrideRejected):
            compose(RESPONSES, content, body)
        return

    received = compose(RESPONSES, content, body)

    assert received.fields.get("instructions") == expected
    assert elements(received.spelled["input"]) == [USER]
    assert received.dropped == (DROPPED[sent] if rule == "replace" else ())


@pytest.mark.parametrize("instructions", ["1", "[]", '{"a":1}'])
def test_instructions_that_are_no_text_are_refused_where_they_would_be_appended(instructions):
    content = version(system="Ours.", policy={"system": "append"})

    with pytest.raises(InvalidRequest):
        compose(RESPONSES, content, asks(USER, instructions=instructions))


@pytest.mark.parametrize("given", ['"hi \\u00e9"', "null", f"[{USER}]", "[ ]", None])
def test_input_goes_out_as_it_was_spelled(given):
    body = '{"model":"recommender"}' if given is None else f'{{"input":{given}}}'

    received = compose(RESPONSES, version(system="Ours."), body)

    assert received.spelled.get("input") == (given and given.replace("[ ]", "[]"))


@pytest.mark.parametrize("given", ["1", "{}", "true", "[1]", '["hi"]'])
def test_input_of_another_shape_is_refused(given):
    with pytest.raises(InvalidRequest):
        compose(RESPONSES, version(), f'{{"model":"recommender","input":{given}}}')


def test_items_that_are_no_messages_go_on():
    items = ['{"type":"item_reference","id":"1"}', '{"type":"reasoning","summary":[]}']

    received = compose(RESPONSES, version(system="Ours."), asks(*items, USER))

    assert elements(received.spelled["input"]) == [*items, USER]


SHOTS = [{"role": "user", "content": "Q {{x}}"}, {"role": "assistant", "content": "A"}]
FILLED = [{"role": "user", "content": "Q 1"}, {"role": "assistant", "content": "A"}]
VARIABLES = {"x": {"default": "1"}, "y": {"required": True}}


def with_shots():
    return version(messages=SHOTS, variables={"x": VARIABLES["x"]})


@pytest.mark.parametrize(
    ("given", "following"),
    [
        (f"[{USER}]", [json.loads(USER)]),
        ("[]", []),
        ('"hi \\u00e9"', [{"role": "user", "content": "hi é"}]),
        ("null", []),
        (None, []),
    ],
)
def test_few_shot_messages_stand_in_front_of_a_first_turn(given, following):
    body = '{"model":"recommender"}' if given is None else f'{{"input":{given}}}'

    assert compose(RESPONSES, with_shots(), body).fields["input"] == [*FILLED, *following]


@pytest.mark.parametrize(
    "continued",
    [
        {"previous_response_id": '"resp_1"'},
        {"conversation": '"conv_1"'},
        {"conversation": '{ "id":"conv_1" }'},
    ],
)
def test_following_turns_have_them_in_their_history_already(continued):
    received = compose(RESPONSES, with_shots(), asks(USER, **continued))

    assert elements(received.spelled["input"]) == [USER]
    assert continued.items() <= received.spelled.items()


@pytest.mark.parametrize("name", ["previous_response_id", "conversation"])
def test_null_continues_nothing(name):
    received = compose(RESPONSES, with_shots(), asks(USER, **{name: "null"}))

    assert received.fields["input"] == [*FILLED, json.loads(USER)]


def test_instructions_go_out_on_every_turn():
    content = version(system="Ours.", messages=SHOTS, variables={"x": VARIABLES["x"]})

    received = compose(RESPONSES, content, asks(USER, previous_response_id='"resp_1"'))

    assert received.fields["instructions"] == "Ours."


# --- prompt objects


def prompt(text):
    return f'{{"input":"hi","prompt":{text}}}'


@pytest.mark.parametrize(
    ("text", "prompt_id", "prompt_version"),
    [
        ('{"id":"pmpt_1"}', "pmpt_1", ""),
        ('{"id":"pmpt_1","version":"2"}', "pmpt_1", "2"),
        ('{"id":"pmpt_1","version":null,"variables":null}', "pmpt_1", ""),
        ('{"version":"v2","id":"recommender","new":1}', "recommender", "v2"),
        ('{"prompt_id":"pmpt_1","version":"2"}', "pmpt_1", "2"),
        ('{"prompt_id":"pmpt_1","id":"pmpt_2"}', "pmpt_2", ""),
        ("null", "", ""),
        (f'{{"id":"{"p" * 512}","version":"{"v" * 512}"}}', "p" * 512, "v" * 512),
    ],
)
def test_prompt_object_names_model_and_version(text, prompt_id, prompt_version):
    asked = read(RESPONSES, prompt(text))

    assert (asked.prompt_id, asked.prompt_version) == (prompt_id, prompt_version)


@pytest.mark.parametrize(
    "text",
    [
        *('"pmpt_1"', "[]", "{}", '{"version":"2"}', '{"id":1}', '{"id":"a","version":2}'),
        '{"id":"%s"}' % ("p" * 513),
        *('{"id":"a","variables":[]}', '{"id":"a","variables":{"x":null}}'),
        *('{"id":"a","variables":{"x":[]}}', '{"id":"a","variables":{"x":{"type":"input_image"}}}'),
        '{"id":"a","variables":{"x":{"type":"input_text","text":{}}}}',
    ],
)
def test_prompt_object_of_another_shape_is_refused(text):
    with pytest.raises(InvalidRequest):
        read(RESPONSES, prompt(text))


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        ('"a \\"b\\""', 'a "b"'),
        ('{"type":"input_text","text":"c"}', "c"),
        ('{"text":"d","type":"input_text","new":1}', "d"),
        ("3", "3"),
        ("true", "true"),
    ],
)
def test_prompt_variables_fill_the_places(value, filled):
    content = version(system="{{y}}", variables={"y": VARIABLES["y"]})

    received = compose(RESPONSES, content, prompt(f'{{"id":"a","variables":{{"y":{value}}}}}'))

    assert received.fields["instructions"] == filled
    assert "prompt" not in received.fields
    assert (received.dropped, received.app_fields) == ((), ())


@pytest.mark.parametrize("kind", ["input_image", "input_file"])
def test_images_and_files_are_no_variables(kind):
    content = version(system="{{y}}", variables={"y": VARIABLES["y"]})
    part = {"type": kind, "file_id": "file_1", "image_url": "https://c4n4ry", "text": "c4n4ry"}

    with pytest.raises(InvalidRequest, match="an image or a file cannot be a variable"):
        compose(RESPONSES, content, says(RESPONSES, prompt={"id": "a", "variables": {"y": part}}))


def test_both_ways_to_give_variables_are_joined_and_ours_wins():
    content = version(system="{{x}} {{y}}", variables=VARIABLES)
    body = {"id": "a", "variables": {"x": "1", "y": "1"}}

    received = compose(RESPONSES, content, says(RESPONSES, prompt=body, proxy_variables={"y": "2"}))

    assert received.fields["instructions"] == "1 2"


@pytest.mark.parametrize(
    ("variables", "error"), [({}, MissingVariable), ({"y": "1", "z": "1"}, UnknownVariable)]
)
def test_prompt_variables_are_checked_as_others_are(variables, error):
    content = version(system="{{y}}", variables={"y": VARIABLES["y"]})

    with pytest.raises(error):
        compose(RESPONSES, content, says(RESPONSES, prompt={"id": "a", "variables": variables}))


def test_a_broken_stream_is_reported_as_an_error_event():
    event = RESPONSES.error_event(UpstreamTimeout(), "req_1")
    name, data, *rest = event.split(b"\n")

    assert (name, rest) == (b"event: error", [b"", b""])
    told = json.loads(data.removeprefix(b"data: "))
    assert (told["type"], told["error"]["code"]) == ("error", "upstream_timeout")


def test_error_event_is_seen_as_one():
    observer = RESPONSES.observer(stream=True)
    observer.feed(RESPONSES.error_event(UpstreamTimeout(), "req_1"))

    assert observer.finish() == Seen(ended=True, failed=True)


# --- calls beside the one that answers

COUNT, COMPACT = RESPONSES.others
BUSY = {
    "system": "Ours.",
    "messages": [{"role": "user", "content": "Q"}],
    "tools": [{"name": "search"}],
    "generation": {
        "temperature": 0.5,
        "max_output_tokens": 300,
        "tool_choice": "auto",
        "response_format": {"type": "json_object"},
        "extra": {
            RESPONSES.name: {
                "reasoning": {"effort": "low"},
                "prompt_cache_key": "k",
                "include": ["x"],
                "text": {"verbosity": "low"},
            }
        },
    },
}


def test_tokens_are_counted_of_what_the_call_would_send_and_of_nothing_else():
    whole = compose(RESPONSES, version(**BUSY), says(RESPONSES)).spelled

    counted = compose(COUNT, version(**BUSY), says(RESPONSES, temperature=1)).spelled

    without = ("temperature", "max_output_tokens", "prompt_cache_key", "include")
    assert counted == {name: value for name, value in whole.items() if name not in without}


def test_a_conversation_is_made_compact_under_the_versions_instructions():
    sent = {"instructions": "Theirs.", "tools": [], "text": {"format": {"type": "text"}}}

    received = compose(COMPACT, version(**BUSY), says(RESPONSES) | sent)

    assert received.fields == {
        "model": VENDOR_MODEL,
        "instructions": "Ours.",
        "prompt_cache_key": "k",
        "input": "hi",
    }
    assert received.dropped == ("instructions", "tools", "text")


@pytest.mark.parametrize("endpoint", [COUNT, COMPACT], ids=lambda one: one.path)
def test_calls_beside_it_are_no_streams_and_resolve_prompts(endpoint):
    body = {"input": "hi", "stream": True, "prompt": {"id": "recommender", "version": "2"}}

    asked = read(endpoint, body)

    assert (asked.stream, asked.prompt_id, asked.prompt_version) == (False, "recommender", "2")


@pytest.mark.parametrize("more", [{"previous_response_id": "resp_1"}, {"conversation": "conv_1"}])
@pytest.mark.parametrize("said", [{}, {"input": "and?"}, {"input": None}], ids=str)
def test_instructions_go_out_on_every_turn_even_where_nothing_new_is_said(more, said):
    received = compose(RESPONSES, version(**BUSY), {"model": "recommender", **more, **said})

    assert received.fields["instructions"] == "Ours."
    assert received.fields["tools"][0]["name"] == "search"
    assert {name: received.fields.get(name) for name in said} == said
    assert {name: received.fields[name] for name in more} == more


def test_background_is_the_apps_to_choose():
    received = compose(RESPONSES, version(), says(RESPONSES, background=True))

    assert received.fields["background"] is True
    assert received.app_fields == ("background",)
