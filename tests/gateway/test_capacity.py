"""Requests at once are limited, and those above the limit are told to come back."""

import pytest

from tests.http.scene import ANSWER, ASK, LIST, refused
from tests.raw_client import raw_app
from tests.vendor_script import Say, Stall, whole

ONE = {"limits": {"in_flight": 1}}


@pytest.mark.vendor(Stall(), overrides=ONE)
async def test_request_above_the_limit_is_overloaded(scene):
    async with raw_app(scene.proxy.address) as other:
        await other.send(ASK)
        await scene.vendor.received()

        answer = await scene.ask()

        assert refused(answer) == (503, "overloaded")
        assert answer.header("retry-after") == "1"
        assert answer.header("connection") is None


@pytest.mark.vendor(Stall(), Say(whole(ANSWER)), overrides=ONE)
async def test_there_is_room_again_when_a_request_is_over(scene):
    async with raw_app(scene.proxy.address) as other:
        await other.send(ASK)
        await scene.vendor.received()
        assert (await scene.ask()).status == 503
    await scene.nothing_in_flight()
    scene.vendor.play(Say(whole(ANSWER)))

    assert (await scene.ask()).body == ANSWER


@pytest.mark.vendor(Stall(), overrides=ONE)
async def test_list_of_models_is_served_all_the_same(scene):
    async with raw_app(scene.proxy.address) as other:
        await other.send(ASK)
        await scene.vendor.received()

        assert (await scene.ask(LIST)).status == 200
