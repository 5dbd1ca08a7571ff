"""Where a store under test keeps its data, and what people could do to that by hand."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import uuid
from pathlib import Path
from typing import Any, Protocol

import fakeredis

from proxy.store.base import Change, NewVersion, Order, Store, Swapped
from proxy.store.redis import RedisStore
from proxy.store.redis_keys import Keys
from proxy.store.redis_url import source
from proxy.store.sqlite import SqliteStore
from proxy.versions.names import version_id
from proxy.versions.record import Meta, Version, VersionInfo
from tests.fake_redis import fake_store
from tests.redis_server import RedisServer

MODEL = "recommender"
DAMAGED = b"damaged"


class Place(Protocol):
    def open(self, **options: float) -> Store:
        """Return one more store on the same data, as another process would have it. `options` are
        `lease_s`, `missed_s`, `question_s`."""

    def set_pin(self, model: str, label: str, text: str) -> None:
        """Write a pin past the store, as somebody with a terminal would."""

    def damage(self, model: str, number: int) -> None:
        """Put other bytes in the place of a version's."""


class SqlitePlace:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "state" / "store.db"

    def open(self, **options: float) -> Store:
        return SqliteStore(self.path, **options)

    def set_pin(self, model: str, label: str, text: str) -> None:
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute("REPLACE INTO pins VALUES (?,?,?)", (model, label, text))
        connection.close()

    def damage(self, model: str, number: int) -> None:
        statement = "UPDATE versions SET content = ? WHERE model = ? AND number = ?"
        connection = sqlite3.connect(self.path)
        with connection:
            connection.execute(statement, (DAMAGED, model, number))
        connection.close()


class FakeRedisPlace:
    def __init__(self) -> None:
        self.server = fakeredis.FakeServer()

    def open(self, **options: float) -> Store:
        return fake_store(self.server, **options)

    def set_pin(self, model: str, label: str, text: str) -> None:
        with fakeredis.FakeRedis(server=self.server) as client:
            client.set(Keys().pin((model, label)), text)

    def damage(self, model: str, number: int) -> None:
        with fakeredis.FakeRedis(server=self.server) as client:
            client.hset(Keys().of_model("versions", model), str(number), DAMAGED)


class RedisPlace:
    """A namespace of its own on a shared server."""

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.namespace = f"test-{uuid.uuid4().hex}"

    def open(self, **options: float) -> Store:
        return RedisStore(source(self.server.url), namespace=self.namespace, **options)

    def set_pin(self, model: str, label: str, text: str) -> None:
        self.server.run("SET", Keys(self.namespace).pin((model, label)), text)

    def damage(self, model: str, number: int) -> None:
        versions = Keys(self.namespace).of_model("versions", model)
        self.server.run("HSET", versions, number, DAMAGED)


def new(text: str, model: str = MODEL, **meta: Any) -> NewVersion:
    """Return something to register: any text will do as content."""
    content = text.encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    return NewVersion(model, content, digest, Meta(**{"by": "ada", **meta}))


async def registered(store: Store, *texts: str, model: str = MODEL) -> list[VersionInfo]:
    """Register one version for each text, in order."""
    done = [await store.register(new(text, model), operation()) for text in texts]
    return [each.info for each in done]


def change(info: VersionInfo, label: str = "prod", **options: Any) -> Change:
    return Change(info.model, label, info.id, info.digest, **options)


def order(*changes: Change, **options: Any) -> Order:
    return Order(changes, **{"operation": operation(), "by": "ada", **options})


def operation() -> str:
    return uuid.uuid4().hex


async def settled(calls: Any) -> list[Any]:
    """Await all `calls` at once; return results and errors, in order."""
    return await asyncio.gather(*calls, return_exceptions=True)


PROD = (MODEL, "prod")
# Well formed, but never registered.
UNKNOWN = f"{MODEL}-v9-ffffff"
DIGEST = "sha256:" + "f" * 64


async def pin(store: Store, info: VersionInfo, label: str = "prod", **options: Any) -> Swapped:
    return await store.swap(order(change(info, label, **options)))


async def held(store: Store, label: str = "prod") -> str | None:
    """Return the id that the label of `MODEL` holds."""
    found = (await store.pins()).pins.get((MODEL, label))
    return found.id if found else None


def restorable(text: str, number: int, model: str = MODEL, **meta: Any) -> Version:
    """Return a version as it was registered before the store lost it."""
    asked = new(text, model, **meta)
    id = version_id(model, number, asked.digest[7:13])
    at = "2026-11-23T14:18:00.007Z"
    info = VersionInfo(model, number, id, asked.digest, at, asked.meta, len(asked.content))
    return Version(info, asked.content)


async def freeze(store: Store, frozen: bool = True) -> None:
    await store.freeze(MODEL, frozen, by="ada", reason="launch", operation=operation())
