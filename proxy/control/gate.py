"""The gate of a model: which one is in force, and what passes it.

Files propose a gate. What is stricter, or is about a changed suite, is put in force by itself;
what is looser only when somebody says so, with a reason: that is a change like a pin.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from msgspec import structs

from proxy.control.act import Act
from proxy.control.back import goes_back
from proxy.control.references import require_model
from proxy.errors import GateRefused, ReasonRequired
from proxy.evals.judge import NO_BASELINE, NO_RESULT, SIMULATED, Refused, judge
from proxy.store.base import Store
from proxy.versions.evidence import Gate, Result, Verdict
from proxy.versions.record import PROD, Guards, VersionInfo


@dataclass(frozen=True, slots=True)
class GateReport:
    """The gate of a model. `wanted` is what its files ask for, `changed` whether the one in force
    was changed now, and `before` the one until then. `pending` says that `gate` is what would come
    in force by `follow`, and does not hold yet. `looser` says that the files ask for less, which
    was not put in force."""

    model: str
    gate: Gate | None
    wanted: Gate | None
    changed: bool = False
    before: Gate | None = None
    pending: bool = False

    @property
    def looser(self) -> bool:
        if self.gate is None or self.gate == self.wanted:
            return False
        return self.wanted is None or self.wanted.looser_than(self.gate)

    @property
    def left(self) -> str | None:
        """The suite that was, or would be, left for another one: results in it count no more."""
        if self.before is None or self.gate is None or self.before.suite == self.gate.suite:
            return None
        return self.before.suite

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "gate": gate_json(self.gate),
            "files": gate_json(self.wanted),
            "changed": self.changed,
            "looser": self.looser,
        }


def gate_json(gate: Gate | None) -> dict[str, Any] | None:
    return None if gate is None else {**structs.asdict(gate), "key": gate.key}


def stricter(wanted: Gate, now: Gate | None) -> Gate:
    """Return the gate about the suite of `wanted` that asks for whatever either asks for."""
    if now is None:
        return wanted
    asked = [one.max_regression for one in (wanted, now) if one.max_regression is not None]
    return structs.replace(
        wanted,
        min_score=max(wanted.min_score, now.min_score),
        max_regression=min(asked, default=None),
        simulated=wanted.simulated and now.simulated,
    )


async def follow(store: Store, model: str, wanted: Gate | None, act: Act) -> GateReport:
    """Put in force what the files ask for, as far as that loosens nothing."""
    now = (await store.guards(model)).gate
    if wanted is None:
        return GateReport(model, now, None)
    gate = stricter(wanted, now)
    if gate == now:
        return GateReport(model, now, wanted)
    own = replace(act, operation=f"{act.operation}.gate", reason=act.reason or "from the files")
    await _set(store, model, gate, own)
    return GateReport(model, gate, wanted, changed=True, before=now)


async def foresee(store: Store, model: str, wanted: Gate) -> GateReport:
    """Return the gate that would be in force after `follow`, and change nothing."""
    now = (await store.guards(model)).gate
    gate = stricter(wanted, now)
    return GateReport(model, gate, wanted, before=now, pending=gate != now)


async def show(store: Store, model: str, wanted: Gate | None) -> GateReport:
    """Return the gate in force beside the one that the files ask for."""
    return GateReport(model, (await store.guards(model)).gate, wanted)


async def accept(store: Store, model: str, wanted: Gate | None, act: Act) -> GateReport:
    """Put in force exactly what is wanted, even if that is looser, or none.

    Raises `ReasonRequired`, `UnknownModelNamed` or `InvalidArgument`.
    """
    if not act.reason:
        raise ReasonRequired("changing the gate needs a reason", hint="--reason WHY")
    await require_model(store, model)
    now = (await store.guards(model)).gate
    if now == wanted:
        return GateReport(model, now, wanted)
    await _set(store, model, wanted, act)
    return GateReport(model, wanted, wanted, changed=True, before=now)


async def _set(store: Store, model: str, gate: Gate | None, act: Act) -> None:
    about = {"by": act.by, "reason": act.reason, "operation": act.operation}
    await store.set_gate(model, gate, **about)


async def approve(store: Store, info: VersionInfo, act: Act) -> Verdict | None:
    """Judge the version against the gate in force, and leave a verdict if it passes. Returns None
    where nothing asks for one: there is no gate, prod held the version before, or it is revoked,
    which the store refuses whatever it scored.

    Raises `GateRefused` with every reason.
    """
    guards = await store.guards(info.model)
    if guards.gate is None or info.id in guards.revoked:
        return None
    if await goes_back(store, info.model, PROD, info.id, guards):
        return None
    held = (await store.pins()).pins.get((info.model, PROD))
    baseline = held.digest if held is not None else ""
    gate = guards.gate
    result = await counting(store, info.model, info.digest, gate)
    judged = judge(
        gate,
        result,
        await counterpart(store, result, baseline) if result and baseline else None,
        baseline_digest=baseline if baseline != info.digest else "",
    )
    if isinstance(judged, Refused):
        raise GateRefused(
            f"{info.id} does not pass the gate: {'; '.join(map(str, judged.reasons))}",
            hint=_hint(info, judged),
        )
    verdict = Verdict(
        info.model, info.digest, gate.suite, gate.key, baseline, judged.pointer, by=act.by
    )
    await store.approve(verdict)
    return verdict


async def counting(store: Store, model: str, digest: str, gate: Gate) -> Result | None:
    """Return the newest result of the content that the gate goes by: a real vendor's, if there is
    one; without any, the newest in its suite, so that it can be said why it does not count."""
    found = await _in_suite(store, model, digest, gate.suite)
    return next((one for one in found if not one.simulated), found[0] if found else None)


async def counterpart(store: Store, result: Result, digest: str) -> Result | None:
    """Return the newest result of the content with `digest` in the suite of `result`; one that the
    same sort of vendor answered, if there is one, since no other can be compared."""
    found = await _in_suite(store, result.model, digest, result.suite)
    alike = (one for one in found if one.simulated == result.simulated)
    return next(alike, found[0] if found else None)


async def latest(store: Store, model: str, digest: str, suite: str) -> Result | None:
    """Return the newest result of the content in the suite: an unlucky run is not rerun away
    unseen, since all of them are kept."""
    return next(iter(await _in_suite(store, model, digest, suite)), None)


async def _in_suite(store: Store, model: str, digest: str, suite: str) -> list[Result]:
    """Return the results of the content in the suite, the newest first."""
    return [one for one in await store.results(model, digest) if one.suite == suite]


def _hint(info: VersionInfo, refused: Refused) -> str:
    codes = {reason.code for reason in refused.reasons}
    evaluate = f"proxyctl eval {info.model} v{info.number}"
    if SIMULATED in codes:
        return f"{evaluate} with the vendor's key; docs/evals.md says what counts"
    if codes <= {NO_RESULT, NO_BASELINE}:
        return f"{evaluate}, then pin it again"
    against = f"proxyctl compare {info.model} {PROD} v{info.number}"
    return f"{against} shows the cases; --force with a reason pins it all the same"


def unratified(guards: Guards, label: str) -> list[str]:
    """Return the ids of versions that were forced to `label`, the latest first."""
    forced = sorted(guards.unratified.items(), key=lambda item: item[1], reverse=True)
    split = (place.partition(":") for place, _ in forced)
    return [id for name, _, id in split if name == label]


@dataclass(frozen=True, slots=True)
class Ratified:
    model: str
    label: str
    version: str
    at: str
    act: Act

    def json(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "label": self.label,
            "version": self.version,
            "at": self.at,
            "by": self.act.by,
            "reason": self.act.reason,
            "operation": self.act.operation,
        }


async def ratify(store: Store, model: str, act: Act, *, label: str, version: str) -> Ratified:
    """Accept after the fact that `version` (an id) was forced to `label`.

    Raises `NothingToRatify`, or `InvalidArgument` if whoever does it gives no reason.
    """
    if not act.reason:
        raise ReasonRequired("ratifying needs a reason", hint="--reason WHY")
    about = {"by": act.by, "reason": act.reason, "operation": act.operation}
    event = await store.ratify(model, label, version, **about)
    return Ratified(model, label, version, event.at, act)
