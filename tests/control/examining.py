"""A shop with a suite, a vendor that plays scripts and a proxy before it: what an eval needs."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from proxy.control.act import Act
from proxy.control.eval_ask import Place
from proxy.control.eval_progress import Scored
from proxy.control.eval_run import Pace
from proxy.control.eval_subject import Subject, subject
from proxy.control.evaluate import EvalReport, Way, evaluate
from proxy.control.suite_files import read_suite
from proxy.simvendor.script import Refuse, Rest
from proxy.simvendor.server import SimulatedVendor
from proxy.versions.record import VersionInfo
from tests.harness import Proxy

VERSION = '[model]\nvendor = "openai"\nid = "gpt-4o"\n'


def suite(*names: str, expect: str = 'contains = "kind"', gate: str = "", repeats: int = 1) -> str:
    """Return an evals.toml with a case for each name."""
    cases = (
        f'[[case]]\nname = "{name}"\ninput = "{name}?"\nexpect = [{{ {expect} }}]\n'
        for name in names
    )
    return f"[gate]\nsimulated = true\n{gate}\n[defaults]\nrepeats = {repeats}\n" + "\n".join(cases)


@dataclass
class Seen:
    """A watch that keeps what it saw."""

    begun: list[tuple[str, int, int]] = field(default_factory=list)
    heard_of: list[Scored] = field(default_factory=list)
    ended: int = 0

    def begin(self, what: str, total: int, known: int) -> None:
        self.begun.append((what, total, known))

    def heard(self, scored: Scored) -> None:
        self.heard_of.append(scored)

    def end(self) -> None:
        self.ended += 1


class Room:
    """Evaluates versions of the model `shop`, one question at a time, through a real proxy."""

    def __init__(self, proxy: Proxy, vendor: SimulatedVendor) -> None:
        self.proxy = proxy
        self.vendor = vendor
        self.store = proxy.store
        self.seen = Seen()
        self.opened: list[str] = []
        self.clock_s = 0.0
        self._operations = count(1)

    @property
    def models(self):
        return self.proxy.directory / "models"

    @property
    def folder(self):
        return self.models / "shop"

    def write(self, evals: str, **files: str) -> None:
        (self.folder / "evals.toml").write_text(evals)
        for name, text in files.items():
            (self.folder / f"{name}.py").write_text(text)

    async def register(self, prompt: str) -> VersionInfo:
        return await self.proxy.register("shop", {"version.toml": VERSION, "system.md": prompt})

    @asynccontextmanager
    async def _opened(self, subject: Subject) -> AsyncIterator[Place]:
        self.opened.append(subject.name)
        assert subject.info is not None
        yield Place(self.proxy.url, f"shop@v{subject.info.number}", subject.digest)

    def way(self, **options: Any) -> Way:
        way = Way(
            opened=self._opened,
            watch=self.seen,
            notes=self.proxy.directory / "evals",
            clock=lambda: self.clock_s,
            pace=Pace(concurrency=1, timeout_s=5.0),
        )
        return replace(way, **options)

    async def evaluate(self, reference: str = "files", **options: Any) -> EvalReport:
        one = await subject(self.store, self.models, "shop", reference)
        act = Act("ada@host", f"eval-{next(self._operations)}")
        return await evaluate(self.store, one, read_suite(self.folder), act, self.way(**options))

    def refuse(self, *statuses: int, answered: int = 0, **headers: str) -> None:
        """Have the vendor answer so many requests, and refuse the next ones."""
        self.vendor.play(Rest(), times=answered)
        for status in statuses:
            self.vendor.play(
                Refuse(status, headers={k.replace("_", "-"): v for k, v in headers.items()})
            )

    @property
    def asked(self) -> Sequence[dict[str, Any]]:
        return [json.loads(one.body) for one in self.vendor.seen]
