"""Anthropic Messages as a whole: what a version becomes, threads, counts, apps of two ages."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import InvalidRequest, OverrideRejected, WrongDialect
from tests.dialects.composing import MESSAGES, compose, read, says, version
from tests.dialects.drawn import bodies, versions
from tests.wire.spelled import elements

(COUNT,) = MESSAGES.others
OLD, NEW = ({b"anthropic-version": name} for name in (b"2023-06-01", b"2026-10-21"))

SHOTS = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A {{tone}}"}]
FULL = {
    "system": "Ours, {{tone}}.",
    "messages": SHOTS,
    "tools": [{"name": "search", "description": "Search.", "parameters": {"properties": {}}}],
    "variables": {"tone": {"default": "kind"}},
    "generation": {"max_output_tokens": 300, "stop": ["END"], "tool_choice": "required"},
}


def test_a_version_goes_out_in_the_shapes_of_this_api():
    received = compose(MESSAGES, version(**FULL), says(MESSAGES, max_tokens=7))

    assert received.fields == {
        "model": "gpt-4o-2024-08-06",
        "max_tokens": 300,
        "stop_sequences": ["END"],
        "tools": [
            {
                "name": "search",
                "description": "Search.",
                "input_schema": {"type": "object", "properties": {}},
            }
        ],
        "tool_choice": {"type": "any"},
        "system": "Ours, kind.",
        "messages": [
            {"role": "user", "content": "Q"},
            {"role": "assistant", "content": "A kind"},
            {"role": "user", "content": "hi"},
        ],
    }
    assert received.dropped == ("max_tokens",)


def test_variables_of_the_app_reach_prompt_and_messages_and_go_no_further():
    body = says(MESSAGES, proxy_variables={"tone": '"dry"'})

    fields = compose(MESSAGES, version(**FULL), body).fields

    assert fields["system"] == 'Ours, "dry".'
    assert fields["messages"][1]["content"] == 'A "dry"'
    assert "proxy_variables" not in fields


@pytest.mark.parametrize("body", ["{}", '{"messages":null}', '{"messages":"hi"}'])
def test_messages_are_required_and_a_list(body):
    with pytest.raises(InvalidRequest):
        compose(MESSAGES, version(), body)


# --- what an app speaks


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
@pytest.mark.parametrize("rule", ["pinned", "default"])
def test_a_version_that_samples_is_refused_to_those_whose_api_refuses_it(name, rule):
    content = version(generation={name: 1}, policy={"generation": rule})

    with pytest.raises(WrongDialect) as caught:
        compose(MESSAGES, content, says(MESSAGES), NEW)

    assert f"the version sets {name}" in caught.value.hint
    assert compose(MESSAGES, content, says(MESSAGES), OLD).fields[name] == 1
    assert compose(MESSAGES, content, says(MESSAGES)).fields[name] == 1


def test_what_an_app_samples_is_between_it_and_the_vendor():
    received = compose(MESSAGES, version(), says(MESSAGES, temperature=0.5), NEW)

    assert received.fields["temperature"] == 0.5
    assert received.app_fields == ("temperature",)


# --- counting tokens


def test_a_count_is_composed_as_the_call_without_what_has_no_tokens():
    extra = {"thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"}, "speed": "fast"}
    generation = {**FULL["generation"], "temperature": 0.5, "extra": {MESSAGES.name: extra}}
    content = version(**{**FULL, "generation": generation})

    call = compose(MESSAGES, content, says(MESSAGES)).fields
    count = compose(COUNT, content, says(MESSAGES), NEW).fields

    gone = {"max_tokens", "stop_sequences", "temperature", "metadata"}
    assert call.keys() - count.keys() == gone
    assert {name: call[name] for name in count} == count


def test_a_count_asks_for_no_limit_and_for_no_stream():
    received = compose(COUNT, version(), says(MESSAGES))

    assert "max_tokens" not in received.fields
    assert read(COUNT, says(MESSAGES, stream=True)).stream is False
    assert read(MESSAGES, says(MESSAGES, stream=True)).stream is True


def test_a_count_drops_what_the_call_drops():
    content = version(system="Ours.", generation={"temperature": 0.5})

    received = compose(COUNT, content, says(MESSAGES, system="Theirs.", temperature=1))

    assert received.fields.keys() == {"model", "messages", "system"}
    assert received.dropped == ("temperature", "system")


# --- threads: the vendor holds the beginning

CONTINUED = {"type": "continue", "previous_message_id": "msg_1"}


def test_a_thread_is_created_with_all_of_the_version():
    received = compose(MESSAGES, version(**FULL), says(MESSAGES, thread={"type": "create"}))

    assert received.fields["thread"] == {"type": "create"}
    assert received.fields["system"] == "Ours, kind."
    assert len(received.fields["messages"]) == 3


def test_a_thread_that_continues_gets_the_parameters_only():
    body = says(MESSAGES, thread=CONTINUED, max_tokens=7)

    fields = compose(MESSAGES, version(**FULL), body).fields

    assert fields["thread"] == CONTINUED
    assert fields["messages"] == [{"role": "user", "content": "hi"}]
    assert (fields["max_tokens"], fields["tool_choice"]) == (300, {"type": "any"})
    assert fields.keys().isdisjoint({"system", "tools"})


@pytest.mark.parametrize("field", [{"system": "Theirs."}, {"tools": [{"name": "mine"}]}])
def test_a_thread_that_continues_repeats_nothing(field):
    with pytest.raises(InvalidRequest, match=next(iter(field))):
        compose(MESSAGES, version(), says(MESSAGES, thread=CONTINUED, **field))


def test_a_thread_that_is_no_object_is_refused():
    with pytest.raises(InvalidRequest):
        compose(MESSAGES, version(), says(MESSAGES, thread="continue"))


# --- the one system prompt

BLOCK = '{ "type":"text", "text":"Theirs.", "cache_control":{"type":"ephemeral"} }'
OURS = {"type": "text", "text": "Ours."}
MID = '{"role":"system","content":"From now on answer in French."}'
USER = '{ "role":"user", "content":"hi" }'


def asks(system=None, messages=(USER,)):
    said = f'{{"model":"recommender","messages":[{",".join(messages)}]'
    return f'{said},"system":{system}}}' if system is not None else f"{said}}}"


@pytest.mark.parametrize(
    ("sent", "out"),
    [
        (None, "Ours."),
        ("null", "Ours."),
        ('""', "Ours."),
        ("[ ]", "Ours."),
        ('"Theirs \\u00e9"', [OURS, {"type": "text", "text": "Theirs é"}]),
        (f"[ {BLOCK} ]", [OURS, json.loads(BLOCK)]),
        (f"[{BLOCK},{BLOCK}]", [OURS, json.loads(BLOCK), json.loads(BLOCK)]),
    ],
)
def test_appended_blocks_stand_behind_the_versions(sent, out):
    received = compose(MESSAGES, version(system="Ours.", policy={"system": "append"}), asks(sent))

    assert received.fields["system"] == out
    assert received.dropped == ()


def test_appended_blocks_keep_their_spelling():
    content = version(system="Ours.", policy={"system": "append"})

    received = compose(MESSAGES, content, asks(f"[ {BLOCK} ]"))

    assert elements(received.spelled["system"])[1] == BLOCK


@pytest.mark.parametrize("sent", ['"Theirs."', f"[{BLOCK}]", "[]"])
def test_what_an_app_keeps_where_a_version_has_none_is_as_it_was(sent):
    received = compose(MESSAGES, version(policy={"system": "append"}), asks(sent))

    assert received.spelled["system"] == sent


@pytest.mark.parametrize("sent", ["1", "{}", "true"])
@pytest.mark.parametrize("rule", ["append", "replace"])
def test_a_system_prompt_is_a_text_or_a_list(rule, sent):
    with pytest.raises(InvalidRequest):
        compose(MESSAGES, version(system="Ours.", policy={"system": rule}), asks(sent))


def test_system_messages_in_mid_conversation_are_replaced_too():
    received = compose(MESSAGES, version(system="Ours."), asks('"Theirs."', (USER, MID, USER)))

    assert elements(received.spelled["messages"]) == [USER, USER]
    assert received.dropped == ("system", "messages.system")


def test_system_messages_that_are_kept_stay_where_they_are():
    content = version(system="Ours.", policy={"system": "append"})

    received = compose(MESSAGES, content, asks(None, (USER, MID, USER)))

    assert elements(received.spelled["messages"]) == [USER, MID, USER]
    assert received.fields["system"] == "Ours."


@pytest.mark.parametrize("body", [asks('"Theirs."'), asks(None, (USER, MID))])
def test_system_prompts_are_refused_wherever_they_stand(body):
    with pytest.raises(OverrideRejected):
        compose(MESSAGES, version(policy={"system": "reject"}), body)


@settings(max_examples=60)
@given(drawn=st.data())
def test_a_count_never_differs_from_the_call_in_what_has_tokens(drawn):
    content, body = drawn.draw(versions[MESSAGES]), drawn.draw(bodies[MESSAGES])
    try:
        call, count = (compose(endpoint, content, body) for endpoint in (MESSAGES, COUNT))
    except OverrideRejected:
        return

    same = ("model", "system", "messages", "tools", "tool_choice", "output_config")
    assert {n: count.spelled.get(n) for n in same} == {n: call.spelled.get(n) for n in same}
    assert count.spelled.items() <= call.spelled.items()
    assert count.dropped == call.dropped
