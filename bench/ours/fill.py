"""Fill a store: 1,000 models with 10 versions each, the last one pinned.   fill.py STORE_URL"""

from __future__ import annotations

import asyncio
import sys

from proxy.store.base import Change, NewVersion, Order, Store
from proxy.store.url import open_store
from proxy.versions.content import Content
from proxy.versions.identity import canonical, digest
from proxy.versions.record import Meta, VersionInfo
from proxy.versions.routing import VendorModel

MODELS = 1000
VERSIONS = 10


async def fill(store: Store) -> None:
    newest = [await _register(store, f"model-{number}") for number in range(MODELS)]
    changes = tuple(Change(info.model, "prod", info.id, info.digest) for info in newest)
    await store.swap(Order(changes, operation="fill", by="bench"))


async def _register(store: Store, model: str) -> VersionInfo:
    for number in range(VERSIONS):
        content = Content(
            model=VendorModel(vendor="openai", id="gpt-4o-mini-2024-07-18"),
            system=f"You are assistant {number} of {model}. " * 20,
        )
        stored = canonical(content)
        new = NewVersion(model, stored, digest(stored), Meta(by="bench"))
        registered = await store.register(new, f"{model}-{number}")
    return registered.info


async def main() -> None:
    store = open_store(sys.argv[1])
    await fill(store)
    await store.close()


if __name__ == "__main__":
    asyncio.run(main())
