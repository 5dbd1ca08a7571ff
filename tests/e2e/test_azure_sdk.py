"""The openai SDK's client for Azure, with the proxy as its endpoint."""

import openai
import pytest

from tests.e2e.calls import QUESTION, Verdict
from tests.e2e.models import SHOWN


@pytest.fixture
async def client(proxy):
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=proxy.url,
        api_version="2025-04-01-preview",
        api_key="azure-app-0000",
        max_retries=0,
    ) as made:
        yield made


async def test_deployment_is_a_model_of_the_proxy(client, proxy):
    raw = await client.chat.completions.with_raw_response.create(
        model="recommender", messages=QUESTION
    )

    assert raw.parse().choices[0].message.content == SHOWN
    assert raw.headers["x-proxy-version"] == proxy.version("recommender", 1).id


async def test_deployment_that_is_fixed_counts_and_the_model_of_the_body_does_not(proxy):
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=proxy.url,
        azure_deployment="recommender",
        api_version="2025-04-01-preview",
        azure_ad_token="aad-test-token",
    ) as client:
        reply = await client.chat.completions.create(model="ignored", messages=QUESTION)

    assert reply.choices[0].message.content == SHOWN


async def test_stream_carries_the_stamp_and_the_whole_text(client, proxy):
    stream = await client.chat.completions.create(
        model="recommender", messages=QUESTION, stream=True
    )

    said = [event.choices[0].delta.content or "" async for event in stream]
    assert stream.response.headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert "".join(said) == SHOWN


async def test_structured_output_is_parsed(client):
    reply = await client.chat.completions.parse(
        model="recommender", messages=QUESTION, response_format=Verdict
    )

    assert reply.choices[0].message.parsed.score == 0.5


async def test_responses_and_embeddings_are_served(client):
    response = await client.responses.create(model="recommender", input="What should I wear?")
    embedded = await client.embeddings.create(model="recommender", input="rain")

    assert response.output_text == SHOWN
    assert len(embedded.data[0].embedding) == 1536


async def test_models_are_listed(client):
    assert [model.id async for model in client.models.list()] == ["recommender", "strict"]


async def test_unknown_deployment_raises_not_found(client):
    with pytest.raises(openai.NotFoundError) as raised:
        await client.chat.completions.create(model="nobody", messages=QUESTION)

    assert raised.value.code == "unknown_model"
