"""Names of servers, looked up one at a time.

A lookup that hangs holds a thread until it gives up, many seconds later, and there are few (four in
uvloop), for the names of vendors as well. So however often the store is tried, at most one lookup
of each name is under way.
"""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from socket import EAI_NONAME, gaierror
from typing import Any


class Names:
    def __init__(self) -> None:
        self._lookups: dict[str, asyncio.Future[Any]] = {}

    async def known(self, host: str) -> None:
        """Wait until `host` can be looked up without delay. Raises `OSError` if it cannot."""
        if _is_address(host):
            return
        lookup = self._lookups.get(host)
        if lookup is None or lookup.done():
            loop = asyncio.get_running_loop()
            lookup = self._lookups[host] = asyncio.ensure_future(loop.getaddrinfo(host, None))
            lookup.add_done_callback(_seen)
        try:
            await asyncio.shield(lookup)
        except UnicodeError:  # a label that is empty, or longer than 63 letters
            raise gaierror(EAI_NONAME, "Name or service not known") from None


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _seen(lookup: asyncio.Future[Any]) -> None:
    """Take note of how a lookup ended that nobody waits for any more."""
    if not lookup.cancelled():
        lookup.exception()
