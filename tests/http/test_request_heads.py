"""Heads, and what chunks bring beside their data, are bounded."""

import pytest

from tests.http.frames import PLAIN, apart, in_chunks, sized
from tests.http.scene import (
    ASK,
    refused,
    scene_of,
)
from tests.raw_client import request

SMALL = {"limits": {"head_bytes": 2048, "headers": 10}}


def with_head(size, body=PLAIN):
    """Return a request whose line and headers have `size` bytes, the empty line aside."""
    start = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\nX-Note: "
    )
    filler = "a" * (size - len(start) - 2)
    return (start + filler).encode() + b"\r\n\r\n" + body


async def test_head_near_its_limit_is_served(tmp_path):
    async with scene_of(tmp_path, overrides=SMALL) as scene:
        assert (await scene.ask(with_head(2000))).status == 200


@pytest.mark.vendor(overrides=SMALL)
@pytest.mark.parametrize("step", [10, 100, 1000, 10**6])
async def test_head_over_its_limit_is_refused_however_it_comes(scene, step):
    raw = with_head(2200)
    pieces = (raw[place : place + step] for place in range(0, len(raw), step))

    await apart(scene.app, *pieces)

    assert refused(await scene.app.answer()) == (431, "headers_too_large")


@pytest.mark.vendor(overrides=SMALL)
@pytest.mark.parametrize(
    "part", [b"GET /", b"GET /v1/models HTTP/1.1\r\nX-Note: ", b"GET / HTTP/1.1\r\n"]
)
async def test_head_without_an_end_is_refused_at_its_limit(scene, part):
    await apart(scene.app, part, *[b"a" * 500] * 4)

    assert refused(await scene.ask(b"a" * 500)) == (431, "headers_too_large")


@pytest.mark.vendor(overrides=SMALL)
async def test_body_does_not_count_as_head(scene):
    raw = request(sized(20_000))

    await apart(scene.app, raw[:30], raw[30:])

    assert (await scene.app.answer()).status == 200


@pytest.mark.vendor(overrides=SMALL)
async def test_requests_before_it_do_not_count_as_head(scene):
    second = ASK.replace(b"/v1/chat", b"/v1/chat", 1)
    row = in_chunks(sized(9000).encode(), 100) + second

    await apart(scene.app, row[:-200], row[-200:-100], row[-100:])

    assert [(await scene.app.answer()).status for _ in range(2)] == [200, 200]


@pytest.mark.vendor(overrides=SMALL)
@pytest.mark.parametrize(("count", "status"), [(9, 200), (10, 431)])
async def test_headers_are_counted(scene, count, status):
    lines = b"X-Note: a\r\n" * count
    raw = b"GET /v1/models HTTP/1.1\r\nHost: a\r\n" + lines + b"\r\n"

    assert (await scene.ask(raw)).status == status


@pytest.mark.vendor(overrides=SMALL)
@pytest.mark.parametrize(
    "piece",
    [b"1;a=" + b"b" * 200 + b"\r\nx\r\n", b"0\r\n" + b"X-Note: " + b"b" * 200 + b"\r\n"],
    ids=["extensions", "trailers"],
)
async def test_chunks_may_not_bring_much_beside_their_data(scene, piece):
    head = in_chunks(PLAIN, 20).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    more = piece.removeprefix(b"0\r\n")

    await apart(scene.app, head, piece, *[more] * 40)

    assert refused(await scene.app.answer()) == (400, "bad_framing")
