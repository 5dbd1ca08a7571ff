"""Answers of the OpenAI dialects are read, or are unreadable."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.evals.answer import UNREADABLE, ToolCall, read_chat, read_responses


def test_a_chat_completion_is_read():
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hi", "tool_calls": [call]}
    body = {
        "choices": [{"message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 7},
    }

    answer = read_chat(json.dumps(body).encode())

    assert (answer.text, answer.finish_reason) == ("Hi", "stop")
    assert answer.tool_calls == (ToolCall("f", "{}"),)
    assert (answer.input_tokens, answer.output_tokens, answer.error) == (5, 7, "")


def test_a_refusal_is_the_text():
    body = {"choices": [{"message": {"content": None, "refusal": "No."}}]}

    assert read_chat(json.dumps(body).encode()).text == "No."


def test_an_answer_of_the_responses_dialect_is_read():
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "Hi"}, {"text": " you"}]},
        {"type": "function_call", "name": "f", "arguments": "{}"},
    ]
    body = {
        "output": output,
        "status": "completed",
        "usage": {"input_tokens": 5, "output_tokens": 7},
    }

    answer = read_responses(json.dumps(body).encode())

    assert (answer.text, answer.finish_reason) == ("Hi you", "completed")
    assert answer.tool_calls == (ToolCall("f", "{}"),)
    assert (answer.input_tokens, answer.output_tokens) == (5, 7)


def test_why_an_answer_is_incomplete_is_its_reason():
    reason = {"reason": "max_output_tokens"}
    body = {"output": [], "status": "incomplete", "incomplete_details": reason}

    assert read_responses(json.dumps(body).encode()).finish_reason == "max_output_tokens"


@pytest.mark.parametrize("read", [read_chat, read_responses])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"choices": []}', b"\xff", b"[" * 100_000])
def test_what_is_no_answer_is_unreadable(read, body):
    assert read(body).error == UNREADABLE


@given(st.recursive(st.none() | st.booleans() | st.text(), lambda x: st.lists(x), max_leaves=8))
def test_whatever_comes_it_is_an_answer(value):
    for read in (read_chat, read_responses):
        assert read(json.dumps({"choices": value, "output": value}).encode()).text is not None
