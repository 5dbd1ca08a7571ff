"""A proxy that follows the store of a command under test."""

import os
from contextlib import asynccontextmanager
from io import FileIO

from proxy.assemble import start
from proxy.observe.log_sink import LogSink
from tests.harness import CANARY, KEY_VARIABLE


@asynccontextmanager
async def serving(settings):
    """Yield the URL of one; `settings` say which store, and a vendor that takes the canary."""
    with FileIO(os.devnull, "wb") as nowhere:
        sink = LogSink(nowhere, most_lines=100)
        running = await start(settings, env={KEY_VARIABLE: CANARY}, sink=sink)
        yield f"http://{running.bound.data}"
        await running.stop(0.0, delay_s=0.0)
        sink.close()
