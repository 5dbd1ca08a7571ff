"""The anthropic SDK of today, when something is wrong: its own exceptions, never half an answer."""

import asyncio

import anthropic
import pytest

from proxy.simvendor.script import Cut, Events, Fin, Rest, Stall
from proxy.simvendor.server import SimulatedVendor
from tests.e2e.anthropic_calls import MODELS, QUESTION, ask, claude, claude_proxy, client_of


@pytest.fixture
async def proxy(tmp_path, vendor):
    async with claude_proxy(tmp_path, vendor.url, MODELS) as running:
        yield running


@pytest.fixture
async def client(proxy):
    async with client_of(proxy) as made:
        yield made


def asks_for(trigger):
    return [{"role": "user", "content": f"hi [[sim:{trigger}]]"}]


# What the proxy itself refuses.


@pytest.mark.parametrize(
    ("model", "code"), [("nobody", "unknown_model"), ("recommender@v9", "unknown_version")]
)
async def test_what_is_not_there_raises_not_found(client, model, code):
    with pytest.raises(anthropic.NotFoundError) as caught:
        await ask(client, model)

    assert (caught.value.type, caught.value.error_code) == ("not_found_error", code)
    assert caught.value.response.headers["x-proxy-error"] == code


async def test_rejected_override_raises_bad_request_and_is_stamped(client, proxy):
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(client, "strict", system="You sell umbrellas.")

    assert (caught.value.type, caught.value.error_code) == (
        "invalid_request_error",
        "override_rejected",
    )
    stamp = caught.value.response.headers["x-proxy-version"]
    assert stamp == proxy.version("strict", 1).id


async def test_what_an_sdk_makes_every_app_send_is_not_rejected(client):
    assert "max_tokens 300" in await ask(client, "strict", max_tokens=7)


async def test_version_that_the_api_refuses_raises_bad_request_and_calls_nobody(client, vendor):
    with pytest.raises(anthropic.BadRequestError) as caught:
        await ask(client, "warm")

    assert caught.value.error_code == "wrong_dialect"
    assert "temperature" in caught.value.message
    assert not vendor.seen


async def test_the_same_version_serves_apps_that_speak_the_older_api(proxy):
    older = {"anthropic-version": "2023-06-01"}
    async with client_of(proxy, default_headers=older) as client:
        assert "temperature 0.2" in await ask(client, "warm")


async def test_model_that_is_not_pinned_raises_a_server_error(proxy, client):
    await proxy.register("later", claude())
    await proxy.pin("later", 1, label="staging")

    with pytest.raises(anthropic.InternalServerError) as caught:
        await ask(client, "later")

    assert (caught.value.status_code, caught.value.error_code) == (503, "not_pinned")


async def test_version_of_another_vendor_raises_bad_request(tmp_path, vendor):
    models, dialects = {"recommender": claude()}, ["openai.chat"]
    async with (
        claude_proxy(tmp_path, vendor.url, models, dialects=dialects) as proxy,
        client_of(proxy) as client,
    ):
        with pytest.raises(anthropic.BadRequestError) as caught:
            await ask(client)

    assert caught.value.error_code == "wrong_dialect"
    assert not vendor.seen


async def test_permanent_error_is_not_retried(proxy):
    async with client_of(proxy, max_retries=2) as client:
        with pytest.raises(anthropic.NotFoundError):
            await ask(client, "nobody")

    assert len(await proxy.lines("request.finished", 1)) == 1


async def test_vendor_that_cannot_be_reached_raises_a_server_error(tmp_path):
    async with SimulatedVendor() as gone:
        url = gone.url
    models = {"recommender": claude()}
    async with claude_proxy(tmp_path, url, models) as proxy, client_of(proxy) as client:
        with pytest.raises(anthropic.InternalServerError) as caught:
            await ask(client)

    assert (caught.value.status_code, caught.value.error_code) == (502, "upstream_unreachable")


# What the vendor refuses.


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (400, anthropic.BadRequestError, "invalid_request_error"),
        (404, anthropic.NotFoundError, "not_found_error"),
        (429, anthropic.RateLimitError, "rate_limit_error"),
        (500, anthropic.InternalServerError, "api_error"),
        (529, anthropic.APIStatusError, "overloaded_error"),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_refusal_of_the_vendor_raises_as_the_vendors(
    client, proxy, status, error, kind, stream
):
    trigger = asks_for(f"status {status} retry_after=7")

    with pytest.raises(error) as caught:
        await client.messages.create(
            model="recommender", messages=trigger, max_tokens=7, stream=stream
        )

    headers = caught.value.response.headers
    assert (caught.value.status_code, caught.value.type) == (status, kind)
    assert headers["retry-after"] == "7"
    assert headers["x-proxy-version"] == proxy.version("recommender", 1).id
    assert headers["request-id"].startswith("req_sim")
    assert "x-proxy-error" not in headers


async def test_refused_key_of_the_app_raises_as_the_vendors(tmp_path, vendor):
    """Without a key of the operator's, the app's own goes to the vendor, in the app's header."""
    own = {"recommender": claude()}
    async with (
        claude_proxy(tmp_path, vendor.url, own, api_key_env=None) as proxy,
        client_of(proxy) as client,
    ):
        assert await ask(client)
        with pytest.raises(anthropic.AuthenticationError):
            await ask(client, messages=asks_for("status 401"))

    sent = {name.lower(): value for name, value in vendor.seen[0].headers}
    assert sent["authorization"] == "Bearer sk-app-0000"


async def test_refused_key_of_the_proxy_is_the_proxys_error(client):
    with pytest.raises(anthropic.InternalServerError) as caught:
        await ask(client, messages=asks_for("status 401"))

    assert (caught.value.status_code, caught.value.error_code) == (502, "upstream_auth")


# Streams that do not come to an end.


@pytest.mark.parametrize("ending", [Cut(), Fin()])
async def test_broken_vendor_never_looks_like_a_tidy_end(client, vendor, ending):
    vendor.play(Events(4), ending)
    stream = await client.messages.create(
        model="recommender", messages=QUESTION, max_tokens=7, stream=True
    )

    with pytest.raises(anthropic.APIStatusError) as caught:
        [event async for event in stream]

    assert caught.value.error_code == "upstream_unreachable"


@pytest.mark.parametrize("ending", [Cut(), Fin()])
async def test_vendor_that_breaks_half_a_document_raises(client, vendor, ending):
    vendor.play(Events(3), ending)

    with pytest.raises(anthropic.APIError):
        await ask(client)


async def test_error_event_of_the_vendor_reaches_the_app(client, proxy):
    stream = await client.messages.create(
        model="recommender", messages=asks_for("error after=4"), max_tokens=7, stream=True
    )

    with pytest.raises(anthropic.APIStatusError) as caught:
        [event async for event in stream]

    assert caught.value.type == "overloaded_error"
    (line,) = await proxy.lines("request.finished", 1)
    assert (line["outcome"], line["status"]) == ("vendor_error", 200)


async def test_closed_stream_closes_the_call_to_the_vendor(client, vendor):
    vendor.play(Events(3), Stall(), Rest())
    stream = await client.messages.create(
        model="recommender", messages=QUESTION, max_tokens=7, stream=True
    )
    await anext(aiter(stream))

    await stream.close()

    await asyncio.wait_for(vendor.seen[-1].ended.wait(), 5)
    assert vendor.seen[-1].outcome == "abandoned"
