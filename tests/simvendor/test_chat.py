"""The answers of the chat dialect, as the vendor's events have them (captured in tests/wire)."""

import json

import pytest

from proxy.simvendor import chat
from proxy.simvendor.answer import STREAM, WHOLE

SYSTEM = {"role": "system", "content": "You are a terse\nhelper."}
USER = {"role": "user", "content": "Where is order A-1009?"}
TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
    },
}


def answer(**fields):
    body = {"model": "gpt-4o", "messages": [SYSTEM, USER], **fields}
    return chat.answer(body, chat.asked(body, json.dumps(body).encode()))


def completion(**fields):
    found = answer(**fields)
    assert found.content_type == WHOLE
    return json.loads(b"".join(found.pieces))


def chunks(**fields):
    """Return the chunks of a stream, without the end marker."""
    found = answer(stream=True, **fields)
    assert found.content_type == STREAM
    assert found.pieces[-1] == b"data: [DONE]\n\n"
    return [json.loads(event.removeprefix(b"data: ")) for event in found.pieces[:-1]]


def said(found):
    return found["choices"][0]["message"]["content"]


def test_text_shows_what_the_vendor_was_given():
    text = said(completion(temperature=0.2, tools=[TOOL], max_completion_tokens=100))

    assert text == (
        "[gpt-4o-2024-08-06 | temperature 0.2 | max_completion_tokens 100 | tools look_up"
        " | system: You are a terse helper.] You asked: Where is order A-1009?"
    )


def test_text_says_what_was_not_given():
    text = said(completion(messages=[USER]))

    assert text == (
        "[gpt-4o-2024-08-06 | tools none | no system prompt] You asked: Where is order A-1009?"
    )


def test_long_system_prompt_is_cut():
    system = {"role": "system", "content": "x" * 81}

    assert f"system: {'x' * 80}…]" in said(completion(messages=[system, USER]))


def test_several_system_messages_are_all_shown():
    developer = {"role": "developer", "content": [{"type": "text", "text": "Be kind."}]}

    text = said(completion(messages=[SYSTEM, developer, USER]))

    assert "system: You are a terse helper. + Be kind.]" in text


def test_few_shot_messages_are_counted():
    before = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]

    assert "earlier messages 2" in said(completion(messages=[SYSTEM, *before, USER]))


def test_alias_is_answered_by_a_snapshot():
    assert completion(model="gpt-4o")["model"] == "gpt-4o-2024-08-06"
    assert completion(model="gpt-4o-2024-11-20")["model"] == "gpt-4o-2024-11-20"
    assert completion(model="someone-elses")["model"] == "someone-elses-2026-07-09"


def test_same_request_gets_the_same_bytes():
    assert answer().pieces == answer().pieces


def test_stream_adds_up_to_the_whole_text():
    found = chunks()

    text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in found)
    assert text == said(completion())


def test_stream_begins_with_the_role_and_ends_with_the_reason():
    first, *_, last = chunks()

    assert first["choices"][0]["delta"] == {"role": "assistant", "content": "", "refusal": None}
    assert last["choices"][0] == {
        "index": 0,
        "delta": {},
        "logprobs": None,
        "finish_reason": "stop",
    }


def test_usage_comes_only_when_asked():
    assert all("usage" not in chunk and chunk["choices"] for chunk in chunks())


def test_usage_that_was_asked_comes_last_without_choices():
    *others, last = chunks(stream_options={"include_usage": True})

    assert {chunk["usage"] for chunk in others} == {None}
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] == (
        last["usage"]["prompt_tokens"] + last["usage"]["completion_tokens"]
    )


def test_several_choices_take_turns():
    found = chunks(n=2)

    assert [chunk["choices"][0]["index"] for chunk in found[:4]] == [0, 1, 0, 1]


def test_tool_is_called_when_the_text_asks_for_it():
    ask = {"role": "user", "content": "please call look_up now"}

    choice = completion(messages=[ask], tools=[TOOL])["choices"][0]

    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    (call,) = choice["message"]["tool_calls"]
    assert call["function"] == {"name": "look_up", "arguments": '{"id":"simulated"}'}


def test_streamed_tool_call_names_the_tool_once():
    ask = {"role": "user", "content": "call look_up, then call look_up"}
    found = chunks(messages=[ask], tools=[TOOL])

    pieces = [p for c in found for p in c["choices"][0]["delta"].get("tool_calls", [])]
    names = [piece["function"]["name"] for piece in pieces if "name" in piece["function"]]
    first = [piece["function"]["arguments"] for piece in pieces if piece["index"] == 0]
    assert names == ["look_up", "look_up"]
    assert json.loads("".join(first)) == {"id": "simulated"}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("required", True),
        ({"type": "function", "function": {"name": "look_up"}}, True),
        ("auto", False),
        ("none", False),
    ],
)
def test_tool_choice_decides_where_the_text_does_not(choice, called):
    found = completion(tools=[TOOL], tool_choice=choice)

    assert ("tool_calls" in found["choices"][0]["message"]) is called


def test_tool_result_is_repeated():
    result = {"role": "tool", "tool_call_id": "call_1", "content": "in transit"}

    assert said(completion(messages=[USER, result])).endswith("The tool said: in transit")


def test_limit_cuts_the_answer_and_says_so():
    choice = completion(max_completion_tokens=2)["choices"][0]

    assert choice["message"]["content"] == "[gpt-4o-2024-08-06 |"
    assert choice["finish_reason"] == "length"


def test_structured_output_fits_the_schema():
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}

    assert json.loads(said(completion(response_format=wanted))).keys() == {"text"}
