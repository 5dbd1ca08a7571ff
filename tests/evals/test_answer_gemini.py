"""Answers of Gemini's API, as cases see them."""

import json

import pytest

from proxy.evals.answer import UNREADABLE, ToolCall
from proxy.evals.answer_gemini import read_gemini


def read(*parts, reason="STOP", **fields):
    candidate = {"content": {"parts": list(parts), "role": "model"}, "finishReason": reason}
    return read_gemini(json.dumps({"candidates": [candidate], **fields}).encode())


def test_texts_and_function_calls_are_taken_apart():
    answer = read(
        {"text": "Hm.", "thought": True},
        {"text": "It is "},
        {"functionCall": {"name": "look", "args": {"size": 42}}, "thoughtSignature": "QQ=="},
        {"text": "cold."},
    )

    assert answer.text == "It is cold."
    assert answer.tool_calls == (ToolCall("look", '{"size": 42}'),)
    assert answer.finish_reason == "STOP"


def test_thoughts_are_output_and_what_tools_add_is_input():
    usage = {"promptTokenCount": 3, "toolUsePromptTokenCount": 4, "candidatesTokenCount": 5}

    answer = read({"text": "a"}, usageMetadata={**usage, "thoughtsTokenCount": 6})

    assert (answer.input_tokens, answer.output_tokens) == (7, 11)


def test_what_is_not_counted_is_not_known():
    answer = read({"text": "a"})

    assert (answer.input_tokens, answer.output_tokens) == (None, None)


def test_a_prompt_that_was_blocked_is_an_answer_without_text():
    answer = read_gemini(b'{"promptFeedback":{"blockReason":"SAFETY"}}')

    assert (answer.text, answer.finish_reason, answer.error) == ("", "SAFETY", "")


def test_a_candidate_without_content_says_nothing():
    answer = read_gemini(b'{"candidates":[{"finishReason":"MAX_TOKENS"}]}')

    assert (answer.text, answer.finish_reason, answer.error) == ("", "MAX_TOKENS", "")


@pytest.mark.parametrize("body", [b"", b"{}", b'{"candidates": []}', b'{"candidates": 1}', b"\xff"])
def test_what_is_no_answer_is_one_with_an_error(body):
    assert read_gemini(body).error == UNREADABLE
