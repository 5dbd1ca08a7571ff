"""Log lines: all of them, in order, unless nobody reads; and never at the event loop's expense."""

import asyncio
import io
import json
import os
import select
import threading
import time

import pytest

from proxy.observe.log_sink import FLUSH_S, LogSink, pieces

# What a pipe holds in Linux before its writer waits.
PIPE_BYTES = 65536
LINE = b"x" * 999 + b"\n"


class Taking(io.RawIOBase):
    """A file that takes everything, and can be waited for."""

    def __init__(self):
        self.written = b""
        self.writes = 0
        self._more = threading.Condition()

    def write(self, data):
        with self._more:
            self.written += bytes(data)
            self.writes += 1
            self._more.notify_all()
        return len(data)

    def wait_for(self, length):
        with self._more:
            assert self._more.wait_for(lambda: len(self.written) >= length, 10)


@pytest.fixture
def pipe():
    """Return a pipe: a descriptor to read, and a raw file to write, as stdout is one."""
    reader, writer = os.pipe()
    file = io.FileIO(writer, "wb")
    yield reader, file
    os.close(reader)
    file.close()


def read_all(reader):
    """Read a pipe until nobody can write into it any more."""
    text = b""
    while piece := os.read(reader, PIPE_BYTES):
        text += piece
    return text


