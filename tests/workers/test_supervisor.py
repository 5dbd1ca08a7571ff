"""Several workers, as processes: one story, told once, and what was seen of it."""

import asyncio
import os
import signal
import time
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from proxy.simvendor.script import Events, Rest, Stall
from proxy.simvendor.server import SimulatedVendor
from proxy.workers.merge import Page
from tests.e2e.served import (
    ASK,
    STREAM,
    ask_with,
    configured,
    ended,
    lines,
    members,
    refusal,
    shown,
)
from tests.harness import CANARY, leaks, proxy_command
from tests.load import load_on
from tests.raw_client import RawApp, raw_app

WORKERS = "--workers=2"


@dataclass
class Story:
    """What was seen, chapter by chapter."""

    config: Path
    started: dict[str, Any] = field(default_factory=dict)
    killed: dict[str, Any] = field(default_factory=dict)
    frozen: dict[str, Any] = field(default_factory=dict)
    reloaded: dict[str, Any] = field(default_factory=dict)
    rejected: dict[str, Any] = field(default_factory=dict)
    stopped: dict[str, Any] = field(default_factory=dict)


def pids(status):
    return [one["pid"] for one in status["workers"]]


def of_the_system(pid, name):
    """Return what the system tells about a process; None if it is gone."""
    with suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/{name}").read_bytes()
    return None


def served(page):
    """Return how many requests the metrics know of."""
    values = Page.read(page).values.items()
    return sum(value for (name, _), value in values if name == "proxy_requests_total")


async def ask(address):
    async with raw_app(address) as app:
        await app.send(ASK)
        return (await app.answer()).status


async def start(story, proxy):
    await until_two_members(story)
    _, status = await shown(proxy, "status")
    _, page = await shown(proxy, "metrics")
    story.started = {
        "members": await members(story.config),
        "readiness": await shown(proxy, "readyz"),
        "health": await shown(proxy, "healthz"),
        "status": status,
        "metrics": page,
        "events": await lines(proxy, "worker.started", 2),
        "arguments": [of_the_system(pid, "cmdline") for pid in pids(status)],
        "environment": [of_the_system(pid, "environ") for pid in pids(status)],
    }


async def kill(story, proxy):
    """Kill the first worker while apps are connected to both."""
    async with AsyncExitStack() as held:
        apps = [await held.enter_async_context(raw_app(proxy.address)) for _ in range(16)]
        await asyncio.gather(*map(asked, apps))
        _, page = await shown(proxy, "metrics")
        os.kill(pids(story.started["status"])[0], signal.SIGKILL)
        (line,) = await lines(proxy, "worker.died", 1)
        new = [await ask(proxy.address) for _ in range(10)]
        kept = await asyncio.gather(*map(asked, apps))
    await lines(proxy, "worker.started", 3)
    await until_two_members(story)
    story.killed = {
        "line": line,
        "new": new,
        "kept": kept,
        "before": served(page),
        "after": await counted(proxy, served(page) + 10),
        "metrics": (await shown(proxy, "metrics"))[1],
        "members": await members(story.config),
        "readiness": await shown(proxy, "readyz"),
    }


async def counted(proxy, least):
    """Wait until the metrics know of so many requests; return how many they know of."""
    async with asyncio.timeout(20):
        while True:
            if (found := served((await shown(proxy, "metrics"))[1])) >= least:
                return found
            await asyncio.sleep(0.02)


async def asked(app: RawApp):
    """Ask on a connection that is there; return the status, None if it broke."""
    with suppress(OSError, asyncio.IncompleteReadError):
        await app.send(ASK)
        return (await app.answer()).status
    return None


async def until_two_members(story):
    """Wait until both workers are members, and nobody else is: a dead one is for a while."""
    async with asyncio.timeout(20):
        while len(await members(story.config)) != 2:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def freeze(story, proxy):
    _, status = await shown(proxy, "status")
    os.kill(pids(status)[1], signal.SIGSTOP)
    began = time.monotonic()
    readiness = await shown(proxy, "readyz")
    took_s = time.monotonic() - began
    story.frozen = {
        "readiness": readiness,
        "took_s": took_s,
        "status": (await shown(proxy, "status"))[1],
        "health": await shown(proxy, "healthz"),
    }
    os.kill(pids(status)[1], signal.SIGCONT)
    async with asyncio.timeout(20):
        while (await shown(proxy, "readyz"))[0] != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def reload(story, proxy, vendor):
    """Reload twice under load, with a stream that is open meanwhile."""
    released = asyncio.Event()
    _, before = await shown(proxy, "status")
    known = served((await shown(proxy, "metrics"))[1])
    async with raw_app(proxy.address) as app:
        vendor.play(Events(2), Stall(until=released), Rest())
        await app.send(STREAM)
        await app.read_some()
        async with load_on(proxy.address, ASK, each=2) as load:
            story.config.write_text(story.config.read_text() + "[limits]\nheaders = 64\n")
            for count in (1, 2):
                proxy.process.send_signal(signal.SIGHUP)
                await lines(proxy, "settings.reloaded", count)
            await load.more(50)
            _, after = await shown(proxy, "status")
            load.stop()
        released.set()
        rest = await app.read_to_end()
    story.reloaded = {
        "failures": load.failures,
        "pids": (pids(before), pids(after)),
        "stream": rest,
        "many_headers": await ask_with(proxy.address, headers=70),
        "counted": (known, await counted(proxy, known + 50)),
        "status": after,
    }


