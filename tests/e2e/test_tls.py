"""The vendor over TLS: certificates are checked, always."""

import asyncio

import pytest

from tests.e2e.models import JACKETS
from tests.harness import running_proxy
from tests.raw_client import raw_app, request
from tests.vendor_script import Say, ScriptedVendor, Stall, whole
from tests.vendor_tls import authority, openssl_is_there

pytestmark = pytest.mark.skipif(not openssl_is_there(), reason="openssl is not installed")

BODY = {"model": "recommender", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = b'{"id":"x","choices":[]}'


@pytest.fixture(scope="module")
def trusted(tmp_path_factory):
    return authority(tmp_path_factory.mktemp("ca"))


async def ask(directory, url, ca_file, **vendor):
    overrides = {
        "vendors": {"openai": {"base_url": url, "ca_file": ca_file, **vendor}},
        "timeouts": {"connect_s": 1},
    }
    models = {"recommender": JACKETS}
    async with (
        running_proxy(directory, url, models, overrides) as proxy,
        raw_app(proxy.address) as app,
    ):
        await app.send(request(BODY))
        return await app.answer()


async def test_vendor_with_a_trusted_certificate_is_served(tmp_path, trusted):
    context = trusted.server("IP:127.0.0.1")

    async with ScriptedVendor(Say(whole(ANSWER)), tls=context) as vendor:
        answer = await ask(tmp_path, vendor.url, trusted.ca_file)

    assert (answer.status, answer.body) == (200, ANSWER)


async def test_vendor_with_an_unknown_authority_is_not_called(tmp_path, trusted):
    context = trusted.server("IP:127.0.0.1")

    async with ScriptedVendor(Say(whole(ANSWER)), tls=context) as vendor:
        answer = await ask(tmp_path, vendor.url, None)

        assert (answer.status, answer.header("x-proxy-error")) == (502, "upstream_unreachable")
        assert vendor.requests == []


async def test_vendor_with_another_name_is_not_called(tmp_path, trusted):
    context = trusted.server("DNS:vendor.test")

    async with ScriptedVendor(Say(whole(ANSWER)), tls=context) as vendor:
        answer = await ask(tmp_path, vendor.url, trusted.ca_file)

        assert (answer.status, answer.header("x-proxy-error")) == (502, "upstream_unreachable")
        assert vendor.requests == []


async def test_vendor_that_never_finishes_the_handshake_is_given_up(tmp_path, trusted):
    async with ScriptedVendor(greeting=[Stall()]) as silent:
        url = silent.url.replace("http:", "https:")
        started = asyncio.get_running_loop().time()

        answer = await ask(tmp_path, url, trusted.ca_file)

        assert (answer.status, answer.header("x-proxy-error")) == (502, "upstream_unreachable")
        assert asyncio.get_running_loop().time() - started < 5
