"""TLS to the store: certificates and names are always checked. Renewed files need no restart."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path

from proxy.errors import StoreUnavailable

FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})


class Tls:
    """What is needed for connections over TLS. `files` is by the names in `FILES`; an authority
    that is named there counts instead of the system's."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = files
        self._context: ssl.SSLContext | None = None
        self._made_of: list[tuple[int, int]] = []

    async def context(self) -> ssl.SSLContext:
        """Return the context, made anew when a file has changed. Raises `StoreUnavailable`."""
        try:
            now = [_stamp(path) for path in self._files.values()]
            if self._context is None or now != self._made_of:
                # In a thread: reading the system's authorities takes fifty milliseconds.
                self._context = await asyncio.to_thread(_context, self._files)
                self._made_of = now
            return self._context
        except OSError:  # ssl.SSLError is one: a file that is there, but no certificate or key
            raise StoreUnavailable(
                "a file for TLS that the store's URL names cannot be used",
                hint="look at ssl_ca_certs, ssl_certfile and ssl_keyfile",
            ) from None


def _stamp(path: str) -> tuple[int, int]:
    status = Path(path).stat()
    return status.st_mtime_ns, status.st_ino


def _context(files: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.get("ssl_ca_certs"))
    if "ssl_certfile" in files:
        context.load_cert_chain(files["ssl_certfile"], files.get("ssl_keyfile"))
    return context
