"""Pin versions to a label: one swap for all of them, or none."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from proxy.control.act import Act, PinReport, carry_out
from proxy.control.back import goes_back
from proxy.control.confirm import Wait
from proxy.control.gate import approve
from proxy.control.references import Found, find, require_label
from proxy.errors import InvalidArgument, ReasonRequired
from proxy.store.base import Change, Expect, Store
from proxy.versions.record import PROD

NOTHING = "none"
"""How an operator says that a label is expected to hold nothing."""


@dataclass(frozen=True, slots=True)
class Want:
    """Which version of which model; `reference` as the operator typed it."""

    model: str
    reference: str


async def pin(
    store: Store,
    wants: Sequence[Want],
    act: Act,
    wait: Wait,
    *,
    label: str = PROD,
    expect: str | None = None,
    revoke: bool = False,
    force: bool = False,
) -> PinReport:
    """Point `label` at every wanted version and wait for the fleet.

    `expect` is a reference, or `none`, to what the label must hold for that. `revoke` revokes
    what is left. Coming to prod, a version is judged against the gate in force. `force` overrides
    that, a freeze, a revocation and a proxy that cannot serve the version, and demands a reason.
    Raises `CommandError`s, `VersionCorrupt`, and what the store raises; nothing was changed then.
    """
    _check(wants, act, label=label, expect=expect, force=force)
    expected = await _expected(store, wants[0].model, expect)
    found = [await find(store, want.model, want.reference) for want in wants]
    changes = [_change(one, label, expected, revoke=revoke, force=force) for one in found]
    forward = not force and not await _all_backward(store, changes)
    if label == PROD and not force:
        for one in found:
            await approve(store, one.info, act)
    return await carry_out(store, changes, act, wait, forward=forward)


async def _all_backward(store: Store, changes: Iterable[Change]) -> bool:
    """Say whether every change goes back to what its label held before, and may freely."""
    for change in changes:
        guards = await store.guards(change.model)
        if not await goes_back(store, change.model, change.label, change.id, guards):
            return False
    return True


def _check(wants: Sequence[Want], act: Act, *, label: str, expect: str | None, force: bool) -> None:
    require_label(label)
    if len({want.model for want in wants}) < len(wants) or not wants:
        raise InvalidArgument("name every model once")
    if expect is not None and len(wants) > 1:
        raise InvalidArgument("an expectation is for one model; pin them one by one")
    if force and not act.reason:
        raise ReasonRequired("forcing a pin needs a reason", hint="--reason WHY")


async def _expected(store: Store, model: str, expect: str | None) -> Expect | None:
    if expect is None:
        return None
    if expect == NOTHING:
        return Expect(None)
    return Expect((await find(store, model, expect)).info.id)


def _change(
    found: Found, label: str, expected: Expect | None, *, revoke: bool, force: bool
) -> Change:
    info = found.info
    return Change(
        info.model, label, info.id, info.digest, expect=expected, revoke=revoke, force=force
    )
