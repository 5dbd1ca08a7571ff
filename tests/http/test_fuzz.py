"""Requests spoilt at random: whatever comes, the proxy answers or closes, and goes on serving."""

import asyncio
import itertools
import random

import pytest

from proxy.simvendor.server import SimulatedVendor
from tests.e2e.models import JACKETS
from tests.harness import running_proxy
from tests.http.frames import in_chunks, sized
from tests.http.scene import ASK, ASK_STREAM, BODY, LIST, Scene, until
from tests.http.test_leaks import Baseline
from tests.raw_client import RawApp, raw_app, request

SEED = 20261123
ROUNDS = 40
AT_ONCE = 16

SEEDS = [
    ASK,
    ASK_STREAM,
    LIST,
    ASK + LIST + ASK_STREAM,
    in_chunks(ASK.partition(b"\r\n\r\n")[2], 9),
    request({"model": "recommender", "input": "hi"}, path="/v1/responses"),
    request(sized(40_000)),
    request(BODY, headers=[("Expect", "100-continue"), ("Connection", "close")]),
    request({**BODY, "messages": [{"role": "user", "content": "[[sim:cut after=1]]"}]}),
    request({**BODY, "stream": True, "messages": [{"role": "user", "content": "[[sim:fin]]"}]}),
]
ODD = [
    *(
        b"\r\n",
        b"\n",
        b"\r",
        b"\0",
        b" ",
        b"\t",
        b":",
        b";",
        b"\xff",
        b"%00",
        b"{",
        b"}",
        b'"',
        b"[",
    ),
    *(b"Transfer-Encoding: chunked\r\n", b"Content-Length: 5\r\n", b"Upgrade: h2c\r\n"),
    *(b"0\r\n\r\n", b"HTTP/1.1", b"GET / HTTP/1.1\r\n\r\n", b"Expect: 100-continue\r\n"),
    *(b"x" * 5000, b"[" * 500, b"\\u0000", b"\\ud800"),
]


def flip(data, dice):
    place = dice.randrange(len(data))
    data[place] ^= 1 << dice.randrange(8)


def cut(data, dice):
    del data[dice.randrange(len(data)) :]


def drop(data, dice):
    start = dice.randrange(len(data))
    del data[start : start + dice.randrange(1, 20)]


def insert(data, dice):
    place = dice.randrange(len(data) + 1)
    data[place:place] = dice.choice(ODD)


def double_line(data, dice):
    lines = bytes(data).split(b"\r\n")
    place = dice.randrange(len(lines))
    data[:] = b"\r\n".join([*lines[:place], lines[place], *lines[place:]])


def shuffle_lines(data, dice):
    lines = bytes(data).split(b"\r\n")
    dice.shuffle(lines)
    data[:] = b"\r\n".join(lines)


def garbage(data, dice):
    data[:] = dice.randbytes(dice.randrange(1, 300))


MUTATIONS = [flip, flip, flip, cut, drop, insert, insert, double_line, shuffle_lines, garbage]


def spoilt(dice):
    """Return a request, or a row of them, with a few things wrong; now and then with none."""
    data = bytearray(dice.choice(SEEDS))
    for _ in range(dice.randrange(4)):
        if data:
            dice.choice(MUTATIONS)(data, dice)
    return bytes(data)


def pieces(data, dice):
    cuts = [dice.randrange(len(data) + 1) for _ in range(dice.randrange(4))]
    edges = sorted({0, len(data), *cuts})
    return [data[start:end] for start, end in itertools.pairwise(edges)]


async def visit(address, dice):
    """Send a spoilt request in pieces, read a little or not at all, go."""
    app = await RawApp.connect(address)
    try:
        for piece in pieces(spoilt(dice), dice):
            await app.send(piece)
            await asyncio.sleep(0)
        if dice.random() < 0.7:
            async with asyncio.timeout(0.02):
                await app.read_some()
    except (ConnectionError, TimeoutError):
        pass
    finally:
        (app.leave if dice.random() < 0.3 else app.vanish)()


def complain_to(heard):
    def note(loop, context):
        heard.append(context)

    return note


@pytest.mark.slow
async def test_proxy_survives_whatever_is_sent_to_it(tmp_path):
    dice, heard = random.Random(SEED), []
    asyncio.get_running_loop().set_exception_handler(complain_to(heard))
    waits = dict.fromkeys(("head_s", "body_s", "idle_s", "first_byte_s"), 0.4)
    short = {"timeouts": {**waits, "upstream_keepalive_s": 0.4}}
    async with (
        SimulatedVendor() as vendor,
        running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}, short) as proxy,
        raw_app(proxy.address) as app,
    ):
        scene = Scene(vendor, proxy, app)
        good = (await scene.ask()).body
        baseline = Baseline(scene)

        for _ in range(ROUNDS):
            await asyncio.gather(*(visit(proxy.address, dice) for _ in range(AT_ONCE)))

        assert heard == []
        assert (await scene.ask()).body == good
        await until(lambda: scene.in_flight == 0)
        await baseline.is_reached()
        assert proxy.log.lines("request.crashed") == []
