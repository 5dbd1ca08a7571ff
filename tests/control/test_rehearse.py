"""Drills, with followers on real stores: what is proven, what is refused, what is left behind."""

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from proxy.control.confirm import Wait
from proxy.control.course import How
from proxy.control.drill import Rerun
from proxy.control.freeze import set_frozen
from proxy.control.history import history
from proxy.control.rehearse import plan_of, rehearse
from proxy.errors import (
    DrillRefused,
    DrillStopped,
    Frozen,
    NothingToRehearse,
    NotPutBack,
    StoreUnavailable,
)
from proxy.fleet.follow import Follower
from proxy.versions.evidence import CaseResult, Gate, Result
from proxy.versions.question import Sample
from proxy.versions.record import DRAINING, DRILL, PROD, Kind, Member
from tests.contracts.places import RedisPlace, SqlitePlace
from tests.control.shop import Shop
from tests.fleet.following import following

LIVE = How(live=True)


@pytest.fixture(params=["sqlite", "redis"])
def place(request, tmp_path):
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    return RedisPlace(request.getfixturevalue("redis_server"))


@pytest.fixture
async def store(place):
    opened = place.open()
    yield opened
    await opened.close()


@pytest.fixture
async def shop(store):
    """Three versions; v1, then v2 came to prod, and v3 is only registered."""
    shop = Shop(store)
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2")
    return shop


@pytest.fixture
async def start(place, tmp_path):
    """Return a function that starts a proxy by name and waits until the fleet sees it."""
    async with AsyncExitStack() as stack:

        async def start(name, **options):
            own = place.open()
            stack.push_async_callback(own.close)
            about = following(own, tmp_path / name, name=name, **options)
            proxy = await stack.enter_async_context(about)
            await proxy.follower.reporter.reported()
            return proxy

        yield start


@pytest.fixture
async def fleet(shop, start):
    return [await start(name) for name in ("web-1", "web-2", "web-3")]


async def drilled(shop, how=How(), by=""):  # noqa: B008  # frozen
    act = shop.act()
    return await rehearse(shop.store, "shop", replace(act, by=by or act.by), how)


# --- what is proven


async def test_a_drill_goes_to_the_newest_other_version_and_back_at_every_proxy(shop, fleet):
    report = (await drilled(shop)).json()

    assert (report["model"], report["label"]) == ("shop", "drill")
    assert (report["from"], report["to"]) == (shop.ids["v3"], shop.ids["v2"])
    assert (report["reverted"], report["confirmed"]) == (True, True)
    assert [one["name"] for one in report["proxies"]] == ["web-1", "web-2", "web-3"]
    assert 0 < report["rollback_ms"] < 5000


async def test_every_step_is_timed(shop, fleet):
    steps = (await drilled(shop)).json()["steps"]

    assert [(one["step"], one["version"], one["confirmed"], one["of"]) for one in steps] == [
        ("probe before", shop.ids["v2"], 3, 3),
        ("forward", shop.ids["v3"], 3, 3),
        ("probe between", shop.ids["v3"], 3, 3),
        ("rollback", shop.ids["v2"], 3, 3),
        ("probe after", shop.ids["v2"], 3, 3),
    ]
    assert all(one["ms"] > 0 for one in steps)


async def test_the_evidence_of_a_proxy_is_what_it_would_have_sent(shop, fleet):
    proxies = (await drilled(shop)).json()["proxies"]

    for one in proxies:
        assert one["before"] == one["back"]
        assert one["back"]["version"] == shop.ids["v2"]
        assert one["there"]["version"] == shop.ids["v3"]
        there, back = one["there"]["bodies"], one["back"]["bodies"]
        assert there.keys() >= {"openai.chat", "openai.responses"}
        assert all(there[name] != back[name] for name in ("openai.chat", "openai.responses"))
    assert len({json.dumps(one["back"]) for one in proxies}) == 1


async def test_prod_is_not_touched(shop, fleet):
    before = (await shop.store.pins()).pins["shop", PROD]

    await drilled(shop)

    pins = (await shop.store.pins()).pins
    assert pins["shop", PROD] == before
    assert pins["shop", DRILL].id == before.id
    assert await shop.revoked() == set()


async def test_a_drill_can_be_repeated(shop, fleet):
    await drilled(shop)

    assert (await drilled(shop)).reverted


