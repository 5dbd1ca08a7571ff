"""Connections to Redis as a URL describes them, with safe settings only.

`redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS, certificates checked),
`unix:///path/to/socket[?db=0]` and
`redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db]`, where the user and the
password are for the data servers. `ssl_ca_certs`, `ssl_certfile` and `ssl_keyfile` may follow as
a query where TLS is used; behind a sentinel they switch it on.

redis-py would take every setting from the query, the ones that switch off certificate checks or
switch on retries included. So the URL is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.backoff import NoBackoff
from redis.maint_notifications import MaintNotificationsConfig

from proxy.errors import InvalidArgument
from proxy.store.redis_link import Source

_SCHEMES = "sqlite:///, redis://, rediss://, redis+sentinel:// or unix://"
_TLS_FILES = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
_PORT = 6379
_SENTINEL_PORT = 26379
# Sentinels are asked one after the other: a dead one must leave time for the next.
_SENTINEL_S = 0.5
_CONNECT_S = 1.0


def source(url: str) -> Source:
    """Return the connections that `url` describes. Raises `InvalidArgument`; see `open_store`."""
    parts = _split(url)
    match parts.scheme:
        case "redis" | "rediss":
            return _server(parts)
        case "unix":
            return _unix(parts)
        case "redis+sentinel":
            return _sentinel(parts)
        case "redis+cluster":
            raise InvalidArgument(
                "redis+cluster:// is not supported yet",
                hint="all keys share one slot, so one server serves as many proxies",
            )
    raise InvalidArgument("the store's URL has an unknown scheme", hint=f"it is {_SCHEMES}")


@dataclass(frozen=True, slots=True)
class _Server:
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _server(parts: SplitResult) -> Source:
    tls = parts.scheme == "rediss"
    query = _query(parts, _TLS_FILES if tls else frozenset())
    (server,) = _servers(parts, _PORT, many=False)
    db = _db(parts.path.removeprefix("/"))
    kind: type[Connection] = SSLConnection if tls else Connection
    options = {**_safe(), **_login(parts), **(_tls(query) if tls else {})}
    make = partial(kind, host=server.host, port=server.port, db=db, **options)
    return Source(make, f"{parts.scheme}://{server}/{db}")


def _unix(parts: SplitResult) -> Source:
    db = _db(_query(parts, frozenset({"db"})).get("db", ""))
    path = unquote(parts.path)
    if not path or "," in parts.netloc.rpartition("@")[2]:
        raise _malformed()
    options = {**_safe(), **_login(parts)}
    make = partial(UnixDomainSocketConnection, path=path, db=db, **options)
    return Source(make, f"unix://{path}")


def _sentinel(parts: SplitResult) -> Source:
    query = _query(parts, _TLS_FILES)
    servers = _servers(parts, _SENTINEL_PORT, many=True)
    service, _, db = parts.path.removeprefix("/").partition("/")
    if not service:
        raise _malformed()
    tls = {**_tls(query), "ssl": True} if query else {}
    asked = {**_safe(), **tls, "socket_timeout": _SENTINEL_S, "socket_connect_timeout": _SENTINEL_S}
    sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
        [(server.host, server.port) for server in servers], sentinel_kwargs=asked
    )
    pool: Any = SentinelConnectionPool(  # type: ignore[no-untyped-call]
        unquote(service), sentinel, db=_db(db), **_login(parts), **_safe(), **tls
    )
    where = f"redis+sentinel://{','.join(map(str, servers))}/{service}"
    return Source(pool.make_connection, where, sentinel.aclose)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _malformed() from None


def _malformed() -> InvalidArgument:
    return InvalidArgument("the store's URL cannot be read", hint=f"it is {_SCHEMES}")


def _servers(parts: SplitResult, port: int, *, many: bool) -> list[_Server]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if len(hosts) > 1 and not many:
        raise _malformed()
    try:
        each = [urlsplit(f"//{host}") for host in hosts]
        return [_Server(one.hostname or "localhost", one.port or port) for one in each]
    except ValueError:
        raise _malformed() from None


def _db(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 6):
        raise _malformed()
    return int(text or "0")


def _login(parts: SplitResult) -> dict[str, str]:
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    given = {"username": unquote(user), "password": unquote(password)}
    return {name: value for name, value in given.items() if value}


def _query(parts: SplitResult, allowed: frozenset[str]) -> dict[str, str]:
    found = dict(parse_qsl(parts.query, keep_blank_values=True))
    if parts.fragment or not found.keys() <= allowed:
        raise InvalidArgument(
            "the store's URL has an option that is not known here",
            hint=f"known are {', '.join(sorted(allowed))}" if allowed else "",
        )
    return found


def _tls(files: Mapping[str, str]) -> dict[str, Any]:
    return {**files, "ssl_cert_reqs": "required", "ssl_check_hostname": True}


def _safe() -> dict[str, Any]:
    """Return the settings of every connection, against redis-py's defaults: no retry, and no
    read timeout of its own, which would take a dead socket for silence."""
    return {
        "protocol": 3,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": None,
        "socket_connect_timeout": _CONNECT_S,
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
        "driver_info": None,
        "decode_responses": False,
    }
