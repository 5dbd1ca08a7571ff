"""Settings that are read again while a proxy serves: apps notice the new ones and nothing else."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from proxy.errors import InvalidFiles, Problem
from proxy.fleet.last_known_good import LastKnownGood
from proxy.http.sockets import close_all, open_sockets, shown
from proxy.serve import House, store_place
from proxy.signals import Asked
from tests.e2e.models import HATS, JACKETS
from tests.harness import CANARY, KEY_VARIABLE, Registry, settings_for
from tests.http.scene import (
    ANSWER,
    ASK,
    ASK_STREAM,
    DONE,
    EVENT,
    STREAMED,
    Scene,
    refused,
    scene_of,
    until,
)
from tests.raw_client import RawApp, raw_app
from tests.vendor_script import LAST_CHUNK, Say, ScriptedVendor, Stall, chunk, stream_head, whole

OTHER = b'{"id":"other","choices":[]}'
SMALL = {"limits": {"body_bytes": 1}}


@dataclass
class Rig:
    """A scene whose proxy can be given other settings. `read` is what reads them."""

    scene: Scene
    house: House

    async def reload(self, overrides=None):
        """Have the settings be read again, with these changes; return what is logged of it."""
        scene = self.scene
        settings = settings_for(scene.proxy.directory, scene.vendor.url, overrides)
        return await self.reload_by(lambda: settings)

    async def reload_by(self, read):
        self.house._reload = read
        before = len(self.told())
        await self.house.reload()
        self.scene.proxy.running = self.house.serving
        await until(lambda: len(self.told()) > before)
        return self.told()[-1]

    def told(self):
        log = self.scene.proxy.log
        return [*log.lines("settings.reloaded"), *log.lines("settings.rejected")]


@asynccontextmanager
async def rig_of(directory, *script, **options):
    async with scene_of(directory, *script, **options) as scene:
        running = scene.proxy.running
        house = House(running, {KEY_VARIABLE: CANARY}, running.view.sink, None, most_before=3)
        try:
            yield Rig(scene, house)
        finally:
            asked = Asked()
            asked.now.set()
            await house.stop(asked)
            scene.proxy.running = None


@pytest.fixture
async def rig(tmp_path):
    async with rig_of(tmp_path) as opened:
        yield opened


@asynccontextmanager
async def streaming(directory):
    """A stream that has begun and ends when the event that is yielded is set."""
    release = asyncio.Event()
    script = (
        *(Say(stream_head() + chunk(EVENT)), Stall(until=release)),
        Say(chunk(DONE) + LAST_CHUNK),
    )
    async with rig_of(directory, *script) as rig:
        await rig.scene.app.send(ASK_STREAM)
        await rig.scene.vendor.received()
        yield rig, release


# --- what apps see


async def test_the_next_request_is_served_with_the_new_settings(tmp_path):
    async with ScriptedVendor(Say(whole(OTHER))) as other, rig_of(tmp_path) as rig:
        before = await rig.scene.ask()

        told = await rig.reload({"vendors": {"openai": {"base_url": other.url}}})

        assert told["event"] == "settings.reloaded"
        assert (before.body, (await rig.scene.ask()).body) == (ANSWER, OTHER)


async def test_no_connection_is_closed_for_it(rig):
    answers = [await rig.scene.ask()]
    for _ in range(3):
        await rig.reload()
        answers.append(await rig.scene.ask())

    assert {answer.header("connection") for answer in answers} == {None}
    assert rig.scene.connections == 1


async def test_new_limits_hold_for_connections_that_were_there(rig):
    await rig.scene.ask()

    await rig.reload(SMALL)

    assert refused(await rig.scene.ask()) == (413, "body_too_large")


async def test_a_stream_in_flight_goes_on_and_its_connection_is_kept(tmp_path):
    async with streaming(tmp_path) as (rig, release):
        await rig.reload()
        release.set()
        first = await rig.scene.app.answer()
        second = await rig.scene.ask(ASK_STREAM)

    assert (first.body, first.ending) == (STREAMED, "tidy")
    assert (second.body, second.ending) == (STREAMED, "tidy")


async def test_a_request_behind_a_stream_meets_the_new_settings(tmp_path):
    async with (
        ScriptedVendor(Say(whole(OTHER))) as other,
        streaming(tmp_path) as (rig, release),
    ):
        await rig.scene.app.send(ASK)
        await rig.reload({"vendors": {"openai": {"base_url": other.url}}})
        release.set()
        first, second = [await rig.scene.app.answer() for _ in range(2)]

    assert (first.body, second.body) == (STREAMED, OTHER)


async def test_a_request_that_is_being_sent_is_answered(rig):
    async with raw_app(rig.scene.proxy.address) as other:
        await other.send(ASK[:60])
        await until(lambda: any(one.is_reading for one in rig.scene.listener.connections))
        await rig.reload()
        await other.send(ASK[60:])

        assert (await other.answer()).status == 200


async def test_a_stream_outlives_several_reloads(tmp_path):
    async with streaming(tmp_path) as (rig, release):
        for _ in range(3):
            await rig.reload()
        release.set()

        assert (await rig.scene.app.answer()).ending == "tidy"
        assert (await rig.scene.ask(ASK_STREAM)).ending == "tidy"


async def test_of_too_many_that_still_answer_the_oldest_is_given_the_usual_time(tmp_path):
    async with streaming(tmp_path) as (rig, _), AsyncExitStack() as held:
        for _ in range(4):
            await rig.reload()
            app = await held.enter_async_context(raw_app(rig.scene.proxy.address))
            await app.send(ASK_STREAM)
            await app.read_some()

        answer = await rig.scene.app.answer()

        assert (answer.body, answer.ending != "tidy") == (EVENT, True)


# --- addresses


async def test_a_new_address_takes_over_from_the_old_one(rig):
    old = rig.scene.proxy.address
    (free,) = await open_sockets("127.0.0.1:0")
    address = shown(free)
    close_all([free])

    told = await rig.reload({"listen": {"data": address}})
    kept = await rig.scene.ask()

    assert told["data"] == rig.scene.proxy.running.bound.data == address
    assert (kept.status, kept.header("connection")) == (200, None)
    async with raw_app(rig.scene.proxy.address) as app:
        await app.send(ASK)
        assert (await app.answer()).status == 200
    with pytest.raises(ConnectionError):
        await RawApp.connect(old)


async def test_the_admin_listener_answers_throughout(rig):
    host, port = rig.scene.proxy.admin_url.removeprefix("http://").split(":")
    statuses = []
    for number in range(3):
        await rig.reload({"fleet": {"name": f"web-{number}"}})
        async with raw_app((host, int(port))) as app:
            await app.send(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = await app.answer()
        statuses.append((answer.status, answer.json["name"], answer.json["ready"]))

    assert statuses == [(200, f"web-{number}", True) for number in range(3)]


async def test_the_admin_listener_may_move(rig):
    (free,) = await open_sockets("127.0.0.1:0")
    address = shown(free)
    close_all([free])
    old = rig.scene.proxy.running.bound.admin

    told = await rig.reload({"listen": {"admin": address}})

    assert told["admin"] == address
    close_all(await open_sockets(old))


# --- what it goes on with


async def test_counters_go_on(rig):
    await rig.scene.ask()
    await rig.scene.lines(1)

    await rig.reload()
    await rig.scene.ask()
    await rig.scene.lines(2)

    stats = rig.scene.proxy.running.gateway.stats
    assert sum(stats.requests.values()) == 2


async def test_what_is_served_is_served_without_the_store(tmp_path, start_redis):
    server = start_redis()
    async with rig_of(tmp_path, overrides={"store": {"url": server.url}}) as rig:
        before = rig.scene.proxy.running.follower.snapshot
        server.stop()
        await rig.reload({"store": {"url": server.url}})

        assert (await rig.scene.ask()).status == 200
        assert rig.scene.proxy.running.follower.snapshot == before


async def test_another_store_is_followed_whatever_its_epochs_are(tmp_path):
    """Those of the first one say nothing about them."""
    async with rig_of(tmp_path) as rig:
        for number in (2, 1, 2):
            await rig.scene.proxy.register("recommender", HATS)
            await rig.scene.proxy.pin("recommender", number)
        (tmp_path / "other").mkdir()
        other = Registry.in_directory(tmp_path / "other")
        await other.register("recommender", JACKETS)
        await other.pin("recommender", 1)
        await rig.reload({"store": {"url": f"sqlite:///{tmp_path / 'other' / 'store.db'}"}})
        wanted = other.version("recommender", 1).id

        answer = await rig.scene.ask()
        await other.store.close()

    assert answer.header("x-proxy-version") == wanted


async def test_it_saves_what_it_serves_as_the_one_before_did(rig):
    proxy = rig.scene.proxy
    await proxy.register("recommender", HATS)
    await rig.reload()
    await proxy.pin("recommender", 2)
    disk = LastKnownGood(
        proxy.directory / "state", store_place(proxy.running.gateway.settings.store)
    )
    wanted = {"recommender@prod": proxy.version("recommender", 2).id}

    await until(lambda: (found := disk.read()) is not None and found.serving() == wanted)

    assert proxy.log.lines("snapshot.not_saved") == []


async def test_the_one_before_leaves_the_fleet_when_it_has_answered(tmp_path):
    async with streaming(tmp_path) as (rig, release):
        await rig.reload()
        await states(rig, ["draining", "serving"])
        release.set()

        await states(rig, ["serving"])


async def states(rig, wanted):
    """Wait until the fleet consists of members in these states."""
    async with asyncio.timeout(10):
        while True:
            members = await rig.scene.proxy.store.members()
            if sorted(one.state for one in members) == wanted:
                return
            await asyncio.sleep(0.01)


async def test_a_name_that_was_made_up_stays(rig):
    before = rig.scene.proxy.running.follower.reporter

    await rig.reload()

    after = rig.scene.proxy.running.follower.reporter
    assert after.name == before.name
    assert after.instance != before.instance


# --- what is wrong keeps the old ones


async def rejected(rig, overrides):
    """Reload, which must fail; return why. The old settings must be in force."""
    before = rig.scene.proxy.running
    told = await rig.reload(overrides)
    assert told["event"] == "settings.rejected"
    assert rig.house.serving is before
    assert (await rig.scene.ask()).status == 200
    return told["problems"]


async def test_a_bad_file_is_told_by_file_and_line(rig):
    def read():
        raise InvalidFiles([Problem("proxy.toml", 3, "limits.headers", "should be less")])

    told = await rig.reload_by(read)

    assert told["problems"] == ["proxy.toml:3: limits.headers: should be less"]
    assert (await rig.scene.ask()).status == 200


async def test_an_address_that_is_taken_is_told(rig):
    with (await open_sockets("127.0.0.1:0"))[0] as taken:
        address = shown(taken)
        problems = await rejected(rig, {"listen": {"admin": address}})

    assert problems == [f"{address}: address already in use"]


async def test_a_new_address_is_given_up_where_the_other_one_is_taken(rig):
    (free,) = await open_sockets("127.0.0.1:0")
    address = shown(free)
    close_all([free])
    with (await open_sockets("127.0.0.1:0"))[0] as taken:
        await rejected(rig, {"listen": {"data": address, "admin": shown(taken)}})

    close_all(await open_sockets(address))


@pytest.mark.parametrize(
    ("overrides", "problem"),
    [
        ({"store": {"url": "nothing"}}, "the store's URL"),
        ({"listen": {"workers": 2}}, "listen.workers: stays 1 until a restart"),
        (
            {"vendors": {"openai": {"ca_file": "nowhere.pem"}}},
            "No such file or directory",
        ),
        (
            {"vendors": {"openai": {"api_key_env": "NO_SUCH_KEY"}}},
            "vendors.openai.api_key_env: names no key that can be used",
        ),
        (
            {"vendors": {"openai": {"api_key_env": None, "api_key_file": "nowhere"}}},
            "vendors.openai.api_key_file: names no key that can be used",
        ),
    ],
    ids=["store", "workers", "ca_file", "api_key_env", "api_key_file"],
)
async def test_what_would_keep_it_from_starting_is_told(rig, overrides, problem):
    (told,) = await rejected(rig, {**overrides, **with_https(overrides)})

    assert problem in told


def with_https(overrides):
    """A CA file is read for https only."""
    entry = overrides.get("vendors", {}).get("openai", {})
    if "ca_file" not in entry:
        return {}
    return {"vendors": {"openai": {**entry, "base_url": "https://127.0.0.1:1"}}}


async def test_a_mistake_of_ours_keeps_the_proxy_alive(rig):
    def read():
        raise ZeroDivisionError(CANARY)

    told = await rig.reload_by(read)

    assert told["problems"] == ["ZeroDivisionError"]
    assert (await rig.scene.ask()).status == 200
