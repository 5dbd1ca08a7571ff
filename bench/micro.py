"""CPU time of a request in one process: the protocols of both sides, without the kernel.

The proxy's own parts are put together as `proxy.assemble` does it, but for sockets and a store:
what the app and the vendor send is put where a read would put it, and what is written is counted.
Left out are system calls, the event loop and the wake-ups between processes; the load of other
programs still shows, so the fastest of many measurements is taken. What a change is worth to a user
only `bench run` can tell.
"""

from __future__ import annotations

import asyncio
import gc
import heapq
import itertools
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from bench import ask
from bench.sidecar import KEY_VARIABLE, TOKEN_SHA256
from bench.targets import HERE, TOKEN
from proxy.fleet.follow import Follower
from proxy.fleet.snapshot import Pinned, Snapshot, make_ready
from proxy.gateway.access import Access
from proxy.gateway.gateway import Gateway
from proxy.gateway.vendors import open_vendors
from proxy.http.deadlines import Deadlines
from proxy.http.listener import READ_BYTES, Listener
from proxy.http.outbox import Outbox
from proxy.http.server import ServerConnection
from proxy.http.upstream import UpstreamConnection
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.observe.stats import Stats
from proxy.settings import App, Settings, Vendor
from proxy.versions import sources
from proxy.versions.identity import canonical, digest
from proxy.versions.record import PROD, Meta, Pin, Version, VersionInfo

MODEL = "assistant"
CONNECTIONS = 32
CHUNKS = 64
LARGE_CONNECTIONS = 4

# As wrk sends it, and as OpenAI's SDK for Python does.
PLAIN = (
    ("Host", "127.0.0.1:8080"),
    ("Content-Type", "application/json"),
    ("Authorization", f"Bearer {TOKEN}"),
)
SDK = (
    ("Host", "127.0.0.1:8080"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("Accept", "application/json"),
    ("Content-Type", "application/json"),
    ("User-Agent", "OpenAI/Python 3.54.0"),
    ("X-Stainless-Lang", "python"),
    ("X-Stainless-Package-Version", "3.54.0"),
    ("X-Stainless-OS", "Linux"),
    ("X-Stainless-Arch", "x64"),
    ("X-Stainless-Runtime", "CPython"),
    ("X-Stainless-Runtime-Version", "3.11.2"),
    ("Authorization", f"Bearer {TOKEN}"),
    ("X-Stainless-Async", "false"),
    ("x-stainless-retry-count", "0"),
    ("x-stainless-read-timeout", "600"),
)

ANSWER = (
    b'{"id":"chatcmpl-CkB0fQp3xW9vT6sYhL2mNd8RzUa1e","object":"chat.completion","created":17638500,'
    b'"model":"gpt-4o-mini-2024-07-18","choices":[{"index":0,"message":{"role":"assistant",'
    b'"content":"%b","refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":263,"completion_tokens":58,"total_tokens":321,'
    b'"prompt_tokens_details":{"cached_tokens":0}},"service_tier":"default"}'
) % (b"The quarterly numbers look steady. " * 8)
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: vendor\r\nContent-Type: application/json\r\n"
    b"openai-processing-ms: 1\r\nx-request-id: req_0123456789abcdef\r\nContent-Length: %d\r\n\r\n"
)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: vendor\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
    b"Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n\r\n"
)
EVENT = (
    b'data: {"id":"chatcmpl-CkB0fQp3xW9vT6sYhL2mNd8RzUa1e","object":"chat.completion.chunk",'
    b'"created":1763850000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default",'
    b'"system_fingerprint":"fp_51db84afab","choices":[%b],"usage":%b}\n\n'
)
DELTA = b'{"index":0,"delta":{"content":" word"},"logprobs":null,"finish_reason":%b}'
USAGE = b'{"prompt_tokens":263,"completion_tokens":64,"total_tokens":327}'


class Turns:
    """The part of an event loop that the data path uses; a turn is one call of `run`."""

    def __init__(self) -> None:
        self._soon: list[tuple[Callable[..., object], tuple[Any, ...]]] = []
        self._later: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._count = itertools.count()
        self.time = time.monotonic

    def call_soon(self, act: Callable[..., object], *given: Any) -> None:
        self._soon.append((act, given))

    def call_later(self, after_s: float, act: Callable[..., object], *given: Any) -> object:
        timer = (self.time() + after_s, next(self._count), act, given)
        heapq.heappush(self._later, timer)
        return SimpleNamespace(cancel=lambda: None)

    def run(self) -> None:
        soon, self._soon = self._soon, []
        for act, given in soon:
            act(*given)
        if self._later and self._later[0][0] <= self.time():
            _, _, act, given = heapq.heappop(self._later)
            act(*given)


class Wire(asyncio.Transport):
    """Takes everything at once."""

    def write(self, data: Any) -> None: ...

    def writelines(self, pieces: Any) -> None: ...

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False


class Nowhere(RawIOBase):
    def write(self, data: Any) -> int:
        return len(data)


def receive(connection: asyncio.BufferedProtocol, data: bytes | memoryview) -> None:
    """Bring `data` as the transport would, a buffer at a time."""
    rest = memoryview(data)
    while rest:
        place = cast(memoryview, connection.get_buffer(-1))
        count = min(len(place), len(rest))
        place[:count] = rest[:count]
        connection.buffer_updated(count)
        rest = rest[count:]


