"""The openai SDK has responses made in the background, and asks for what is kept of them."""

import openai
import pytest

from tests.e2e.models import SHOWN

ASK = "What should I wear?"


async def begun(client, **fields):
    """Return a response that is being made in the background, and the headers of the answer."""
    raw = await client.responses.with_raw_response.create(
        model="recommender", input=ASK, background=True, **fields
    )
    return raw.parse(), raw.headers


async def test_background_is_begun_by_the_pinned_version_and_polled_until_it_is_done(client, proxy):
    response, headers = await begun(client)
    states = [response.status]
    while response.status in ("queued", "in_progress"):
        response = await client.responses.retrieve(response.id)
        states.append(response.status)

    assert headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert states == ["queued", "in_progress", "completed"]
    assert response.output_text == SHOWN


async def test_what_is_fetched_by_its_id_is_stamped_as_nobodys(client):
    response, _ = await begun(client)

    raw = await client.responses.with_raw_response.retrieve(response.id)

    assert raw.headers["x-proxy-version"] == "unversioned"
    assert raw.headers["x-proxy-upstream"] == "openai;attempt=1"


async def test_stream_is_taken_up_again_where_it_was_left(client):
    response, _ = await begun(client)

    stream = await client.responses.retrieve(response.id, stream=True, starting_after=3)
    events = [event async for event in stream]

    assert events[0].sequence_number == 4
    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == SHOWN


async def test_response_can_be_cancelled_listed_and_deleted(client):
    response, _ = await begun(client)

    items = await client.responses.input_items.list(response.id)
    cancelled = await client.responses.cancel(response.id)
    await client.responses.delete(response.id)

    assert [item.role async for item in items] == ["user"]
    assert cancelled.status == "cancelled"
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)


async def test_version_is_injected_on_a_turn_that_names_only_the_one_before(client, vendor):
    first = await client.responses.create(model="recommender", input=ASK)

    again = await client.responses.create(
        model="recommender", previous_response_id=first.id, input="And tomorrow?"
    )

    assert b"previous_response_id" in vendor.seen[1].body
    assert again.instructions == first.instructions
    assert again.temperature == first.temperature


async def test_tokens_are_counted_and_conversations_made_compact_with_the_version(client, vendor):
    alone = await client.responses.input_tokens.count(model="recommender", input="hi")
    compact = await client.responses.compact(model="recommender", input="hi")

    assert alone.input_tokens > 1
    assert compact.object == "response.compaction"
    assert all(b"jackets" in seen.body for seen in vendor.seen)
