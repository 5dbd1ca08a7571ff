"""What the fault tests share: an operator beside a proxy, and the proxy's own word on its state."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from proxy.control.act import Act
from proxy.control.confirm import Wait
from proxy.control.pin import PinReport, Want, pin
from proxy.store.url import open_store
from tests.e2e.models import HATS, JACKETS
from tests.harness import Overrides, Proxy, Registry, running_proxy, write_config

MODEL = "recommender"
JACKETS_PROMPT = "You recommend jackets. Be friendly."
HATS_PROMPT = "You recommend hats. Be friendly."

PATIENCE_S = 15.0


class Since:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self) -> float:
        return time.monotonic() - self._began


@asynccontextmanager
async def operator_of(directory: Path, url: str) -> AsyncIterator[Registry]:
    """Register jackets and hats and pin jackets, over a connection that no fault is put on."""
    operator = Registry(directory, open_store(url))
    try:
        await operator.register(MODEL, JACKETS)
        await operator.register(MODEL, HATS)
        await operator.pin(MODEL, 1)
        yield operator
    finally:
        await operator.store.close()


@asynccontextmanager
async def proxy_on(
    directory: Path, vendor_url: str, url: str, overrides: Overrides | None = None
) -> AsyncIterator[Proxy]:
    """Run a proxy that follows the store at `url`, and already does."""
    settings = {**(overrides or {}), "store": {"url": url}}
    async with running_proxy(directory, vendor_url, {}, settings) as proxy:
        await proxy.lines("store.found", 1)
        yield proxy


async def looked_up(proxy: Any, path: str) -> tuple[int, str]:
    """Ask the admin listener of a proxy; return status and body."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{proxy.admin_url}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def metrics(proxy: Any) -> dict[str, float]:
    """Return the proxy's metrics, by name and labels as they are written."""
    _, text = await looked_up(proxy, "/metrics")
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


async def until_metric(proxy: Any, name: str, value: float) -> None:
    """Wait until a metric has this value; nothing tells when."""
    async with asyncio.timeout(PATIENCE_S):
        while (await metrics(proxy)).get(name) != value:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def is_ready(proxy: Any) -> bool:
    return (await looked_up(proxy, "/readyz"))[0] == 200


async def pinned_within(operator: Registry, number: int, timeout_s: float) -> PinReport:
    """Pin a version and wait for the fleet, but not for longer."""
    act = Act(by="test", operation=secrets.token_hex(8))
    return await pin(operator.store, [Want(MODEL, f"v{number}")], act, Wait(timeout_s))


def config_on(directory: Path, vendor_url: str, url: str, more: str = "") -> Path:
    """Write a configuration for a proxy in a process of its own; `more` is further TOML."""
    directory.mkdir()
    config = write_config(directory, vendor_url)
    own = f"sqlite:///{directory / 'store.db'}"
    config.write_text(config.read_text().replace(own, url) + more)
    return config
