"""What follows when a vendor cannot be had: another attempt where nothing can have been served."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from tests.e2e.models import recommender
from tests.http.scene import ANSWER, ASK, refused, scene_of
from tests.vendor_script import Cut, Fin, Say, ScriptedVendor, Stall, whole

EXTRA = '[[routing.fallback]]\nvendor = "spare"\nid = "gpt-4o-mini"\n'


def model(attempts, *, fallback=True):
    return {
        "recommender": recommender(more=f"[routing]\nattempts = {attempts}\n{EXTRA * fallback}")
    }


@pytest.fixture
def closed_url():
    """The URL of a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{probe.getsockname()[1]}"


@asynccontextmanager
async def with_spare(directory, openai_url, *script, attempts=2, **options):
    """Open a scene whose first vendor is at `openai_url`, and whose own is the spare one."""
    async with ScriptedVendor(*(script or (Say(whole(ANSWER)),))) as spare:
        vendors = {"openai": {"base_url": openai_url}, "spare": {"base_url": spare.url}}
        overrides = {"vendors": vendors, "timeouts": {"connect_s": 0.3}}
        async with scene_of(
            directory, overrides=overrides, models=model(attempts), **options
        ) as scene:
            scene.vendor = spare
            yield scene


async def test_vendor_that_cannot_be_reached_is_replaced(tmp_path, closed_url):
    async with with_spare(tmp_path, closed_url) as scene:
        answer = await scene.ask()

        assert (answer.status, answer.body) == (200, ANSWER)
        assert answer.header("x-proxy-upstream") == "spare/gpt-4o-mini;attempt=2"
        line = await scene.line()
        assert (line["vendor"], line["vendor_model"]) == ("spare", "gpt-4o-mini")
        assert line["attempt"] == 2


async def test_request_to_the_spare_vendor_differs_in_the_model_only(tmp_path, closed_url):
    async with scene_of(tmp_path) as usual:
        await usual.ask()
        body = usual.vendor.requests[0].body
    (tmp_path / "spare").mkdir()

    async with with_spare(tmp_path / "spare", closed_url) as scene:
        await scene.ask()

        sent = scene.vendor.requests[0].body
        assert sent == body.replace(b'"gpt-4o-2024-08-06"', b'"gpt-4o-mini"')


async def test_attempts_are_counted(tmp_path, closed_url):
    async with with_spare(tmp_path, closed_url, attempts=1) as scene:
        answer = await scene.ask()

        assert refused(answer) == (502, "upstream_unreachable")
        assert answer.header("x-proxy-upstream") == "openai/gpt-4o-2024-08-06;attempt=1"
        assert scene.vendor.connections == []


async def test_same_vendor_is_asked_again_where_there_is_no_other(tmp_path, closed_url):
    vendors = {"vendors": {"openai": {"base_url": closed_url}}}

    async with scene_of(tmp_path, overrides=vendors, models=model(3, fallback=False)) as scene:
        answer = await scene.ask()

        assert refused(answer) == (502, "upstream_unreachable")
        assert answer.header("x-proxy-upstream").endswith(";attempt=3")
        assert answer.header("retry-after") == "1"


BROKEN = {"reset": [Cut()], "closed": [Fin()], "error": [Say(whole(b"{}", status=503))]}


@pytest.mark.parametrize("name", BROKEN)
async def test_request_that_was_sent_is_never_repeated(tmp_path, name):
    async with (
        ScriptedVendor(*BROKEN[name]) as first,
        with_spare(tmp_path, first.url, attempts=5) as scene,
    ):
        answer = await scene.ask()

        assert answer.status in (502, 503)
        assert len(first.requests) == 1
        assert scene.vendor.connections == []


async def test_silence_is_no_reason_to_ask_another_vendor(tmp_path):
    timeouts = {"timeouts": {"first_byte_s": 0.2}}
    async with ScriptedVendor(Stall()) as silent:
        vendors = {"openai": {"base_url": silent.url}, "spare": {"base_url": silent.url}}
        async with scene_of(
            tmp_path, overrides={"vendors": vendors, **timeouts}, models=model(5)
        ) as scene:
            assert refused(await scene.ask()) == (504, "upstream_timeout")

        assert len(silent.requests) == 1


async def test_vendor_that_is_not_configured_is_told_to_the_operator(tmp_path):
    models = {"recommender": recommender().copy()}
    models["recommender"]["version.toml"] = models["recommender"]["version.toml"].replace(
        'vendor = "openai"', 'vendor = "elsewhere"'
    )

    async with scene_of(tmp_path, models=models) as scene:
        answer = await scene.ask()

        assert refused(answer) == (502, "upstream_unreachable")
        assert "proxyctl check" in answer.json["error"]["message"]
        assert "elsewhere" not in answer.json["error"]["message"]


async def test_app_that_goes_between_two_attempts_ends_them(tmp_path, closed_url):
    vendors = {"vendors": {"openai": {"base_url": closed_url}}}

    async with scene_of(tmp_path, overrides=vendors, models=model(10, fallback=False)) as scene:
        await scene.app.send(ASK)
        await asyncio.sleep(0.15)
        scene.app.vanish()

        line = await scene.line()
        assert (line["outcome"], line["status"]) == ("client_closed", 499)
        assert line["attempt"] < 10
