"""The anthropic SDK of today: what is pinned answers, and says so."""

import asyncio
import json

import anthropic
import pytest
from anthropic import beta_async_tool

from tests.e2e.anthropic_calls import (
    CALL,
    MODELS,
    QUESTION,
    SHOWN,
    VENDOR_MODEL,
    ask,
    claude,
    claude_proxy,
    client_of,
)
from tests.e2e.calls import Verdict

THING = "[variables.thing]\nrequired = true\n"


@pytest.fixture
async def proxy(tmp_path, vendor):
    async with claude_proxy(tmp_path, vendor.url, MODELS) as running:
        yield running


@pytest.fixture
async def client(proxy):
    async with client_of(proxy) as made:
        yield made


def create(client, **fields):
    defaults = {"model": "recommender", "messages": QUESTION, "max_tokens": 1000}
    return client.messages.create(**{**defaults, **fields})


# What is pinned answers.


async def test_answer_is_made_by_the_pinned_version(client):
    assert await ask(client) == SHOWN


async def test_synchronous_client_gets_the_same(proxy):
    def call():
        with anthropic.Anthropic(base_url=proxy.url, api_key="k", max_retries=0) as client:
            stream = create(client, stream=True)
            pieces = [event.delta.text for event in stream if event.type == "content_block_delta"]
            return create(client).content[0].text, "".join(pieces)

    assert await asyncio.to_thread(call) == (SHOWN, SHOWN)


async def test_raw_response_carries_the_stamp(client, proxy):
    raw = await client.messages.with_raw_response.create(
        model="recommender", messages=QUESTION, max_tokens=1000
    )

    version = proxy.version("recommender", 1)
    assert raw.headers["x-proxy-version"] == version.id
    assert raw.headers["x-proxy-digest"] == version.digest
    assert raw.headers["x-proxy-upstream"] == f"anthropic/{VENDOR_MODEL};attempt=1"
    assert raw.headers["x-proxy-dropped"] == "max_tokens"
    assert (await raw.parse()).content[0].text == SHOWN


async def test_stream_carries_the_stamp_and_every_event(client, proxy):
    stream = await create(client, stream=True)
    events = [event async for event in stream]

    assert stream.response.headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert [events[0].type, events[-1].type] == ["message_start", "message_stop"]
    assert events[0].message.model == VENDOR_MODEL


async def test_streaming_response_carries_the_stamp(client, proxy):
    async with client.messages.with_streaming_response.create(
        model="recommender", messages=QUESTION, max_tokens=1000, stream=True
    ) as raw:
        stamp = raw.headers["x-proxy-version"]
        lines = [line async for line in raw.iter_lines()]

    assert stamp == proxy.version("recommender", 1).id
    assert "event: message_stop" in lines


