"""Which versions may go on with the conversations that they began, as a proxy knows it."""

import asyncio
from dataclasses import replace

import pytest

from proxy.errors import StoreUnavailable
from proxy.fleet.conversations import Conversations
from proxy.fleet.snapshot import Snapshot
from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Former, Kind
from tests.contracts.places import MODEL, pin
from tests.fleet.following import PATIENCE_S, following, registered

KEEP_S = 1800.0


def any_label(label):
    return True


def found(proxy, info, *, labels=any_label, keep_s=KEEP_S):
    """Return the id of the version that may go on."""
    served = proxy.follower.conversations.find(info.id, labels, keep_s)
    return served.id if served else None


async def until_ready(conversations, id):
    async with asyncio.timeout(PATIENCE_S):
        while not conversations.find(id, any_label, KEEP_S):  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.002)


async def test_what_a_pin_replaced_may_go_on_at_once(proxy, store, infos):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert found(proxy, infos[0]) == infos[0].id


async def test_what_no_label_lost_may_not(proxy, infos):
    assert [found(proxy, info) for info in infos] == [None, None]


async def test_its_time_is_over_after_the_window(proxy, store, infos, clock):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    clock.forward(KEEP_S - 60)
    assert found(proxy, infos[0])
    clock.forward(61)
    assert found(proxy, infos[0]) is None


async def test_a_window_of_nothing_keeps_nothing(proxy, store, infos):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert found(proxy, infos[0], keep_s=0.0) is None


async def test_the_label_that_lost_it_has_to_be_accepted(proxy, store, infos):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    assert found(proxy, infos[0], labels={"staging"}.__contains__) is None
    assert found(proxy, infos[0], labels={"prod"}.__contains__)


async def test_a_rollback_ends_it_with_the_pin(proxy, store, infos):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    await pin(store, infos[0], kind=Kind.ROLLBACK, revoke=True)
    await proxy.until_serving(infos[0])

    assert found(proxy, infos[1]) is None


async def test_a_revocation_ends_what_was_kept_for_long(proxy, store, infos):
    """Both labels lost it to other versions before; then one got it again, and was rolled back."""
    await pin(store, infos[1])
    await pin(store, infos[0])
    await until_ready(proxy.follower.conversations, infos[1].id)

    await pin(store, infos[1], "staging")
    await pin(store, infos[0], "staging", kind=Kind.ROLLBACK, revoke=True)
    await proxy.until(lambda: proxy.follower.snapshot.epoch == 5)

    assert found(proxy, infos[1]) is None


async def test_a_proxy_that_starts_later_fetches_it(place, store, infos, tmp_path):
    await pin(store, infos[1])
    own = place.open()

    async with following(own, tmp_path / "other") as late:
        await until_ready(late.follower.conversations, infos[0].id)

    await own.close()


async def test_what_is_known_stays_over_a_reload(proxy, store, infos, tmp_path):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])
    away = Conversations(store, lambda: 0.0)

    away.continue_with(proxy.follower.conversations)

    assert away.find(infos[0].id, any_label, KEEP_S).id == infos[0].id


class Moody:
    """A store that answers at its second thought."""

    def __init__(self, store, error):
        self._store, self._errors = store, [error]

    async def version(self, model, number):
        if self._errors:
            raise self._errors.pop()
        return await self._store.version(model, number)


@pytest.fixture
async def sqlite(tmp_path):
    store = SqliteStore(tmp_path / "one.db")
    yield store
    await store.close()


@pytest.fixture
async def telling():
    """Return a function that tells of former holders and fetches, until the test is over."""
    running = []

    def tell(store, *former, clock=lambda: 0.0):
        conversations = Conversations(store, clock, again_s=0.002)
        conversations.told(former, Snapshot())
        running.append(asyncio.create_task(conversations.run()))
        return conversations

    yield tell
    for one in running:
        one.cancel()
    await asyncio.gather(*running, return_exceptions=True)


FAR = 2**52  # in the future: it counts as lost just now


async def test_a_store_that_is_away_is_asked_again(sqlite, telling):
    (info,) = await registered(sqlite, "one")

    conversations = telling(Moody(sqlite, StoreUnavailable()), Former(info.id, "prod", FAR))

    await until_ready(conversations, info.id)


@pytest.mark.parametrize("wrong", ["-v1-ffffff", "-v9-abcdef"])
async def test_what_the_store_has_not_holds_up_nothing(sqlite, telling, wrong):
    (info,) = await registered(sqlite, "one")
    former = (Former(MODEL + wrong, "prod", FAR), Former(info.id, "prod", FAR))

    conversations = telling(sqlite, *former)
    await until_ready(conversations, info.id)

    assert conversations.find(MODEL + wrong, any_label, KEEP_S) is None


async def test_bytes_that_are_not_those_of_the_digest_never_go_on(place, telling):
    store = place.open()
    one, two = await registered(store, "one", "two")
    place.damage(MODEL, one.number)

    conversations = telling(store, *(Former(info.id, "prod", FAR) for info in (one, two)))
    await until_ready(conversations, two.id)

    assert conversations.find(one.id, any_label, KEEP_S) is None
    await store.close()


async def test_what_was_lost_before_the_start_is_as_old_as_the_store_says(sqlite, telling):
    (info,) = await registered(sqlite, "one")
    recent = Former(info.id, "prod", FAR)
    old = replace(recent, at_ms=1)

    kept, over = (telling(sqlite, one) for one in (recent, old))
    await until_ready(kept, info.id)

    assert over.find(info.id, any_label, KEEP_S) is None
