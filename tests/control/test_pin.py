import pytest

from proxy.control.confirm import NO_WAIT
from proxy.control.pin import Want, pin
from proxy.errors import (
    Conflict,
    Frozen,
    InvalidArgument,
    ReasonRequired,
    Revoked,
    UnknownModelNamed,
    UnknownVersion,
    VersionCorrupt,
)
from tests.control.shop import corrupt


async def test_a_pin_moves_the_label_and_says_from_where_to_where(shop):
    first, second = await shop.register("one", "two")
    await shop.pin("v1")

    report = await shop.pin("v2", operation="op-of-pin")

    assert await shop.held() == "v2"
    assert report.json() == {
        "model": "shop",
        "label": "prod",
        "from": first.id,
        "to": second.id,
        "epoch": 2,
        "confirmed": 0,
        "of": 0,
        "elapsed_ms": 0.0,
        "proxies": [],
        "prepared": {"ready": 0, "rejected": [], "warnings": [], "silent": [], "elapsed_ms": 0.0},
        "operation": "op-of-pin",
        "replayed": False,
    }


async def test_several_models_move_in_one_swap(shop):
    (shop_info,) = await shop.register("one")
    (rank_info,) = await shop.register("one", model="rank")

    report = await pin(shop.store, [Want("shop", "v1"), Want("rank", "v1")], shop.act(), NO_WAIT)

    assert report.json()["changes"] == [
        {"model": "shop", "label": "prod", "from": None, "to": shop_info.id, "epoch": 1},
        {"model": "rank", "label": "prod", "from": None, "to": rank_info.id, "epoch": 1},
    ]


async def test_if_one_model_cannot_move_none_does(shop):
    await shop.register("one")

    with pytest.raises(UnknownModelNamed):
        await pin(shop.store, [Want("shop", "v1"), Want("rank", "v1")], shop.act(), NO_WAIT)

    assert await shop.held() is None


async def test_what_was_never_registered_cannot_be_pinned(shop):
    await shop.register("one")

    with pytest.raises(UnknownVersion):
        await shop.pin("v2")


async def test_what_does_not_have_its_digest_cannot_be_pinned(shop, tmp_path):
    await shop.register("one")
    corrupt(tmp_path / "store.db", b"one", b"two")

    with pytest.raises(VersionCorrupt):
        await shop.pin("v1")

    assert await shop.held() is None


async def test_an_expectation_that_holds_lets_the_pin_through(shop):
    await shop.register("one", "two")
    await shop.pin("v1", expect="none")
    await shop.pin("v2", expect="v1")

    assert await shop.held() == "v2"


@pytest.mark.parametrize("expect", ["v2", "none"])
async def test_an_expectation_that_does_not_hold_stops_the_pin(shop, expect):
    await shop.register("one", "two", "three")
    await shop.pin("v1")

    with pytest.raises(Conflict) as caught:
        await shop.pin("v3", expect=expect)

    assert caught.value.current == shop.ids["v1"]
    assert await shop.held() == "v1"


async def test_a_pin_of_another_label_leaves_prod_alone(shop):
    await shop.register("one", "two")
    await shop.pin("v1")

    await shop.pin("v2", label="staging")

    assert await shop.held("staging") == "v2"
    assert await shop.held() == "v1"


async def test_what_a_label_holds_can_be_pinned_to_another(shop):
    await shop.register("one")
    await shop.pin("v1", label="staging")

    await shop.pin("staging")

    assert await shop.held() == "v1"


@pytest.mark.parametrize("label", ["v7", "PROD", "", "a b"])
async def test_a_label_must_be_one(shop, label):
    await shop.register("one")

    with pytest.raises(InvalidArgument):
        await shop.pin("v1", label=label)


@pytest.mark.parametrize("wants", [[], [Want("shop", "v1"), Want("shop", "v2")]])
async def test_every_model_is_named_once(shop, wants):
    with pytest.raises(InvalidArgument):
        await pin(shop.store, wants, shop.act(), NO_WAIT)


async def test_one_expectation_is_not_for_several_models(shop):
    wants = [Want("shop", "v1"), Want("rank", "v1")]

    with pytest.raises(InvalidArgument):
        await pin(shop.store, wants, shop.act(), NO_WAIT, expect="v1")


async def test_a_revoked_version_needs_force_and_force_a_reason(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2")
    await shop.rollback()

    with pytest.raises(Revoked):
        await shop.pin("v2")
    with pytest.raises(ReasonRequired):
        await shop.pin("v2", force=True)
    await shop.pin("v2", force=True, reason="it was not the prompt")

    assert await shop.held() == "v2"
    assert await shop.revoked() == set()


async def test_a_pin_can_revoke_what_it_leaves(shop):
    await shop.register("one", "two")
    await shop.pin("v1")

    await shop.pin("v2", revoke=True)

    assert await shop.revoked() == {"v1"}


async def test_going_back_by_pin_revokes_nothing(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2", "v1")

    assert await shop.revoked() == set()


async def test_a_frozen_model_takes_no_forward_pin(shop):
    await shop.register("one", "two")
    await shop.pin("v1")
    await shop.store.freeze("shop", True, by="ada", reason="holidays", operation="f")

    with pytest.raises(Frozen):
        await shop.pin("v2")


async def test_the_same_operation_is_done_once(shop):
    first, _ = await shop.register("one", "two")
    await shop.pin("v1", operation="once")
    await shop.pin("v2")

    again = await shop.pin("v1", operation="once")

    assert await shop.held() == "v2"
    assert again.json()["replayed"] is True
    assert again.json()["to"] == first.id
