"""Verbs that talk with the fleet: what repair answers, and a pin that a proxy rejects."""

import sqlite3
import threading
from contextlib import aclosing, closing

from proxy.fleet.last_known_good import LastKnownGood
from proxy.fleet.snapshot import Pinned, Snapshot, make_ready
from proxy.versions.question import Prepared, answer
from proxy.versions.record import Member


def test_repair_says_what_it_would_do_and_does_it_when_told(ctl):
    _by_hand(ctl)

    page = ctl("repair")
    assert "record   recommender prod: v1-" in page.out
    assert "proxyctl repair --yes does this" in page.out
    assert ctl.ok("repair")["applied"] is False

    done = ctl.ok("repair", "--yes")
    assert (done["applied"], len(done["record"])) == (True, 1)
    assert ctl("repair").out == "store and fleet agree\n"


def _by_hand(ctl):
    """Pin version 1 past the store."""
    first, _ = ctl.versions(2)
    digest = ctl.ok("show", "recommender", "v1")["digest"]
    text = f"9|{first}|{digest}|by-hand"
    with closing(sqlite3.connect(ctl.directory / ".proxy/store.db")) as connection, connection:
        connection.execute("UPDATE pins SET text = ?", (text,))


def test_repair_puts_back_what_a_last_known_good_file_holds(ctl):
    _, second = ctl.versions(2)
    kept = ctl.directory / "kept"
    ctl.with_store(lambda store: _saved(store, kept))
    (ctl.directory / ".proxy/store.db").rename(ctl.directory / "lost.db")
    for side in ("-wal", "-shm"):
        (ctl.directory / f".proxy/store.db{side}").unlink(missing_ok=True)

    done = ctl.ok("repair", "--yes", "--from", str(kept / "last-known-good.json"))

    assert [one["id"] for one in done["restore"]] == [second]
    assert done["pinned"]["to"] == second == ctl.held()


async def _saved(store, directory):
    """Save what the store holds, as a proxy does."""
    pins = await store.pins()
    pinned = {
        key: Pinned(pin, make_ready(await store.version(pin.model, 2)))
        for key, pin in pins.pins.items()
    }
    disk = LastKnownGood(directory, "elsewhere")
    disk.write(Snapshot.of(pins.epoch, pinned))
    disk.release()


def test_a_pin_that_a_proxy_rejects_is_refused_by_name(ctl):
    ctl.change("one")
    ctl.with_store(lambda store: store.report(Member("web-1", 0, {})))

    with Answering(ctl, "web-1", Prepared({"recommender-v1-000000": "unknown_vendor"})):
        ran = ctl("pin", "recommender", "v1", "--json")

    assert ran.status == 1
    assert ran.json["error"]["code"] == "not_prepared"
    assert "web-1: recommender-v1-000000 unknown_vendor" in ran.err
    assert ctl.held() is None


class Answering(threading.Thread):
    """A proxy that answers the next preparation, on a thread of its own."""

    def __init__(self, ctl, member, prepared):
        super().__init__()
        self.ctl, self.member, self.prepared = ctl, member, prepared

    def __enter__(self):
        self.start()

    def __exit__(self, *exc_info):
        self.join()

    def run(self):
        self.ctl.with_store(self._answer)

    async def _answer(self, store):
        async with aclosing(store.watch(())) as watched:
            async for pins in watched:
                if pins.questions:
                    id = pins.questions[-1].id
                    await store.answer(id, self.member, answer(self.prepared))
                    return