async def reject(story, proxy):
    good = story.config.read_text()
    _, before = await shown(proxy, "status")
    story.config.write_text(good.replace("headers = 64", 'headers = "many"'))
    proxy.process.send_signal(signal.SIGHUP)
    (line,) = await lines(proxy, "settings.rejected", 1)
    _, after = await shown(proxy, "status")
    story.rejected = {
        "line": line,
        "pids": (pids(before), pids(after)),
        "status": await ask(proxy.address),
        "row": good.splitlines().index("headers = 64") + 1,
    }


async def stop(story, proxy, vendor):
    """Stop with a stream that is open."""
    released = asyncio.Event()
    _, status = await shown(proxy, "status")
    async with raw_app(proxy.address) as app:
        vendor.play(Events(2), Stall(until=released), Rest())
        await app.send(STREAM)
        await app.read_some()
        proxy.process.send_signal(signal.SIGTERM)
        await proxy.event("proxy.draining")
        readiness = await shown(proxy, "readyz")
        await refused(proxy.address)
        released.set()
        rest = await app.read_to_end()
        exit_status = await ended(proxy)
    story.stopped = {
        "readiness": readiness,
        "stream": rest,
        "exit_status": exit_status,
        "members": await members(story.config),
        "left": [pid for pid in pids(status) if of_the_system(pid, "cmdline")],
        "err": bytes(proxy.err),
        "out": bytes(proxy.out),
    }


async def refused(address):
    async with asyncio.timeout(20):
        while True:
            try:
                (await RawApp.connect(address)).vanish()
            except ConnectionError:
                return


async def told(directory):
    async with SimulatedVendor() as vendor:
        story = Story(await configured(directory, vendor.url))
        async with proxy_command(story.config, WORKERS) as proxy:
            await start(story, proxy)
            await kill(story, proxy)
            await freeze(story, proxy)
            await reload(story, proxy, vendor)
            await reject(story, proxy)
            await stop(story, proxy, vendor)
    return story


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    return asyncio.run(told(tmp_path_factory.mktemp("workers")))


# --- started


def test_each_worker_is_a_member_of_the_fleet(story):
    found = story.started["members"]

    assert [one.name for one in found] == ["web-1", "web-2"]
    assert len({one.instance for one in found} - {""}) == 2


def test_one_admin_listener_answers_for_all(story):
    status, readiness = story.started["readiness"]

    assert status == 200
    assert readiness == {
        "ready": True,
        "draining": False,
        "workers_running": 2,
        "workers_ready": 2,
    }
    assert story.started["health"] == (200, {"alive": True})


def test_the_status_has_that_of_each_worker(story):
    workers = story.started["status"]["workers"]

    assert [(one["worker"], one["name"]) for one in workers] == [(1, "web-1"), (2, "web-2")]
    assert [one["serving"].keys() for one in workers] == [{"recommender@prod"}] * 2


def test_metrics_are_labelled_by_worker(story):
    page = story.started["metrics"]

    assert "proxy_workers 2\n" in page
    assert 'proxy_ready{worker="1"} 1\n' in page
    assert 'proxy_ready{worker="2"} 1\n' in page


def test_a_worker_is_logged_with_its_member_s_name(story):
    found = {(line["worker"], line["member"].partition("/")[0]) for line in story.started["events"]}

    assert found == {(1, "web-1"), (2, "web-2")}


def test_secrets_are_on_no_command_line_and_in_no_environment(story):
    texts = {str(n): t for n, t in enumerate(story.started["arguments"])}
    texts |= {f"env {n}": t for n, t in enumerate(story.started["environment"])}

    assert leaks(story.config.parent, texts) == []
    assert not any(b"openai" in text for text in story.started["arguments"])


# --- killed


