"""What a proxy sees of a version with its own vendors and keys, at vendors that say all kinds of
things about their models."""

import asyncio
import json
import time
from contextlib import AsyncExitStack

import pytest

from proxy.fleet.fitness import Fitness, Trouble
from proxy.fleet.snapshot import make_ready
from proxy.gateway.preflight import Preflight, servable
from proxy.gateway.vendor_list import VendorModels, judged
from proxy.settings import Vendor
from proxy.versions.content import Content
from proxy.versions.identity import canonical, digest
from proxy.versions.record import Meta, Version, VersionInfo
from tests.fleet.following import Clock
from tests.vendor_script import Cut, Say, ScriptedVendor, Stall, whole

MODEL = "gpt-4o-2024-08-06"
KEY = {"KEY": "sk-of-this-proxy"}
LIMIT_S = 5.0
AWAY = "http://127.0.0.1:1"


def listing(*ids, **more):
    return Say(whole(json.dumps({"data": [{"id": id} for id in ids], **more}).encode()))


def says(status, body=b"{}"):
    return Say(whole(body, status=status))


def served(**parts):
    content = Content.model_validate({"model": {"vendor": "openai", "id": MODEL}, **parts})
    stored = canonical(content)
    sha = digest(stored)
    id = f"recommender-v1-{sha.removeprefix('sha256:')[:6]}"
    info = VersionInfo("recommender", 1, id, sha, "", Meta(by="ada"), len(stored))
    return make_ready(Version(info, stored))


def fallback(vendor, id=MODEL):
    return {"routing": {"fallback": [{"vendor": vendor, "id": id}]}}


def preflight(urls, env=KEY, clock=time.monotonic, **more):
    """Return the eyes of a proxy whose vendors, by name, are at these URLs."""
    vendors = {
        name: Vendor(**{"base_url": url, "api_key_env": "KEY", **more})
        for name, url in urls.items()
    }
    return Preflight(vendors, env, clock)


async def seen(*script, version=None, **more):
    """Return what is seen of a version whose vendor answers by `script`."""
    async with ScriptedVendor(*script) as vendor:
        own = preflight({"openai": vendor.url}, **more)
        return await own.fitness(version or served(), LIMIT_S)


# --- what is red


async def test_nothing_speaks_against_a_version_whose_vendor_lists_its_model():
    async with ScriptedVendor(listing("another", MODEL)) as vendor:
        fit = await preflight({"openai": vendor.url}).fitness(served(), LIMIT_S)
        (asked,) = vendor.requests

    assert fit == Fitness()
    assert asked.head.startswith(b"GET /v1/models HTTP/1.1\r\n")
    assert asked.header("authorization") == "Bearer sk-of-this-proxy"


async def test_a_vendor_is_asked_as_its_dialect_wants_it():
    async with ScriptedVendor(listing(MODEL)) as vendor:
        own = preflight({"openai": vendor.url}, dialects=("anthropic.messages",))
        fit = await own.fitness(served(), LIMIT_S)
        (asked,) = vendor.requests

    assert fit == Fitness()
    assert asked.head.startswith(b"GET /v1/models?limit=1000 HTTP/1.1\r\n")
    assert asked.header("x-api-key") == "sk-of-this-proxy"
    assert asked.header("anthropic-version") == "2023-06-01"
    assert asked.header("authorization") is None


async def test_a_vendor_is_asked_where_its_configuration_says():
    more = {"path": "/{call}", "query": {"api-version": "1"}, "auth": "api-key"}
    async with ScriptedVendor(listing(MODEL)) as vendor:
        fit = await preflight({"openai": vendor.url}, **more).fitness(served(), LIMIT_S)
        (asked,) = vendor.requests

    assert fit == Fitness()
    assert asked.line == "GET /models?api-version=1 HTTP/1.1"
    assert asked.header("api-key") == "sk-of-this-proxy"


@pytest.mark.parametrize("more", [{"lists_models": False}, {"path": "/x/{model}/{call}"}], ids=str)
async def test_a_vendor_without_a_list_of_what_it_calls_is_not_asked(more):
    async with ScriptedVendor(listing("another")) as vendor:
        fit = await preflight({"openai": vendor.url}, **more).fitness(served(), LIMIT_S)

    assert fit == Fitness()
    assert vendor.requests == []


