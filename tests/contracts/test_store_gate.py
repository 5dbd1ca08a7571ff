"""What every store promises about the gate: nothing unproven comes to prod, unless it is forced."""

import pytest

from proxy.errors import GateChanged, InvalidArgument, NothingToRatify, Unproven
from proxy.versions.evidence import Gate
from proxy.versions.record import Kind
from tests.contracts.places import MODEL, change, freeze, held, operation, order, pin, registered
from tests.contracts.proof import GATE, SUITE, approved, gated, result

OTHER = "sha256:" + "b" * 64
LOOSER = Gate(SUITE, min_score=0.1)


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


async def ratify(store, info, label="prod", **more):
    about = {"by": "eve", "reason": "looked at it", "operation": operation()}
    return await store.ratify(MODEL, label, info.id, **{**about, **more})


async def test_without_a_gate_registration_is_enough(store, versions):
    await pin(store, versions[0])

    assert await held(store) == versions[0].id


async def test_nothing_comes_to_prod_without_a_verdict(store, versions):
    await gated(store)
    await store.attach(result(versions[0].digest), operation())

    with pytest.raises(Unproven):
        await pin(store, versions[0])

    assert await held(store) is None


async def test_a_current_verdict_lets_a_version_through_and_the_pin_says_which(store, versions):
    await gated(store)
    verdict = await approved(store, versions[0])

    await pin(store, versions[0])

    event, *_ = await store.history(MODEL)
    assert (event.kind, event.version, event.verdict) == (Kind.PIN, versions[0].id, verdict.result)


@pytest.mark.parametrize("label", ["staging", "drill"])
async def test_only_prod_has_a_gate(store, versions, label):
    await gated(store)

    await pin(store, versions[0], label)

    assert await held(store, label) == versions[0].id


async def test_a_verdict_is_about_one_content(store, versions):
    await gated(store)
    await approved(store, versions[0])

    with pytest.raises(Unproven):
        await pin(store, versions[1])


async def test_a_verdict_is_about_what_prod_held(store, versions):
    await gated(store)
    await approved(store, versions[0])
    await approved(store, versions[1])
    await pin(store, versions[0])

    with pytest.raises(Unproven):
        await pin(store, versions[1])

    await approved(store, versions[1])
    await pin(store, versions[1])


@pytest.mark.parametrize("gate", [LOOSER, Gate(OTHER, 0.9, 0.02, 2)], ids=["numbers", "suite"])
async def test_a_verdict_is_about_one_gate(store, versions, gate):
    await gated(store)
    await approved(store, versions[0])
    await gated(store, gate)

    with pytest.raises(Unproven):
        await pin(store, versions[0])


async def test_a_gate_that_was_taken_away_asks_for_nothing(store, versions):
    await gated(store)
    await gated(store, None)

    await pin(store, versions[0])

    assert (await store.guards(MODEL)).gate is None


@pytest.mark.parametrize("about", [{"gate": LOOSER.key}, {"suite": OTHER}], ids=str)
async def test_a_verdict_about_another_gate_is_not_kept(store, versions, about):
    await gated(store)
    kept = await approved(store, versions[0])
    wrong = {name: getattr(kept, name) for name in kept.__struct_fields__} | about

    with pytest.raises(GateChanged):
        await store.approve(type(kept)(**wrong))


async def test_a_verdict_without_its_result_is_not_kept(store, versions):
    await gated(store)

    with pytest.raises(Unproven):
        await approved(store, versions[0], result="eval-000000000000")


async def test_a_verdict_where_there_is_no_gate_is_not_kept(store, versions):
    with pytest.raises(GateChanged):
        await approved(store, versions[0])


async def test_all_models_of_an_order_need_a_verdict(store, versions):
    await gated(store)
    await approved(store, versions[0])
    (ranker,) = await registered(store, "r", model="ranker")
    about = {"by": "ada", "reason": "", "operation": operation()}
    await store.set_gate("ranker", GATE, **about)

    with pytest.raises(Unproven):
        await store.swap(order(change(versions[0]), change(ranker)))

    assert await held(store) is None


