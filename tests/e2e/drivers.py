"""Apps in environments of their own: run a driver against a proxy, and read what it found."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

PATIENCE_S = 90.0


async def facts(url: str, *command: object, cwd: Path | None = None) -> dict[str, Any]:
    """Run a driver with `url` as its last argument; return what it printed, by name of the fact."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command),
        url,
        env={"APP_KEY": "sk-app-0000", "NO_PROXY": "127.0.0.1", "PATH": "/usr/local/bin:/usr/bin"},
        stdout=asyncio.subprocess.PIPE,
        cwd=cwd,
    )
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE_S)
    found = json.loads(out)
    assert isinstance(found, dict)
    return found


def results(found: dict[str, Any]) -> dict[str, Any]:
    """Return the facts that came out well."""
    return {name: fact["result"] for name, fact in found.items() if "result" in fact}