async def test_samples_are_what_is_asked(shop, fleet):
    samples = tuple(Sample((("user", text),)) for text in ("rain", "snow"))

    report = (await drilled(shop, How(samples=samples))).json()

    assert (report["samples"], report["reverted"]) == (2, True)


async def test_more_samples_than_a_question_holds_are_cut(shop, fleet):
    samples = tuple(Sample((("user", "x" * 10_000),)) for _ in range(10))

    report = await drilled(shop, How(samples=samples))

    assert (report.samples, report.reverted) == (3, True)


async def test_versions_that_differ_in_routing_only_are_told_apart_by_their_stamp(shop, fleet):
    await shop.register("two", routing={"attempts": 3})

    report = (await drilled(shop)).json()

    assert (report["from"], report["reverted"]) == (shop.ids["v4"], True)
    (web, *_) = report["proxies"]
    assert web["there"]["bodies"] == web["back"]["bodies"]
    assert web["there"]["digest"] != web["back"]["digest"]


async def test_a_revoked_version_serves_for_a_drill_and_stays_revoked(shop, fleet):
    await shop.pins("v3")
    await shop.rollback()

    report = (await drilled(shop)).json()

    assert (report["from"], report["reverted"]) == (shop.ids["v3"], True)
    assert await shop.revoked() == {"v3"}


async def test_a_frozen_model_is_rehearsed_all_the_same(shop, fleet):
    await set_frozen(shop.store, "shop", True, shop.act("peak season"))

    assert (await drilled(shop)).reverted


async def test_the_report_is_kept_in_the_history_and_as_the_last_drill(shop, fleet):
    report = await drilled(shop, by="eve@host")

    (kept,) = (await history(shop.store, "shop")).of(Kind.DRILL)
    last = (await shop.store.guards("shop")).drill
    assert json.loads(kept.detail)["proxies"] == report.json()["proxies"]
    assert (kept.by, kept.version, kept.previous) == ("eve@host", shop.ids["v2"], shop.ids["v3"])
    assert kept.reason.startswith("reverted at 3 of 3 proxies, rollback in ")
    assert (last.reverted, last.proxies, last.rollback_ms) == (True, 3, report.rollback_ms)
    assert report.at == kept.at


# --- what is no proof


class Deaf(Follower):
    """Follows pins, and does not know what a probe is: an older release."""

    def _apply(self, pins):
        known = tuple(one for one in pins.questions if one.kind != "probe")
        return super()._apply(replace(pins, questions=known))


async def test_a_proxy_that_says_nothing_proves_nothing(shop, fleet, start, monkeypatch):
    monkeypatch.setattr("tests.fleet.following.Follower", Deaf)
    await start("old")

    report = (await drilled(shop)).json()

    assert report["reverted"] is False
    (old,) = [one for one in report["proxies"] if not one["reverted"]]
    assert old["name"] == "old"
    assert old["complaints"] == [
        "did not answer the probe before the drill",
        "did not answer the probe in between",
        "did not answer the probe after the rollback",
    ]
    assert (await shop.store.guards("shop")).drill.reverted is False


async def test_a_proxy_that_is_gone_without_a_word_has_not_confirmed(shop, fleet):
    await shop.store.report(Member("dead", 1, {}))

    report = await drilled(shop, How(timeout_s=0.3))

    assert (report.confirmed, report.reverted) == (False, False)
    (dead,) = [one for one in report.proxies if one.complaints]
    assert dead.member.name == "dead"
    assert dead.complaints[0] == "did not confirm the rollback in time"


# --- nothing to rehearse


async def test_without_a_proxy_there_is_nothing_to_rehearse(shop):
    with pytest.raises(NothingToRehearse, match="no proxy is live"):
        await drilled(shop)


async def test_with_one_version_there_is_nothing_to_rehearse(store, start):
    shop = Shop(store)
    await shop.register("one")
    await shop.pin("v1")
    await start("web-1")

    with pytest.raises(NothingToRehearse, match="the only version"):
        await drilled(shop)


async def test_with_nothing_in_prod_there_is_nothing_to_rehearse(store, start):
    shop = Shop(store)
    await shop.register("one", "two")

    with pytest.raises(NothingToRehearse, match="holds nothing"):
        await drilled(shop)


