"""Lists, history, status: what people and scripts are shown."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from proxy.control.catalog import diff, list_models, list_versions, show
from proxy.control.freeze import set_frozen
from proxy.control.history import at, history
from proxy.control.status import fleet_states, odd_members, status
from proxy.errors import UnknownModelNamed, VersionCorrupt
from proxy.versions.evidence import Drill, Gate
from proxy.versions.record import Member, Pins
from tests.control.shop import corrupt


async def test_models_are_listed_with_what_is_pinned(shop):
    await shop.register("one", model="rank")
    _, second = await shop.register("one", "two")
    await shop.pin("v1")

    rows = [row.json() for row in await list_models(shop.store)]

    assert [row["model"] for row in rows] == ["rank", "shop"]
    assert rows[1] == {
        "model": "shop",
        "versions": 2,
        "newest": second.id,
        "pins": {"prod": shop.ids["v1"]},
    }


async def test_versions_are_listed_newest_first_with_labels_and_revocations(shop):
    await shop.register("one", "two", "three")
    await shop.pins("v1", "v2")
    await shop.rollback()
    await shop.pin("v1", label="staging")

    rows = [row.json() for row in await list_versions(shop.store, "shop")]

    assert [(row["version"], row["labels"], row["revoked"]) for row in rows] == [
        (3, [], False),
        (2, [], True),
        (1, ["prod", "staging"], False),
    ]


async def test_a_version_is_shown_whole(shop):
    (info,) = await shop.register("one", tools=[{"name": "find"}])

    shown = (await show(shop.store, "shop", "v1")).json()

    assert shown["model"] == "shop"
    assert shown["id"] == info.id
    assert shown["content"] == {
        "model": {"vendor": "openai", "id": "gpt-4o"},
        "system": "one",
        "tools": [{"name": "find"}],
    }


async def test_a_corrupt_version_is_not_shown(shop, tmp_path):
    await shop.register("one")
    corrupt(tmp_path / "store.db", b"one", b"eno")

    with pytest.raises(VersionCorrupt):
        await show(shop.store, "shop", "v1")


async def test_two_versions_are_compared(shop, tmp_path):
    first, second = await shop.register("one", "two")

    compared = (await diff(shop.store, "shop", "v1", "v2", models_dir=tmp_path)).json()

    assert (compared["from"], compared["to"], compared["same"]) == (first.id, second.id, False)
    assert compared["system"] == "@@ -1 +1 @@\n-one\n+two"


async def test_a_version_is_compared_with_the_files(shop, tmp_path):
    (one,) = await shop.register("one")
    folder = tmp_path / "models" / "shop"
    folder.mkdir(parents=True)
    (folder / "version.toml").write_text('[model]\nvendor = "openai"\nid = "gpt-4o"\n')
    (folder / "system.md").write_text("two\n")

    compared = (
        await diff(shop.store, "shop", "v1", "files", models_dir=tmp_path / "models")
    ).json()

    assert (compared["from"], compared["to"]) == (one.id, "files")
    assert compared["system"] == "@@ -1 +1 @@\n-one\n+two"
    assert len(await shop.store.versions("shop")) == 1


async def test_the_history_says_who_when_and_why(shop):
    first, second = await shop.register("one", "two")
    await shop.pin("v1")
    await shop.pin("v2", reason="colder tone", operation="op-x")

    pins = (await history(shop.store, "shop")).json()["pins"]

    assert [pin["to"] for pin in pins] == [second.id, first.id]
    assert datetime.fromisoformat(pins[0].pop("at")).tzinfo is not None
    assert pins[0] == {
        "label": "prod",
        "from": first.id,
        "to": second.id,
        "digest": second.digest,
        "kind": "pin",
        "epoch": 2,
        "by": "ada@host",
        "reason": "colder tone",
        "operation": "op-x",
        "forced": False,
        "revoked": None,
        "restored": None,
        "verdict": None,
    }


async def test_the_history_of_one_label_holds_its_pins_only(shop):
    await shop.register("one")
    await shop.pin("v1")
    await shop.pin("v1", label="staging")

    pins = (await history(shop.store, "shop", label="staging")).json()["pins"]

    assert [pin["label"] for pin in pins] == ["staging"]


async def test_the_history_can_be_cut(shop):
    await shop.register("one", "two")
    await shop.pins("v1", "v2", "v1")

    assert len((await history(shop.store, "shop", limit=2)).pins) == 2


async def test_freezes_are_in_the_history(shop):
    await shop.register("one")
    await set_frozen(shop.store, "shop", True, shop.act("holidays"))
    await set_frozen(shop.store, "shop", False, shop.act())

    freezes = (await history(shop.store, "shop")).json()["freezes"]

    assert [(one["frozen"], one["reason"]) for one in freezes] == [(False, ""), (True, "holidays")]


async def test_an_unknown_model_has_no_history(shop):
    with pytest.raises(UnknownModelNamed):
        await history(shop.store, "shop")


async def test_an_unknown_model_cannot_be_frozen(shop):
    with pytest.raises(UnknownModelNamed):
        await set_frozen(shop.store, "shop", True, shop.act())


async def test_what_was_pinned_at_a_moment_is_known(shop):
    await shop.register("one", "two")
    await shop.pin("v1")
    (event, *_) = await shop.store.history("shop")
    moment = datetime.fromisoformat(event.at)

    then = await at(shop.store, moment)
    earlier = await at(shop.store, moment - timedelta(milliseconds=1))

    assert [pin["version"] for pin in then.json()["pins"]] == [shop.ids["v1"]]
    assert earlier.json()["pins"] == []


async def test_a_moment_is_written_in_utc(shop):
    held = await at(shop.store, datetime(2026, 11, 23, 2, 10, tzinfo=UTC))

    assert held.json()["at"] == "2026-11-23T02:10:00.000Z"


async def test_status_shows_everything_of_a_model(shop):
    _, second = await shop.register("one", "two")
    await shop.pin("v1")
    await shop.pin("v2", reason="better")
    await set_frozen(shop.store, "shop", True, shop.act("holidays"))

    answer = (await status(shop.store)).json()

    (model,) = answer["models"]
    assert answer["epoch"] == 2
    assert answer["store"].startswith("sqlite ")
    assert model["labels"]["prod"].pop("since").endswith("Z")
    assert model.pop("frozen_at").endswith("Z")
    assert model == {
        "model": "shop",
        "versions": 2,
        "newest": second.id,
        "labels": {
            "prod": {
                "id": second.id,
                "digest": second.digest,
                "epoch": 2,
                "by": "ada@host",
                "reason": "better",
                "forced": False,
                "broken": False,
                "unrecorded": False,
            }
        },
        "frozen": True,
        "frozen_reason": "holidays",
        "frozen_by": "ada@host",
        "revoked": {},
        "rollback_target": shop.ids["v1"],
        "gate": None,
        "unratified": [],
        "last_drill": None,
        "drill_due": True,
    }


async def test_status_of_one_model_leaves_the_others_out(shop):
    await shop.register("one", model="rank")
    await shop.register("one")

    states = (await status(shop.store, ["rank"])).models

    assert [state.model for state in states] == ["rank"]


async def test_status_names_pins_that_the_history_does_not_know(shop, tmp_path):
    await shop.register("one", "two")
    await shop.pin("v1")
    await shop.pin("v1", label="staging")
    info = (await shop.store.versions("shop"))[1]
    with closing(sqlite3.connect(tmp_path / "store.db")) as file, file:
        by_hand = f"9|{info.id}|{info.digest}|by-hand"
        file.execute("UPDATE pins SET text = ? WHERE label = 'prod'", (by_hand,))
        file.execute("UPDATE pins SET text = 'nonsense' WHERE label = 'staging'")

    labels = (await status(shop.store)).json()["models"][0]["labels"]

    assert (labels["prod"]["id"], labels["prod"]["unrecorded"]) == (info.id, True)
    assert (labels["staging"]["id"], labels["staging"]["broken"]) == (None, True)


async def test_status_shows_the_fleet(shop):
    await shop.register("one")
    await shop.report("web-1", 3, prod="v1")

    (member,) = (await status(shop.store)).json()["fleet"]

    assert (member["name"], member["epoch"], member["differs"]) == ("web-1", 3, False)
    assert member["versions"] == {"shop@prod": shop.ids["v1"]}


async def test_status_says_what_a_proxy_serves_instead(shop):
    await shop.register("one", "two")
    await shop.pin("v2")
    await shop.report("web-1", 1, prod="v1")
    await shop.report("web-2", 1, prod="v2")

    first, second = (await status(shop.store)).json()["fleet"]

    assert first["others"] == {"shop@prod": shop.ids["v1"]}
    assert second["others"] == {}


async def test_a_store_is_behind_when_a_proxy_is_ahead(shop):
    await shop.register("one")
    await shop.pin("v1")
    await shop.report("web-1", 1, prod="v1")
    assert not (await status(shop.store)).behind

    await shop.report("web-1", 2, prod="v1")

    assert (await status(shop.store)).behind


def test_who_fell_silent_is_missing_and_who_drained_is_gone():
    members = [
        Member("a", 1, {}),
        Member("b", 1, {}, live=False, age_s=9.0),
        Member("c", 1, {}, live=False, state="draining"),
        Member("d", 1, {}, state="draining"),
        Member("e", 1, {}, instance="1", live=False),
        Member("e", 1, {}, instance="2"),
    ]

    states = fleet_states(members, Pins(1, {}))

    assert [(one.member.name, one.state) for one in states] == [
        ("a", "serving"),
        ("b", "missing"),
        ("d", "draining"),
        ("e", "serving"),
    ]


def test_the_age_of_the_last_contact_grows_with_the_reports_age():
    (state,) = fleet_states([Member("a", 1, {}, contact_s=0.5, age_s=2.0)], Pins(1, {}))

    assert state.contact_age_s == 2.5


def test_members_that_differ_from_most_are_odd():
    members = [
        Member("a", 1, {}, release="1", fingerprint="x"),
        Member("b", 1, {}, release="1", fingerprint="x"),
        Member("c", 1, {}, release="1", fingerprint="y"),
        Member("d", 1, {}, release="2", fingerprint="x"),
    ]

    assert odd_members(members) == {"c", "d"}
    assert odd_members([]) == set()


# --- drills, and what was forced


async def rehearsed(shop, reverted=True):
    drill = Drill("shop", "drill", shop.ids["v2"], shop.ids["v1"], reverted, 7.1, 3, "ada@host")
    event = await shop.store.note_drill(drill, "{}", reason="", operation=f"drill-{reverted}")
    return datetime.fromisoformat(event.at)


@pytest.fixture
async def two(shop):
    await shop.register("one", "two")
    await shop.pin("v1")
    return shop


async def state_of(shop, **options):
    (model,) = (await status(shop.store, **options)).json()["models"]
    return model


async def test_the_last_drill_is_shown_with_its_age(two):
    at = await rehearsed(two)

    answer = (await status(two.store, now=at + timedelta(days=3))).json()

    (model,) = answer["models"]
    assert (
        model["last_drill"]
        == answer["last_drill"]
        == {
            "model": "shop",
            "label": "drill",
            "from": two.ids["v2"],
            "to": two.ids["v1"],
            "reverted": True,
            "rollback_ms": 7.1,
            "proxies": 3,
            "by": "ada@host",
            "at": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "age_s": 3 * 86400.0,
        }
    )


@pytest.mark.parametrize(
    ("days", "max_age_days", "due"), [(29, 30, False), (31, 30, True), (31, 0, False), (2, 1, True)]
)
async def test_a_drill_is_due_when_the_last_one_is_too_old(two, days, max_age_days, due):
    now = await rehearsed(two) + timedelta(days=days)

    state = await state_of(two, max_age_days=max_age_days, now=now)

    assert state["drill_due"] is due


async def test_a_drill_that_did_not_show_what_it_had_to_is_due_again(two):
    await rehearsed(two, reverted=False)

    assert (await state_of(two))["drill_due"] is True


async def test_a_model_that_was_never_rehearsed_is_due(two):
    assert (await state_of(two))["drill_due"] is True


async def test_a_model_with_nothing_to_come_back_from_is_not_due(shop):
    await shop.register("one")
    assert (await state_of(shop))["drill_due"] is False
    await shop.pin("v1")
    assert (await state_of(shop))["drill_due"] is False
    await shop.register("two")
    assert (await state_of(shop))["drill_due"] is True


async def test_what_was_forced_shows_until_it_is_ratified(two):
    gate = Gate("sha256:" + "a" * 64, min_score=0.9, cases=2)
    about = {"by": "ada@host", "reason": "so"}
    await two.store.set_gate("shop", gate, **about, operation="gate")
    await two.pin("v2", reason="it must be", force=True)

    state = await state_of(two)
    assert state["unratified"] == [{"label": "prod", "version": two.ids["v2"], "epoch": 2}]
    assert state["gate"]["min_score"] == 0.9

    await two.store.ratify("shop", "prod", two.ids["v2"], **about, operation="ratify")
    assert (await state_of(two))["unratified"] == []
