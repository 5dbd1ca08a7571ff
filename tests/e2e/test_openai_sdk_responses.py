"""The openai SDK of today, Responses: with OpenAI's stored prompts resolved by the proxy."""

import json

from tests.e2e.calls import Verdict
from tests.e2e.models import ASKING, HATS, SHOWN


async def test_responses_are_made_by_the_pinned_version(client, proxy):
    raw = await client.responses.with_raw_response.create(
        model="recommender", input="What should I wear?"
    )

    assert raw.headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert raw.parse().output_text == SHOWN


async def test_responses_stream_has_every_event_in_order(client):
    async with client.responses.stream(model="recommender", input="What should I wear?") as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()

    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    assert final.output_text == SHOWN


async def test_responses_stream_carries_the_stamp(client, proxy):
    stream = await client.responses.create(model="recommender", input="hi", stream=True)
    kinds = [event.type async for event in stream]

    assert stream.response.headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert kinds[-1] == "response.completed"


async def test_responses_tool_of_the_version_can_be_called(client):
    reply = await client.responses.create(model="recommender", input="call search_catalogue")

    assert [item.name for item in reply.output] == ["search_catalogue"]


async def test_responses_structured_output_is_parsed(client):
    reply = await client.responses.parse(
        model="recommender", input="What should I wear?", text_format=Verdict
    )

    assert reply.output_parsed == Verdict(text=SHOWN, score=0.5)


async def test_stored_prompt_is_resolved_here(proxy, client):
    await proxy.register("recommender", HATS)

    reply = await client.responses.with_raw_response.create(
        input="What should I wear?",
        prompt={"id": "recommender", "version": "2", "variables": {"tone": "dry"}},
    )

    assert reply.headers["x-proxy-version"] == proxy.version("recommender", 2).id
    assert "system: You recommend hats. Be dry.]" in reply.parse().output_text


async def test_stored_prompt_without_a_version_is_what_is_pinned(client):
    reply = await client.responses.create(input="What should I wear?", prompt={"id": "recommender"})

    assert reply.output_text == SHOWN


async def test_a_prompt_that_makes_the_users_message_needs_no_input(proxy, client):
    await proxy.register("asking", ASKING)
    typed = {"thing": {"type": "input_text", "text": "hats"}, "days": "3"}

    reply = await client.responses.create(
        prompt={"id": "asking", "version": "1", "variables": typed}
    )

    assert reply.output_text.endswith("You asked: Which hats for 3 days?")


async def test_vendor_receives_no_prompt_object(client, vendor):
    await client.responses.create(input="hi", prompt={"id": "recommender"})

    assert "prompt" not in json.loads(vendor.seen[-1].body)
