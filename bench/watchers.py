"""Many followers in one event loop, as if each were a proxy: `python -m bench.watchers SPEC`.

Each has connections of its own to the store and a directory of its own, verifies what it is told
to serve and reports it: all that a proxy does about pins, without the traffic of apps. What they
have in common is an interpreter, so they take turns where real proxies would not.

With `bare` they are the floor instead; see bare.py.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from urllib.parse import urlsplit

import uvloop

from bench.bare import Bare
from bench.sidecar import KEY_VARIABLE
from proxy.fleet.follow import Follower
from proxy.fleet.last_known_good import LastKnownGood
from proxy.gateway.preflight import Preflight
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.settings import Vendor
from proxy.store.url import open_store
from proxy.versions.record import Member

# As the proxies of the same fleet have it.
VENDOR = Vendor(base_url="http://127.0.0.1:9", api_key_env=KEY_VARIABLE, dialects=("openai.chat",))


@dataclass(frozen=True, slots=True)
class Spec:
    """`names` of the members to be, one watcher each; `folder` for what they save."""

    store: str
    names: tuple[str, ...]
    folder: str
    bare: bool = False


async def _follow(spec: Spec, name: str, sink: LogSink) -> None:
    store = open_store(spec.store)
    follower = Follower(
        store,
        member=Member(name, 0, {}),
        disk=LastKnownGood(Path(spec.folder, name)),
        log=open_log(sink),
        clock=time.monotonic,
        explicit_versions=1,
        fit=Preflight({"openai": VENDOR}, {KEY_VARIABLE: "sk-vendor"}, time.monotonic),
    )
    try:
        await follower.run()
    finally:
        await follower.reporter.leave()
        await store.close()


async def _bare(spec: Spec, name: str) -> None:
    url = urlsplit(spec.store)
    loop = asyncio.get_running_loop()
    _, bare = await loop.create_connection(lambda: Bare(name), url.hostname or "", url.port or 0)
    await bare.over.wait()


async def watch(spec: Spec) -> None:
    """Watch until the process is told to stop."""
    loop = asyncio.get_running_loop()
    sink = LogSink(FileIO(os.devnull, "wb"), most_lines=1000)
    sink.attach(loop)
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    watching = [
        loop.create_task(_bare(spec, name) if spec.bare else _follow(spec, name, sink))
        for name in spec.names
    ]
    stopping = loop.create_task(stop.wait())
    done, _ = await asyncio.wait([*watching, stopping], return_when=asyncio.FIRST_COMPLETED)
    for task in (*watching, stopping):
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*watching, return_exceptions=True)
    sink.close()
    for task in done - {stopping}:
        task.result()


def main() -> None:
    uvloop.run(watch(Spec(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