async def test_stream_helper_sees_a_whole_answer(client, proxy):
    async with client.messages.stream(
        model="recommender", messages=QUESTION, max_tokens=1000
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        final = await stream.get_final_message()

    assert text == final.content[0].text == SHOWN
    assert final.stop_reason == "end_turn"
    assert stream.response.headers["x-proxy-version"] == proxy.version("recommender", 1).id


async def test_what_the_policy_drops_is_named_in_the_stamp(client):
    tool = {"name": "mine", "input_schema": {"type": "object"}}

    raw = await client.messages.with_raw_response.create(
        model="recommender",
        messages=QUESTION,
        max_tokens=1000,
        system=[{"type": "text", "text": "You sell umbrellas."}],
        tools=[tool],
        tool_choice={"type": "tool", "name": "mine"},
    )

    dropped = raw.headers["x-proxy-dropped"].split(",")
    assert sorted(dropped) == ["max_tokens", "system", "tool_choice", "tools"]
    assert (await raw.parse()).content[0].text == SHOWN


async def test_what_the_policy_keeps_stands_behind_the_versions(client):
    system = [{"type": "text", "text": "Speak French.", "cache_control": {"type": "ephemeral"}}]

    text = await ask(client, "open", system=system, max_tokens=200)

    assert "max_tokens 200" in text
    assert "system: You recommend jackets. Be friendly. Speak French.]" in text


async def test_variable_of_the_app_reaches_the_prompt(client):
    text = await ask(client, extra_body={"proxy_variables": {"tone": "dry"}})

    assert "system: You recommend jackets. Be dry.]" in text


async def test_variables_alone_make_the_users_message(proxy, client):
    await proxy.register("asking", {**claude(more=THING), "user.md": "Which {{thing}}?\n"})
    body = {"proxy_variables": {"thing": "hats"}}

    reply = await client.messages.create(
        model="asking@v1", max_tokens=100, messages=[], extra_body=body
    )

    assert reply.content[0].text.endswith("You asked: Which hats?")


# Tools and structured output.


async def test_tool_of_the_version_can_be_called_in_a_stream_too(client):
    reply = await create(client, messages=CALL)
    async with client.messages.stream(
        model="recommender", messages=CALL, max_tokens=1000
    ) as stream:
        streamed = await stream.get_final_message()

    for message in (reply, streamed):
        assert message.stop_reason == "tool_use"
        (call,) = message.content
        assert (call.name, call.input) == ("search_catalogue", {"query": "simulated"})


async def test_tool_call_and_its_result_make_a_conversation(client):
    called = await create(client, messages=CALL)
    result = {"type": "tool_result", "tool_use_id": called.content[0].id, "content": "a red hat"}
    answered = {"role": "assistant", "content": called.content}

    text = await ask(client, messages=[*CALL, answered, {"role": "user", "content": [result]}])

    assert text.endswith("The tool said: a red hat")


async def test_tool_runner_runs_the_apps_own_tools_in_a_thread(client, vendor):
    @beta_async_tool
    async def weather(place: str) -> str:
        """Say how the weather is."""
        return f"rain in {place}"

    runner = client.beta.messages.tool_runner(
        model="open",
        max_tokens=1000,
        tools=[weather],
        messages=[{"role": "user", "content": "please call weather"}],
    )
    final = await runner.until_done()

    assert final.content[0].text.endswith("The tool said: rain in simulated")
    first, second = (json.loads(seen.body) for seen in vendor.seen)
    assert [tool["name"] for tool in first["tools"]] == ["search_catalogue", "weather"]
    assert second["thread"]["type"] == "continue"
    assert second.keys().isdisjoint({"system", "tools"})


async def test_structured_output_is_parsed(client):
    reply = await client.messages.parse(
        model="recommender", messages=QUESTION, max_tokens=1000, output_format=Verdict
    )

    assert reply.parsed_output == Verdict(text=SHOWN, score=0.5)


# Counting tokens, models, versions.


async def test_tokens_are_counted_as_the_call_is_composed(client):
    reply = await create(client)
    counted = await client.messages.with_raw_response.count_tokens(
        model="recommender", messages=QUESTION
    )

    assert counted.headers["x-proxy-version"].startswith("recommender-v1-")
    assert (await counted.parse()).input_tokens == reply.usage.input_tokens > 4


async def test_models_list_what_is_pinned(client, proxy):
    listed = [model async for model in client.models.list(limit=2)]
    one = await client.models.retrieve("recommender")

    assert [model.id for model in listed] == ["open", "recommender", "strict", "warm"]
    assert (one.id, one.type, one.display_name) == ("recommender", "model", "recommender")


async def test_answer_changes_with_the_pin_and_back(proxy, client):
    await proxy.register("recommender", claude("You recommend hats."))

    named = await ask(client, "recommender@v2")
    await proxy.pin("recommender", 2)
    changed = await ask(client)
    await proxy.pin("recommender", 1)
    reverted = await ask(client)

    assert named == changed == SHOWN.replace("jackets", "hats")
    assert reverted == SHOWN


# What goes to the vendor.


async def test_betas_of_app_and_version_are_merged(proxy, client, vendor):
    extra = '[generation.extra."anthropic.messages"]\nbetas = ["one-2025-01-01", "two"]\n'
    await proxy.register("beta", claude(more=extra))
    await proxy.pin("beta", 1)

    await client.beta.messages.create(
        model="beta", messages=QUESTION, max_tokens=1000, betas=["two", "three"]
    )

    headers = {name.lower(): value for name, value in vendor.seen[-1].headers}
    assert headers["anthropic-beta"] == "two,three,one-2025-01-01"
    assert headers["anthropic-version"] == "2026-10-21"
    assert headers["x-api-key"] == proxy.vendor_key
    assert "authorization" not in headers


async def test_version_is_injected_with_the_same_bytes_every_time(client, vendor):
    await ask(client)
    await ask(client, messages=[{"role": "user", "content": "And tomorrow?"}])

    first, second = (seen.body.split(b'"messages":')[0] for seen in vendor.seen)
    assert first == second
    assert b"You recommend jackets." in first


# The log.


async def test_each_request_has_one_line_that_tells_what_it_took(client, proxy):
    reply = await create(client)
    stream = await create(client, stream=True)
    async for _ in stream:
        pass

    usage = reply.usage
    for line in await proxy.lines("request.finished", 2):
        assert (line["dialect"], line["outcome"]) == ("anthropic.messages", "ok")
        assert (line["served_model"], line["finish_reason"]) == (VENDOR_MODEL, "end_turn")
        counted = (line["input_tokens"], line["output_tokens"])
        assert counted == (usage.input_tokens, usage.output_tokens)
