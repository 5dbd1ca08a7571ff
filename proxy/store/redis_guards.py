"""What stands before a pin in Redis: freezes, gates, results, verdicts, drills."""

from __future__ import annotations

from proxy.store import evidence_text as texts
from proxy.store import records, rules
from proxy.store import redis_results as answers
from proxy.store.base import MOST_RESULTS, Attached
from proxy.store.pin_text import decode_epoch
from proxy.store.records import OPERATION_TTL_S
from proxy.store.redis_keys import Keys
from proxy.store.redis_link import Link
from proxy.store.redis_scripts import Argument, Scripts
from proxy.versions.evidence import Drill, Gate, Result, Verdict
from proxy.versions.record import Event, Guards

_SET, _DELETE, _SET_FIELD, _DELETE_FIELD = "set", "del", "hset", "hdel"


class RedisGuards:
    """The part of `base.Store` that is about what a pin has to pass, and what was rehearsed."""

    def __init__(self, link: Link, keys: Keys, scripts: Scripts) -> None:
        self._link = link
        self._keys = keys
        self._scripts = scripts

    async def guards(self, model: str) -> Guards:
        frozen, revoked, gate, forced, drill = await self._link.ask(
            ("GET", self._keys.of_model("frozen", model)),
            ("HGETALL", self._keys.of_model("revoked", model)),
            ("GET", self._keys.of_model("gate", model)),
            ("HGETALL", self._keys.of_model("unratified", model)),
            ("HGET", self._keys.drills, model),
        )
        return Guards(
            frozen=frozen is not None,
            frozen_reason=answers.text(frozen or b""),
            revoked=answers.fields(revoked),
            gate=texts.decode_gate(gate) if gate is not None else None,
            unratified={
                place: decode_epoch(epoch) for place, epoch in answers.fields(forced).items()
            },
            drill=texts.decode_timed(drill, Drill) if drill is not None else None,
        )

    async def freeze(
        self, model: str, frozen: bool, *, by: str, reason: str, operation: str
    ) -> Event:
        rules.check_freeze(model, by, reason, operation)
        fields = records.freeze_fields(frozen, by=by, reason=reason, operation=operation)
        how = (_SET if frozen else _DELETE, "", reason)
        key = self._keys.of_model("frozen", model)
        return await self._note(model, key, records.freeze_scope(model, frozen), fields, how)

    async def set_gate(
        self, model: str, gate: Gate | None, *, by: str, reason: str, operation: str
    ) -> Event:
        texts.check_gate(model, gate, by, reason, operation)
        fields = texts.gate_fields(gate, by=by, reason=reason, operation=operation)
        how = (_DELETE, "", "") if gate is None else (_SET, "", texts.encode_gate(gate))
        key = self._keys.of_model("gate", model)
        return await self._note(model, key, texts.gate_scope(model, gate), fields, how)

    async def ratify(
        self, model: str, label: str, version: str, *, by: str, reason: str, operation: str
    ) -> Event:
        texts.check_ratified(label, version, by, reason, operation)
        about = {"by": by, "reason": reason, "operation": operation}
        fields = texts.ratify_fields(label, version, **about)
        how = (_DELETE_FIELD, f"{label}:{version}", "")
        key, scope = (
            self._keys.of_model("unratified", model),
            texts.ratify_scope(model, label, version),
        )
        return await self._note(model, key, scope, fields, how)

    async def note_drill(self, drill: Drill, report: str, *, reason: str, operation: str) -> Event:
        texts.check_drill(drill, report, reason, operation)
        fields = texts.drill_fields(drill, report, reason=reason, operation=operation)
        how = (_SET_FIELD, drill.model, texts.encode(drill), "timed")
        return await self._note(
            drill.model, self._keys.drills, texts.drill_scope(drill), fields, how
        )

    async def drills(self) -> list[Drill]:
        (found,) = await self._link.ask(("HGETALL", self._keys.drills))
        drills = (texts.decode_timed(text, Drill) for _, text in answers.pairs(found))
        return sorted(drills, key=lambda drill: drill.model)

    async def attach(self, result: Result, operation: str) -> Attached:
        texts.check_result(result, operation)
        keys = [
            self._keys.operation(operation),
            self._keys.results(result.model, result.digest),
            *self._noted(result.model),
        ]
        event = records.encode(texts.eval_fields(result, operation))
        what = (result.pointer, texts.encode(result), MOST_RESULTS)
        arguments = (texts.attach_scope(result), event, OPERATION_TTL_S, *what)
        answer = await self._scripts.change("attach", operation, keys, arguments)
        if answer[0] not in ("CREATED", "EXISTS"):
            raise texts.not_kept(answer[0], result.model)
        kept = texts.decode_timed(answer[1], Result)
        return Attached(kept, created=answer[0] == "CREATED")

    async def results(self, model: str, digest: str) -> list[Result]:
        (found,) = await self._link.ask(("HGETALL", self._keys.results(model, digest)))
        return texts.newest_first(
            [texts.decode_timed(text, Result) for _, text in answers.pairs(found)]
        )

    async def approve(self, verdict: Verdict) -> None:
        texts.check_verdict(verdict)
        keys = [
            self._keys.of_model("gate", verdict.model),
            self._keys.results(verdict.model, verdict.digest),
            self._keys.of_model("verdicts", verdict.model),
        ]
        about = (verdict.gate, verdict.suite, verdict.result, verdict.digest)
        answer = await self._scripts.run("approve", keys, (*about, texts.encode(verdict)))
        if answer[0] != "APPROVED":
            raise texts.not_kept(answer[0], verdict.model)

    def _noted(self, model: str) -> tuple[str, str]:
        """Return the keys of what an event is made with, in the order of the scripts."""
        return self._keys.of_model("history", model), self._keys.epoch

    async def _note(
        self,
        model: str,
        key: str,
        scope: str,
        fields: dict[str, str],
        how: tuple[Argument, ...],
    ) -> Event:
        """Write one value as `how` says, and the event with `fields`."""
        operation = fields["operation"]
        keys = [self._keys.operation(operation), key, *self._noted(model)]
        written = (*how, "") if len(how) == 3 else how
        arguments = (scope, records.encode(fields), OPERATION_TTL_S, *written)
        answer = await self._scripts.change("note", operation, keys, arguments)
        if answer[0] == "NOTHING":
            raise texts.not_kept("NOTHING", fields.get("version", model))
        return answers.event(model, answer)
