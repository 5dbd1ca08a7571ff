"""Large bodies take no more memory than they must: a managed one is held once, one that is passed
through is not held at all. The vendor and the app here hold nothing of it themselves."""

import asyncio
import gc
import tracemalloc
from contextlib import asynccontextmanager

import pytest

from tests.harness import running_proxy
from tests.http.scene import ANSWER, RECOMMENDER, refused
from tests.raw_client import raw_app
from tests.vendor_script import chunk, whole

MB = 2**20
PIECE = b"A" * (64 * 1024)
PASSING = {"models": {"unmanaged": "passthrough"}}


class Drain(asyncio.Protocol):
    """Counts what comes, keeps its end only, and answers when a request has ended."""

    def __init__(self, counted, open_here):
        self._counted = counted
        self._open_here = open_here
        self._tail = b""
        self._end = None

    def connection_made(self, transport):
        self._transport = transport
        self._open_here.add(transport)

    def connection_lost(self, error):
        self._open_here.discard(self._transport)

    def data_received(self, data):
        if self._end is None:
            head, _, data = data.partition(b"\r\n\r\n")
            self._end = b"0\r\n\r\n" if b"chunked" in head else b'"END"}'
        self._counted.append(len(data))
        self._tail = (self._tail + data)[-16:]
        if self._tail.endswith(self._end):
            self._transport.write(whole(ANSWER))


@asynccontextmanager
async def draining_vendor():
    """Yield the URL of a vendor, and the sizes that it received."""
    counted, open_here = [], set()
    loop = asyncio.get_running_loop()
    async with await loop.create_server(
        lambda: Drain(counted, open_here), "127.0.0.1", 0
    ) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", counted
    for transport in list(open_here):
        transport.abort()


def image(size):
    """Return a multimodal request of about `size` bytes in pieces: head first."""
    opening = (
        b'{"model":"recommender","messages":[{"role":"user","content":[{"type":"image_url",'
        b'"image_url":{"url":"data:image/png;base64,'
    )
    closing = b'"}}]}],"user":"END"}'
    pieces = [opening, *[PIECE] * (size // len(PIECE)), closing]
    head = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    return [head % sum(map(len, pieces)), *pieces]


def file(size):
    """Return an upload of `size` bytes in chunks: head first."""
    head = b"POST /v1/files HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    return [head, *[chunk(PIECE)] * (size // len(PIECE)), b"0\r\n\r\n"]


async def peak_of(app, pieces):
    gc.collect()
    tracemalloc.start(1)
    try:
        before, _ = tracemalloc.get_traced_memory()
        for piece in pieces:
            await app.send(piece)
        answer = await app.answer()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return answer, peak - before


async def test_a_multimodal_body_is_held_once(tmp_path):
    size = 20 * MB
    async with (
        draining_vendor() as (url, counted),
        running_proxy(tmp_path, url, RECOMMENDER) as proxy,
        raw_app(proxy.address) as app,
    ):
        answer, peak = await peak_of(app, image(size))

    assert answer.body == ANSWER
    assert sum(counted) > size
    assert size < peak < size + 3 * MB


async def test_a_body_that_is_passed_through_is_not_held(tmp_path):
    size = 40 * MB  # more than a managed one may have
    async with (
        draining_vendor() as (url, counted),
        running_proxy(tmp_path, url, RECOMMENDER, PASSING) as proxy,
        raw_app(proxy.address) as app,
    ):
        answer, peak = await peak_of(app, file(size))

    assert answer.body == ANSWER
    assert sum(counted) > size
    assert peak < 2 * MB


@pytest.mark.parametrize("path", [b"/v1/chat/completions", b"/v1/messages"])
async def test_a_managed_body_over_the_limit_is_refused_unread(tmp_path, path):
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    async with (
        draining_vendor() as (url, counted),
        running_proxy(tmp_path, url, RECOMMENDER, PASSING) as proxy,
        raw_app(proxy.address) as app,
    ):
        await app.send(head % (path, 33 * MB))
        answer = await app.answer()

    assert answer.informational == []
    assert (answer.status, answer.header("x-proxy-error")) == (413, "body_too_large")
    assert counted == []


async def test_a_managed_body_in_chunks_is_held_up_to_the_limit(tmp_path):
    limit = {"limits": {"body_bytes": MB}}
    head, *chunks = file(8 * MB)
    async with (
        draining_vendor() as (url, counted),
        running_proxy(tmp_path, url, RECOMMENDER, limit) as proxy,
        raw_app(proxy.address) as app,
    ):
        managed = head.replace(b"/v1/files", b"/v1/chat/completions")
        answer, peak = await peak_of(app, [managed, *chunks])

    assert refused(answer) == (413, "body_too_large")
    assert peak < 3 * MB
    assert counted == []