@pytest.mark.parametrize(
    ("under", "path"),
    [
        ("", "/v1beta/models?pageSize=1000"),
        ("/v1/publishers/google", "/v1/publishers/google/models?pageSize=1000"),
    ],
)
async def test_google_is_asked_where_its_calls_go_and_names_models_in_a_collection(under, path):
    answer = json.dumps({"models": [{"name": f"models/{MODEL}", "version": "1"}]}).encode()
    async with ScriptedVendor(Say(whole(answer))) as vendor:
        own = preflight({"openai": vendor.url + under}, dialects=("gemini.generate",))
        fit = await own.fitness(served(), LIMIT_S)
        (asked,) = vendor.requests

    assert fit == Fitness()
    assert asked.line == f"GET {path} HTTP/1.1"
    assert asked.header("x-goog-api-key") == "sk-of-this-proxy"


def test_a_list_of_googles_that_goes_on_says_nothing_about_what_is_not_on_it():
    body = b'{"models": [{"name": "models/a"}], "nextPageToken": "x"}'

    assert judged(200, body).ids is None
    assert judged(200, b'{"models": [{"name": "tunedModels/b"}, {"name": "models/a"}]}') == (
        VendorModels(frozenset({"tunedModels/b", "a"}))
    )


async def test_a_fallback_that_does_not_speak_the_dialect_is_a_warning():
    entry = {"base_url": "http://127.0.0.1:1", "api_key_env": "KEY"}
    vendors = {
        "openai": Vendor(**entry, dialects=("openai.chat",)),
        "spare": Vendor(**entry, dialects=("anthropic.messages",)),
    }

    troubles = list(servable(vendors, served(**fallback("spare"))))

    words = "fallback spare does not speak openai.chat"
    assert troubles == [Trouble("wrong_dialect", words, red=False)]


async def test_a_model_that_the_vendor_does_not_list_is_retired():
    fit = await seen(listing("another"))

    assert fit == Fitness("retired_model", f"vendor openai does not list {MODEL}")


async def test_a_key_that_the_vendor_refuses_is_red():
    fit = await seen(says(401))

    assert fit == Fitness("key_refused", "vendor openai refuses the key (HTTP 401)")


async def test_a_key_that_is_not_there_is_red_and_the_vendor_not_asked():
    async with ScriptedVendor(listing(MODEL)) as vendor:
        fit = await preflight({"openai": vendor.url}, env={}).fitness(served(), LIMIT_S)
        asked = vendor.requests

    assert fit == Fitness("no_key", "vendor openai has no usable key in KEY")
    assert asked == []


async def test_a_vendor_that_is_not_configured_is_red():
    fit = await preflight({"another": AWAY}).fitness(served(), LIMIT_S)

    assert (fit.code, fit.words) == ("unknown_vendor", "vendor openai is not configured")


async def test_a_version_that_no_dialect_of_its_vendor_carries_is_red():
    version = served(generation={"stop": ["."]})  # the Responses API has no name for it

    red = await seen(listing(MODEL), version=version, dialects=("openai.responses",))
    yellow = await seen(listing(MODEL), version=version)

    words = "it cannot be served in openai.responses"
    assert red == Fitness("wrong_dialect", words)
    assert yellow == Fitness(warnings=(words,))


async def test_a_version_with_variables_is_tried_with_values_for_them():
    variables = {"shop": {"required": True}, "tone": {"default": "dry"}}

    version = served(system="{{shop}}, {{tone}}", variables=variables)

    assert await seen(listing(MODEL), version=version) == Fitness()


@pytest.mark.parametrize("rule", ["append", "prepend", "reject"])
async def test_a_version_that_makes_the_users_message_is_tried_as_its_apps_call_it(rule):
    variables = {"stock": {"type": "number", "required": True}, "hint": {}}
    made = {"user": "{{hint}}", "variables": variables, "policy": {"messages": rule}}

    assert await seen(listing(MODEL), version=served(**made)) == Fitness()


# --- what says nothing about later


@pytest.mark.parametrize(
    "script",
    [
        (says(403),),
        (says(404),),
        (says(429),),
        (says(500),),
        (says(302),),
        (says(200, b"not json"),),
        (says(200, b"{}"),),
        (says(200, b'{"data": null}'),),
        (says(200, b'{"data": [{"id": 7}]}'),),
        (says(200, b'{"data": [{"name": "another"}]}'),),
        (says(200, b"[" * 5000),),
        (says(200, b"\xff\xfe"),),
        (listing("another", has_more=True),),
        (Say(b"nonsense\r\n\r\n"),),
        (Cut(),),
    ],
    ids=repr,
)
async def test_any_other_answer_is_a_warning(script):
    fit = await seen(*script)

    assert fit.code == ""
    (warning,) = fit.warnings
    assert warning.startswith("vendor openai ")


async def test_a_vendor_that_is_away_is_a_warning():
    fit = await preflight({"openai": AWAY}).fitness(served(), LIMIT_S)

    assert fit == Fitness(warnings=("vendor openai cannot be reached (ClientConnectorError)",))


