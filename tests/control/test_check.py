"""What check says where proxies are live: what they see with their own vendors and keys."""

import asyncio
from contextlib import aclosing
from time import monotonic

import pytest

from proxy.control.check import Level, check
from proxy.settings import Settings
from proxy.versions.question import Prepare, Prepared, answer, asked

SETTINGS = Settings.model_validate(
    {"vendors": {"openai": {"base_url": "http://127.0.0.1:1", "api_key_env": "KEY"}}}
)


class Proxy:
    """Answers every question of its fleet with what it was told to see, and notes the versions."""

    def __init__(self, store, name, seen):
        self.store, self.name, self.seen, self.looked_at = store, name, seen, []

    async def run(self):
        known = set()
        async with aclosing(self.store.watch(())) as watched:
            async for pins in watched:
                for one in pins.questions:
                    if one.id not in known:
                        known.add(one.id)
                        self.looked_at += [v.id for v in asked(one, Prepare).versions]
                        await self.store.answer(one.id, self.name, answer(self.seen))


@pytest.fixture
async def play(shop):
    """Return a function that starts a proxy which sees what it is told."""
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    tasks = []

    async def start(name, rejected=None, words=None, warnings=None):
        await shop.report(name, 2, prod="v2")
        named = (
            {shop.ids[v]: what for v, what in (one or {}).items()}
            for one in (rejected, words, warnings)
        )
        proxy = Proxy(shop.store, name, Prepared(*named))
        tasks.append(asyncio.create_task(proxy.run()))
        return proxy

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def found(shop, what, env=None):
    report = await check(shop.store, SETTINGS, env or {}, monotonic)
    return [(one.level, one.message, one.hint) for one in report.findings if one.what == what]


async def test_proxies_are_asked_about_what_is_pinned_and_what_a_rollback_would_go_to(shop, play):
    proxy = await play("web-1")

    assert await found(shop, "shop prod") == [(Level.GREEN, shop.ids["v2"], "")]
    assert set(proxy.looked_at) == {shop.ids["v1"], shop.ids["v2"]}


async def test_keys_and_vendors_of_the_operator_say_nothing_then(shop, play):
    await play("web-1")

    assert await found(shop, "vendor openai") == []


async def test_a_way_back_to_a_model_that_is_gone_is_red(shop, play):
    words = "vendor openai does not list gpt-4"
    for name in ("web-1", "web-2", "web-3", "web-4"):
        await play(name, {"v1": "retired_model"}, {"v1": words})

    assert await found(shop, "shop prod") == [(Level.GREEN, shop.ids["v2"], "")]
    assert await found(shop, "shop rollback") == [
        (Level.RED, f"{shop.ids['v1']}: {words}", "at web-1, web-2, web-3 and 1 more")
    ]


async def test_a_reason_of_an_older_release_is_its_code(shop, play):
    await play("old", {"v2": "unknown_vendor"})

    assert await found(shop, "shop prod") == [
        (Level.RED, f"{shop.ids['v2']}: unknown_vendor", "at old")
    ]


async def test_what_proxies_only_warn_of_is_yellow(shop, play):
    await play("web-1", warnings={"v2": ("vendor openai did not answer in 1 s",)})
    await play("web-2")

    assert await found(shop, "shop prod") == [
        (Level.YELLOW, f"{shop.ids['v2']}: vendor openai did not answer in 1 s", "at web-1")
    ]


async def test_where_no_proxy_is_live_it_is_looked_at_from_here(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")

    assert await found(shop, "vendor openai") == [(Level.RED, "has no usable key in KEY", "")]
    assert await found(shop, "shop rollback") == [(Level.GREEN, shop.ids["v1"], "")]


async def test_ids_of_stored_prompts_that_lead_to_nothing_are_yellow(shop):
    await shop.register("one")
    await shop.pins("v1")
    aliases = {"pmpt_1": "shop", "pmpt_2@7": "nobody"}
    settings = SETTINGS.model_copy(
        update={"models": SETTINGS.models.model_copy(update={"prompts": aliases})}
    )

    report = await check(shop.store, settings, {}, monotonic)

    named = [one for one in report.findings if one.what.startswith("models.prompts")]
    assert [(one.level, one.what) for one in named] == [(Level.YELLOW, "models.prompts pmpt_2@7")]


async def test_what_the_last_drill_left_behind_is_not_looked_at(shop, play):
    proxy = await play("web-1")
    await shop.register("three")
    await shop.pin("v3", label="drill")

    assert await found(shop, "shop drill") == []
    assert shop.ids["v3"] not in proxy.looked_at
