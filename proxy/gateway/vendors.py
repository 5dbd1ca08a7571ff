"""The vendor table at run time: address, credential and connections of each vendor."""

from __future__ import annotations

import hashlib
import ssl
from asyncio import AbstractEventLoop
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from proxy.errors import UpstreamUnreachable, WrongDialect
from proxy.gateway.calls import Calls, calls_of
from proxy.gateway.credential import Credential, auth_of, credential_of
from proxy.http.deadlines import Deadlines
from proxy.http.outbox import Outbox
from proxy.http.upstream import Origin, Pool
from proxy.settings import Settings, Vendor


@dataclass(frozen=True, slots=True)
class VendorRoute:
    """`prefix` is the path of the base URL, `host` the value of the host header. `calls` says how
    calls differ from those that the dialects make; None: not at all."""

    name: str
    prefix: bytes
    host: bytes
    pool: Pool = field(repr=False)
    credential: Credential | None = field(repr=False)
    dialects: tuple[str, ...] = ()
    calls: Calls | None = None


class Vendors:
    def __init__(self, routes: Mapping[str, VendorRoute]) -> None:
        self._routes = routes

    def route(self, name: str, dialect: str) -> VendorRoute:
        """Raises `UpstreamUnreachable` for a vendor that this proxy has no entry for, and
        `WrongDialect` for one that does not speak `dialect`."""
        route = self._routes.get(name)
        if route is None:
            raise UpstreamUnreachable(
                "the version's vendor is not configured at this proxy", hint="run: proxyctl check"
            )
        if dialect not in route.dialects:
            spoken = ", ".join(route.dialects)
            raise WrongDialect(hint=f"its vendor speaks {spoken} here, not {dialect}")
        return route

    def speaks(self, name: str, dialect: str) -> bool:
        """Say whether there is a vendor of this name that speaks `dialect`."""
        route = self._routes.get(name)
        return route is not None and dialect in route.dialects

    def speaking(self, dialect: str) -> VendorRoute | None:
        """Return the first vendor that speaks `dialect`: where unmanaged requests go."""
        return next((r for r in self._routes.values() if dialect in r.dialects), None)

    def keeping(self, dialect: str, named: str) -> VendorRoute | None:
        """Return the vendor `named` if it speaks `dialect`, else the first one that does."""
        route = self._routes.get(named)
        if route is not None and dialect in route.dialects:
            return route
        return self.speaking(dialect)

    def of_family(self, prefix: str) -> VendorRoute | None:
        """Return the first vendor that speaks a dialect whose name begins so."""
        routes = self._routes.values()
        return next((r for r in routes if any(d.startswith(prefix) for d in r.dialects)), None)

    async def close(self) -> None:
        for route in self._routes.values():
            await route.pool.close()


def open_vendors(
    settings: Settings,
    env: Mapping[str, str],
    deadlines: Deadlines,
    scratch: memoryview,
    outbox: Outbox,
    loop: AbstractEventLoop,
) -> Vendors:
    """Build the table. Raises `OSError` if a CA file cannot be read."""
    routes = {}
    for name, vendor in settings.vendors.items():
        limits, timeouts = settings.limits, settings.timeouts
        pool = Pool(_origin(vendor), limits, timeouts, deadlines, scratch, outbox, loop)
        url = urlsplit(vendor.base_url)
        credential = credential_of(vendor, env)
        routes[name] = VendorRoute(
            name,
            url.path.encode(),
            url.netloc.encode(),
            pool,
            credential,
            vendor.dialects,
            calls_of(vendor),
        )
    return Vendors(routes)


def _origin(vendor: Vendor) -> Origin:
    url = urlsplit(vendor.base_url)
    assert url.hostname is not None
    if url.scheme == "http":
        return Origin(url.hostname, url.port or 80)
    return Origin(url.hostname, url.port or 443, _tls(vendor))


def _tls(vendor: Vendor) -> ssl.SSLContext:
    """Certificates and host names are always checked: by the system's store or by one CA file."""
    context = ssl.create_default_context(cafile=vendor.ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


def fingerprint(settings: Settings) -> str:
    """Return twelve hex digits over the vendor table, so that proxies that differ can be seen.

    Keys are not part of it; where they come from is not either.
    """
    rows = sorted(
        (
            *(name, v.base_url, sorted(v.dialects), auth_of(v)),
            *(v.path, sorted(v.query.items()), sorted(v.rename.items())),
        )
        for name, v in settings.vendors.items()
    )
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12]
