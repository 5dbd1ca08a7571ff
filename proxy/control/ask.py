"""Ask the live proxies something through the store, and wait for their answers."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable

import msgspec

from proxy.store.base import Store
from proxy.versions.question import question
from proxy.versions.record import Member

# A proxy that died keeps its lease for five seconds: nobody waits that long for it.
LIMIT_S = 2.0

_FIRST_POLL_S = 0.002
_SLOWEST_POLL_S = 0.02


async def ask_fleet(
    store: Store,
    kind: str,
    body: msgspec.Struct | None,
    members: Iterable[Member],
    limit_s: float = LIMIT_S,
) -> dict[str, bytes]:
    """Return the answers of `members`, by key, as far as they came within `limit_s`.

    Raises what `Store.ask` and `Store.answers` raise.
    """
    awaited = {member.key for member in members}
    if not awaited:
        return {}
    clock = asyncio.get_running_loop().time
    give_up_s = clock() + limit_s
    id = secrets.token_hex(8)
    await store.ask(question(id, kind, body))
    answers: dict[str, bytes] = {}
    pause_s = _FIRST_POLL_S
    while not awaited <= answers.keys() and clock() < give_up_s:
        await asyncio.sleep(pause_s)
        pause_s = min(pause_s * 1.5, _SLOWEST_POLL_S)
        answers = await store.answers(id)
    return answers