async def test_back_to_what_passed_is_free(store, versions):
    await gated(store)
    for info in versions[:2]:
        await approved(store, info)
        await pin(store, info)

    await pin(store, versions[0])

    assert await held(store) == versions[0].id


@pytest.mark.parametrize("kind", [Kind.ROLLBACK, Kind.UNDO])
async def test_rollback_and_undo_need_no_verdict(store, versions, kind):
    await pin(store, versions[0])
    await pin(store, versions[1], force=True)
    await pin(store, versions[2])
    await gated(store)

    await pin(store, versions[1], kind=kind)

    assert await held(store) == versions[1].id


async def test_a_rollback_to_what_the_label_never_held_is_no_way_round_the_gate(store, versions):
    await pin(store, versions[0])
    await gated(store)

    with pytest.raises(Unproven):
        await pin(store, versions[1], kind=Kind.ROLLBACK)


async def test_an_undone_rollback_needs_no_verdict(store, versions):
    await pin(store, versions[0])
    await pin(store, versions[1])
    await gated(store)
    await pin(store, versions[0], kind=Kind.ROLLBACK, revoke=True)

    await pin(store, versions[1], kind=Kind.UNDO, restore=True)

    assert await held(store) == versions[1].id


async def test_force_breaks_the_glass_and_is_seen_until_it_is_ratified(store, versions):
    await gated(store)
    epoch = (await pin(store, versions[0], force=True)).epoch

    place = f"prod:{versions[0].id}"
    event, *_ = await store.history(MODEL)
    assert (event.forced, event.verdict) == (True, None)
    assert (await store.guards(MODEL)).unratified == {place: epoch}

    done = await ratify(store, versions[0])

    assert (await store.guards(MODEL)).unratified == {}
    assert (done.kind, done.by, done.version) == (Kind.RATIFY, "eve", versions[0].id)
    assert (await store.history(MODEL))[0] == done


async def test_what_was_forced_is_not_free_to_go_back_to_until_it_is_ratified(store, versions):
    await gated(store)
    await pin(store, versions[0], force=True)
    await approved(store, versions[1])
    await pin(store, versions[1])

    with pytest.raises(Unproven):
        await pin(store, versions[0])

    await ratify(store, versions[0])
    await pin(store, versions[0])


async def test_what_was_forced_and_passes_later_counts_as_passed(store, versions):
    await gated(store)
    await pin(store, versions[0], force=True)
    await pin(store, versions[1], force=True)
    await approved(store, versions[0])

    await pin(store, versions[0])

    assert (await store.guards(MODEL)).unratified.keys() == {f"prod:{versions[1].id}"}


async def test_a_frozen_model_does_not_go_back_to_what_was_forced(store, versions):
    await pin(store, versions[0], force=True)
    await pin(store, versions[1])
    await freeze(store)

    with pytest.raises(Exception, match="frozen"):
        await pin(store, versions[0])

    await pin(store, versions[0], kind=Kind.ROLLBACK)


async def test_only_what_was_forced_can_be_ratified(store, versions):
    await pin(store, versions[0])

    with pytest.raises(NothingToRatify):
        await ratify(store, versions[0])


async def test_ratifying_twice_by_one_operation_is_done_once(store, versions):
    await pin(store, versions[0], force=True)
    asked = operation()

    first = await ratify(store, versions[0], operation=asked)

    assert await ratify(store, versions[0], operation=asked) == first
    with pytest.raises(NothingToRatify):
        await ratify(store, versions[0])


async def test_a_change_of_the_gate_is_in_the_history(store, versions):
    await gated(store)
    await gated(store, LOOSER, by="eve", reason="too strict")

    loosened, set_first, *_ = await store.history(MODEL)
    assert (loosened.kind, loosened.by, loosened.reason) == (Kind.GATE, "eve", "too strict")
    assert '"min_score":0.1' in loosened.detail
    assert '"min_score":0.9' in set_first.detail
    assert (await store.guards(MODEL)).gate == LOOSER


@pytest.mark.parametrize(
    "gate", [Gate("nonsense"), Gate(SUITE, 1.5), Gate(SUITE, 0.5, -0.1)], ids=str
)
async def test_a_gate_that_makes_no_sense_is_refused(store, gate):
    with pytest.raises(InvalidArgument):
        await gated(store, gate)
