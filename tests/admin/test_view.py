"""What an operator at one proxy is shown when something is wrong."""

from datetime import UTC, datetime

import pytest

from proxy.admin.view import AdminView
from proxy.fleet.drills import Drills
from proxy.observe.log_sink import LogSink
from proxy.observe.stats import Stats
from proxy.store.sqlite import SqliteStore
from proxy.versions.evidence import Drill
from tests.contracts.places import MODEL, pin
from tests.fleet.following import Clock, following, in_no_dialect, registered, registered_text
from tests.harness import LogFile


@pytest.fixture
async def story(tmp_path):
    """Return a store, a follower of it whose one pin was rejected, and what is shown of it."""
    store = SqliteStore(tmp_path / "store.db")
    (first,) = await registered(store, "Recommend jackets.")
    await pin(store, first)
    hot = await registered_text(store, in_no_dialect())
    await pin(store, hot)
    clock = Clock()
    sink = LogSink(LogFile(), most_lines=10)
    async with following(store, tmp_path / "kept", clock=clock) as proxy:
        await proxy.lines("pin.rejected")
        view = AdminView(
            proxy.follower, Stats(), sink, draining=lambda: False, clock=clock, circuits=dict
        )
        yield view, proxy, hot, clock
    sink.close()
    await store.close()


def samples(view):
    lines = [line for line in view.metrics() if not line.startswith("#")]
    return dict(line.rsplit(" ", 1) for line in lines)


async def test_a_rejected_pin_shows_with_its_reason(story):
    view, _, hot, _ = story

    assert view.status()["rejected"] == {f"{MODEL}@prod": f"{hot.id}: wrong_dialect"}
    assert samples(view)["proxy_pins_rejected"] == "1"


async def test_a_proxy_is_ready_whatever_was_rejected(story):
    assert story[0].is_ready


async def test_how_long_ago_the_store_answered_is_shown(story):
    view, _, _, clock = story
    clock.forward(60)

    assert view.status()["last_contact_s"] >= 60


async def test_what_is_wrong_shows_in_the_metrics(story):
    view, proxy, _, _ = story
    proxy.follower.reporter.leased = True
    well = samples(view)
    proxy.follower.state.regressed = True
    proxy.follower.state.connected = False
    proxy.follower.saver.not_saved = "No space left on device"
    proxy.follower.reporter.leased = False
    view.sink.dropped = 7
    ill = samples(view)

    assert {name: (well[name], ill[name]) for name in well if well[name] != ill[name]} == {
        "proxy_store_regressed": ("0", "1"),
        "proxy_store_connected": ("1", "0"),
        "proxy_snapshot_saved": ("1", "0"),
        "proxy_leased": ("1", "0"),
        "proxy_log_lines_dropped_total": ("0", "7"),
    }


async def test_the_last_drill_of_each_model_is_shown(story):
    view, proxy, hot, _ = story
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    drill = Drill(MODEL, "drill", hot.id, hot.id, True, 7.1, 3, "ada", "2026-11-24T11:00:00.000Z")
    proxy.follower.drills = Drills(None, proxy.writer, now=lambda: noon)
    assert view.status()["drills"] == {}
    proxy.follower.drills.known = {MODEL: drill}

    assert view.status()["drills"] == {
        MODEL: {"at": drill.at, "age_s": 3600.0, "rollback_ms": 7.1, "reverted": True}
    }
    shown = samples(view)
    assert {name: value for name, value in shown.items() if name.startswith("proxy_drill")} == {
        f'proxy_drill_age_seconds{{model="{MODEL}"}}': "3600.0",
        f'proxy_drill_rollback_seconds{{model="{MODEL}"}}': "0.0071",
        f'proxy_drill_reverted{{model="{MODEL}"}}': "1",
    }
