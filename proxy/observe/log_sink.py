"""Where log lines go: a bounded queue that a thread empties.

The event loop never waits for a slow reader of stdout. A full queue drops lines and counts them;
the count is written as a line of its own when there is room again.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from io import RawIOBase

import msgspec

from proxy import events
from proxy.observe.clock import timestamp

# A line appears within 100 ms of its request's end; batching until then saves a system call and
# a change of threads for each.
FLUSH_S = 0.02

# A file that takes nothing just now, and does not wait itself, is asked again this often.
_RETRY_S = 0.01


class LogSink:
    """Collects lines on the event loop's thread and writes them in batches on its own.

    `most_lines` may wait. `dropped` counts those that were lost, because the reader is slow or
    gone. Where several processes write to one file, `whole_bytes` is what a single write brings
    there in one piece: no line that is shorter is mixed with another process's.
    """

    def __init__(self, file: RawIOBase, *, most_lines: int, whole_bytes: int | None = None) -> None:
        self._file = file
        self._whole_bytes = whole_bytes
        self.most_lines = most_lines
        self._lines: list[bytes] = []
        self._writing: list[bytes] = []
        self._dropped = 0
        self.dropped = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Batch lines by timers of `loop` from now on; before that each line is written at once."""
        self._loop = loop

    def write(self, line: bytes) -> None:
        """Queue one line, given with its line end."""
        if len(self._lines) >= self.most_lines:
            self._dropped += 1
            self.dropped += 1
            return
        self._lines.append(line)
        if self._loop is None:
            self._pass_on()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_S, self._pass_on)

    def _pass_on(self) -> None:
        self._timer = None
        if self._writing and self._loop is not None:
            self._timer = self._loop.call_later(FLUSH_S, self._pass_on)
            return
        self._note_dropped()
        with self._wake:
            self._writing += self._lines
            self._lines = []
            self._wake.notify()

    def _note_dropped(self) -> None:
        if self._dropped:
            count, self._dropped = self._dropped, 0
            line = {"event": events.LOG_LINES_DROPPED, "ts": timestamp(), "count": count}
            self._lines.append(msgspec.json.encode(line) + b"\n")

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._writing and not self._closing:
                    self._wake.wait()
                if not self._writing:
                    return
                batch = list(self._writing)
            for piece in pieces(batch, self._whole_bytes):
                self._write_out(piece)
            with self._wake:
                del self._writing[: len(batch)]
                self._wake.notify_all()

    def _write_out(self, data: bytes) -> None:
        rest = memoryview(data)
        try:
            while rest:
                taken = self._file.write(rest)
                if taken is None:
                    time.sleep(_RETRY_S)
                rest = rest[taken or 0 :]
        except (OSError, ValueError):
            # Nobody reads any more; requests go on without their lines.
            self.dropped += bytes(rest).count(b"\n")

    def close(self, timeout_s: float = 1.0) -> None:
        """Write what is left, waiting at most `timeout_s` for a reader that is stuck."""
        if self._timer is not None:
            self._timer.cancel()
        self._loop = None
        self._pass_on()
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        self._thread.join(timeout_s)


def pieces(lines: Sequence[bytes], whole_bytes: int | None) -> Iterator[bytes]:
    """Join lines to pieces of at most `whole_bytes`, and of one line where that is longer."""
    if whole_bytes is None:
        yield b"".join(lines)
        return
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) > whole_bytes:
            yield piece
            piece = b""
        piece += line
    yield piece
