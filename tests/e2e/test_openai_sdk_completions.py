"""The openai SDK has texts completed through the proxy, as it did before there was chat."""

import openai
import pytest

from tests.harness import running_proxy

WRITER = {
    "version.toml": """
[model]
vendor = "openai"
id = "gpt-3.5-turbo-instruct"
[generation]
temperature = 0
max_output_tokens = 60
""",
}
CHOOSER = {"version.toml": WRITER["version.toml"] + 'tool_choice = "auto"\n'}
SHOWN = (
    "[gpt-3.5-turbo-instruct:20230824-v2 | temperature 0 | max_tokens 60 | tools none"
    " | no system prompt] You asked: Order A-1009"
)


@pytest.fixture
async def proxy(tmp_path, vendor):
    spoken = {"vendors": {"openai": {"dialects": ["openai.chat", "openai.completions"]}}}
    tools = {"tools.json": '[{"name": "search"}]'}
    models = {"writer": WRITER, "chooser": {**CHOOSER, **tools}}
    async with running_proxy(tmp_path, vendor.url, models, spoken) as running:
        yield running


async def test_completion_is_made_by_the_pinned_version(client, proxy):
    raw = await client.completions.with_raw_response.create(
        model="writer", prompt="Order A-1009", temperature=1, suffix=None
    )

    assert raw.parse().choices[0].text == SHOWN
    assert raw.headers["x-proxy-version"] == proxy.version("writer", 1).id
    assert raw.headers["x-proxy-dropped"] == "temperature"
    (line,) = await proxy.lines("request.finished", 1)
    assert (line["dialect"], line["finish_reason"]) == ("openai.completions", "stop")
    assert line["output_tokens"] == len(SHOWN.split())


async def test_stream_carries_the_stamp_and_the_whole_text(client, proxy):
    stream = await client.completions.create(
        model="writer",
        prompt="Order A-1009",
        stream=True,
        stream_options={"include_usage": True},
    )
    events = [event async for event in stream]

    assert stream.response.headers["x-proxy-version"] == proxy.version("writer", 1).id
    assert "".join(choice.text for event in events for choice in event.choices) == SHOWN
    (line,) = await proxy.lines("request.finished", 1)
    assert line["output_tokens"] == events[-1].usage.completion_tokens
    assert (line["stream"], line["outcome"]) == (True, "ok")


async def test_what_no_version_can_be_is_refused(client):
    with pytest.raises(openai.BadRequestError) as raised:
        await client.completions.create(model="chooser", prompt="Order A-1009")

    assert raised.value.code == "wrong_dialect"


async def test_refusal_of_the_vendor_raises_as_the_vendors(client):
    with pytest.raises(openai.RateLimitError):
        await client.completions.create(model="writer", prompt="[[sim:status 429]]")


async def test_broken_vendor_never_looks_like_a_tidy_end(client):
    stream = await client.completions.create(
        model="writer", prompt="[[sim:cut after=2]]", stream=True
    )

    with pytest.raises(openai.APIError):
        [event async for event in stream]
