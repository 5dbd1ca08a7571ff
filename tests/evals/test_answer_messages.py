"""Anthropic's answers, as cases see them."""

import json

import pytest

from proxy.evals.answer import UNREADABLE, ToolCall
from proxy.evals.answer_messages import read_messages


def read(**message):
    return read_messages(json.dumps(message).encode())


def test_texts_and_tool_calls_are_taken_apart():
    answer = read(
        content=[
            {"type": "thinking", "thinking": "Hm."},
            {"type": "text", "text": "It is "},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"size": 42}},
            {"type": "text", "text": "cold."},
        ],
        stop_reason="tool_use",
    )

    assert answer.text == "It is cold."
    assert answer.tool_calls == (ToolCall("look", '{"size": 42}'),)
    assert answer.finish_reason == "tool_use"


def test_what_came_from_the_cache_is_input_too():
    usage = {"input_tokens": 3, "cache_read_input_tokens": 20, "output_tokens": 5}

    answer = read(content=[], usage={**usage, "cache_creation_input_tokens": 100})

    assert (answer.input_tokens, answer.output_tokens) == (123, 5)


def test_what_is_not_counted_is_not_known():
    answer = read(content=[])

    assert (answer.input_tokens, answer.output_tokens) == (None, None)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"content": "text"}', b"\xff"])
def test_what_is_no_message_is_an_answer_with_an_error(body):
    assert read_messages(body).error == UNREADABLE
