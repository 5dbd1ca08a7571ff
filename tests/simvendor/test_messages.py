"""The answers of Anthropic's API, as the vendor's events have them (captured in tests/wire)."""

import json

import pytest

from proxy.simvendor import messages
from proxy.simvendor.answer import STREAM, WHOLE
from tests.wire.recordings import recording

USER = {"role": "user", "content": "Where is order A-1009?"}
SCHEMA = {"type": "object", "properties": {"id": {"type": "string"}}}
TOOL = {"name": "look_up", "input_schema": SCHEMA}
CALL = {"role": "user", "content": "please call look_up and call look_up"}


def answer(**fields):
    body = {"model": "claude-x", "max_tokens": 100, "messages": [USER], **fields}
    return messages.answer(body, messages.asked(body, json.dumps(body).encode()))


def message(**fields):
    found = answer(**fields)
    assert found.content_type == WHOLE
    return json.loads(b"".join(found.pieces))


def events(**fields):
    found = answer(stream=True, **fields)
    assert found.content_type == STREAM
    return [parsed(piece) for piece in found.pieces]


def parsed(piece):
    """Read an event; its name is there twice."""
    name, data, *rest = piece.decode().split("\n")
    event = json.loads(data.removeprefix("data: "))
    assert (name, rest) == (f"event: {event['type']}", ["", ""])
    return event


def said(found):
    return found["content"][0]["text"]


def test_text_shows_what_the_vendor_was_given():
    text = said(message(system="You are terse.", tools=[TOOL], stop_sequences=["END"], top_k=3))

    assert text == (
        '[claude-x-2026-07-09 | max_tokens 100 | top_k 3 | stop_sequences ["END"] | tools look_up'
        " | system: You are terse.] You asked: Where is order A-1009?"
    )


def test_system_blocks_and_later_system_messages_are_all_shown():
    blocks = [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]
    later = {"role": "system", "content": "Three."}

    text = said(message(system=blocks, messages=[USER, later, USER]))

    assert "| earlier messages 1 | system: One. Two. + Three.]" in text


def test_a_stream_has_the_events_of_a_recorded_one():
    kinds = [event["type"] for event in events()]
    recorded = [
        json.loads(line[6:])["type"]
        for line in recording("anthropic-stream-text").answer.decode().splitlines()
        if line.startswith("data: ")
    ]

    assert list(dict.fromkeys(kinds)) == list(dict.fromkeys(recorded))


def test_a_stream_says_what_a_document_says():
    whole, found = message(), events()

    deltas = [event["delta"]["text"] for event in found if event["type"] == "content_block_delta"]
    ending = found[-2]
    assert "".join(deltas) == said(whole)
    assert found[0]["message"]["usage"]["input_tokens"] == whole["usage"]["input_tokens"] == 4
    assert ending["usage"]["output_tokens"] == whole["usage"]["output_tokens"]
    assert ending["delta"]["stop_reason"] == whole["stop_reason"] == "end_turn"


def test_the_limit_cuts_the_text():
    found = message(max_tokens=3)

    assert (found["stop_reason"], found["usage"]["output_tokens"]) == ("max_tokens", 3)


def test_tools_are_called_as_often_as_the_text_says():
    blocks = message(tools=[TOOL], messages=[CALL])["content"]

    assert [block["input"] for block in blocks] == [{"id": "simulated"}] * 2
    assert len({block["id"] for block in blocks}) == 2


def test_streamed_input_of_a_tool_is_the_same_in_pieces():
    found = events(tools=[TOOL], messages=[CALL])

    parts = [
        event["delta"]["partial_json"]
        for event in found
        if event["type"] == "content_block_delta" and event["index"] == 0
    ]
    assert len(parts) > 1
    assert json.loads("".join(parts)) == {"id": "simulated"}


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ({"type": "any"}, True),
        ({"type": "tool", "name": "look_up"}, True),
        ({"type": "auto"}, False),
        ({"type": "none"}, False),
    ],
)
def test_a_choice_of_tools_is_followed(choice, called):
    reason = message(tools=[TOOL], tool_choice=choice)["stop_reason"]

    assert (reason == "tool_use") is called


def test_what_a_tool_said_is_repeated():
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "a red hat"}

    found = message(messages=[CALL, {"role": "user", "content": [result]}])

    assert said(found).endswith("The tool said: a red hat")


@pytest.mark.parametrize("where", ["output_config", "output_format"])
def test_json_by_a_schema_fits_it(where):
    wanted = {"type": "json_schema", "schema": SCHEMA}
    fields = {where: wanted if where == "output_format" else {"format": wanted}}

    assert json.loads(said(message(**fields))).keys() == {"id"}


def test_an_error_in_the_middle_is_an_event_of_its_own():
    event = parsed(answer(stream=True).failure)

    assert (event["type"], event["error"]["type"]) == ("error", "overloaded_error")


def test_tokens_are_counted_as_the_answer_counts_them():
    body = {"model": "claude-x", "system": "One two.", "messages": [USER]}
    asked = messages.asked(body, b"")

    assert json.loads(b"".join(messages.count(body, asked).pieces)) == {"input_tokens": 6}
