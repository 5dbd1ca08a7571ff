"""Whatever a store says, in whatever order: what is served never goes back."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.store.sqlite import SqliteStore
from proxy.versions.record import Pin, Pins
from tests.contracts.places import MODEL, UNKNOWN
from tests.fleet.following import KEY, following, registered

NOBODY, GONE, UNREADABLE = 2, 3, 4

# What one look at the pins finds: an epoch, and which of two versions the pin names, or what else.
looks = st.tuples(st.integers(1, 6), st.integers(0, UNREADABLE))
# A proxy that is started again and again, and what it finds each time.
stories = st.lists(st.lists(looks, min_size=1, max_size=12), min_size=1, max_size=3)


class Scripted(SqliteStore):
    """A store that says what it is told to, and then nothing more."""

    def tell(self, script):
        self.script = script
        self.told = asyncio.Event()

    async def watch(self, held):
        for pins in self.script:
            yield pins
        self.told.set()
        await asyncio.Event().wait()


def pins_of(infos, epoch, which):
    if which == GONE:
        return Pins(epoch, {})
    if which == UNREADABLE:
        return Pins(epoch, {}, frozenset({KEY}))
    info = infos[which % NOBODY]
    id = UNKNOWN if which == NOBODY else info.id
    return Pins(epoch, {KEY: Pin(MODEL, "prod", epoch, id, info.digest, "op")})


def best_of(infos, script, best):
    """Return the highest epoch that could be followed so far, and the version it came with."""
    for epoch, which in script:
        if which < NOBODY and epoch > best[0]:
            best = (epoch, infos[which].id)
    return best


async def follow_all(story):
    with tempfile.TemporaryDirectory() as folder:
        store = Scripted(Path(folder) / "store.db")
        infos = await registered(store, "Jackets.", "Hats.")
        best = (0, None)
        for script in story:
            best = best_of(infos, script, best)
            store.tell([pins_of(infos, *look) for look in script])
            async with following(store, Path(folder) / "kept") as proxy:
                await asyncio.wait_for(store.told.wait(), 10)
                held = proxy.follower.snapshot.pinned.get(KEY)
                assert best == ((held.pin.epoch, held.served.id) if held else (0, None))
        await store.close()


@given(story=stories)
@settings(max_examples=15)
def test_the_highest_epoch_that_could_be_followed_is_served_also_after_restarts(story):
    asyncio.run(follow_all(story))