# --- the cases again


def result(score):
    cases = (CaseResult("rain", score, (score,)),)
    return Result("shop", "sha256:" + "a" * 64, "sha256:" + "b" * 64, score, cases, by="ada")


@pytest.mark.parametrize("worse", [False, True])
async def test_cases_that_do_worse_than_when_approved_are_no_proof(shop, fleet, worse):
    asked = []

    async def again(found):
        asked.append(found.info.id)
        return Rerun(result(0.5), result(1.0), "rain got worse", worse)

    report = await drilled(shop, How(again=again))

    assert asked == [shop.ids["v2"]]
    assert report.reverted is not worse
    assert report.json()["evals"] == {
        "suite": "sha256:" + "b" * 64,
        "score": 0.5,
        "cases": {"rain": 0.5},
        "simulated": False,
        "approved_score": 1.0,
        "approved_result": result(1.0).pointer,
        "worse": worse,
        "comparison": "rain got worse",
    }


async def test_cases_that_cannot_be_run_cost_a_drill_nothing_but_that(shop, fleet):
    async def again(found):
        raise StoreUnavailable("the vendor is away")

    report = await drilled(shop, How(again=again))

    assert (report.reverted, report.rerun, report.skipped) == (True, None, "the vendor is away")


# --- live


async def test_a_live_drill_goes_where_a_rollback_would_go_and_back(shop, fleet):
    report = (await drilled(shop, LIVE)).json()

    assert (report["from"], report["to"], report["label"]) == (
        shop.ids["v1"],
        shop.ids["v2"],
        "prod",
    )
    assert (report["live"], report["reverted"]) == (True, True)
    assert await shop.held() == "v2"
    assert all(proxy.serving("shop") == shop.ids["v2"] for proxy in fleet)


async def test_a_live_drill_revokes_nothing_and_the_way_back_is_what_it_was(shop, fleet):
    await drilled(shop, LIVE)

    assert await shop.revoked() == set()
    await shop.rollback()
    assert await shop.held() == "v1"


async def test_a_live_drill_of_a_frozen_model_is_refused(shop, fleet):
    await set_frozen(shop.store, "shop", True, shop.act("peak season"))

    with pytest.raises(Frozen):
        await drilled(shop, LIVE)


async def test_a_live_drill_to_what_was_forced_is_refused_until_it_is_ratified(shop, fleet):
    await shop.store.set_gate("shop", Gate("sha256:" + "a" * 64), **about("gate"))
    await shop.pin("v3", reason="it must be", force=True)
    await shop.pin("v2", wait=Wait(timeout_s=5.0))

    with pytest.raises(DrillRefused, match=r"v3-.* was forced there and not ratified"):
        await drilled(shop, LIVE)

    await shop.store.ratify("shop", PROD, shop.ids["v3"], **about("ratified"))
    assert (await drilled(shop, LIVE)).reverted


def about(operation):
    return {"by": "ada@host", "reason": "so", "operation": operation}


async def test_a_live_drill_where_prod_never_held_another_version_is_refused(store, start):
    shop = Shop(store)
    await shop.register("one", "two")
    await shop.pin("v1")
    await start("web-1")

    with pytest.raises(NothingToRehearse):
        await drilled(shop, LIVE)


@pytest.mark.parametrize(
    ("member", "complaint"),
    [
        (Member("dead", 1, {}, live=False), "dead is missing"),
        (Member("leaving", 1, {}, state=DRAINING), "leaving is draining"),
        (Member("late", 1, {}), "late does not serve shop-v2-"),
    ],
    ids=["missing", "draining", "behind"],
)
async def test_a_live_drill_needs_the_whole_fleet_to_be_well(place, shop, fleet, member, complaint):
    silent = place.open(lease_s=0.0 if not member.live else 5.0)
    await silent.report(member)

    with pytest.raises(DrillRefused, match=complaint):
        await drilled(replace_store(shop, silent), LIVE)

    await silent.close()
    assert await shop.held() == "v2"


def replace_store(shop, store):
    """Look at the fleet as somebody for whom a lease is over at once."""
    other = Shop(store)
    other.ids = shop.ids
    return other


