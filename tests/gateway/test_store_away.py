"""A store that takes connections and never answers: requests do not wait for it."""

import asyncio
import time

import pytest
import pytest_asyncio

from tests.e2e.models import HATS
from tests.http.scene import ANSWER, ASK, BODY, refused, scene_of
from tests.listening import listening
from tests.raw_client import raw_app, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

STORE_S = 0.3
NOT_HELD = request({**BODY, "model": "recommender@v2"})


async def saved(directory):
    while not any(directory.rglob("*.json")):  # noqa: ASYNC110  # it is saved behind our back
        await asyncio.sleep(0.01)


async def listen(reader, writer):
    await reader.read()
    writer.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cut_off(tmp_path_factory):
    """A proxy that serves its last known good."""
    directory = tmp_path_factory.mktemp("store")
    async with scene_of(directory) as scene:
        await scene.proxy.register("recommender", HATS)
        await saved(directory / "state")
    async with listening(listen) as port:
        store = {"url": f"redis://127.0.0.1:{port}/0"}
        overrides = {"store": store, "timeouts": {"store_s": STORE_S}}
        async with scene_of(directory, models={}, overrides=overrides) as scene:
            yield scene


async def answer_to(scene, raw):
    async with raw_app(scene.proxy.address) as app:
        await app.send(raw)
        return await app.answer()


@pytest.mark.parametrize("model", ["recommender", "recommender@prod", "recommender@v1"])
async def test_what_is_held_is_served(cut_off, model):
    assert (await answer_to(cut_off, request({**BODY, "model": model}))).body == ANSWER


async def test_what_is_not_held_is_not_waited_for_long(cut_off):
    started = time.monotonic()

    answer = await answer_to(cut_off, NOT_HELD)

    assert refused(answer) == (503, "store_unavailable")
    assert answer.header("retry-after") == "1"
    assert STORE_S <= time.monotonic() - started < STORE_S + 1.0


async def test_others_are_served_while_one_waits(cut_off):
    async with raw_app(cut_off.proxy.address) as waiting:
        await waiting.send(NOT_HELD)

        assert (await answer_to(cut_off, ASK)).body == ANSWER
        assert (await waiting.answer()).status == 503


async def test_app_that_goes_while_the_store_is_asked_leaves_a_line(cut_off):
    async with raw_app(cut_off.proxy.address) as app:
        raw = request({**BODY, "model": "recommender@v2"}, headers=[("X-Request-Id", "gone-1")])
        await app.send(raw)
        await asyncio.sleep(0.05)

    line = await cut_off.line_of("gone-1")
    assert (line["outcome"], line["status"]) == ("client_closed", 499)
    await cut_off.nothing_in_flight()
