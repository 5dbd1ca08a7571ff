"""From a store's URL to the store.

`sqlite:///relative.db`, `sqlite:////absolute.db`, or a Redis: see `redis_url`. A URL is never part
of a message: it may hold a password.
"""

from __future__ import annotations

from pathlib import Path

from proxy.errors import InvalidArgument
from proxy.store.base import Store


def open_store(url: str, *, namespace: str = "proxy", password_file: Path | None = None) -> Store:
    """Return the store that `url` names. Nothing is connected or created before it is used.

    `namespace` separates stores that share one Redis; a file is a namespace of its own.
    `password_file` holds the password of the URL's user, where the URL holds none; it is read
    anew for each connection. Raises `InvalidArgument` if the URL makes no sense.
    """
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return _sqlite(rest)
    # Here, not above, as below: neither store needs anything of the other.
    from proxy.store import redis_url
    from proxy.store.redis import RedisStore

    source = redis_url.source(url, namespace=namespace, password_file=password_file)
    return RedisStore(source, namespace=namespace)


def _sqlite(rest: str) -> Store:
    path = rest.removeprefix("/")
    if path == rest or not path or path.endswith("/") or path == ":memory:" or "?" in path:
        raise InvalidArgument(
            "the store's URL names no file",
            hint="it is sqlite:///relative.db or sqlite:////absolute.db",
        )
    from proxy.store.sqlite import SqliteStore

    return SqliteStore(Path(path))
