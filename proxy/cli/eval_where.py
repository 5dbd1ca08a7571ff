"""Who answers in an eval: a proxy that runs, or one of its own, with a simulated vendor or not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from proxy.cli.eval_proxy import OwnProxy
from proxy.cli.simulation import with_simulated
from proxy.control.eval_ask import Place
from proxy.control.eval_dialects import dialect_of
from proxy.control.eval_subject import Subject, require_registered
from proxy.control.evaluate import Opened
from proxy.errors import InvalidFiles, Problem
from proxy.settings import Settings

TOKEN_VARIABLE = "PROXY_APP_TOKEN"  # noqa: S105  # the name of one

MAX_TOKEN_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Where:
    """Who answers: the proxy at `proxy` (a base URL), or one of our own, where None. `token_file`
    holds the token of an app, `log` is what the log lines of a proxy of our own are added to."""

    proxy: str | None = None
    token_file: Path | None = None
    simulate: bool = False
    log: Path | None = None

    @property
    def place(self) -> str:
        """What tells apart who answers: notes of a simulated run are no answers of a vendor."""
        if self.proxy is not None:
            return f"at-{sha256(self.proxy.encode()).hexdigest()[:8]}"
        return "simulated" if self.simulate else ""

    def opened(self, settings: Settings, env: Mapping[str, str]) -> Opened:
        """Return what makes versions answer. Raises `InvalidFiles` for a token that is none."""
        token = self._token(env)
        if self.proxy is not None:
            return _running(self.proxy, token)
        own = OwnProxy(settings, env, self.log, token)
        return _simulated(own) if self.simulate else own.opened

    def _token(self, env: Mapping[str, str]) -> str:
        """Return the token to send; empty if there is none."""
        if self.token_file is None:
            return env.get(TOKEN_VARIABLE, "").strip()
        try:
            with self.token_file.open(encoding="ascii") as file:
                return file.read(MAX_TOKEN_BYTES).strip()
        except (OSError, UnicodeDecodeError):
            problem = Problem(str(self.token_file), 0, "", "cannot be read, or is no token")
            raise InvalidFiles([problem]) from None


def _running(url: str, token: str) -> Opened:
    @asynccontextmanager
    async def opened(subject: Subject) -> AsyncIterator[Place]:
        info = require_registered(subject)
        dialect = dialect_of(subject.content)
        yield Place(url, f"{info.model}@v{info.number}", subject.digest, dialect, token)

    return opened


def _simulated(own: OwnProxy) -> Opened:
    """Return what starts a simulated vendor for those without a key, and a proxy before it."""

    @asynccontextmanager
    async def opened(subject: Subject) -> AsyncIterator[Place]:
        models = [subject.content.model.id]
        with ExitStack() as stack:
            playing = with_simulated(own.settings, own.env, models)
            settings, played = await asyncio.to_thread(stack.enter_context, playing)
            before = replace(own, settings=settings, played=frozenset(played))
            async with before.opened(subject) as place:
                yield place

    return opened
