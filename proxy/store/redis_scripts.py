"""The Lua scripts. Each makes one change as a whole, or none."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from importlib import resources
from typing import Any

from proxy.store import records
from proxy.store.base import Change, Order
from proxy.store.pin_text import MAX_EPOCH
from proxy.store.redis_answers import foreign
from proxy.store.redis_link import Link
from proxy.store.redis_results import text
from proxy.store.redis_wire import Command
from proxy.versions.names import split_id

_NAMES = ("register", "pin", "note", "attach", "approve", "restore", "record", "ask", "forget")

Argument = str | bytes | int


class Scripts:
    def __init__(self, link: Link) -> None:
        self._link = link
        prelude = _source("prelude")
        self._lua = {name: prelude + _source(name) for name in _NAMES}

    async def change(
        self, name: str, operation: str, keys: list[str], arguments: Iterable[Argument]
    ) -> list[Any]:
        """Run a script that changes pins or versions. Returns its answer if that is no refusal that
        all share; raises `OutcomeUnknown` if the answer is lost."""
        return _judged(await self._link.change(operation, self._eval(name, keys, arguments)))

    async def run(self, name: str, keys: list[str], arguments: Iterable[Argument]) -> list[Any]:
        """Run a script that may well be run twice."""
        (answer,) = await self._link.ask(self._eval(name, keys, arguments))
        return _judged(answer)

    def _eval(self, name: str, keys: list[str], arguments: Iterable[Argument]) -> Command:
        """EVAL, not EVALSHA: a restarted server has forgotten every script that it knew."""
        return ("EVAL", self._lua[name], len(keys), *keys, *arguments)


def _source(name: str) -> str:
    return resources.files(__package__).joinpath("lua", f"{name}.lua").read_text("utf-8")


def _judged(answer: list[Any]) -> list[Any]:
    code = text(answer[0])
    if code == "FOREIGN":
        raise foreign()
    if code == "OTHER_SCOPE":
        raise records.other_scope()
    return [code, *answer[1:]]


def order_text(order: Order, models: list[str], known: int) -> str:
    """Write an order the way `pin.lua` reads it: without nulls and large numbers. `known` is an
    epoch that the new one lies above."""
    return json.dumps(
        {
            "scope": records.swap_scope(order),
            "operation": order.operation,
            "by": order.by,
            "reason": order.reason,
            "known": str(known),
            "floor": str(max(0, min(order.floor, MAX_EPOCH))),
            "models": len(models),
            "changes": [_change(change, models) for change in order.changes],
        }
    )


def _change(change: Change, models: list[str]) -> dict[str, Any]:
    fields = asdict(change)
    expect = fields.pop("expect")
    if expect is not None:
        fields["expect"] = expect["id"] or ""
    return {**fields, "of": models.index(change.model) + 1, "number": number_in(change.id)}


def number_in(id: str) -> str:
    parts = split_id(id)
    return str(parts[1].number if parts else 0)
