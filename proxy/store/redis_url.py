"""Connections to Redis as a URL describes them, with safe settings only.

`redis://[user:password@]host[:port][/db]`, `rediss://…` (TLS, certificates checked),
`unix:///path/to/socket[?db=0]`,
`redis+sentinel://[user:password@]host[:port][,host[:port]…]/service[/db]`, where the user and the
password are for the data servers, and `redis+cluster://[user:password@]host[:port][,host[:port]…]`.
`rediss+sentinel://` and `rediss+cluster://` are the same over TLS. `ssl_ca_certs`, `ssl_certfile`
and `ssl_keyfile` may follow as a query where TLS is used; behind a sentinel they switch it on.

A client library would take every setting from the query, the ones that switch off certificate
checks or switch on retries included. So the URL is read here.
"""

from __future__ import annotations

from binascii import crc_hqx
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from proxy.errors import InvalidArgument
from proxy.store.redis_dial import Dial, Seek, Server
from proxy.store.redis_keys import Keys
from proxy.store.redis_link import Source
from proxy.store.redis_login import Login, Password, PasswordFile
from proxy.store.redis_names import Names
from proxy.store.redis_seek import owner, primary, seek
from proxy.store.redis_tls import FILES, Tls

_SCHEMES = (
    "sqlite:///, redis://, rediss://, redis+sentinel://, redis+cluster:// or unix://;"
    " rediss+ for TLS"
)
_NO_SENTINEL = "none of the store's sentinels answered"
_NO_NODE = "none of the nodes of the store's cluster answered"
_PORT = 6379
_SENTINEL_PORT = 26379
_SLOTS = 16384  # of a cluster


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
            return _cluster(parts, login, slot_of(namespace))
    raise InvalidArgument("the store's URL has an unknown scheme", hint=f"it is {_SCHEMES}")


def _server(parts: SplitResult, login: Login | None) -> Source:
    (server,) = _servers(parts, _PORT, many=False)
    db = _db(parts.path.removeprefix("/"))
    dial = Dial(server, tls=_tls(parts), login=login, db=db)
    return Source(dial, f"{parts.scheme}://{server}/{db}")


def _unix(parts: SplitResult, login: Login | None) -> Source:
    db = _db(_query(parts, frozenset({"db"})).get("db", ""))
    path = unquote(parts.path)
    if not path or "," in parts.netloc.rpartition("@")[2]:
        raise _malformed()
    return Source(Dial(Path(path), login=login, db=db), f"unix://{path}")


def _sentinel(parts: SplitResult, login: Login | None) -> Source:
    named = _servers(parts, _SENTINEL_PORT, many=True)
    service, _, db = parts.path.removeprefix("/").partition("/")
    if not service:
        raise _malformed()
    tls, names = _tls(parts), Names()
    ask = partial(Dial, names=names, tls=tls)
    find: Seek = partial(seek, named, ask, partial(primary, unquote(service)), _NO_SENTINEL)
    dial = Dial(find, names=names, tls=tls, login=login, db=_db(db))
    return Source(dial, f"{parts.scheme}://{_joined(named)}/{service}", seeks=True)


def _cluster(parts: SplitResult, login: Login | None, slot: int) -> Source:
    named = _servers(parts, _PORT, many=True)
    if parts.path not in ("", "/", "/0"):
        raise _malformed()
    to = partial(Dial, names=Names(), tls=_tls(parts), login=login)
    find: Seek = partial(seek, named, to, partial(owner, slot), _NO_NODE)
    return Source(to(find), f"{parts.scheme}://{_joined(named)}", seeks=True)


def slot_of(namespace: str) -> int:
    """Return the cluster's slot that has all keys of a namespace: that of its hash tag."""
    return crc_hqx(Keys(namespace).namespace.encode(), 0) % _SLOTS


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


def _login(parts: SplitResult, password_file: Path | None) -> Login | None:
    """Return how to log in. A password in the URL wins over the file: it is the nearer one."""
    name, _, password = parts.netloc.rpartition("@")[0].partition(":")
    user = unquote(name)
    if password_file is not None and not password:
        return PasswordFile(user, password_file)
    return Password(user, unquote(password)) if user or password else None


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
