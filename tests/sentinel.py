"""A primary, its replicas and the sentinels that watch over them, as real processes on loopback."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.redis_server import RedisServer

SERVICE = "main"

# Sentinels of a test look more often than the ten seconds that are usual. Not at the period of
# pings: a replica that did not answer for five of them is none to be promoted.
PERIODS_MS = {
    "INFO-PERIOD": 100,
    "ASK-PERIOD": 100,
    "PUBLISH-PERIOD": 100,
    "ELECTION-TIMEOUT": 1000,
}
DOWN_AFTER_MS = 500
# After a vote without a majority the next one is due in twice this; a promotion takes one second.
FAILOVER_MS = 1200
KNOWN_WITHIN_S = 10.0


class Sentinel(RedisServer):
    """One sentinel of a service whose primary is at `port`; `quorum` of them call it down."""

    def __init__(self, directory: Path, port: int, quorum: int, *options: str) -> None:
        super().__init__(directory)
        self._lines = [
            f"sentinel monitor {SERVICE} 127.0.0.1 {port} {quorum}",
            f"sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER_MS}",
            f"sentinel failover-timeout {SERVICE} {FAILOVER_MS}",
            *options,
        ]

    def start(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        config = self.directory / "sentinel.conf"
        config.write_text("\n".join(self._lines))
        self.start_as(str(config), "--sentinel")
        for name, period_ms in PERIODS_MS.items():
            self.run("SENTINEL", "DEBUG", name, period_ms)

    def knows(self) -> tuple[int, int]:
        """Return how many replicas and how many other sentinels it knows that are well."""
        flags = [
            [one[b"flags"] for one in self.run("SENTINEL", what, SERVICE)]
            for what in ("REPLICAS", "SENTINELS")
        ]
        replicas, others = (sum(b"down" not in each for each in one) for one in flags)
        return replicas, others


@dataclass(frozen=True, slots=True)
class Watched:
    """A service under watch."""

    primary: RedisServer
    replicas: list[RedisServer]
    sentinels: list[Sentinel]

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    def settle(self) -> None:
        """Wait until all know one another."""
        wanted = (len(self.replicas), len(self.sentinels) - 1)
        give_up = time.monotonic() + KNOWN_WITHIN_S
        while any(one.knows() != wanted for one in self.sentinels):
            assert time.monotonic() < give_up, [one.knows() for one in self.sentinels]
            time.sleep(0.02)


@pytest.fixture
def watch_over(
    start_redis: Callable[..., RedisServer], tmp_path: Path
) -> Iterator[Callable[..., Watched]]:
    """Return a function that starts so many replicas and sentinels, and knows them settled."""
    started: list[Sentinel] = []

    def start(*, replicas: int = 0, sentinels: int = 1) -> Watched:
        primary = start_redis("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        followers = [
            start_redis("--replicaof", "127.0.0.1", str(primary.port)) for _ in range(replicas)
        ]
        for n in range(sentinels):
            started.append(Sentinel(tmp_path / f"s{n}", primary.port, sentinels // 2 + 1))
            started[-1].start()
        watched = Watched(primary, followers, started[-sentinels:])
        watched.settle()
        return watched

    yield start
    for sentinel in started:
        sentinel.stop()
