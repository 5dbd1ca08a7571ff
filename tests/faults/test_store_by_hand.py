"""What somebody at a terminal, or a bad disk, can do to a store's content while apps are served.

Nothing of it is ever served: the version before is, and the proxy says what is wrong.
"""

import asyncio
import hashlib
import json

import pytest

from proxy.store.redis_keys import Keys
from proxy.versions.content import MAX_CONTENT_BYTES
from tests.faults.load import LONGEST_GAP_S, under_load
from tests.faults.scene import JACKETS_PROMPT, is_ready, metrics
from tests.fleet.following import from_the_future, in_no_dialect

KEYS = Keys()
PIN = KEYS.pin(("recommender", "prod"))
VERSIONS = KEYS.of_model("versions", "recommender")
META = KEYS.of_model("meta", "recommender")


async def went_on(proxy, jackets, act, event):
    """Do `act` under load and wait for a line of `event`; return that. Apps noticed nothing."""
    async with under_load(proxy.address) as load:
        await asyncio.to_thread(act)
        (line,) = await proxy.lines(event, 1)
        await load.more()
        assert await is_ready(proxy)
    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}
    assert load.longest_gap_s < LONGEST_GAP_S
    return line


# --- what is lost


LOSSES = {
    "everything": ([("FLUSHALL",)], "store.regressed"),
    "the pin": ([("DEL", PIN)], "pin.rejected"),
    "the text of the pin": ([("SET", PIN, "garbage")], "pin.rejected"),
    "the type of the pin": ([("DEL", PIN), ("SADD", PIN, "theirs")], "pin.rejected"),
    "the type of the list of pins": (
        [("DEL", KEYS.pinned), ("SET", KEYS.pinned, "theirs"), ("PUBLISH", KEYS.changes, "")],
        "store.lost",
    ),
}


@pytest.mark.parametrize("name", LOSSES)
async def test_what_is_lost_is_served_on(proxy, server, jackets, name):
    commands, event = LOSSES[name]

    await went_on(proxy, jackets, lambda: [server.run(*one) for one in commands], event)


# --- what is wrong


def put(server, number, content, *, digest=None, pinned=True):
    """Write a version past the scripts, with metadata that fits it, and pin it."""
    digest = digest or "sha256:" + hashlib.sha256(content).hexdigest()
    id = f"recommender-v{number}-{digest.removeprefix('sha256:')[:6]}"
    meta = {"id": id, "digest": digest, "at_ms": 0, "bytes": len(content), "by": "hand"}
    server.run("HSET", VERSIONS, number, content)
    server.run("HSET", META, number, json.dumps(meta))
    server.run("SET", PIN, f"99|{id}|{digest}|by-hand")


def hats_cut_short(server, hats):
    server.run("HSET", VERSIONS, 2, server.run("HGET", VERSIONS, 2)[:-20])
    server.run("SET", PIN, f"99|{hats.id}|{hats.digest}|by-hand")


def hats_with_a_bit_that_fell_over(server, hats):
    content = bytearray(server.run("HGET", VERSIONS, 2))
    content[len(content) // 2] ^= 1
    server.run("HSET", VERSIONS, 2, bytes(content))
    server.run("SET", PIN, f"99|{hats.id}|{hats.digest}|by-hand")


def a_version_that_nobody_registered(server, hats):
    server.run("SET", PIN, f"99|recommender-v7-ffffff|sha256:{'f' * 64}|by-hand")


def content_of_a_later_release(server, hats):
    put(server, 3, from_the_future().encode())


def content_that_no_dialect_carries(server, hats):
    put(server, 3, in_no_dialect().encode())


def content_that_is_no_json(server, hats):
    put(server, 3, b"\xff{]")


def content_nested_without_end(server, hats):
    put(server, 3, b'{"schema":1,"system":' + b"[" * 500_000 + b"]" * 500_000 + b"}")


def content_nested_in_the_open(server, hats):
    put(server, 3, b'{"a":' * 100_000 + b"1" + b"}" * 100_000)


def content_too_large(server, hats):
    put(server, 3, b'{"system":"' + b"x" * (10 * MAX_CONTENT_BYTES) + b'"}')


def metadata_that_is_garbage(server, hats):
    server.run("HSET", META, 2, "{")
    server.run("SET", PIN, f"99|{hats.id}|{hats.digest}|by-hand")


WRONG = {
    hats_cut_short: "version_corrupt",
    hats_with_a_bit_that_fell_over: "version_corrupt",
    a_version_that_nobody_registered: "unknown_version",
    content_of_a_later_release: "version_corrupt",
    content_that_no_dialect_carries: "wrong_dialect",
    content_that_is_no_json: "version_corrupt",
    content_nested_without_end: "version_corrupt",
    content_nested_in_the_open: "version_corrupt",
    content_too_large: "version_corrupt",
    metadata_that_is_garbage: "store_unsafe",
}


@pytest.mark.parametrize("put_wrong", WRONG, ids=lambda put_wrong: put_wrong.__name__)
async def test_what_is_wrong_is_never_served(proxy, server, jackets, hats, put_wrong):
    line = await went_on(proxy, jackets, lambda: put_wrong(server, hats), "pin.rejected")

    assert line["reason"] == WRONG[put_wrong]
    assert (await metrics(proxy))["proxy_pins_rejected"] == 1
