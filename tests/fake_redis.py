"""A RedisStore on fakeredis, for tests of what the code decides; faults need the real server."""

from __future__ import annotations

from typing import Any

import fakeredis
from fakeredis._socket._base import BaseFakeSocket

from proxy.store.redis import RedisStore
from proxy.store.redis_link import Source

# RESP3 lets a connection that subscribed send any command; fakeredis refuses as RESP2 does.
_ALLOWED = {"mget", "smembers"}


def fake_store(server: fakeredis.FakeServer, **options: Any) -> RedisStore:
    """Return a store on `server`; all stores on one server see the same data."""
    BaseFakeSocket.ACCEPTED_COMMANDS_WHILE_PUBSUB |= _ALLOWED
    # As in `redis_url`: without it, Python 3.11's wait_for now and then swallows a cancellation.
    settings = {"protocol": 3, "socket_timeout": None}
    pool = fakeredis.FakeAsyncRedis(server=server, **settings).connection_pool
    return RedisStore(Source(pool.make_connection, "fakeredis"), **options)