async def test_a_live_drill_soon_after_somebody_else_changed_prod_is_refused(shop, fleet):
    with pytest.raises(DrillRefused, match=r"ada@host changed it \d+ s ago"):
        await drilled(shop, LIVE, by="eve@host")

    later = replace(LIVE, now=lambda: datetime.now(UTC) + timedelta(minutes=6))
    assert (await drilled(shop, later, by="eve@host")).reverted


async def test_nothing_is_changed_before_the_countdown_is_over(shop, fleet):
    planned = []

    async def begin(plan):
        planned.append((plan.other.info.id, plan.held.info.id))
        raise asyncio.CancelledError

    before = await shop.store.pins()
    with pytest.raises(asyncio.CancelledError):
        await drilled(shop, replace(LIVE, begin=begin))

    assert planned == [(shop.ids["v1"], shop.ids["v2"])]
    assert await shop.store.pins() == before


class Failing:
    """A store that fails at some calls, by name: once each."""

    def __init__(self, store, **failures):
        self._store, self._failures = store, failures

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def ask(self, question):
        if question.kind == "probe" and self._left("probes"):
            raise self._failures["error"]
        await self._store.ask(question)

    async def swap(self, order):
        (change,) = order.changes
        if change.kind is Kind.ROLLBACK and self._left("rollbacks"):
            raise self._failures["error"]
        return await self._store.swap(order)

    def _left(self, name):
        left = self._failures.get(name, [])
        return bool(left) and left.pop(0)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (StoreUnavailable(), "cannot be reached"),
        (asyncio.CancelledError(), "interrupted"),
        (KeyError("a mistake"), "interrupted"),
    ],
    ids=["store-away", "interrupted", "mistake"],
)
async def test_whatever_ends_a_live_drill_prod_gets_back_what_it_held(shop, fleet, error, words):
    failing = Failing(shop.store, probes=[False, True], error=error)

    with pytest.raises(DrillStopped, match=rf"{words}.*prod holds {shop.ids['v2']} again"):
        await drilled(replace_store(shop, failing), LIVE)

    assert await shop.held() == "v2"
    for proxy in fleet:
        await proxy.until(lambda proxy=proxy: proxy.serving("shop") == shop.ids["v2"])


async def test_a_store_that_is_away_for_a_moment_gets_its_pin_back(shop, fleet):
    failing = Failing(shop.store, rollbacks=[True, True], error=StoreUnavailable())

    assert (await drilled(replace_store(shop, failing), LIVE)).reverted


async def test_an_interruption_of_the_way_back_is_not_heard(shop, fleet):
    task = None

    class Interrupting(Failing):
        async def swap(self, order):
            if order.changes[0].kind is Kind.ROLLBACK:
                task.cancel()
                await asyncio.sleep(0)
            return await super().swap(order)

    work = drilled(replace_store(shop, Interrupting(shop.store)), LIVE)
    task = asyncio.create_task(work)

    assert (await task).reverted
    assert await shop.held() == "v2"


async def test_a_pin_that_somebody_else_made_meanwhile_is_left(shop, fleet):
    class Meanwhile(Failing):
        async def swap(self, order):
            if order.changes[0].kind is Kind.ROLLBACK and await shop.held() == "v1":
                await shop.pin("v3")
            return await super().swap(order)

    with pytest.raises(
        NotPutBack, match=r"somebody else pinned shop-v3-.* which was left"
    ) as caught:
        await drilled(replace_store(shop, Meanwhile(shop.store)), LIVE)

    assert caught.value.hint == "NOW: proxyctl pin shop v2"
    assert await shop.held() == "v3"


async def test_two_drills_at_once_do_not_believe_each_other(shop, fleet):
    class Meanwhile(Failing):
        async def swap(self, order):
            if order.changes[0].kind is Kind.ROLLBACK:
                await shop.pin("v1", label=DRILL)
            return await super().swap(order)

    with pytest.raises(DrillStopped, match="another drill"):
        await drilled(replace_store(shop, Meanwhile(shop.store)))


async def test_the_plan_is_made_of_what_the_store_holds(shop):
    plan = await plan_of(shop.store, "shop")
    live = await plan_of(shop.store, "shop", live=True)

    assert (plan.other.info.number, plan.held.info.number, plan.label) == (3, 2, DRILL)
    assert (live.other.info.number, live.held.info.number, live.label) == (1, 2, PROD)
