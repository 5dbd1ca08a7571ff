"""The fleet is asked before a pin moves."""

import asyncio
from contextlib import aclosing

import pytest

from proxy.control.confirm import Wait
from proxy.control.prepare import Preparation, Rejection, Remark, judged, require_prepared
from proxy.errors import NotPrepared
from proxy.versions.question import Prepare, Prepared, answer, asked

READY = answer(Prepared())
LIMIT = Wait(0.3)


def warning(words, version="shop-v2-000000"):
    return answer(Prepared(warnings={version: (words,)}))


def rejecting(reason, version="shop-v2-000000"):
    return answer(Prepared({version: reason}))


# --- reading the answers


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({"a/1": READY, "b/2": READY}, Preparation(("a", "b"), (), (), 7.0)),
        ({"a/1": READY}, Preparation(("a",), (), ("b",), 7.0)),
        ({"a/1": READY, "b/2": b"nonsense"}, Preparation(("a",), (), ("b",), 7.0)),
        (
            {"a/1": READY, "b/2": rejecting("unknown_vendor")},
            Preparation(("a",), (Rejection("b", "shop-v2-000000", "unknown_vendor"),), (), 7.0),
        ),
        (
            {"a/1": READY, "b/2": warning("vendor openai is slow")},
            Preparation(
                ("a", "b"),
                elapsed_ms=7.0,
                remarks=(Remark("b", "shop-v2-000000", "vendor openai is slow"),),
            ),
        ),
    ],
    ids=["all-ready", "one-silent", "one-unreadable", "one-rejects", "one-warns"],
)
def test_answers_are_judged_by_who_was_asked(answers, expected):
    assert judged({"a/1": "a", "b/2": "b"}, answers, 7.0) == expected


def test_an_answer_of_somebody_else_counts_for_nothing():
    assert judged({"a": "a"}, {"a": READY, "z": rejecting("x")}, 0.0).rejected == ()


def test_a_refusal_names_proxy_version_and_reason():
    with pytest.raises(NotPrepared, match="web-3: shop-v2-000000 unknown_vendor"):
        require_prepared(
            Preparation(rejected=(Rejection("web-3", "shop-v2-000000", "unknown_vendor"),))
        )


def test_a_refusal_says_in_words_what_a_proxy_said_in_words():
    words = "vendor openai does not list gpt-4o"
    with pytest.raises(NotPrepared, match=rf"web-3: v2 retired_model \({words}\)"):
        require_prepared(Preparation(rejected=(Rejection("web-3", "v2", "retired_model", words),)))


def test_a_warning_is_no_refusal():
    require_prepared(Preparation(remarks=(Remark("web-3", "v2", "vendor openai is slow"),)))


def test_silence_is_no_rejection():
    require_prepared(Preparation(silent=("a",)))


# --- before a pin


class Proxy:
    """Answers every preparation with `body`, and notes what was asked."""

    def __init__(self, store, name, body):
        self.store, self.name, self.body = store, name, body
        self.prepared = []

    async def run(self):
        seen = set()
        async with aclosing(self.store.watch(())) as watched:
            async for pins in watched:
                for one in pins.questions:
                    if one.id not in seen:
                        seen.add(one.id)
                        self.prepared.append([v.id for v in asked(one, Prepare).versions])
                        await self.store.answer(one.id, self.name, self.body)


@pytest.fixture
async def play(shop):
    """Return a function that starts a proxy which serves v1 and answers as it is told."""
    tasks = []

    async def start(name, body=READY):
        await shop.report(name, 1, prod="v1")
        proxy = Proxy(shop.store, name, body)
        tasks.append(asyncio.create_task(proxy.run()))
        return proxy

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture
async def shop_at_v1(shop):
    await shop.register("one", "two", "three")
    await shop.pin("v1")
    return shop


async def test_the_fleet_prepares_what_is_about_to_be_pinned(shop_at_v1, play):
    proxy = await play("a")

    report = await shop_at_v1.pin("v2", LIMIT)

    assert proxy.prepared == [[shop_at_v1.ids["v2"]]]
    assert report.json()["prepared"] == {
        "ready": 1,
        "rejected": [],
        "warnings": [],
        "silent": [],
        "elapsed_ms": report.preparation.elapsed_ms,
    }


async def test_one_rejection_stops_a_forward_pin(shop_at_v1, play):
    await play("a")
    await play("b", rejecting("unknown_vendor"))

    with pytest.raises(NotPrepared, match=r"b: .* unknown_vendor"):
        await shop_at_v1.pin("v2", LIMIT)

    assert await shop_at_v1.held() == "v1"


async def test_what_is_forced_goes_on_and_says_who_cannot_serve_it(shop_at_v1, play):
    await play("b", rejecting("unknown_vendor"))

    report = await shop_at_v1.pin("v2", LIMIT, reason="it must be", force=True)

    assert await shop_at_v1.held() == "v2"
    assert [one.proxy for one in report.preparation.rejected] == ["b"]


async def test_going_back_is_never_stopped(shop_at_v1, play):
    await shop_at_v1.pins("v2")
    await play("b", rejecting("unknown_vendor"))

    report = await shop_at_v1.rollback(LIMIT)

    assert await shop_at_v1.held() == "v1"
    assert [one.proxy for one in report.preparation.rejected] == ["b"]


async def test_a_pin_to_an_earlier_holder_is_going_back(shop_at_v1, play):
    await shop_at_v1.pins("v2", "v3")
    await play("b", rejecting("unknown_vendor"))

    await shop_at_v1.pin("v1", LIMIT)

    assert await shop_at_v1.held() == "v1"


async def test_a_pin_to_what_another_label_held_is_forward(shop_at_v1, play):
    await shop_at_v1.pin("v2", label="staging")
    await play("b", rejecting("unknown_vendor"))

    with pytest.raises(NotPrepared):
        await shop_at_v1.pin("v2", LIMIT)


async def test_who_does_not_answer_is_named_and_does_not_stop_it(shop_at_v1):
    await shop_at_v1.report("a", 1, prod="v1")

    report = await shop_at_v1.pin("v2", Wait(0.05))

    assert report.preparation.silent == ("a",)
    assert await shop_at_v1.held() == "v2"


@pytest.mark.parametrize("state", ["draining"])
async def test_who_takes_no_requests_is_not_asked(shop_at_v1, state):
    await shop_at_v1.report("a", 1, state, prod="v1")

    report = await shop_at_v1.pin("v2", LIMIT)

    assert report.preparation == Preparation()


async def test_without_waiting_nobody_is_asked(shop_at_v1, play):
    proxy = await play("a", rejecting("unknown_vendor"))

    await shop_at_v1.pin("v2")

    assert proxy.prepared == []
    assert await shop_at_v1.held() == "v2"
