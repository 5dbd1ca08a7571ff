"""What the tests of the data path share: a scripted vendor, a proxy before it, an app's socket."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.http.listener import Listener
from tests.e2e.models import JACKETS, Files
from tests.harness import Overrides, Proxy, running_proxy
from tests.raw_client import RawAnswer, RawApp, raw_app, request
from tests.vendor_script import LAST_CHUNK, Say, ScriptedVendor, Step, chunk, stream_head, whole

BODY = {"model": "recommender", "messages": [{"role": "user", "content": "hi"}]}
ASK = request(BODY)
ASK_STREAM = request({**BODY, "stream": True})
LIST = b"GET /v1/models HTTP/1.1\r\nHost: proxy.test\r\n\r\n"

ANSWER = b'{"id":"x","choices":[]}'
EVENT = b'data: {"choices":[]}\n\n'
DONE = b"data: [DONE]\n\n"

RECOMMENDER = {"recommender": JACKETS}
ANSWERS = Say(whole(ANSWER))
STREAMS = (Say(stream_head()), Say(chunk(EVENT)), Say(chunk(DONE) + LAST_CHUNK))
STREAMED = EVENT + DONE


@dataclass
class Scene:
    """`app` is one connection to the proxy; `connect` in the tests opens more."""

    vendor: ScriptedVendor
    proxy: Proxy
    app: RawApp

    async def ask(self, raw: bytes = ASK) -> RawAnswer:
        await self.app.send(raw)
        return await self.app.answer()

    async def lines(self, count: int = 1) -> list[dict[str, Any]]:
        """Wait for `count` finished requests; return the lines of all that there are."""
        return await self.proxy.lines("request.finished", count)

    async def line(self, number: int = 1) -> dict[str, Any]:
        return (await self.lines(number))[number - 1]

    async def line_of(self, request_id: str) -> dict[str, Any]:
        """Wait for the line of a request that has been answered."""
        for count in itertools.count(1):
            found = [one for one in await self.lines(count) if one["request_id"] == request_id]
            if found:
                return found[0]
        raise AssertionError

    @property
    def in_flight(self) -> int:
        assert self.proxy.running is not None
        return self.proxy.running.gateway.stats.in_flight

    @property
    def listener(self) -> Listener:
        assert self.proxy.running is not None
        return self.proxy.running.listener

    @property
    def connections(self) -> int:
        return len(self.listener.connections)

    async def nothing_in_flight(self) -> None:
        await until(lambda: self.in_flight == 0)


@asynccontextmanager
async def scene_of(
    directory: Path,
    *script: Step,
    overrides: Overrides | None = None,
    models: Mapping[str, Files] = RECOMMENDER,
    **vendor_options: Any,
) -> AsyncIterator[Scene]:
    """Open everything; the vendor plays `script`, or answers with `ANSWER` if there is none."""
    async with (
        ScriptedVendor(*(script or (ANSWERS,)), **vendor_options) as vendor,
        running_proxy(directory, vendor.url, models, overrides) as proxy,
        raw_app(proxy.address) as app,
    ):
        yield Scene(vendor, proxy, app)


async def until(holds: Any, within_s: float = 10.0) -> None:
    """Wait until `holds()`; for what has no event to wait for."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  # nothing tells when
            await asyncio.sleep(0.005)


def refused(answer: RawAnswer) -> tuple[int, str | None]:
    """Return status and code of an error of the proxy's own, which must be whole and consistent."""
    assert answer.ending == "tidy"
    code = answer.header("x-proxy-error")
    assert answer.header("content-type") == "application/json"
    assert answer.json["error"]["code"] == code
    return answer.status, code
