"""The gate as operators meet it: judged at a pin, followed from files, loosened on purpose only."""

import pytest

from proxy.control.gate import accept, follow, ratify, show, stricter, unratified
from proxy.errors import GateRefused, NothingToRatify, ReasonRequired
from proxy.versions.evidence import CaseResult, Gate, Result
from proxy.versions.record import Kind

SUITE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
GATE = Gate(SUITE, min_score=0.8, max_regression=0.02, cases=2)


async def attach(shop, info, rain=1.0, snow=1.0, suite=SUITE, simulated=False):
    cases = (CaseResult("rain", rain, (rain,)), CaseResult("snow", snow, (snow,)))
    score = (rain + snow) / 2
    about = {"suite": suite, "score": score, "cases": cases, "simulated": simulated}
    result = Result("shop", info.digest, by="ada@host", **about)
    return (await shop.store.attach(result, shop.act().operation)).result


async def put(shop, gate=GATE):
    return await accept(shop.store, "shop", gate, shop.act("launch"))


@pytest.fixture
async def infos(shop):
    return await shop.register("one", "two", "three")


async def test_a_version_without_a_result_does_not_come_to_prod(shop, infos):
    await put(shop)

    with pytest.raises(GateRefused) as refused:
        await shop.pin("v1")

    assert "proxyctl eval shop" in refused.value.hint
    assert await shop.held() is None


async def test_a_version_that_passes_is_pinned_and_the_pin_points_to_its_result(shop, infos):
    await put(shop)
    result = await attach(shop, infos[0])

    await shop.pin("v1")

    event, *_ = await shop.store.history("shop")
    assert (event.kind, event.verdict) == (Kind.PIN, result.pointer)


async def test_a_simulated_run_is_no_proof_and_the_hint_says_what_is_missing(shop, infos):
    await put(shop)
    await attach(shop, infos[0], simulated=True)

    with pytest.raises(GateRefused, match="simulated") as refused:
        await shop.pin("v1")

    assert "with the vendor's key" in refused.value.hint


async def test_a_simulated_run_does_not_hide_a_real_one_from_before(shop, infos):
    await put(shop)
    real = await attach(shop, infos[0])
    await attach(shop, infos[0], snow=0.0, simulated=True)

    await shop.pin("v1")

    event, *_ = await shop.store.history("shop")
    assert event.verdict == real.pointer


async def test_what_fails_is_named(shop, infos):
    await put(shop)
    await attach(shop, infos[0], snow=0.0)

    with pytest.raises(GateRefused, match="snow"):
        await shop.pin("v1")


async def test_worse_than_prod_is_refused(shop, infos):
    await put(shop, Gate(SUITE, min_score=0.1, max_regression=0.02))
    await attach(shop, infos[0])
    await shop.pin("v1")
    await attach(shop, infos[1], rain=0.0, snow=0.2)

    with pytest.raises(GateRefused, match="rain"):
        await shop.pin("v2")

    assert await shop.held() == "v1"


async def test_where_prod_has_no_result_in_the_suite_nothing_can_be_compared(shop, infos):
    await shop.pin("v1")
    await put(shop)
    await attach(shop, infos[1])

    with pytest.raises(GateRefused) as refused:
        await shop.pin("v2")

    assert "proxyctl eval shop" in refused.value.hint


async def test_the_newest_result_counts(shop, infos):
    await put(shop)
    await attach(shop, infos[0])
    await attach(shop, infos[0], rain=0.0)

    with pytest.raises(GateRefused):
        await shop.pin("v1")


async def test_a_result_in_another_suite_counts_for_nothing(shop, infos):
    await put(shop)
    await attach(shop, infos[0], suite=OTHER)

    with pytest.raises(GateRefused):
        await shop.pin("v1")


async def test_going_back_is_free_even_where_the_gate_became_stricter(shop, infos):
    await shop.pins("v1", "v2")
    await put(shop)

    await shop.pin("v1")
    assert await shop.held() == "v1"

    await shop.rollback()
    assert await shop.held() == "v2"


