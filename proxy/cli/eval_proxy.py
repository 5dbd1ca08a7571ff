"""A proxy of its own for an eval: the real one, before a store that holds one version."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from io import FileIO
from pathlib import Path

from pydantic import SecretStr

from proxy.cli.background import Run, in_background
from proxy.control.eval_ask import Place
from proxy.control.eval_dialects import dialect_of
from proxy.control.eval_subject import Subject, stage
from proxy.errors import InvalidArgument, NoKey
from proxy.gateway.credential import auth_of, find_credential
from proxy.gateway.vendor_list import usable
from proxy.settings import App, Fleet, Listen, Log, Settings, State, StoreSettings, Vendor
from proxy.store.url import open_store

APP = "eval"
"""What the app is called in the proxy's log lines."""

LOCAL = "127.0.0.1:0"


@dataclass(frozen=True, slots=True)
class OwnProxy:
    """How to start one: with the operator's vendors and keys. `log` is the file that its log lines
    are added to; None: nobody reads them. `token` is an app's own key, for vendors without one;
    those in `played` are simulated, and need none."""

    settings: Settings
    env: Mapping[str, str] = field(repr=False)
    log: Path | None = None
    token: str = field(default="", repr=False)
    played: frozenset[str] = frozenset()

    @asynccontextmanager
    async def opened(self, subject: Subject) -> AsyncIterator[Place]:
        """Serve the subject on a thread of its own, until the end of the block.

        Raises `NoKey`, or `InvalidArgument` for a version that cannot be asked here.
        """
        vendor = self._vendor(subject)
        passes = self._passes(subject.content.model.vendor, vendor)
        dialect = dialect_of(subject.content, vendor.dialects)
        token = self.token if passes else secrets.token_urlsafe(24)
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eval-")))
            hidden = "" if passes else token
            settings = _private(self.settings, directory, hidden, log=self.log is not None)
            await _staged(settings, subject)
            bound = await asyncio.to_thread(
                stack.enter_context, in_background(lambda: self._running(settings), _run())
            )
            place = Place(f"http://{bound}", subject.model, subject.digest, dialect, token)
            try:
                yield replace(place, auth=auth_of(vendor)) if passes else place
            finally:
                await asyncio.to_thread(stack.close)

    def _vendor(self, subject: Subject) -> Vendor:
        """Return the vendor of a version, if it can be called."""
        name = subject.content.model.vendor
        vendor = self.settings.vendors.get(name)
        if vendor is None:
            raise InvalidArgument(
                f"vendor {name} is not in this configuration",
                hint=f"[vendors.{name}] in proxy.toml; --config names another file",
            )
        key = find_credential(vendor.api_key_file, vendor.api_key_env, self.env)
        if key is not None and not usable(key):
            source = vendor.api_key_env or f"file {vendor.api_key_file}"
            raise NoKey(
                f"vendor {name} has no usable key in {source}",
                hint="set it; or --simulate, which proves nothing but that it runs",
            )
        if self._passes(name, vendor) and not self.token:
            raise NoKey(
                f"vendor {name} is called with the apps' own keys, and there is none here",
                hint="--token-file FILE holds one",
            )
        return vendor

    def _passes(self, name: str, vendor: Vendor) -> bool:
        """Say whether the app's own key goes to the vendor."""
        own = vendor.api_key_file is None and vendor.api_key_env is None
        return own and name not in self.played

    @asynccontextmanager
    async def _running(self, settings: Settings) -> AsyncIterator[str]:
        """Run the proxy in this loop; yield where it listens. It has no admin listener."""
        from proxy.assemble import assemble
        from proxy.http.sockets import Sockets, open_sockets
        from proxy.observe.log_sink import LogSink

        with FileIO(self.log or os.devnull, "ab") as file:
            sink = LogSink(file, most_lines=settings.limits.log_lines)
            sink.attach(asyncio.get_running_loop())
            sockets = Sockets(await open_sockets(LOCAL), [])
            try:
                running = await assemble(sockets, settings, env=self.env, sink=sink)
            except BaseException:
                sockets.close()
                raise
            try:
                yield running.bound.data
            finally:
                await running.stop(0.0, delay_s=0.0, shared=True)
                sink.close()


def _run() -> Run:
    import uvloop  # what a proxy runs on; no other verb needs it

    return uvloop.run


def _private(settings: Settings, directory: Path, token: str, *, log: bool) -> Settings:
    """Return the settings of a proxy that shares nothing with others: a store, a state and an
    address of its own; with a token that only this eval knows."""
    apps = {APP: App(token_sha256=hashlib.sha256(token.encode()).hexdigest())} if token else {}
    return settings.model_copy(
        update={
            "listen": Listen(data=LOCAL, admin=LOCAL),
            "store": StoreSettings(url=SecretStr(f"sqlite:///{directory / 'store.db'}")),
            "state": State(dir=directory / "state"),
            "fleet": Fleet(name=APP),
            "apps": apps,
            "log": Log(requests=log),
        }
    )


async def _staged(settings: Settings, subject: Subject) -> None:
    store = open_store(settings.store.url.get_secret_value())
    try:
        await stage(store, subject)
    finally:
        await store.close()
