"""A whole proxy, with stores, directories and pipes that misbehave."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing

import pytest

from proxy.observe.log_sink import LogSink
from proxy.serve import start, store_place
from proxy.settings import StoreSettings, split_address
from proxy.simvendor.server import SimulatedVendor
from proxy.store.url import open_store
from tests.e2e.models import HATS, JACKETS
from tests.harness import (
    PATIENCE_S,
    LogFile,
    Registry,
    running_proxy,
    settings_for,
    write_config,
)
from tests.raw_client import raw_app, request

ASK = request({"model": "recommender", "messages": [{"role": "user", "content": "hi"}]})

# The first attempt at a snapshot takes a second at most; the rest is for a busy machine.
STARTED_S = 1.5

# No task of the event loop waits longer than this for its turn, whatever the store does.
LONGEST_GAP_S = 0.1

# What a pipe of Linux holds before its writer waits.
PIPE_BYTES = 65536
SHORTEST_LINE_BYTES = 500


@pytest.fixture
async def vendor():
    async with SimulatedVendor() as running:
        yield running


@pytest.fixture
def server(start_redis):
    return start_redis()


@pytest.fixture
def on_redis(server):
    """Return settings that put the store onto a server of this test's own."""
    return {"store": {"url": server.url}}


async def asked(proxy, raw=ASK):
    """Ask a proxy; return status, error code and stamp of its answer."""
    async with raw_app(proxy.address) as app:
        await app.send(raw)
        answer = await app.answer()
    return answer.status, answer.header("x-proxy-error"), answer.header("x-proxy-version")


# --- a store that is away


def refusing():
    return socket.socket()  # not bound, so nobody else gets its port


def silent():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


@pytest.mark.parametrize("kind", [refusing, silent])
async def test_requests_are_answered_within_a_second_of_the_start(tmp_path, vendor, kind):
    with closing(kind()) as held:
        port = held.getsockname()[1] or 1
        overrides = {"store": {"url": f"redis://127.0.0.1:{port}"}}
        began = time.perf_counter()
        async with running_proxy(tmp_path, vendor.url, {}, overrides) as proxy:
            answer = await asked(proxy)
            took_s = time.perf_counter() - began

    assert answer == (503, "store_unavailable", None)
    assert took_s < STARTED_S


async def test_a_proxy_without_a_store_heals_by_itself(tmp_path, vendor, server, on_redis):
    server.stop()
    async with running_proxy(tmp_path, vendor.url, {}, on_redis) as proxy:
        assert (await asked(proxy))[:2] == (503, "store_unavailable")

        server.start()
        await proxy.register("recommender", JACKETS)
        await proxy.pin("recommender", 1)
        await proxy.lines("pin.changed", 1)

        assert (await asked(proxy))[2] == proxy.version("recommender", 1).id


async def test_a_proxy_that_starts_without_its_store_serves_what_it_served(
    tmp_path, vendor, server, on_redis
):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}, on_redis) as proxy:
        served = await asked(proxy)
    server.stop()

    async with running_proxy(tmp_path, vendor.url, {}, on_redis) as proxy:
        assert await asked(proxy) == served


async def test_requests_go_on_while_the_store_is_frozen(tmp_path, vendor, server, on_redis):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}, on_redis) as proxy:
        served = await asked(proxy)
        gaps, answers, waits = [], set(), []

        async def tick():
            last = time.perf_counter()
            while True:
                await asyncio.sleep(0.01)
                gaps.append(time.perf_counter() - last)
                last = time.perf_counter()

        ticking = asyncio.create_task(tick())
        server.freeze()
        while proxy.running.follower.state.connected:
            began = time.perf_counter()
            answers.add(await asked(proxy))
            waits.append(time.perf_counter() - began)
        server.thaw()
        ticking.cancel()
        await proxy.lines("store.found", 2)

    assert answers == {served}
    assert len(waits) > 10
    # One longer gap may be the machine's; a loop that waits for the store has one at each poll.
    assert sorted(gaps)[-2] < LONGEST_GAP_S
    assert sorted(waits)[-2] < LONGEST_GAP_S


async def test_requests_go_on_while_the_store_is_killed_emptied_and_restarted(
    tmp_path, vendor, server, on_redis
):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}, on_redis) as proxy:
        served = await asked(proxy)
        server.stop()
        answers = {await asked(proxy)}
        await proxy.lines("store.lost", 1)
        server.start()
        await proxy.lines("store.regressed", 1)
        answers.add(await asked(proxy))

    assert answers == {served}