async def test_a_vendor_that_is_slow_is_waited_for_so_long_and_no_longer():
    async with ScriptedVendor(Stall()) as vendor:
        began = time.perf_counter()
        fit = await preflight({"openai": vendor.url}).fitness(served(), 0.1)
        took_s = time.perf_counter() - began

    assert fit == Fitness(warnings=("vendor openai did not answer in 0.1 s",))
    assert took_s < 2.0


async def test_a_vendor_that_apps_bring_keys_for_is_not_asked():
    async with ScriptedVendor(listing("another")) as vendor:
        own = preflight({"openai": vendor.url}, api_key_env=None)
        fit = await own.fitness(served(), LIMIT_S)
        asked = vendor.requests

    assert (fit, asked) == (Fitness(), [])


# --- fallbacks


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ((listing("another"),), f"fallback spare does not list {MODEL}"),
        ((says(401),), "fallback spare refuses the key (HTTP 401)"),
        ((says(500),), "fallback spare gives no list of models (HTTP 500)"),
    ],
)
async def test_whatever_is_wrong_with_a_fallback_is_a_warning(script, words):
    async with ScriptedVendor(listing(MODEL)) as vendor, ScriptedVendor(*script) as spare:
        own = preflight({"openai": vendor.url, "spare": spare.url})
        fit = await own.fitness(served(**fallback("spare")), LIMIT_S)

    assert fit == Fitness(warnings=(words,))


async def test_a_target_that_shares_the_requests_is_as_red_as_the_first():
    target = {"vendor": "spare", "id": MODEL}

    fit = await seen(listing(MODEL), version=served(routing={"targets": [target]}))

    assert fit == Fitness("unknown_vendor", "vendor spare is not configured")


async def test_a_fallback_that_is_not_configured_is_a_warning():
    fit = await seen(listing(MODEL), version=served(**fallback("spare")))

    assert fit == Fitness(warnings=("fallback spare is not configured",))


async def test_vendors_are_asked_at_the_same_time():
    everybody = asyncio.Event()
    async with AsyncExitStack() as stack:
        script = (Stall(until=everybody), listing(MODEL))
        vendors = {
            name: await stack.enter_async_context(ScriptedVendor(*script))
            for name in ("openai", "spare")
        }
        own = preflight({name: vendor.url for name, vendor in vendors.items()})
        looking = asyncio.create_task(own.fitness(served(**fallback("spare")), LIMIT_S))
        for vendor in vendors.values():
            await vendor.received()
        everybody.set()

        assert await looking == Fitness()


# --- how often


async def test_a_vendor_is_asked_once_a_minute():
    clock = Clock()
    async with ScriptedVendor(listing(MODEL)) as vendor:
        own = preflight({"openai": vendor.url}, clock=clock)
        versions = [served(), served(system="Another one.")]
        await asyncio.gather(*(own.fitness(one, LIMIT_S) for one in versions))
        clock.forward(59)
        await own.fitness(served(), LIMIT_S)
        before = len(vendor.requests)
        clock.forward(2)
        await own.fitness(served(), LIMIT_S)
        after = len(vendor.requests)

    assert (before, after) == (1, 2)


async def test_a_new_key_is_tried_at_once(tmp_path):
    clock, file = Clock(), tmp_path / "key"
    file.write_text("old")
    async with ScriptedVendor(listing(MODEL)) as vendor:
        vendor.play(says(401))
        more = {"api_key_env": None, "api_key_file": file}
        own = preflight({"openai": vendor.url}, clock=clock, **more)
        refused = await own.fitness(served(), LIMIT_S)
        file.write_text("renewed")
        clock.forward(2)
        accepted = await own.fitness(served(), LIMIT_S)

    assert (refused.code, accepted) == ("key_refused", Fitness())


async def test_a_key_that_was_read_once_is_there_while_its_file_is_not(tmp_path):
    clock, file = Clock(), tmp_path / "key"
    file.write_text("sk-once")
    async with ScriptedVendor(listing(MODEL)) as vendor:
        more = {"api_key_env": None, "api_key_file": file}
        own = preflight({"openai": vendor.url}, clock=clock, **more)
        file.unlink()
        clock.forward(2)

        assert await own.fitness(served(), LIMIT_S) == Fitness()


def test_no_list_says_more_than_it_does():
    assert judged(200, b'{"data": []}') == VendorModels(frozenset())
    assert judged(200, b'{"data": [{"id": "a", "object": "model"}]}') == VendorModels(
        frozenset({"a"})
    )
