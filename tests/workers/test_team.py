"""Keeping workers alive: with real processes, as many as it takes."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from proxy.http.sockets import shown
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.reload import Rejected
from proxy.settings import Settings
from proxy.store.url import open_store
from proxy.workers.messages import Begin, Stop
from proxy.workers.team import (
    LONGEST_BACKOFF_S,
    MOST_OF_A_NAME,
    SHORTEST_BACKOFF_S,
    Team,
    Work,
    backoff_s,
    close_sets,
    open_sets,
)
from tests.harness import LogFile, settings_for


@pytest.fixture
async def sets():
    opened = await open_sets("127.0.0.1:0", 2)
    yield opened
    close_sets(opened)


@asynccontextmanager
async def team_of(settings, sets):
    """Yield a team that was not started, its log, and a list of those that died."""
    log, died = LogFile(), []
    sink = LogSink(log, most_lines=100)
    team = Team(Work(settings, {"VENDOR_KEY": "k"}, "web", sets), open_log(sink), died.append)
    try:
        yield team, log, died
    finally:
        await team.end()
        sink.close()


async def until(holds):
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110  # processes are waited for
            await asyncio.sleep(0.01)


# --- what each is given


async def test_each_worker_has_a_socket_of_its_own_on_one_address(sets):
    assert len({shown(one) for row in sets for one in row}) == 1
    assert len({one.fileno() for row in sets for one in row}) == 2


async def test_where_one_socket_cannot_be_had_none_is_kept(sets):
    with pytest.raises(OSError, match="already in use"):
        await open_sets(shown(sets[0][0]), 2)


async def test_a_worker_is_told_who_it_is_and_what_to_do(sets):
    work = Work(Settings(), {"KEY": "value"}, "web", sets)

    first = work.begin(1, saves=True, forget=[])
    second = work.begin(2, saves=False, forget=["web-2/0"])

    assert isinstance(first, Begin)
    assert (first.name, second.name) == ("web-1", "web-2")
    assert first.instance != second.instance
    assert second.sockets == [sets[1][0].fileno()]
    assert (second.listeners, second.forget, second.env) == (2, ["web-2/0"], {"KEY": "value"})


async def test_the_number_of_a_worker_fits_behind_a_long_name(sets):
    begin = Work(Settings(), {}, "n" * 500, sets).begin(2, saves=False, forget=[])

    assert begin.name == "n" * MOST_OF_A_NAME + "-2"
    assert Settings.model_validate({"fleet": {"name": begin.name}})


# --- how long it waits


@pytest.mark.parametrize("failures", [1, 2, 5, 50])
def test_the_wait_grows_and_has_an_end(failures):
    most = min(LONGEST_BACKOFF_S, SHORTEST_BACKOFF_S * 2 ** (failures - 1))

    assert all(0 <= backoff_s(failures) <= most for _ in range(100))


def test_not_all_wait_equally_long():
    assert len({backoff_s(10) for _ in range(20)}) > 10


# --- what it does


async def test_one_that_dies_time_after_time_is_replaced_each_time(tmp_path, sets):
    settings = settings_for(tmp_path, "http://127.0.0.1:1")
    store = open_store(settings.store.url.get_secret_value())
    async with team_of(settings, sets[:1]) as (team, log, died):
        await team.start(saves=True)
        for _ in range(2):
            child = team.children[1]
            child.kill()
            await until(lambda before=child: team.children[1] is not before)
        await until(lambda: team.serving)
        async with asyncio.timeout(30):
            while len(found := await store.members()) != 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        started = await log.wait_for("worker.started", 2)

    assert [child.fate["signal"] for child in died] == ["SIGKILL"] * 2
    assert [one.key for one in found] == [started[-1]["member"]]
    await store.close()


async def test_one_that_was_told_to_end_is_not_replaced(tmp_path, sets):
    settings = settings_for(tmp_path, "http://127.0.0.1:1")
    async with team_of(settings, sets[:1]) as (team, _, died):
        await team.start(saves=True)

        team.leave(Stop(quick=True))
        await team.over()

        assert (team.serving, died) == ([], [])
        assert team.children[1].fate == {"exit_status": 0, "signal": None}


async def test_one_that_cannot_serve_says_why_and_leaves_nobody(tmp_path, sets):
    vendor = {"openai": {"base_url": "https://127.0.0.1:1", "ca_file": "nowhere.pem"}}
    settings = settings_for(tmp_path, "", {"vendors": vendor})
    async with team_of(settings, sets[:1]) as (team, _, _):
        with pytest.raises(Rejected, match="No such file or directory"):
            await team.start(saves=True)

        assert [child.gone.done() for child in team.children.values()] == [True]
