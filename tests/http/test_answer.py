"""How answers are framed, and that those of one turn go out together."""

import pytest

from proxy.http.answer import chunk, framing, status_line
from tests.http.scene import LIST

CLOSE = b"connection: close\r\n"
KEEP = b"connection: keep-alive\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("length", "chunked", "keep_alive", "old", "lines"),
    [
        (0, True, True, False, b"content-length: 0\r\n"),
        (7, True, True, False, b"content-length: 7\r\n"),
        (7, True, False, False, b"content-length: 7\r\n" + CLOSE),
        (7, False, True, True, b"content-length: 7\r\n" + KEEP),
        (None, True, True, False, CHUNKED),
        (None, True, False, False, CHUNKED + CLOSE),
        (None, False, False, True, CLOSE),
    ],
)
def test_end_of_an_answer_is_said_in_one_way(length, chunked, keep_alive, old, lines):
    said = framing(length, chunked=chunked, keep_alive=keep_alive, http_1_0=old)

    assert said == lines + b"\r\n"


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (200, b"HTTP/1.1 200 OK\r\n"),
        (431, b"HTTP/1.1 431 Request Header Fields Too Large\r\n"),
        (529, b"HTTP/1.1 529 \r\n"),
        (999, b"HTTP/1.1 999 \r\n"),
    ],
)
def test_status_line_of_any_number_is_well_formed(status, line):
    assert status_line(status) == line


@pytest.mark.parametrize("size", [1, 15, 16, 4096, 65536])
def test_chunk_says_its_size(size):
    head, _, rest = chunk(b"x" * size).partition(b"\r\n")

    assert int(head, 16) == size
    assert rest == b"x" * size + b"\r\n"


async def test_answers_of_one_turn_go_out_in_order(scene):
    await scene.app.send(LIST * 8)

    answers = [await scene.app.answer() for _ in range(8)]

    numbers = [int(answer.header("x-proxy-request-id")[16:], 16) for answer in answers]
    assert numbers == sorted(numbers)
