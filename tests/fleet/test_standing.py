"""What people write into the store by hand: followed if it is right, said and kept out if not."""

import asyncio
import sqlite3
from contextlib import closing

import pytest

from proxy.errors import NotPinned
from proxy.fleet import follow, judge
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import PROD
from tests.contracts.places import (
    DIGEST,
    MODEL,
    UNKNOWN,
    RedisPlace,
    SqlitePlace,
    change,
    order,
    pin,
)
from tests.fleet.following import (
    KEY,
    following,
    from_the_future,
    in_no_dialect,
    pin_text,
    registered,
    registered_text,
)


@pytest.fixture
def place(request, tmp_path):
    """Return where the store is: a file, which is read sooner than a server that is not told."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return SqlitePlace(tmp_path)
    return RedisPlace(request.getfixturevalue("redis_server"))


on_both = pytest.mark.parametrize("place", ["sqlite", "redis"], indirect=True)


@pytest.fixture
def set_pin(place):
    """Return a function that writes a pin of prod in a thread, as redis-cli would."""

    async def write(text, model=MODEL):
        await asyncio.to_thread(place.set_pin, model, PROD, text)

    return write


async def another_look(proxy, store, infos):
    """Pin to another label, and wait until the proxy saw that: it saw all the others anew."""
    await pin(store, infos[0], "marker")
    await proxy.until_serving(infos[0], "marker")


# --- pins that are followed


@on_both
async def test_a_well_formed_pin_that_was_set_by_hand_is_followed(proxy, infos, set_pin):
    await set_pin(pin_text(infos[1], 9))
    await proxy.until_serving(infos[1])

    assert proxy.follower.snapshot.epoch == 9


@on_both
async def test_a_pin_that_was_set_by_hand_is_logged_as_unrecorded(proxy, infos, set_pin):
    await set_pin(pin_text(infos[1], 9))
    line = (await proxy.lines("pin.changed", 2))[1]

    assert line["unrecorded"] is True


async def test_the_next_pin_is_above_one_that_was_set_by_hand(proxy, store, infos, set_pin):
    await set_pin(pin_text(infos[1], 9))
    await proxy.until_serving(infos[1])

    await pin(store, infos[0])
    await proxy.until_serving(infos[0])

    assert proxy.follower.snapshot.epoch == 10


# --- pins that are not

WRONG = {
    "of a version that was never registered": (
        {"id": UNKNOWN, "digest": DIGEST},
        "unknown_version",
    ),
    "with another digest": ({"digest": "sha256:{hex}" + "0" * 58}, "version_corrupt"),
    "that is garbage": ({"operation": "a|b"}, follow.UNREADABLE),
    "of another model's version": ({"id": "ranker-v1-ffffff", "digest": DIGEST}, follow.UNREADABLE),
}


@pytest.fixture(params=WRONG, ids=lambda name: name.replace(" ", "-"))
def wrong(request, infos):
    """Return the text of a wrong pin above all epochs, and the code that it is rejected with."""
    changed, code = WRONG[request.param]
    digits = infos[1].digest.removeprefix("sha256:")[:6]
    filled = {name: text.replace("{hex}", digits) for name, text in changed.items()}
    return pin_text(infos[1], 99, **filled), code


async def test_a_wrong_pin_is_not_followed_and_said_once(proxy, store, infos, set_pin, wrong):
    text, code = wrong
    await set_pin(text)
    (line,) = await proxy.lines("pin.rejected")
    await another_look(proxy, store, infos)

    assert line["reason"] == code
    assert (line["model"], line["label"], line["level"]) == (*KEY, "error")
    assert await proxy.logged("pin.rejected") == [line]
    assert proxy.serving() == infos[0].id


@on_both
async def test_a_wrong_pin_shows_until_it_is_put_right(proxy, store, infos, set_pin):
    await set_pin("garbage")
    await proxy.lines("pin.rejected")
    assert proxy.follower.state.rejected == {KEY: follow.UNREADABLE}

    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert proxy.follower.state.rejected == {}


async def test_a_wrong_pin_does_not_raise_the_epoch(proxy, infos, set_pin):
    before = proxy.follower.snapshot.epoch
    await set_pin(pin_text(infos[1], 99, id=UNKNOWN, digest=DIGEST))
    await proxy.lines("pin.rejected")

    assert proxy.follower.snapshot.epoch == before


async def test_a_wrong_pin_does_not_keep_other_models_from_their_pins(proxy, store, infos, set_pin):
    (ranker,) = await registered(store, "Rank.", model="ranker")
    await set_pin(pin_text(infos[1], 99, id=UNKNOWN, digest=DIGEST))
    await proxy.lines("pin.rejected")

    await pin(store, ranker)
    await proxy.until_serving(ranker)

    assert proxy.serving() == infos[0].id


async def test_a_wrong_pin_that_was_there_first_leaves_the_model_without_a_version(
    place, store, tmp_path, set_pin, wrong
):
    await store.swap(order(change((await registered(store, "Rank."))[0])))
    await set_pin(wrong[0])
    own = place.open()
    async with following(own, tmp_path / "other") as late:
        with pytest.raises(NotPinned):
            late.resolve(MODEL)
    await own.close()


async def test_a_version_that_comes_after_its_pin_is_found(proxy, store, set_pin, clock):
    (later,) = await registered(store, "Recommend scarves.", model="twin")
    await set_pin(pin_text(later, 99).replace("twin-v1", f"{MODEL}-v3"))
    await proxy.lines("pin.rejected")

    (real,) = await registered(store, "Recommend scarves.")
    clock.forward(judge.REFUSED_FOR_S)
    await proxy.until_serving(real)

    assert proxy.follower.state.rejected == {}


@pytest.mark.parametrize(
    ("content", "code"),
    [(from_the_future(), "version_corrupt"), (in_no_dialect(), "wrong_dialect")],
    ids=["of a later release", "in no dialect"],
)
async def test_a_version_that_cannot_be_served_is_rejected(proxy, store, infos, content, code):
    info = await registered_text(store, content)
    await pin(store, info)
    (line,) = await proxy.lines("pin.rejected")

    assert (line["version"], line["reason"]) == (info.id, code)
    assert proxy.serving() == infos[0].id


# --- a store that knows less than the proxy


@on_both
async def test_an_older_pin_is_not_followed_back(proxy, store, infos, set_pin):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    await set_pin(pin_text(infos[0], 1))
    (line,) = await proxy.lines("store.regressed")
    await another_look(proxy, store, infos)

    assert line["behind"] == [f"{MODEL}@prod"]
    assert await proxy.logged("store.regressed") == [line]
    assert proxy.serving() == infos[1].id


async def test_another_pin_of_the_same_epoch_is_not_followed(proxy, infos, set_pin):
    await set_pin(pin_text(infos[1], proxy.follower.snapshot.epoch))
    await proxy.lines("store.regressed")

    assert proxy.serving() == infos[0].id


async def test_a_store_that_was_put_right_is_said_once(proxy, store, infos, set_pin):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])
    await set_pin(pin_text(infos[0], 1))
    await proxy.lines("store.regressed")

    swapped = await pin(store, infos[0])  # it holds that already: nothing changes
    await set_pin(pin_text(infos[0], swapped.epoch + 5))
    (line,) = await proxy.lines("store.caught_up")

    assert line["epoch"] == swapped.epoch + 5
    assert not proxy.follower.state.regressed


async def test_the_fleet_is_told_what_is_wrong(proxy, store, infos, set_pin):
    await set_pin("garbage")
    await proxy.lines("pin.rejected")
    proxy.follower.reporter.soon()

    async with asyncio.timeout(10):
        while "unreadable" not in (await store.members())[0].detail:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert (await store.members())[0].rejected == ("recommender@prod",)


# --- what only Redis can have happen to it


@pytest.fixture
async def on_redis(server, tmp_path):
    """Return a store on a server of its own, two versions of which the first is pinned, and a
    follower."""
    store, own = (RedisStore(source(server.url)) for _ in range(2))
    infos = await registered(store, "Recommend jackets.", "Recommend hats.")
    await pin(store, infos[0])
    async with following(own, tmp_path / "kept") as proxy:
        yield store, infos, proxy
    for each in (store, own):
        await each.close()


async def test_a_deleted_pin_is_said_and_the_version_kept(server, on_redis):
    _, infos, proxy = on_redis
    await asyncio.to_thread(server.run, "DEL", Keys().pin(KEY))
    (line,) = await proxy.lines("pin.rejected")

    assert line["reason"] == follow.UNREADABLE
    assert await proxy.logged("store.regressed") == []
    assert proxy.serving() == infos[0].id


async def test_a_pin_of_the_wrong_type_is_said_and_the_version_kept(server, on_redis):
    _, infos, proxy = on_redis
    key = Keys().pin(KEY)
    await asyncio.to_thread(lambda: (server.run("DEL", key), server.run("LPUSH", key, "x")))
    await proxy.lines("pin.rejected")

    assert proxy.serving() == infos[0].id


async def test_an_emptied_store_is_said_and_the_versions_kept(server, on_redis):
    _, _, proxy = on_redis
    await asyncio.to_thread(server.run, "FLUSHALL")
    (line,) = await proxy.lines("store.regressed")
    before = proxy.follower.snapshot
    await proxy.looks()

    assert (line["store_epoch"], line["epoch"]) == (0, 1)
    assert len(await proxy.logged("store.regressed")) == 1
    assert proxy.follower.snapshot is before


async def test_an_emptied_store_is_followed_again_once_something_is_pinned(server, on_redis):
    store, _, proxy = on_redis
    await asyncio.to_thread(server.run, "FLUSHALL")
    await proxy.lines("store.regressed")
    (again,) = await registered(store, "Recommend scarves.")

    floor = proxy.follower.snapshot.epoch
    await store.swap(order(change(again), floor=floor))
    await proxy.until_serving(again)

    assert proxy.follower.snapshot.epoch == floor + 1


async def test_an_emptied_store_can_be_filled_by_hand(server, on_redis):
    store, _, proxy = on_redis
    await asyncio.to_thread(server.run, "FLUSHALL")
    await proxy.lines("store.regressed")
    (again,) = await registered(store, "Recommend scarves.")

    await asyncio.to_thread(server.run, "SET", Keys().pin(KEY), pin_text(again, 9))
    await proxy.until_serving(again)


async def test_an_emptied_store_can_be_filled_by_hand_after_a_restart_too(server, tmp_path):
    store = RedisStore(source(server.url))
    await pin(store, (await registered(store, "Recommend jackets."))[0])
    async with following(store, tmp_path / "kept"):
        pass
    server.run("FLUSHALL")
    (again,) = await registered(store, "Recommend scarves.")

    async with following(store, tmp_path / "kept") as proxy:
        await proxy.lines("store.regressed")
        await asyncio.to_thread(server.run, "SET", Keys().pin(KEY), pin_text(again, 9))
        await proxy.until_serving(again)
    await store.close()


async def test_an_epoch_that_went_back_is_said_though_no_pin_did(server, on_redis):
    _, _, proxy = on_redis
    await asyncio.to_thread(server.run, "SET", Keys().epoch, "50")
    await proxy.until(lambda: proxy.follower.snapshot.epoch == 50)

    await asyncio.to_thread(server.run, "SET", Keys().epoch, "3")
    (line,) = await proxy.lines("store.regressed")

    assert (line["store_epoch"], line["epoch"], line["behind"]) == (3, 50, [])


async def test_a_version_whose_bytes_were_changed_is_never_served(server, on_redis):
    store, infos, proxy = on_redis
    versions = Keys().of_model("versions", MODEL)
    await asyncio.to_thread(server.run, "HSET", versions, "2", "{}")

    await pin(store, infos[1])
    (line,) = await proxy.lines("pin.rejected")

    assert line["reason"] == "version_corrupt"
    assert proxy.serving() == infos[0].id


async def test_a_version_that_is_served_does_not_change_with_the_store(server, on_redis):
    _, infos, proxy = on_redis
    versions = Keys().of_model("versions", MODEL)
    await asyncio.to_thread(server.run, "HSET", versions, "1", "{}")
    await asyncio.to_thread(server.run, "SET", Keys().pin(KEY), pin_text(infos[0], 9))
    await proxy.until(lambda: proxy.follower.snapshot.epoch == 9)

    assert proxy.system() == "Recommend jackets."


async def test_an_id_that_was_changed_in_the_store_is_never_served(server, on_redis):
    """It goes into a header of every answer."""
    _, infos, proxy = on_redis
    meta = Keys().of_model("meta", MODEL)
    await asyncio.to_thread(_change_id, server, meta, infos[1].id)

    await asyncio.to_thread(server.run, "SET", Keys().pin(KEY), pin_text(infos[1], 9))
    (line,) = await proxy.lines("pin.rejected")

    assert line["reason"] == "unknown_version"


def _change_id(server, meta, id):
    text = server.run("HGET", meta, "2").decode()
    server.run("HSET", meta, "2", text.replace(id, f"{id}\\r\\nx-evil: 1"))


async def test_a_model_whose_versions_are_garbage_does_not_keep_others_from_their_pins(
    server, on_redis
):
    store, infos, proxy = on_redis
    (ranker,) = await registered(store, "Rank.", model="ranker")
    (shoes,) = await registered(store, "Recommend shoes.")
    await pin(store, infos[1], "staging")
    await proxy.until_serving(infos[1], "staging")
    for kind in ("versions", "meta"):
        key = Keys().of_model(kind, MODEL)
        await asyncio.to_thread(server.run, "DEL", key)
        await asyncio.to_thread(server.run, "SET", key, "x")

    await asyncio.to_thread(server.run, "SET", Keys().pin(KEY), pin_text(shoes, 98))
    await pin(store, ranker)
    await proxy.until_serving(ranker)

    assert proxy.follower.state.rejected == {KEY: f"{shoes.id}: store_unsafe"}


# --- what only a file can have happen to it


async def test_a_pin_that_was_deleted_from_the_file_is_said_and_the_version_kept(tmp_path):
    store = SqliteStore(tmp_path / "store.db")
    (first,) = await registered(store, "Recommend jackets.")
    await pin(store, first)
    async with following(store, tmp_path / "kept") as proxy:
        with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
            connection.execute("DELETE FROM pins")
        await proxy.lines("store.regressed")

        assert proxy.serving() == first.id
    await store.close()