async def test_force_pins_what_did_not_pass_and_ratify_accepts_it(shop, infos):
    await put(shop)
    await shop.pin("v1", reason="the vendor is down", force=True)

    event, *_ = await shop.store.history("shop")
    assert (event.forced, event.reason) == (True, "the vendor is down")
    guards = await shop.store.guards("shop")
    assert unratified(guards, "prod") == [infos[0].id]
    assert unratified(guards, "staging") == []

    about = {"label": "prod", "version": infos[0].id}
    done = await ratify(shop.store, "shop", shop.act("looked at it"), **about)

    assert done.json()["version"] == infos[0].id
    assert unratified(await shop.store.guards("shop"), "prod") == []
    with pytest.raises(NothingToRatify):
        await ratify(shop.store, "shop", shop.act("again"), **about)


async def test_ratifying_needs_a_reason(shop, infos):
    with pytest.raises(ReasonRequired):
        await ratify(shop.store, "shop", shop.act(), label="prod", version=infos[0].id)


async def test_other_labels_have_no_gate(shop, infos):
    await put(shop)

    await shop.pin("v1", label="staging")

    assert await shop.held("staging") == "v1"


# --- what the files ask for


async def test_the_first_gate_of_the_files_is_put_in_force(shop, infos):
    report = await follow(shop.store, "shop", GATE, shop.act())

    assert (report.gate, report.changed, report.looser) == (GATE, True, False)
    assert (await shop.store.guards("shop")).gate == GATE


async def test_following_what_is_in_force_changes_nothing(shop, infos):
    await put(shop)

    report = await follow(shop.store, "shop", GATE, shop.act())

    assert not report.changed
    assert [e.kind for e in await shop.store.history("shop")].count(Kind.GATE) == 1


async def test_a_stricter_gate_is_put_in_force(shop, infos):
    await put(shop)
    wanted = Gate(SUITE, 0.9, 0.01, 2)

    assert (await follow(shop.store, "shop", wanted, shop.act())).gate == wanted


@pytest.mark.parametrize(
    "wanted", [Gate(SUITE, 0.1, 0.02, 2), Gate(SUITE, 0.8, 0.5, 2), Gate(SUITE, 0.8, None, 2)]
)
async def test_a_looser_gate_is_not_put_in_force_by_files(shop, infos, wanted):
    await put(shop)

    report = await follow(shop.store, "shop", wanted, shop.act())

    assert (report.gate, report.changed, report.looser) == (GATE, False, True)


async def test_a_changed_suite_is_followed_and_loosens_no_number(shop, infos):
    await put(shop)

    report = await follow(shop.store, "shop", Gate(OTHER, 0.1, None, 5), shop.act())

    assert (report.gate, report.changed, report.looser) == (Gate(OTHER, 0.8, 0.02, 5), True, True)


async def test_files_without_a_suite_take_no_gate_away(shop, infos):
    await put(shop)

    report = await follow(shop.store, "shop", None, shop.act())

    assert (report.gate, report.changed, report.looser) == (GATE, False, True)


async def test_loosening_is_done_with_a_reason_and_is_in_the_history(shop, infos):
    await put(shop)
    with pytest.raises(ReasonRequired):
        await accept(shop.store, "shop", None, shop.act())

    await accept(shop.store, "shop", None, shop.act("it blocked a fix"))

    event, *_ = await shop.store.history("shop")
    assert (event.kind, event.reason, event.detail) == (Kind.GATE, "it blocked a fix", "null")
    assert (await show(shop.store, "shop", GATE)).gate is None


def test_the_stricter_of_two_gates_asks_for_what_either_asks_for():
    assert stricter(Gate(OTHER, 0.5, 0.1), Gate(SUITE, 0.9, None)) == Gate(OTHER, 0.9, 0.1)
    assert stricter(Gate(OTHER, 0.5, None), Gate(SUITE, 0.1, 0.2)) == Gate(OTHER, 0.5, 0.2)
    assert stricter(Gate(OTHER, 0.5, 0.1), None) == Gate(OTHER, 0.5, 0.1)
    assert stricter(Gate(OTHER, simulated=True), Gate(SUITE)) == Gate(OTHER)
    assert stricter(Gate(OTHER, simulated=True), Gate(SUITE, simulated=True)).simulated
