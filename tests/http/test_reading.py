"""Requests in pieces, and bodies up to their limits, arrive exactly."""

import asyncio
import itertools

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.http.listener import READ_BYTES
from proxy.http.server import IN_PLACE_BYTES
from proxy.simvendor.server import SimulatedVendor
from tests.e2e.models import JACKETS
from tests.harness import running_proxy
from tests.http.frames import PLAIN, apart, content, expecting, in_chunks, sized
from tests.http.scene import (
    ANSWER,
    ASK,
    LIST,
    refused,
    scene_of,
)
from tests.raw_client import raw_app, request


@pytest.mark.parametrize("raw", [ASK, in_chunks(PLAIN, 20)], ids=["length", "chunks"])
async def test_request_may_be_cut_anywhere(scene, raw):
    for cut in range(1, len(raw)):
        await apart(scene.app, raw[:cut], raw[cut:])

        assert (await scene.app.answer()).body == ANSWER

    assert len({seen.body for seen in scene.vendor.requests}) == 1


async def test_request_may_come_byte_by_byte(scene):
    await apart(scene.app, *(ASK[place : place + 1] for place in range(len(ASK))))

    assert (await scene.app.answer()).body == ANSWER


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 6 * len(ASK)), max_size=12))
def test_requests_in_a_row_may_be_cut_anywhere(cuts, tmp_path_factory):
    """Requests with a body, without one, and in chunks stand behind one another."""
    row = (ASK + LIST + in_chunks(PLAIN, 7)) * 2
    edges = sorted({0, len(row), *(cut % len(row) for cut in cuts)})
    pieces = [row[start:end] for start, end in itertools.pairwise(edges)]

    async def answers():
        async with scene_of(tmp_path_factory.mktemp("row")) as scene:
            await apart(scene.app, *pieces)
            return [(await scene.app.answer()).json for _ in range(6)]

    kinds = ["object" in answer for answer in uvloop.run(answers())]

    assert kinds == [False, True, False] * 2


@pytest.mark.parametrize("size", [1, 3, 64, 5000])
async def test_chunks_of_any_size_make_one_body(scene, size):
    text = sized(8000)

    await scene.ask(in_chunks(text.encode(), size))

    assert content(scene.vendor.requests[0].body) == content(text)


EDGES = [
    edge + step
    for edge in (IN_PLACE_BYTES, READ_BYTES, READ_BYTES * 2)
    for step in (-400, -1, 0, 1)
]


@pytest.mark.parametrize("size", EDGES)
async def test_large_body_arrives_whole_and_what_follows_it_too(scene, size):
    text = sized(size)

    await scene.app.send(request(text) + LIST + request(text))
    answers = [await scene.app.answer() for _ in range(3)]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [content(seen.body) for seen in scene.vendor.requests] == [content(text)] * 2


async def test_large_body_may_come_in_pieces(scene):
    text = sized(100_000)
    raw = request(text)

    await apart(scene.app, raw[:50], *(raw[at : at + 7777] for at in range(50, len(raw), 7777)))

    assert (await scene.app.answer()).status == 200
    assert content(scene.vendor.requests[0].body) == content(text)


@pytest.mark.parametrize("megabytes", [2, 20])
async def test_body_of_megabytes_arrives_exactly(tmp_path, megabytes):
    text = sized(megabytes * 2**20)

    async with (
        SimulatedVendor(record=1) as vendor,
        running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}) as proxy,
        raw_app(proxy.address) as app,
    ):
        await app.send(request(text))

        assert (await app.answer()).status == 200
        assert content(vendor.seen[0].body) == content(text)


FEW = {"limits": {"body_bytes": 100_000}}


@pytest.mark.vendor(overrides=FEW)
@pytest.mark.parametrize("frame", [request, lambda text: in_chunks(text.encode(), 7000)])
async def test_body_at_its_limit_is_served(scene, frame):
    assert (await scene.ask(frame(sized(100_000)))).status == 200


@pytest.mark.vendor(overrides=FEW)
async def test_body_over_its_limit_is_refused_before_it_is_read(scene):
    head = request(sized(100_001)).partition(b"\r\n\r\n")[0]

    answer = await scene.ask(head + b"\r\n\r\n")

    assert refused(answer) == (413, "body_too_large")


@pytest.mark.vendor(overrides=FEW)
async def test_chunks_over_the_limit_are_refused_where_they_exceed_it(scene):
    raw = in_chunks(sized(300_000).encode(), 1000)

    answer = await scene.ask(raw[:102_500])

    assert refused(answer) == (413, "body_too_large")
    assert scene.vendor.requests == []


@pytest.mark.parametrize("length", [10**12, 2**63 - 1, 2**64 - 1])
async def test_length_that_nobody_could_send_is_refused(scene, length):
    assert refused(await scene.ask(expecting(length=length))) == (413, "body_too_large")


@pytest.mark.vendor(overrides=FEW)
async def test_app_that_is_still_sending_gets_to_read_the_refusal(scene):
    sending = asyncio.ensure_future(scene.app.send(request(sized(8_000_000))))

    answer = await scene.app.answer()

    assert refused(answer) == (413, "body_too_large")
    await sending
    assert await scene.app.closed() == "cut"