async def test_a_proxy_reads_the_password_of_its_store_from_a_file(tmp_path, vendor, start_redis):
    server = start_redis("--requirepass", "s3cret")
    (tmp_path / "password").write_text("s3cret\n")
    store = {"url": server.url, "password_file": tmp_path / "password"}

    async with running_proxy(tmp_path, vendor.url, {}, {"store": store}) as proxy:
        await proxy.lines("store.found", 1)


# --- what is registered and what is pinned


async def test_a_model_without_a_pin_is_not_pinned_and_one_without_a_name_unknown(tmp_path, vendor):
    registry = Registry.in_directory(tmp_path)
    await registry.register("recommender", JACKETS)
    await registry.store.close()
    async with running_proxy(tmp_path, vendor.url, {}) as proxy:
        unpinned = await asked(proxy)
        unknown = await asked(proxy, request({"model": "nobody", "messages": []}))

    assert unpinned[:2] == (503, "not_pinned")
    assert unknown[:2] == (404, "unknown_model")


# --- several proxies in one directory


async def test_proxies_that_share_a_directory_all_serve(tmp_path, vendor):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}) as first:
        await first.register("recommender", HATS)
        async with running_proxy(tmp_path, vendor.url, {}) as second:
            report = await first.pin("recommender", 2)
            (line,) = await second.lines("snapshot.not_saved", 1)

            assert line["reason"] == "another proxy saves to this directory"
            assert len(report.confirmation.proxies) == report.confirmation.confirmed == 2
            assert await asked(first) == await asked(second)


# --- the end


async def test_a_proxy_that_stopped_is_missed_by_nobody(tmp_path, vendor):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}) as proxy:
        await proxy.lines("store.found", 1)
        async with asyncio.timeout(PATIENCE_S):
            while not await proxy.store.members():  # noqa: ASYNC110  # another store tells nobody
                await asyncio.sleep(0.01)
    store = open_store(f"sqlite:///{tmp_path / 'store.db'}")

    assert await store.members() == []
    await store.close()


@pytest.mark.parametrize("listener", ["data", "admin"])
async def test_a_proxy_whose_address_is_taken_leaves_nothing_behind(tmp_path, vendor, listener):
    sink = LogSink(LogFile(), most_lines=100)
    before = asyncio.all_tasks()
    with closing(silent()) as taken:
        host, port = taken.getsockname()
        settings = settings_for(tmp_path, vendor.url, {"listen": {listener: f"{host}:{port}"}})
        with pytest.raises(OSError, match="address already in use"):
            await start(settings, env={}, sink=sink)

    assert asyncio.all_tasks() == before
    sink.close()


# --- standard output that nobody reads


@pytest.fixture
async def config(tmp_path, vendor):
    """Return a configuration file with a store in which a version is pinned."""
    directory = tmp_path / "proxy"
    directory.mkdir()
    registry = Registry.in_directory(directory)
    await registry.register("recommender", JACKETS)
    await registry.pin("recommender", 1)
    await registry.store.close()
    return write_config(directory, vendor.url)


@pytest.fixture
def unread(config):
    """Run a proxy; return its process. Of its log the first lines only are read."""
    command = (sys.executable, "-m", "proxy", "--config", config)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
    yield process
    process.kill()
    process.communicate()


def started(process):
    """Read the log up to the line that says where the proxy listens; return that."""
    line = {"event": ""}
    while line["event"] != "proxy.started":
        line = json.loads(process.stdout.readline())
    return split_address(line["data"])


async def test_a_stuck_reader_of_its_log_stops_neither_requests_nor_the_end(unread):
    async with raw_app(await asyncio.to_thread(started, unread)) as app:
        for _ in range(2 * PIPE_BYTES // SHORTEST_LINE_BYTES):
            await app.send(ASK)
            assert (await app.answer()).status == 200

    unread.send_signal(signal.SIGTERM)
    status = await asyncio.to_thread(unread.wait, PATIENCE_S)

    assert status == 0
    assert unread.stderr.read() == b""


# --- where a store is


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("redis://user:secret@redis.internal:6379/0", "redis://redis.internal:6379/0 ns"),
        ("rediss://:secret@redis.internal", "rediss://redis.internal ns"),
        ("redis+sentinel://u:secret@a,b:1/main", "redis+sentinel://a,b:1/main ns"),
        ("sqlite:///.proxy/store.db", "sqlite:///.proxy/store.db ns"),
    ],
)
def test_where_a_store_is_names_no_credential(url, place):
    assert store_place(StoreSettings(url=url, namespace="ns")) == place