def stuck(pipe):
    """Return a sink whose thread waits for a reader of the pipe, who reads nothing."""
    sink = LogSink(pipe[1], most_lines=10)
    for _ in range(PIPE_BYTES // len(LINE) + 2):
        sink.write(LINE)
    return sink


# --- written


def test_lines_come_out_in_order_and_whole():
    file = Taking()
    sink = LogSink(file, most_lines=10_000)
    lines = [b"%d\n" % number for number in range(5000)]

    for line in lines:
        sink.write(line)
    sink.close()

    assert file.written == b"".join(lines)


def test_before_there_is_a_loop_a_line_is_written_at_once():
    file = Taking()
    sink = LogSink(file, most_lines=10)

    sink.write(b"early\n")
    file.wait_for(6)

    sink.close()


async def test_with_a_loop_a_line_is_written_within_a_tenth_of_a_second():
    file = Taking()
    sink = LogSink(file, most_lines=10)
    sink.attach(asyncio.get_running_loop())

    began = time.perf_counter()
    sink.write(b"line\n")
    await asyncio.to_thread(file.wait_for, 5)

    assert time.perf_counter() - began < 0.5  # stuck is for ever; the machine has others to serve
    sink.close()


async def test_lines_of_one_moment_are_one_write():
    file = Taking()
    sink = LogSink(file, most_lines=1000)
    sink.attach(asyncio.get_running_loop())

    for _ in range(100):
        sink.write(b"line\n")
    await asyncio.to_thread(file.wait_for, 500)

    assert file.writes == 1
    sink.close()


async def test_closing_writes_what_is_left():
    file = Taking()
    sink = LogSink(file, most_lines=10)
    sink.attach(asyncio.get_running_loop())

    sink.write(b"last\n")
    sink.close()

    assert file.written == b"last\n"


def test_closing_twice_is_not_an_error():
    sink = LogSink(Taking(), most_lines=10)

    sink.close()
    sink.close()


class Nibbling(Taking):
    """A file that takes a few bytes at a time, and now and then none: a pipe that does not wait."""

    def write(self, data):
        self.writes += 1
        if self.writes % 3 == 0:
            return None
        return super().write(bytes(data[:7]))


def test_a_file_that_takes_little_at_a_time_gets_everything():
    file = Nibbling()
    sink = LogSink(file, most_lines=100)
    lines = [b"line %d\n" % number for number in range(30)]

    for line in lines:
        sink.write(line)
    sink.close(timeout_s=10)

    assert file.written == b"".join(lines)


# --- nobody reads


async def test_a_reader_that_is_stuck_does_not_stop_the_event_loop(pipe):
    sink = stuck(pipe)
    loop = asyncio.get_running_loop()
    sink.attach(loop)
    gaps, last = [], loop.time()

    for _ in range(50):
        for _ in range(100):
            sink.write(LINE)
        await asyncio.sleep(FLUSH_S / 10)
        gaps.append(loop.time() - last)
        last = loop.time()

    assert max(gaps) < 0.5  # stuck is for ever; the machine has others to serve
    sink.close(timeout_s=0)


async def test_what_does_not_fit_is_dropped_and_counted(pipe):
    sink = stuck(pipe)
    sink.attach(asyncio.get_running_loop())
    before = sink.dropped

    for _ in range(25):
        sink.write(b"line\n")

    assert sink.dropped - before == 15
    sink.close(timeout_s=0)


async def test_how_many_were_dropped_is_a_line_in_their_place(pipe):
    reader, file = pipe
    sink = LogSink(file, most_lines=3)
    sink.attach(asyncio.get_running_loop())
    sink.write(b"x" * (2 * PIPE_BYTES) + b"\n")
    await asyncio.sleep(3 * FLUSH_S)  # the thread takes that line, and waits
    for number in range(5):
        sink.write(b"%d\n" % number)

    reading = asyncio.create_task(asyncio.to_thread(read_all, reader))
    await asyncio.to_thread(sink.close)
    file.close()
    *lines, note = (await reading).splitlines()[1:]

    assert lines == [b"0", b"1", b"2"]
    noted = json.loads(note)
    assert (noted["event"], noted["count"]) == ("log.lines_dropped", 2)


async def test_what_is_kept_for_a_stuck_reader_is_bounded(pipe):
    sink = stuck(pipe)
    sink.attach(asyncio.get_running_loop())

    for _ in range(10_000):
        sink.write(b"x" * 1000 + b"\n")
    await asyncio.sleep(3 * FLUSH_S)
    for _ in range(10_000):
        sink.write(b"x" * 1000 + b"\n")

    # Two batches at most: the one being written, and the next one.
    assert sink.dropped >= 20_000 - 2 * 10 - 1
    sink.close(timeout_s=0)


def test_closing_waits_for_a_stuck_reader_only_so_long(pipe):
    sink = stuck(pipe)

    began = time.perf_counter()
    sink.close(timeout_s=0.05)

    assert time.perf_counter() - began < 1


def test_a_reader_that_is_gone_is_no_error():
    reader, writer = os.pipe()
    file = io.FileIO(writer, "wb")
    os.close(reader)
    sink = LogSink(file, most_lines=10)

    sink.write(b"line\n")
    sink.close()

    assert sink.dropped == 1
    file.close()


# --- several processes on one pipe


def test_no_write_is_larger_than_what_comes_in_one_piece():
    lines = [b"a" * 9, b"b" * 9, b"c" * 30, b"d" * 9, b"e" * 20]

    assert list(pieces(lines, 20)) == [lines[0] + lines[1], lines[2], lines[3], lines[4]]


def test_alone_all_is_written_at_once():
    assert list(pieces([LINE] * 100, None)) == [LINE * 100]


def test_lines_of_several_writers_are_not_mixed(pipe):
    """As threads here: to the pipe that is the same."""
    reader, file = pipe
    sinks = [LogSink(file, most_lines=1000, whole_bytes=select.PIPE_BUF) for _ in range(3)]
    read = []
    reading = threading.Thread(target=lambda: read.append(read_all(reader)))
    reading.start()
    for _ in range(300):
        for letter, sink in zip(b"abc", sinks, strict=True):
            sink.write(bytes([letter]) * 700 + b"\n")
    for sink in sinks:
        sink.close(timeout_s=10)
    file.close()
    reading.join(10)

    lines = read[0].splitlines()
    assert len(lines) == 900
    assert {(len(line), len(set(line))) for line in lines} == {(700, 1)}
