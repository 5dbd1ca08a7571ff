"""A proxy as a process with a model that is pinned, for stories that are told once and looked at
from several sides."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import aiohttp

from proxy.versions.record import Member
from tests.e2e.models import JACKETS
from tests.harness import Command, Registry, write_config
from tests.raw_client import raw_app, request

BODY = {"model": "recommender", "messages": [{"role": "user", "content": "hi"}]}
ASK = request(BODY)
STREAM = request({**BODY, "stream": True})
PATIENCE_S = 20.0


async def configured(parent: Path, vendor_url: str, more: str = "") -> Path:
    """Return a configuration with `more` in it, a name and a model that is pinned."""
    directory = parent / "proxy"
    directory.mkdir()
    registry = Registry.in_directory(directory)
    await registry.register("recommender", JACKETS)
    await registry.pin("recommender", 1)
    await registry.store.close()
    config = write_config(directory, vendor_url)
    config.write_text(config.read_text() + '[fleet]\nname = "web"\n' + more)
    return config


def there(command: Command) -> tuple[str, ...]:
    """Return the arguments that put another proxy onto the addresses of `command`."""
    (started,) = command.lines("proxy.started")
    return ("--listen", started["data"], "--admin", started["admin"])


async def shown(command: Command, path: str) -> tuple[int, Any]:
    """Ask the admin listener; return status and JSON, or text."""
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{command.admin_url}/{path}") as answer,
    ):
        body = await answer.text() if path == "metrics" else await answer.json()
        return answer.status, body


async def ask_with(address: tuple[str, int], *, headers: int) -> int:
    """Ask with so many headers more than usual; return the status."""
    async with raw_app(address) as app:
        await app.send(ASK.replace(b"\r\n", b"\r\n" + b"x-more: 1\r\n" * headers, 1))
        return (await app.answer()).status


async def members(config: Path) -> list[Member]:
    registry = Registry.in_directory(config.parent)
    try:
        return await registry.store.members()
    finally:
        await registry.store.close()


async def lines(command: Command, event: str, count: int) -> list[dict[str, Any]]:
    """Wait until there are so many log lines of `event`; return all that there are."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = command.lines(event)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.01)


async def ended(command: Command) -> int:
    """Wait until the process has ended; return its exit status."""
    return await asyncio.wait_for(command.process.wait(), PATIENCE_S)


async def refusal(config: Path, *arguments: str) -> tuple[int | None, str]:
    """Start a proxy that must end by itself; return its exit status and what it says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "--config", config, *arguments),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    return process.returncode, told.decode()
