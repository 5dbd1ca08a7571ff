"""What the store holds is what is served, a moment later, on every kind of store."""

import asyncio
import time

import pytest

from proxy.errors import NotPinned, UnknownModel, UnknownVersionAsked
from proxy.fleet import follow
from proxy.fleet.snapshot import Pinned
from proxy.routing.address import parse_address
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Pin, Pins
from tests.contracts.places import DIGEST, MODEL, RedisPlace, change, order, pin
from tests.fleet.following import following, registered

# A hint takes a millisecond or two, a look at SQLite 50; the rest is for a busy machine.
AT_ONCE_S = 0.2


async def test_what_is_pinned_is_served_once_it_has_started(proxy, infos):
    assert proxy.serving() == infos[0].id
    assert proxy.follower.state.source == "store"


async def test_a_pin_is_served_at_once(proxy, store, infos):
    began = time.perf_counter()
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert time.perf_counter() - began < AT_ONCE_S


async def test_the_version_comes_with_the_pin(proxy, store, infos):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert proxy.system() == "Recommend hats."


async def test_a_switch_is_one_line_that_says_from_what_to_what(proxy, store, infos):
    swapped = await pin(store, infos[1])
    line = (await proxy.lines("pin.changed", 2))[1]

    assert (line["model"], line["label"]) == (MODEL, "prod")
    assert (line["previous"], line["version"]) == (infos[0].id, infos[1].id)
    assert line["epoch"] == swapped.epoch
    assert line["unrecorded"] is False


async def test_a_new_label_is_followed(proxy, store, infos):
    await pin(store, infos[1], "staging")
    await proxy.until_serving(infos[1], "staging")

    assert proxy.serving() == infos[0].id


async def test_a_new_model_is_followed(proxy, store):
    (ranker,) = await registered(store, "Rank.", model="ranker")
    await pin(store, ranker)
    await proxy.until_serving(ranker)

    assert proxy.resolve("ranker").served.id == ranker.id


async def test_pins_of_one_swap_are_served_together(proxy, store, infos):
    (ranker,) = await registered(store, "Rank.", model="ranker")
    seen = []

    async def watch():
        while proxy.serving("ranker") is None:
            await asyncio.sleep(0)
            seen.append((proxy.serving(), proxy.serving("ranker")))

    watching = asyncio.create_task(watch())
    await store.swap(order(change(infos[1]), change(ranker)))
    await asyncio.wait_for(watching, 10)

    assert set(seen) <= {(infos[0].id, None), (infos[1].id, ranker.id)}
    assert seen[-1] == (infos[1].id, ranker.id)


async def test_many_pins_in_a_row_end_at_the_last(proxy, store, infos):
    for count in range(40):
        await pin(store, infos[(count + 1) % 2])
    last = await pin(store, infos[1])
    await proxy.until(lambda: proxy.follower.snapshot.epoch >= last.epoch)

    assert proxy.serving() == infos[1].id


async def test_the_epoch_that_is_served_is_known(proxy, store, infos):
    swapped = await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert proxy.follower.snapshot.epoch == swapped.epoch


async def test_a_request_keeps_the_version_that_it_began_with(proxy, store, infos):
    begun = proxy.resolve(MODEL)
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert begun.served.content.system == "Recommend jackets."


async def test_a_model_that_is_registered_but_not_pinned_is_known_by_name(proxy, store, clock):
    await registered(store, "Rank.", model="ranker")
    clock.forward(follow.MODELS_EVERY_S)
    await proxy.until(lambda: "ranker" in proxy.follower.snapshot.models)

    with pytest.raises(NotPinned):
        proxy.resolve("ranker")


async def test_a_model_that_nobody_registered_is_unknown(proxy):
    with pytest.raises(UnknownModel):
        proxy.resolve("nobody")


async def test_a_label_that_nobody_pinned_is_unknown(proxy):
    with pytest.raises(UnknownVersionAsked):
        proxy.resolve(f"{MODEL}@staging")


async def test_nothing_is_swapped_or_saved_while_nothing_changes(tmp_path, redis_server):
    place = RedisPlace(redis_server)
    store = place.open()
    await pin(store, (await registered(store, "Recommend jackets."))[0])
    async with following(store, tmp_path / "kept") as proxy:
        before = proxy.follower.snapshot
        await proxy.looks(3)

        assert proxy.follower.snapshot is before
    await store.close()


async def test_a_version_that_is_asked_for_by_number_is_fetched_and_held(proxy, infos):
    address = parse_address(f"{MODEL}@v2")

    fetched = await proxy.follower.fetch(address)

    assert fetched.id == infos[1].id
    assert proxy.follower.find(address) is fetched


async def test_two_followers_of_one_store_serve_the_same(proxy, place, store, infos, tmp_path):
    own = place.open()
    async with following(own, tmp_path / "second", name="web-2") as second:
        await pin(store, infos[1])
        await asyncio.gather(proxy.until_serving(infos[1]), second.until_serving(infos[1]))

        assert second.follower.snapshot.epoch == proxy.follower.snapshot.epoch
    await own.close()


class CrashingOnce(SqliteStore):
    """A store whose first answer is something that no code of ours expects."""

    crashed = False

    async def watch(self, held):
        if not self.crashed:
            self.crashed = True
            yield None
        async for pins in super().watch(held):
            yield pins


async def test_an_answer_that_our_code_cannot_bear_does_not_end_the_following(tmp_path):
    store = CrashingOnce(tmp_path / "store.db")
    (first,) = await registered(store, "Recommend jackets.")
    await pin(store, first)
    async with following(store, tmp_path / "kept") as proxy:
        await proxy.until_serving(first)

        (line,) = await proxy.lines("store.lost")
        assert line["reason"] == "the store's answer led to AttributeError"
    await store.close()


class Unbearable(SqliteStore):
    """A store with a version that no code of ours expects."""

    async def version(self, model, number):
        return await super().version(model, number) if model != "odd" else 1 / 0


async def test_a_version_that_our_code_cannot_bear_stops_no_other(tmp_path):
    store = Unbearable(tmp_path / "store.db")
    (odd,) = await registered(store, "Odd.", model="odd")
    (first,) = await registered(store, "Recommend jackets.")
    await store.swap(order(change(odd), change(first)))
    async with following(store, tmp_path / "kept") as proxy:
        assert proxy.serving() == first.id
        assert proxy.follower.state.rejected == {("odd", "prod"): f"{odd.id}: ZeroDivisionError"}
    await store.close()


def test_the_epoch_of_a_rejected_pin_was_not_reached():
    pins = Pins(9, {})

    assert follow.reached(pins, {}, {("a", "prod"): "version_corrupt"}) == 0
    assert follow.reached(pins, {}, {}) == 9


def test_the_epoch_of_a_pin_that_was_followed_beside_a_rejected_one_was_reached():
    made = {("b", "prod"): Pinned(Pin("b", "prod", 7, "b-v1-aaaaaa", DIGEST, "op"), None)}

    assert follow.reached(Pins(9, {}), made, {("a", "prod"): "version_corrupt"}) == 7
