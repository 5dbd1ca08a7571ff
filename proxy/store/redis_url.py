"""Connections to Redis as a URL describes them, with safe settings only.

`redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS, certificates checked),
`unix:///path/to/socket[?db=0]`,
`redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db]`, where the user and the
password are for the data servers, and `redis+cluster://[user:password@]host[:port][,host[:port]…]`.
`rediss+sentinel://` and `rediss+cluster://` are the same over TLS. `ssl_ca_certs`, `ssl_certfile`
and `ssl_keyfile` may follow as a query where TLS is used; behind a sentinel they switch it on.

redis-py would take every setting from the query, the ones that switch off certificate checks or
switch on retries included. So the URL is read here.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from redis.asyncio.connection import UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.maint_notifications import MaintNotificationsConfig

from proxy.errors import InvalidArgument
from proxy.store.redis_keys import Keys
from proxy.store.redis_link import Source, Wire
from proxy.store.redis_login import PasswordFile
from proxy.store.redis_names import NamedConnection, Names
from proxy.store.redis_seek import (
    Seek,
    Server,
    SoughtConnection,
    SoughtTlsConnection,
    owner,
    primary,
    seek,
)
from proxy.store.redis_tls import FILES, Tls, TlsConnection

_SCHEMES = (
    "sqlite:///, redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://;"
    " rediss+ for TLS"
)
_NO_SENTINEL = "none of the store's sentinels answered"
_NO_NODE = "none of the nodes of the store's cluster answered"
_PORT = 6379
_SENTINEL_PORT = 26379
# Half a second is twice around the world. A packet that was lost in a partition is sent again by
# the kernel after a second only, so a fresh attempt finds a network that is whole again sooner.
_CONNECT_S = 0.5
# TLS takes two round trips more, and some arithmetic.
_TLS_CONNECT_S = 1.0

Options = dict[str, Any]
_SLOWER: Options = {"socket_connect_timeout": _TLS_CONNECT_S}


def source(url: str, *, namespace: str = "proxy", password_file: Path | None = None) -> Source:
    """Return the connections that `url` describes. Raises `InvalidArgument`; see `open_store`."""
    parts = _split(url)
    login = _login(parts, password_file)
    match parts.scheme:
        case "redis" | "rediss":
            return _server(parts, login)
        case "unix":
            return _unix(parts, login)
        case "redis+sentinel" | "rediss+sentinel":
            return _sentinel(parts, login)
        case "redis+cluster" | "rediss+cluster":
            return _cluster(parts, login, key_slot(Keys(namespace).epoch.encode()))
    raise InvalidArgument("the store's URL has an unknown scheme", hint=f"it is {_SCHEMES}")


def _server(parts: SplitResult, login: Options) -> Source:
    (server,) = _servers(parts, _PORT, many=False)
    db = _db(parts.path.removeprefix("/"))
    make = partial(_plain, _tls(parts), {**_safe(), **login, "db": db, "names": Names()})
    return Source(partial(make, server), f"{parts.scheme}://{server}/{db}")


def _unix(parts: SplitResult, login: Options) -> Source:
    db = _db(_query(parts, frozenset({"db"})).get("db", ""))
    path = unquote(parts.path)
    if not path or "," in parts.netloc.rpartition("@")[2]:
        raise _malformed()
    make = partial(UnixDomainSocketConnection, path=path, db=db, **_safe(), **login)
    return Source(make, f"unix://{path}")


def _sentinel(parts: SplitResult, login: Options) -> Source:
    named = _servers(parts, _SENTINEL_PORT, many=True)
    service, _, db = parts.path.removeprefix("/").partition("/")
    if not service:
        raise _malformed()
    tls, asking = _tls(parts), {**_safe(), "names": Names()}
    ask = partial(_plain, tls, asking)
    find = partial(seek, named, ask, partial(primary, unquote(service)), _NO_SENTINEL)
    make = partial(_sought, tls, {**asking, **login, "db": _db(db)}, find)
    return Source(make, f"{parts.scheme}://{_joined(named)}/{service}", seeks=True)


def _cluster(parts: SplitResult, login: Options, slot: int) -> Source:
    named = _servers(parts, _PORT, many=True)
    if parts.path not in ("", "/", "/0"):
        raise _malformed()
    tls, options = _tls(parts), {**_safe(), **login, "names": Names()}
    find = partial(seek, named, partial(_plain, tls, options), partial(owner, slot), _NO_NODE)
    make = partial(_sought, tls, options, find)
    return Source(make, f"{parts.scheme}://{_joined(named)}", seeks=True)


def _plain(tls: Tls | None, options: Options, server: Server) -> Wire:
    """Return a connection to `server`, over TLS where `tls` says how."""
    if tls is None:
        return NamedConnection(host=server.host, port=server.port, **options)
    return TlsConnection(host=server.host, port=server.port, tls=tls, **{**options, **_SLOWER})


def _sought(tls: Tls | None, options: Options, find: Seek) -> Wire:
    """Return a connection to the server that `find` names when it is opened."""
    if tls is None:
        return SoughtConnection(find=find, **options)
    return SoughtTlsConnection(find=find, tls=tls, **{**options, **_SLOWER})


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise _malformed() from None


def _malformed() -> InvalidArgument:
    return InvalidArgument("the store's URL cannot be read", hint=f"it is {_SCHEMES}")


def _servers(parts: SplitResult, port: int, *, many: bool) -> list[Server]:
    hosts = parts.netloc.rpartition("@")[2].split(",")
    if len(hosts) > 1 and not many:
        raise _malformed()
    try:
        each = [urlsplit(f"//{host}") for host in hosts]
        return [Server(one.hostname or "localhost", one.port or port) for one in each]
    except ValueError:
        raise _malformed() from None


def _joined(servers: list[Server]) -> str:
    return ",".join(map(str, servers))


def _db(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and len(text) < 6):
        raise _malformed()
    return int(text or "0")


def _login(parts: SplitResult, password_file: Path | None) -> Options:
    """Return how to log in. A password in the URL wins over the file: it is the nearer one."""
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    if password_file is not None and not password:
        return {"credential_provider": PasswordFile(unquote(user), password_file)}
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


def _tls(parts: SplitResult) -> Tls | None:
    """Return what TLS needs, or None where it is not used."""
    wanted = parts.scheme.startswith("rediss")
    files = _query(parts, FILES if wanted or parts.scheme == "redis+sentinel" else frozenset())
    return Tls(files) if wanted or files else None


def _safe() -> Options:
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
