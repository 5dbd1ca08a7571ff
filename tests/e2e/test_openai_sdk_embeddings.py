"""The openai SDK embeds texts through the proxy."""

import openai
import pytest

from tests.e2e.calls import client_of
from tests.e2e.models import JACKETS
from tests.harness import running_proxy

EMBEDDER = {
    "version.toml": """
[model]
vendor = "openai"
id = "text-embedding-3-small"
[generation.extra."openai.embeddings"]
dimensions = 8
""",
}


@pytest.fixture
async def proxy(tmp_path, vendor):
    models = {"embedder": EMBEDDER, "recommender": JACKETS}
    async with running_proxy(tmp_path, vendor.url, models) as running:
        yield running


async def vector(client, model="embedder", **fields):
    return (await client.embeddings.create(model=model, input="rain", **fields)).data[0].embedding


async def test_embeddings_are_made_by_the_pinned_version(client, proxy, vendor):
    raw = await client.embeddings.with_raw_response.create(
        model="embedder", input=["rain", "snow"], dimensions=3
    )

    reply = raw.parse()
    version = proxy.version("embedder", 1)
    assert raw.headers["x-proxy-version"] == version.id
    assert raw.headers["x-proxy-digest"] == version.digest
    assert raw.headers["x-proxy-dropped"] == "dimensions"
    assert raw.headers["x-proxy-upstream"] == "openai/text-embedding-3-small;attempt=1"
    assert reply.model == "text-embedding-3-small"
    assert [len(row.embedding) for row in reply.data] == [8, 8]
    assert (await proxy.lines("request.finished", 1))[0]["input_tokens"] == 2


async def test_packed_and_plain_embeddings_are_the_same(client):
    """Unless an app says otherwise, the SDK asks for packed ones."""
    packed, plain = await vector(client), await vector(client, encoding_format="float")

    assert packed == pytest.approx(plain)


async def test_embeddings_follow_the_pin(client, proxy):
    before = await vector(client)
    large = EMBEDDER["version.toml"].replace("small", "large")
    await proxy.register("embedder", {"version.toml": large})
    await proxy.pin("embedder", 2)
    after = await vector(client)
    await proxy.pin("embedder", 1)

    assert await vector(client) == before != after


async def test_version_with_a_prompt_embeds_by_its_model_alone(client, vendor):
    await vector(client, "recommender")

    assert b"jackets" not in vendor.seen[0].body


async def test_unknown_model_raises_not_found(client):
    with pytest.raises(openai.NotFoundError) as raised:
        await vector(client, "nobody")

    assert raised.value.code == "unknown_model"


async def test_refusal_of_the_vendor_raises_as_the_vendors(client):
    with pytest.raises(openai.RateLimitError) as raised:
        await client.embeddings.create(model="embedder", input="[[sim:status 429]]")

    assert raised.value.code == "rate_limit_exceeded"


async def test_vendor_that_speaks_no_embeddings_is_not_asked(tmp_path, vendor):
    overrides = {"vendors": {"openai": {"dialects": ["openai.chat"]}}}
    models = {"embedder": EMBEDDER}
    async with (
        running_proxy(tmp_path, vendor.url, models, overrides) as proxy,
        client_of(proxy) as client,
    ):
        with pytest.raises(openai.BadRequestError) as raised:
            await vector(client)

    assert raised.value.code == "wrong_dialect"
    assert not vendor.seen
