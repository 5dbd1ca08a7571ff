"""The answers of the Responses dialect, as the vendor's events have them."""

import json

from proxy.simvendor import responses
from proxy.simvendor.answer import STREAM, WHOLE

TOOL = {
    "type": "function",
    "name": "look_up",
    "parameters": {"type": "object", "properties": {"id": {"type": "string"}}},
}


def answer(**fields):
    body = {"model": "gpt-4o", "input": "Where?", "instructions": "Be terse.", **fields}
    return responses.answer(body, responses.asked(body, json.dumps(body).encode()))


def response(**fields):
    found = answer(**fields)
    assert found.content_type == WHOLE
    return json.loads(b"".join(found.pieces))


def events(**fields):
    """Return the data of a stream's events, after checking that each name stands in its data."""
    found = answer(stream=True, **fields)
    assert found.content_type == STREAM
    parsed = []
    for event in found.pieces:
        name, data = event.decode().removesuffix("\n\n").split("\n")
        parsed.append(json.loads(data.removeprefix("data: ")))
        assert name == f"event: {parsed[-1]['type']}"
    return parsed


def said(found):
    return found["output"][0]["content"][0]["text"]


def test_text_shows_what_the_vendor_was_given():
    text = said(response(temperature=0.2, tools=[TOOL]))

    assert text == (
        "[gpt-4o-2024-08-06 | temperature 0.2 | tools look_up | system: Be terse.]"
        " You asked: Where?"
    )


def test_system_items_are_shown_beside_the_instructions():
    items = [{"role": "developer", "content": "Be kind."}, {"role": "user", "content": "Why?"}]

    text = said(response(input=items))

    assert "system: Be terse. + Be kind.] You asked: Why?" in text


def test_request_is_echoed():
    found = response(temperature=0.5, metadata={"team": "shop"})

    assert found["instructions"] == "Be terse."
    assert (found["temperature"], found["metadata"]) == (0.5, {"team": "shop"})


def test_events_of_a_text_come_in_order():
    found = [event["type"] for event in events()]

    assert list(dict.fromkeys(found)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


def test_events_are_numbered_from_zero():
    assert [event["sequence_number"] for event in events()] == list(range(len(events())))


def test_deltas_add_up_to_the_text():
    deltas = [e["delta"] for e in events() if e["type"] == "response.output_text.delta"]

    assert "".join(deltas) == said(response())


def test_usage_stands_in_the_last_event_only():
    *others, last = events()

    assert last["response"]["usage"]["total_tokens"] > 0
    assert {e["response"]["usage"] for e in others if "response" in e} == {None}


def test_last_event_is_what_a_request_without_stream_gets():
    assert events()[-1]["response"]["output"][0]["content"] == response()["output"][0]["content"]


def test_tool_call_has_its_own_events():
    found = [event["type"] for event in events(input="call look_up", tools=[TOOL])]

    assert list(dict.fromkeys(found))[2:-1] == [
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
    ]


def test_tool_call_names_the_tool():
    (call,) = response(input="call look_up", tools=[TOOL])["output"]

    assert (call["type"], call["name"]) == ("function_call", "look_up")
    assert json.loads(call["arguments"]) == {"id": "simulated"}


def test_tool_result_is_repeated():
    result = {"type": "function_call_output", "call_id": "call_1", "output": "in transit"}

    text = said(response(input=[{"role": "user", "content": "Where?"}, result]))

    assert text.endswith("The tool said: in transit")


def test_limit_makes_the_response_incomplete():
    found = response(max_output_tokens=2)

    assert found["status"] == "incomplete"
    assert found["incomplete_details"] == {"reason": "max_output_tokens"}
    assert events(max_output_tokens=2)[-1]["type"] == "response.incomplete"


def test_structured_output_fits_the_schema():
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    wanted = {"format": {"type": "json_schema", "name": "a", "schema": schema}}

    assert json.loads(said(response(text=wanted))).keys() == {"text"}