def test_a_dead_worker_is_told_with_what_killed_it(story):
    line = story.killed["line"]

    assert (line["worker"], line["signal"], line["exit_status"]) == (1, "SIGKILL", None)
    assert line["pid"] == pids(story.started["status"])[0]


def test_new_connections_wait_for_its_successor(story):
    assert set(story.killed["new"]) == {200}


def test_connections_to_the_others_do_not_notice(story):
    assert set(story.killed["kept"]) == {200, None}


def test_no_pin_waits_for_it(story):
    found = story.killed["members"]

    assert [(one.name, one.live) for one in found] == [("web-1", True), ("web-2", True)]


def test_what_it_had_counted_is_not_forgotten(story):
    assert story.killed["after"] >= story.killed["before"] + 10


def test_it_is_counted(story):
    assert "proxy_worker_restarts_total 1\n" in story.killed["metrics"]


def test_with_its_successor_all_is_well(story):
    assert story.killed["readiness"][0] == 200


# --- frozen


def test_a_worker_that_hangs_does_not_hang_the_admin_listener(story):
    status, readiness = story.frozen["readiness"]

    assert status == 503
    assert (readiness["workers_running"], readiness["workers_ready"]) == (2, 1)
    assert story.frozen["took_s"] < 2
    assert story.frozen["health"][0] == 200


def test_a_worker_that_hangs_is_shown(story):
    assert [one["answers"] for one in story.frozen["status"]["workers"]] == [True, False]


# --- reloaded


def test_no_request_is_lost_over_a_reload(story):
    assert story.reloaded["failures"] == []
    assert story.reloaded["stream"].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_new_workers_serve_with_the_new_settings(story):
    before, after = story.reloaded["pids"]

    assert not {*before} & {*after}
    assert story.reloaded["many_headers"] == 431


def test_those_before_are_there_until_their_requests_are_over(story):
    assert story.reloaded["status"]["older_workers"] >= 1


def test_counters_go_on_over_a_reload(story):
    before, after = story.reloaded["counted"]

    assert after >= before + 50


# --- rejected


def test_a_bad_file_is_told_and_changes_nothing(story):
    before, after = story.rejected["pids"]

    assert before == after
    assert story.rejected["status"] == 200
    assert story.rejected["line"]["problems"] == [
        f"{story.config}:{story.rejected['row']}: limits.headers: should be a valid integer"
    ]


# --- stopped


def test_it_is_not_ready_as_soon_as_it_drains(story):
    status, readiness = story.stopped["readiness"]

    assert (status, readiness["draining"]) == (503, True)


def test_a_stream_that_is_open_is_finished(story):
    assert story.stopped["stream"].endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n")


def test_nobody_is_left(story):
    assert story.stopped["exit_status"] == 0
    assert story.stopped["left"] == []
    assert story.stopped["members"] == []


def test_only_log_lines_were_written(story):
    assert story.stopped["err"] == b""
    assert all(line.startswith(b'{"event":"') for line in story.stopped["out"].splitlines())
    assert CANARY.encode() not in story.stopped["out"]


def test_only_one_worker_saves_last_known_good(story):
    assert b"snapshot.not_saved" not in story.stopped["out"]


# --- on their own


async def test_an_upgrade_of_workers_loses_no_request(tmp_path):
    async with SimulatedVendor() as vendor:
        config = await configured(tmp_path, vendor.url)
        async with proxy_command(config, WORKERS) as old, load_on(old.address, ASK) as load:
            (line,) = old.lines("proxy.started")
            there = ("--listen", line["data"], "--admin", line["admin"])
            async with proxy_command(config, WORKERS, "--takeover", *there) as new:
                await load.more(100)
                assert await old.stop() == 0
                await load.more(100)
                load.stop()
                found = await members(config)
                _, status = await shown(new, "status")
                new.process.kill()
                await ended(new)
                await gone(pids(status))

    assert load.failures == []
    assert [one.name for one in found] == ["web-1", "web-2"]


async def gone(pids):
    """Wait until none of these processes is there: nobody told them but a pipe that ended."""
    async with asyncio.timeout(20):
        while any(of_the_system(pid, "cmdline") for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_what_keeps_a_worker_from_serving_is_told(tmp_path):
    config = await configured(tmp_path, "https://127.0.0.1:1", "")
    vendor = '[vendors.openai]\nca_file = "nowhere.pem"'
    config.write_text(config.read_text().replace("[vendors.openai]", vendor))

    status, told = await refusal(config, WORKERS)

    assert status == 1
    assert "the proxy cannot start: " in told
    assert "No such file or directory" in told
