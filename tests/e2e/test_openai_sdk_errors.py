"""The openai SDK of today, when something is wrong: its own exceptions, never half an answer."""

import asyncio

import openai
import pytest

from proxy.simvendor.script import Cut, Events, Fin, Rest, Stall
from proxy.simvendor.server import SimulatedVendor
from tests.e2e.calls import QUESTION, ask, client_of
from tests.e2e.models import JACKETS
from tests.harness import running_proxy


async def test_unknown_model_raises_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        await ask(client, "nobody")

    assert caught.value.code == "unknown_model"
    assert caught.value.response.headers["x-proxy-error"] == "unknown_model"


async def test_unknown_version_raises_not_found(client):
    with pytest.raises(openai.NotFoundError) as caught:
        await ask(client, "recommender@v9")

    assert caught.value.code == "unknown_version"


async def test_rejected_override_raises_bad_request_and_is_stamped(client, proxy):
    with pytest.raises(openai.BadRequestError) as caught:
        await ask(client, "strict", temperature=1)

    assert caught.value.code == "override_rejected"
    stamp = caught.value.response.headers["x-proxy-version"]
    assert stamp == proxy.version("strict", 1).id


async def test_missing_prompt_variable_raises_bad_request(proxy):
    required = "[variables.size]\nrequired = true\n"
    files = {**JACKETS, "version.toml": JACKETS["version.toml"] + required}
    await proxy.register("sized", files)
    await proxy.pin("sized", 1)

    async with client_of(proxy) as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.responses.create(input="hi", prompt={"id": "sized"})

    assert caught.value.code == "missing_variable"


async def test_permanent_error_is_not_retried(proxy):
    async with client_of(proxy, max_retries=2) as client:
        with pytest.raises(openai.NotFoundError):
            await ask(client, "nobody")

    lines = await proxy.lines("request.finished", 1)
    assert [line["error"] for line in lines] == ["unknown_model"]


async def test_rate_limit_of_the_vendor_raises_as_the_vendors(client, proxy):
    ask_for_it = [{"role": "user", "content": "hi [[sim:status 429 retry_after=7]]"}]

    with pytest.raises(openai.RateLimitError) as caught:
        await client.chat.completions.create(model="recommender", messages=ask_for_it)

    headers = caught.value.response.headers
    assert caught.value.code == "rate_limit_exceeded"
    assert headers["retry-after"] == "7"
    assert headers["x-request-id"].startswith("req_sim")
    assert headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert "x-proxy-error" not in headers


async def test_vendor_that_cannot_be_reached_raises_a_server_error(tmp_path):
    async with SimulatedVendor() as gone:
        url = gone.url
    models = {"recommender": JACKETS}
    async with running_proxy(tmp_path, url, models) as proxy, client_of(proxy) as client:
        with pytest.raises(openai.InternalServerError) as caught:
            await ask(client)

    assert (caught.value.status_code, caught.value.code) == (502, "upstream_unreachable")


# Streams that do not come to an end.


@pytest.mark.parametrize("ending", [Cut(), Fin()])
async def test_broken_vendor_never_looks_like_a_tidy_end(client, vendor, ending):
    vendor.play(Events(3), ending)
    stream = await client.chat.completions.create(
        model="recommender", messages=QUESTION, stream=True
    )

    with pytest.raises(openai.APIError):
        [chunk async for chunk in stream]


@pytest.mark.parametrize("ending", [Cut(), Fin()])
async def test_broken_vendor_breaks_a_responses_stream_too(client, vendor, ending):
    vendor.play(Events(3), ending)
    stream = await client.responses.create(model="recommender", input="hi", stream=True)

    with pytest.raises(openai.APIError):
        [event async for event in stream]


@pytest.mark.parametrize("ending", [Cut(), Fin()])
async def test_vendor_that_breaks_half_a_document_raises(client, vendor, ending):
    vendor.play(Events(3), ending)

    with pytest.raises(openai.APIError):
        await ask(client)


async def test_closed_stream_closes_the_call_to_the_vendor(client, vendor):
    vendor.play(Events(2), Stall(), Rest())
    stream = await client.chat.completions.create(
        model="recommender", messages=QUESTION, stream=True
    )
    await anext(aiter(stream))

    await stream.close()

    await asyncio.wait_for(vendor.seen[-1].ended.wait(), 5)
    assert vendor.seen[-1].outcome == "abandoned"


async def test_app_that_times_out_closes_the_call_to_the_vendor(proxy, vendor):
    vendor.play(Stall(), Rest())

    async with client_of(proxy, timeout=0.2) as client:
        with pytest.raises(openai.APITimeoutError):
            await ask(client)

    await asyncio.wait_for(vendor.seen[-1].ended.wait(), 5)
    assert vendor.seen[-1].outcome == "abandoned"


async def test_error_event_of_the_vendor_reaches_the_app(client):
    ask_for_it = [{"role": "user", "content": "hi [[sim:error after=2]]"}]
    stream = await client.chat.completions.create(
        model="recommender", messages=ask_for_it, stream=True
    )

    with pytest.raises(openai.APIError, match="The server had an error"):
        [chunk async for chunk in stream]
