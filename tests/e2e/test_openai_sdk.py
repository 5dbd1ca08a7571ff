"""The openai SDK of today, Chat Completions: what is pinned answers, and says so."""

import asyncio

import openai

from tests.e2e.calls import QUESTION, Verdict, ask, client_of
from tests.e2e.models import ASKING, HATS, SHOWN, SHOWN_HATS

# What is pinned answers.


async def test_answer_is_made_by_the_pinned_version(client):
    assert await ask(client) == SHOWN


async def test_synchronous_client_gets_the_same(proxy):
    def call():
        with openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as client:
            reply = client.chat.completions.create(model="recommender", messages=QUESTION)
            return reply.choices[0].message.content

    assert await asyncio.to_thread(call) == SHOWN


async def test_synchronous_stream_gets_the_same(proxy):
    def call():
        with openai.OpenAI(base_url=proxy.base_url, api_key="k", max_retries=0) as client:
            stream = client.chat.completions.create(
                model="recommender", messages=QUESTION, stream=True
            )
            text = "".join(chunk.choices[0].delta.content or "" for chunk in stream)
            return stream.response.headers["x-proxy-version"], text

    stamp = proxy.version("recommender", 1).id
    assert await asyncio.to_thread(call) == (stamp, SHOWN)


async def test_what_the_policy_drops_is_named_in_the_stamp(client):
    system = {"role": "system", "content": "You sell umbrellas."}
    tool = {"type": "function", "function": {"name": "mine", "parameters": {}}}

    raw = await client.chat.completions.with_raw_response.create(
        model="recommender", messages=[system, *QUESTION], temperature=1.5, tools=[tool], user="u"
    )

    dropped = raw.headers["x-proxy-dropped"].split(",")
    assert sorted(dropped) == ["messages.system", "temperature", "tools"]
    assert raw.parse().choices[0].message.content == SHOWN


async def test_raw_response_carries_the_stamp(client, proxy):
    raw = await client.chat.completions.with_raw_response.create(
        model="recommender", messages=QUESTION
    )

    version = proxy.version("recommender", 1)
    assert raw.headers["x-proxy-version"] == version.id
    assert raw.headers["x-proxy-digest"] == version.digest
    assert raw.headers["x-proxy-upstream"] == "openai/gpt-4o-2024-08-06;attempt=1"
    assert raw.parse().choices[0].message.content == SHOWN


async def test_stream_carries_the_stamp_and_the_whole_text(client, proxy):
    stream = await client.chat.completions.create(
        model="recommender", messages=QUESTION, stream=True
    )
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert stream.response.headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert text == SHOWN


async def test_usage_chunk_comes_only_when_the_app_asks(client):
    async def usages(**fields):
        stream = await client.chat.completions.create(
            model="recommender", messages=QUESTION, stream=True, **fields
        )
        return [chunk.usage async for chunk in stream if chunk.usage]

    assert await usages() == []
    assert len(await usages(stream_options={"include_usage": True})) == 1


async def test_several_choices_come_back(client):
    reply = await client.chat.completions.create(model="recommender", messages=QUESTION, n=2)

    assert [choice.message.content for choice in reply.choices] == [SHOWN, f"{SHOWN} (choice 2)"]


async def test_tool_of_the_version_can_be_called(client):
    messages = [{"role": "user", "content": "please call search_catalogue"}]

    reply = await client.chat.completions.create(model="recommender", messages=messages)

    (call,) = reply.choices[0].message.tool_calls
    assert call.function.name == "search_catalogue"


async def test_tool_call_and_its_result_make_a_conversation(client):
    messages = [{"role": "user", "content": "please call search_catalogue"}]
    first = await client.chat.completions.create(model="recommender", messages=messages)
    called = first.choices[0].message
    result = {"role": "tool", "tool_call_id": called.tool_calls[0].id, "content": "a red hat"}

    second = await client.chat.completions.create(
        model="recommender", messages=[*messages, called, result]
    )

    assert second.choices[0].message.content.endswith("The tool said: a red hat")


async def test_structured_output_is_parsed(client):
    reply = await client.chat.completions.parse(
        model="recommender", messages=QUESTION, response_format=Verdict
    )

    assert reply.choices[0].message.parsed == Verdict(text=SHOWN, score=0.5)


async def test_stream_helper_sees_a_whole_answer(client):
    async with client.chat.completions.stream(model="recommender", messages=QUESTION) as stream:
        async for _ in stream:
            pass
        final = await stream.get_final_completion()

    assert final.choices[0].message.content == SHOWN


async def test_variable_of_the_app_reaches_the_prompt(client):
    text = await ask(client, extra_body={"proxy_variables": {"tone": "dry"}})

    assert "system: You recommend jackets. Be dry.]" in text


async def test_variables_alone_make_the_users_message(proxy, client):
    await proxy.register("asking", ASKING)

    reply = await client.chat.completions.create(
        model="asking@v1",
        messages=[],
        extra_body={"proxy_variables": {"thing": "hats", "days": 3}},
    )

    assert reply.choices[0].message.content.endswith("You asked: Which hats for 3 days?")


# Which version is asked for.


async def test_version_may_be_named_in_three_ways(proxy):
    await proxy.register("recommender", HATS)
    full_id = proxy.version("recommender", 2).id
    await proxy.pin("recommender", 2, label="staging")

    async with client_of(proxy) as client:
        names = ("recommender@v2", "recommender@staging", full_id)

        assert [await ask(client, name) for name in names] == [SHOWN_HATS] * 3
        assert await ask(client) == SHOWN


async def test_models_list_what_is_pinned(client):
    assert [model.id async for model in client.models.list()] == ["recommender", "strict"]


async def test_answer_changes_with_the_pin_and_back(proxy, client):
    before = await ask(client)

    await proxy.register("recommender", HATS)
    await proxy.pin("recommender", 2)
    changed = await ask(client)
    await proxy.pin("recommender", 1)
    reverted = await ask(client)

    assert (before, changed, reverted) == (SHOWN, SHOWN_HATS, SHOWN)


# The log.


async def test_each_request_has_one_line_that_names_the_version(client, proxy):
    await ask(client)
    await ask(client)

    version = proxy.version("recommender", 1)
    for line in await proxy.lines("request.finished", 2):
        assert (line["version"], line["digest"]) == (version.id, version.digest)
        assert (line["status"], line["outcome"]) == (200, "ok")
        assert line["served_model"] == "gpt-4o-2024-08-06"
        assert line["input_tokens"] > 0
