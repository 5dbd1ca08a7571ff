"""Run proxyctl in this process: what it printed where, and its exit status."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from proxy.cli.main import program
from proxy.store.base import Store
from proxy.store.sqlite import SqliteStore


@dataclass(frozen=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Return the one object that is on stdout."""
        (line,) = self.out.splitlines()
        return json.loads(line)


class Ctl:
    def __init__(self, directory: Path, config: Path) -> None:
        self.directory = directory
        shutil.copytree(config, directory / "config")
        self.model = directory / "config" / "models" / "recommender"
        (self.model / "evals.toml").unlink()  # nothing is gated, but for tests of that

    def __call__(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ran:
        result = CliRunner().invoke(program, list(arguments), env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ran(result.exit_code, result.stdout, result.stderr)

    def ok(self, *arguments: str) -> Any:
        """Run with --json, demand status 0, and return the answer."""
        ran = self(*arguments, "--json")
        assert ran.status == 0, ran.err
        return ran.json

    def change(self, prompt: str) -> str:
        """Give the recommender another prompt, register it, and return the id."""
        (self.model / "system.md").write_text(f"{prompt}\n")
        return str(self.ok("register", "recommender")["id"])

    def versions(self, count: int) -> list[str]:
        """Register and pin so many versions, one after the other."""
        ids = [self.change(f"prompt {number}") for number in range(1, count + 1)]
        for version in ids:
            self.ok("pin", "recommender", version)
        return ids

    def held(self, label: str = "prod") -> str | None:
        (model,) = self.ok("versions")["models"]
        return model["pins"].get(label)

    def with_store(self, work: Callable[[Store], Awaitable[Any]]) -> Any:
        async def run() -> Any:
            store = SqliteStore(self.directory / ".proxy" / "store.db")
            try:
                return await work(store)
            finally:
                await store.close()

        return asyncio.run(run())