@dataclass(slots=True)
class Bench:
    """`apps` are connections from apps, `vendor` as many to the vendor."""

    turns: Turns
    gateway: Gateway
    apps: list[ServerConnection]
    vendor: list[UpstreamConnection]

    def play(self, asked: bytes, answer: Sequence[bytes]) -> None:
        """Have every app ask once, and the vendor answer each, a piece a turn."""
        for app in self.apps:
            receive(app, asked)
        self.turns.run()
        for piece in answer:
            for connection in self.vendor:
                receive(connection, piece)
            self.turns.run()
        assert self.gateway.stats.in_flight == 0


def _settings() -> Settings:
    vendor = Vendor(
        base_url="http://127.0.0.1:9", api_key_env=KEY_VARIABLE, dialects=("openai.chat",)
    )
    app = App(token_sha256=TOKEN_SHA256, models=(MODEL,))
    return Settings(vendors={"openai": vendor}, apps={"bench": app})


def _snapshot() -> Snapshot:
    folder = HERE / "ours"
    names = ("version.toml", "system.md", "tools.json")
    content = sources.read({name: Path(folder, name).read_bytes() for name in names})
    stored = canonical(content)
    found = digest(stored)
    id = f"{MODEL}-v1-{found.removeprefix('sha256:')[:6]}"
    info = VersionInfo(MODEL, 1, id, found, "", Meta(by="bench"), len(stored))
    pin = Pin(MODEL, PROD, 1, id, found, "bench")
    return Snapshot.of(1, {(MODEL, PROD): Pinned(pin, make_ready(Version(info, stored)))})


def open_bench(connections: int) -> Bench:
    turns, settings = Turns(), _settings()
    loop = cast(asyncio.AbstractEventLoop, turns)
    sink = LogSink(Nowhere(), most_lines=settings.limits.log_lines)
    sink.attach(loop)
    deadlines, outbox = Deadlines(loop), Outbox(loop)
    scratch, received = (memoryview(bytearray(READ_BYTES)) for _ in range(2))
    vendors = open_vendors(settings, {KEY_VARIABLE: "sk-v"}, deadlines, received, outbox, loop)
    gateway = Gateway(
        settings,
        follower=cast(Follower, SimpleNamespace(snapshot=_snapshot())),
        vendors=vendors,
        access=Access(settings.apps),
        sink=sink,
        log=open_log(sink),
        stats=Stats(),
        loop=loop,
        draw=random.random,
    )
    limits, timeouts = settings.limits, settings.timeouts
    listener = Listener(loop, gateway, limits, timeouts, deadlines, scratch, set(), outbox)
    pool = vendors.route("openai", "openai.chat").pool
    apps = [ServerConnection(listener) for _ in range(connections)]
    upstream = [UpstreamConnection(pool) for _ in range(connections)]
    for connection in (*apps, *upstream):
        connection.connection_made(Wire())
    for one in upstream:
        pool.idle(one)
    return Bench(turns, gateway, apps, upstream)


def request(headers: tuple[tuple[str, str], ...], body: bytes) -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    head = f"POST /v1/chat/completions HTTP/1.1\r\n{lines}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _framed(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _pieces() -> list[bytes]:
    word = _framed(EVENT % (DELTA % b"null", b"null"))
    end = (EVENT % (DELTA % b'"stop"', b"null"), EVENT % (b"", USAGE), b"data: [DONE]\n\n")
    last = b"".join(map(_framed, end)) + b"0\r\n\r\n"
    return [STREAM_HEAD + word, *[word] * (CHUNKS - 1), last]


PIECES: Final = _pieces()


@dataclass(frozen=True, slots=True)
class Load:
    """`act` brings `units` of `unit`; `rounds` of it are one measurement, of some milliseconds."""

    unit: str
    units: int
    rounds: int
    act: Callable[[], None]

    def measure(self) -> float:
        """Return microseconds of CPU time a unit."""
        began = time.process_time_ns()
        for _ in range(self.rounds):
            self.act()
        return (time.process_time_ns() - began) / 1000 / self.rounds / self.units


def loads() -> dict[str, Load]:
    answer = HEAD % len(ANSWER) + ANSWER
    plain, sdk = (request(headers, ask.body(MODEL)) for headers in (PLAIN, SDK))
    streamed = request(PLAIN, ask.body(MODEL, stream=True))
    large = request(PLAIN, ask.body(MODEL, large_bytes=ask.LARGE_BYTES))
    many, few = open_bench(CONNECTIONS), open_bench(LARGE_CONNECTIONS)
    chunks = CONNECTIONS * (len(PIECES) + 2)  # the last one brings three events
    return {
        "small": Load("request", CONNECTIONS, 20, lambda: many.play(plain, [answer])),
        "sdk": Load("request", CONNECTIONS, 20, lambda: many.play(sdk, [answer])),
        "stream": Load("chunk", chunks, 1, lambda: many.play(streamed, PIECES)),
        "large": Load("request", LARGE_CONNECTIONS, 4, lambda: few.play(large, [answer])),
    }


def run(names: Sequence[str], times: int) -> None:
    """Measure each load `times` times, in turn, and print the fastest."""
    found = loads()
    gc.collect()
    gc.freeze()
    best = dict.fromkeys(names or found, math.inf)
    for _ in range(times):
        for name in best:
            best[name] = min(best[name], found[name].measure())
    for name, us in best.items():
        print(f"{name:8} {us:8.2f} us/{found[name].unit}")
