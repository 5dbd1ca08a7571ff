"""A pin is stopped by what a proxy's own vendor says, and a way back never is."""

import json

import pytest

from proxy.errors import NotPrepared
from tests.harness import running_proxy
from tests.vendor_script import Say, ScriptedVendor, whole

OLD, NEW, GONE = "gpt-4o-2024-08-06", "gpt-4.1-2025-04-14", "gpt-4-0613"


def files(model):
    return {"version.toml": f'[model]\nvendor = "openai"\nid = "{model}"\n'}


def listing(*ids):
    return Say(whole(json.dumps({"data": [{"id": one} for one in ids]}).encode()))


@pytest.fixture
async def shop(tmp_path):
    """Return a proxy with v1 in prod, v2 of a model that is gone, and v3 of one that is there."""
    async with (
        ScriptedVendor(listing(OLD, NEW)) as vendor,
        running_proxy(tmp_path, vendor.url, {"shop": files(OLD)}) as proxy,
    ):
        await proxy.register("shop", files(GONE))
        await proxy.register("shop", files(NEW))
        await proxy.running.follower.reporter.reported()
        yield proxy, vendor


async def held(proxy):
    return (await proxy.store.pins()).pins["shop", "prod"].id


async def test_a_version_of_a_model_that_is_gone_is_stopped_and_the_reason_said(shop):
    proxy, _ = shop
    name, gone = proxy.running.follower.reporter.name, proxy.version("shop", 2).id

    with pytest.raises(NotPrepared) as caught:
        await proxy.pin("shop", 2)

    assert f"{name}: {gone} retired_model (vendor openai does not list {GONE})" in str(caught.value)
    assert await held(proxy) == proxy.version("shop", 1).id


async def test_a_version_of_a_model_that_is_there_is_pinned(shop):
    proxy, _ = shop

    report = await proxy.pin("shop", 3)

    assert (report.preparation.rejected, report.preparation.remarks) == ((), ())
    assert await held(proxy) == proxy.version("shop", 3).id


async def test_a_key_that_is_refused_stops_a_pin(shop):
    proxy, vendor = shop
    vendor.play(Say(whole(b"{}", status=401)))

    with pytest.raises(NotPrepared, match=r"key_refused \(vendor openai refuses the key"):
        await proxy.pin("shop", 3)


async def test_a_vendor_that_gives_no_list_is_said_and_stops_nothing(shop):
    proxy, vendor = shop
    vendor.play(Say(whole(b"{}", status=500)))

    report = await proxy.pin("shop", 3)

    (remark,) = report.preparation.remarks
    assert remark.words == "vendor openai gives no list of models (HTTP 500)"
    assert await held(proxy) == proxy.version("shop", 3).id


async def test_the_way_back_to_a_model_that_is_gone_is_open_and_said(tmp_path):
    async with (
        ScriptedVendor(listing(NEW)) as vendor,
        running_proxy(tmp_path, vendor.url, {"shop": files(OLD)}) as proxy,
    ):
        await proxy.running.follower.reporter.reported()
        await proxy.register("shop", files(NEW))
        await proxy.pin("shop", 2)

        report = await proxy.pin("shop", 1)

        (rejection,) = report.preparation.rejected
        assert rejection.reason == "retired_model"
        assert await held(proxy) == proxy.version("shop", 1).id
        assert report.confirmation.confirmed == 1
