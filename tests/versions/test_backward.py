"""Going back, over every kind of history."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import NoRollbackTarget, NothingToUndo
from proxy.versions.backward import (
    Reversal,
    applied,
    held_at,
    holders,
    reversal,
    rollback_target,
)
from proxy.versions.record import Event, Kind


def _history(*steps: tuple[Kind, str | None, str], label: str = "prod") -> list[Event]:
    """Build a history from steps (kind, previous, version), oldest first."""
    numbers = count(1)
    events = [
        Event(
            model="shop",
            kind=kind,
            epoch=number,
            at=f"2026-01-01T00:00:{number:02}.000Z",
            by="ada",
            operation=f"op{number}",
            label=label if kind is not Kind.FREEZE else "",
            version=version,
            previous=previous,
        )
        for number, (kind, previous, version) in zip(numbers, steps, strict=False)
    ]
    return events[::-1]


def _pins(*ids: str) -> list[Event]:
    return _history(
        *((Kind.PIN, before, now) for before, now in zip([None, *ids], ids, strict=False))
    )


@pytest.mark.parametrize(
    ("ids", "revoked", "target"),
    [
        (["v1", "v2"], [], "v1"),
        (["v1", "v2", "v3"], [], "v2"),
        (["v1", "v2", "v3"], ["v2"], "v1"),
        (["v1", "v2", "v1"], [], "v2"),
        (["v1", "v2", "v1", "v3"], ["v1"], "v2"),
        (["v1", "v2", "v3", "v2"], ["v3"], "v1"),
    ],
)
def test_a_rollback_goes_to_the_latest_other_holder_that_is_not_revoked(ids, revoked, target):
    assert rollback_target(_pins(*ids), "prod", ids[-1], revoked) == target


@pytest.mark.parametrize(
    ("ids", "revoked"), [([], []), (["v1"], []), (["v1", "v2"], ["v1"]), (["v1", "v1"], [])]
)
def test_without_another_holder_there_is_no_target(ids, revoked):
    current = ids[-1] if ids else None

    with pytest.raises(NoRollbackTarget):
        rollback_target(_pins(*ids), "prod", current, revoked)


def test_an_empty_label_goes_back_to_what_it_held_last():
    assert rollback_target(_pins("v1", "v2"), "prod", None, []) == "v2"


def test_other_labels_and_other_events_are_not_looked_at():
    events = [
        *_history((Kind.PIN, None, "v9"), label="staging"),
        *_history((Kind.REGISTER, None, "v8"), (Kind.FREEZE, None, "v7")),
        *_pins("v1", "v2"),
    ]

    assert rollback_target(events, "prod", "v2", []) == "v1"


@given(
    st.lists(st.sampled_from(["v1", "v2", "v3", "v4"]), min_size=1, max_size=8),
    st.sets(st.sampled_from(["v1", "v2", "v3", "v4"])),
)
def test_a_target_is_always_a_free_holder_and_none_after_it_is_one(ids, revoked):
    free = [one for one in ids if one != ids[-1] and one not in revoked]
    try:
        target = rollback_target(_pins(*ids), "prod", ids[-1], revoked)
    except NoRollbackTarget:
        assert not free
        return

    assert target == free[-1]


@given(st.lists(st.sampled_from(["v1", "v2", "v3"]), max_size=8))
def test_rollbacks_in_a_row_end(ids):
    current = ids[-1] if ids else None
    events, revoked = _pins(*ids), set()

    for _ in set(ids):
        try:
            target = rollback_target(events, "prod", current, revoked)
        except NoRollbackTarget:
            break
        revoked.add(current)
        events = [*_history((Kind.ROLLBACK, current, target)), *events]
        current = target

    with pytest.raises(NoRollbackTarget):
        rollback_target(events, "prod", current, revoked)


def test_holders_come_latest_first():
    assert list(holders(_pins("v1", "v2", "v1"), "prod")) == ["v1", "v2", "v1"]


def test_undoing_a_pin_revokes_and_restores_nothing():
    events = _pins("v1", "v2")

    assert reversal(events, "prod") == Reversal("v1", leaves="v2", restore=False, revoke=False)


def test_undoing_a_rollback_restores_what_it_revoked():
    rolled_back, *rest = _history((Kind.PIN, "v1", "v2"), (Kind.ROLLBACK, "v2", "v1"))
    events = [replace(rolled_back, revoked="v2"), *rest]

    assert reversal(events, "prod") == Reversal("v2", leaves="v1", restore=True, revoke=False)


def test_undoing_an_undone_rollback_revokes_again():
    undone, *rest = _history((Kind.ROLLBACK, "v2", "v1"), (Kind.UNDO, "v1", "v2"))
    events = [replace(undone, restored="v2"), *rest]

    assert reversal(events, "prod") == Reversal("v1", leaves="v2", restore=False, revoke=True)


@pytest.mark.parametrize("events", [[], _pins("v1"), _history((Kind.FREEZE, None, "v1"))])
def test_what_was_never_changed_cannot_be_undone(events):
    with pytest.raises(NothingToUndo):
        reversal(events, "prod")


@pytest.mark.parametrize(
    ("second", "version"), [(0, None), (1, "v1"), (1.5, "v1"), (2, "v2"), (59, "v3")]
)
def test_a_label_holds_at_a_moment_what_was_pinned_last_before(second, version):
    moment = datetime(2026, 1, 1, 0, 0, int(second), int(second % 1 * 1e6), UTC)

    held = held_at(_pins("v1", "v2", "v3"), moment)

    assert {label: event.version for label, event in held.items()} == (
        {"prod": version} if version else {}
    )


def test_an_applied_operation_is_recognised():
    events = _pins("v1", "v2")

    assert [event.version for event in applied(events, "prod", "op1")] == ["v1"]
    assert applied(events, "prod", "other") == []
    assert applied(events, "staging", "op1") == []
