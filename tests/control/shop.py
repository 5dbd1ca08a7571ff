"""A model called shop in a store, so that a test says in a line what was pinned before."""

from __future__ import annotations

import sqlite3
from contextlib import aclosing, closing
from itertools import count
from pathlib import Path

from proxy.control.act import Act
from proxy.control.back import rollback, undo
from proxy.control.confirm import NO_WAIT
from proxy.control.pin import Want, pin
from proxy.store.base import NewVersion, Store
from proxy.versions.content import Content
from proxy.versions.identity import canonical, digest
from proxy.versions.record import PROD, Member, Meta, VersionInfo

MODEL = {"vendor": "openai", "id": "gpt-4o"}


def content(prompt: str = "Hello", **parts) -> Content:
    return Content.model_validate({"model": MODEL, "system": prompt, **parts})


def corrupt(file: Path, before: bytes, after: bytes) -> None:
    """Change the bytes of the stored versions behind the store's back."""
    with closing(sqlite3.connect(file)) as connection, connection:
        rows = connection.execute("SELECT id, content FROM versions").fetchall()
        for version, stored in rows:
            connection.execute(
                "UPDATE versions SET content = ? WHERE id = ?",
                (stored.replace(before, after), version),
            )


class Shop:
    """`ids` maps `v1` to full ids of the versions registered here."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.ids: dict[str, str] = {}
        self._operations = count(1)

    def act(self, reason: str = "", operation: str = "") -> Act:
        return Act("ada@host", operation or f"op-{next(self._operations)}", reason)

    async def register(
        self, *prompts: str, model: str = "shop", **parts: object
    ) -> list[VersionInfo]:
        return [await self._register(model, content(prompt, **parts)) for prompt in prompts]

    async def _register(self, model: str, new: Content) -> VersionInfo:
        stored = canonical(new)
        order = NewVersion(model, stored, digest(stored), Meta(by="ada@host"))
        info = (await self.store.register(order, self.act().operation)).info
        self.ids[f"v{info.number}"] = info.id
        return info

    async def pin(self, reference: str, wait=NO_WAIT, reason: str = "", operation="", **options):
        act = self.act(reason, operation)
        return await pin(self.store, [Want("shop", reference)], act, wait, **options)

    async def pins(self, *references: str) -> None:
        for reference in references:
            await self.pin(reference)

    async def rollback(self, wait=NO_WAIT, operation: str = "", **options):
        return await rollback(self.store, "shop", self.act("", operation), wait, **options)

    async def undo(self, wait=NO_WAIT, operation: str = "", **options):
        return await undo(self.store, "shop", self.act("", operation), wait, **options)

    async def held(self, label: str = PROD, model: str = "shop") -> str | None:
        pin = (await self.store.pins()).pins.get((model, label))
        return pin.id.removeprefix(f"{model}-").split("-")[0] if pin else None

    async def until_held(self, reference: str) -> None:
        async with aclosing(self.store.watch(())) as changes:
            async for _ in changes:
                if await self.held() == reference:
                    return

    async def revoked(self) -> set[str]:
        revoked = (await self.store.guards("shop")).revoked
        return {one.removeprefix("shop-").split("-")[0] for one in revoked}

    async def report(self, name: str, epoch: int, state: str = "serving", **versions: str) -> None:
        """Report as a proxy that serves `versions` (label to `v1`) of shop."""
        served = {f"shop@{label}": self.ids[number] for label, number in versions.items()}
        await self.store.report(Member(name, epoch, served, state=state))
