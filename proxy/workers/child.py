"""One worker, as its supervisor knows it."""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from proxy.workers.channel import Channel
from proxy.workers.messages import (
    Answer,
    Ask,
    Begin,
    Cut,
    Deaf,
    Failed,
    News,
    Over,
    Ready,
    Stop,
    What,
)

# Probes wait for a second, as a rule. A worker that hangs must not make the others unknown.
ANSWER_S = 0.7

# Whoever was told to end at once, and does not, hangs.
CUT_S = 2.0


class Child:
    """A worker's process. `ready` and `deaf` are set when it says so, and when it is gone.
    `serves` is whether it is ready and not gone. `page` is what its metrics were last, `member`
    the key under which the fleet knows it."""

    def __init__(
        self, begin: Begin, process: asyncio.subprocess.Process, channel: Channel[News]
    ) -> None:
        self.worker = begin.worker
        self.member = begin.member
        self.process = process
        self.ready = asyncio.Event()
        self.deaf = asyncio.Event()
        self.serves = False
        self.problems: list[str] = []
        self.page = ""
        self._channel = channel
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._ids = itertools.count(1)
        self.gone = asyncio.ensure_future(self._listen())

    @classmethod
    async def spawn(cls, begin: Begin, sockets: Sequence[socket.socket]) -> Child:
        """Start a process that serves on `sockets`. What is secret goes through a pipe."""
        ours, theirs = socket.socketpair()
        try:
            process = await asyncio.create_subprocess_exec(
                *_command(),
                stdin=theirs.fileno(),
                pass_fds=[one.fileno() for one in sockets],
                # A signal from the terminal is for the supervisor.
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        channel: Channel[News] = await Channel.open(ours, News)
        channel.send(begin)
        return cls(begin, process, channel)

    @property
    def pid(self) -> int:
        return self.process.pid

    def tell(self, message: msgspec.Struct) -> None:
        self._channel.send(message)

    async def ask(self, what: What) -> Any | None:
        """Return what the worker answers; None if it does not, in time."""
        id = next(self._ids)
        answer = self._asked[id] = asyncio.get_running_loop().create_future()
        self.tell(Ask(id, what))
        try:
            async with asyncio.timeout(ANSWER_S):
                return await answer
        except TimeoutError:
            return None
        finally:
            del self._asked[id]

    async def end(self) -> None:
        """End the process: it may leave the fleet, but not wait for anything."""
        if self.gone.done():
            return
        self.tell(Stop(quick=True))
        self.tell(Cut())
        with suppress(TimeoutError):
            async with asyncio.timeout(CUT_S):
                await asyncio.shield(self.gone)
        self.kill()
        await self.gone

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            self.process.kill()

    @property
    def fate(self) -> dict[str, Any]:
        """How the process ended, for the log."""
        status = self.process.returncode
        if status is None or status >= 0:
            return {"exit_status": status, "signal": None}
        return {"exit_status": None, "signal": signal.Signals(-status).name}

    async def _listen(self) -> None:
        """Take what the worker tells, until its process is gone."""
        while (news := await self._channel.receive()) is not None:
            self._take(news)
        # Without the pipe it ends by itself, but for one that hangs.
        await self.process.wait()
        self.serves = False
        for answer in self._asked.values():
            if not answer.done():
                answer.set_result(None)
        self.ready.set()
        self.deaf.set()
        await self._channel.close()

    def _take(self, news: News) -> None:
        match news:
            case Ready():
                self.serves = True
                self.ready.set()
            case Failed(problems):
                self.problems = problems
            case Answer(id, body):
                answer = self._asked.get(id)
                if answer is not None and not answer.done():
                    answer.set_result(body)
            case Deaf():
                self.deaf.set()
            case Over(metrics):
                self.page = metrics


def _command() -> list[str]:
    """Return the command of a worker: the same interpreter, and modules from the same place.

    `-m` looks into the current directory first, which `proxyctl` did not.
    """
    here = str(Path.cwd())
    alike = ["-P"] if here not in sys.path and "" not in sys.path else []
    return [sys.executable, *alike, "-m", "proxy.workers"]
