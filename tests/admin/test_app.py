"""The admin listener of a running proxy, asked over a socket."""

import asyncio
import json
import re

import pytest

from proxy import __version__
from proxy.simvendor.server import SimulatedVendor
from tests.e2e.models import JACKETS
from tests.harness import CANARY, running_proxy
from tests.raw_client import raw_app, request

ASK = {"model": "recommender", "messages": [{"role": "user", "content": "hi"}]}
SAMPLE = re.compile(r'[a-z_]+(?:\{(?:[a-z_]+="[^"\\\n]*",?)+\})? [0-9.]+')


@pytest.fixture
async def vendor():
    async with SimulatedVendor() as running:
        yield running


@pytest.fixture
async def proxy(tmp_path, vendor):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}) as running:
        yield running


async def asked(proxy, path, *, method="GET", host="127.0.0.1", headers=()):
    """Ask the admin listener; return its answer."""
    address = proxy.admin_url.removeprefix("http://").split(":")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    async with raw_app((address[0], int(address[1]))) as app:
        await app.send(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        return await app.answer(to_head=method == "HEAD")


async def test_a_process_that_runs_is_alive(proxy):
    answer = await asked(proxy, "/healthz")

    assert (answer.status, answer.json) == (200, {"alive": True})


async def test_a_proxy_with_a_snapshot_is_ready(proxy):
    answer = await asked(proxy, "/readyz")

    assert answer.status == 200
    assert answer.json == {
        "ready": True,
        "draining": False,
        "store_connected": True,
        "source": "store",
    }


async def test_a_proxy_without_a_snapshot_is_not_ready(tmp_path, vendor):
    overrides = {"store": {"url": "redis://127.0.0.1:1"}}
    async with running_proxy(tmp_path, vendor.url, {}, overrides) as proxy:
        answer = await asked(proxy, "/readyz")

        assert answer.status == 503
        assert answer.json["ready"] is False
        assert (await asked(proxy, "/healthz")).status == 200


async def test_a_proxy_that_never_saw_its_store_does_not_say_when(tmp_path, vendor):
    overrides = {"store": {"url": "redis://127.0.0.1:1"}}
    async with running_proxy(tmp_path, vendor.url, {}, overrides) as proxy:
        assert (await asked(proxy, "/status")).json["last_contact_s"] is None


async def test_a_proxy_that_drains_is_not_ready(proxy, vendor):
    proxy.running.gateway.draining = True

    answer = await asked(proxy, "/readyz")

    assert (answer.status, answer.json["draining"]) == (503, True)


async def test_status_says_what_is_served(proxy):
    status = (await asked(proxy, "/status")).json

    assert status["serving"] == {"recommender@prod": proxy.version("recommender", 1).id}
    assert status["epoch"] == 1
    assert status["rejected"] == {}
    assert status["store_regressed"] is False
    assert status["not_saved"] == ""
    assert 0 <= status["last_contact_s"] < 10


async def test_metrics_are_in_prometheus_format(proxy):
    async with raw_app(proxy.address) as app:
        await app.send(request(ASK))
        assert (await app.answer()).status == 200
    await proxy.lines("request.finished", 1)
    answer = await asked(proxy, "/metrics")
    lines = answer.body.decode().splitlines()
    samples = [line for line in lines if not line.startswith("# ")]
    names = [line.split("{")[0].split()[0] for line in samples]
    explained = [line.split()[2] for line in lines if re.match(r"# HELP \w+ [A-Z1].*\.$", line)]

    assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.body.endswith(b"\n")
    assert [line for line in samples if not SAMPLE.fullmatch(line)] == []
    assert set(names) <= set(explained)
    assert explained == [line.split()[2] for line in lines if line.startswith("# TYPE ")]
    version = proxy.version("recommender", 1).id
    assert f'proxy_build_info{{version="{__version__}"}} 1' in samples
    assert (
        f'proxy_requests_total{{version="{version}",dialect="openai.chat",outcome="ok",'
        'status="2xx"} 1'
    ) in samples
    assert {"proxy_ready 1", "proxy_store_connected 1", "proxy_epoch 1"} <= set(samples)


async def test_head_is_answered_as_get(proxy):
    assert (await asked(proxy, "/readyz", method="HEAD")).status == 200


@pytest.mark.parametrize("path", ["/", "/nothing", "/v1/models", "/status/", "/healthz/x"])
async def test_there_is_nothing_under_other_paths(proxy, path):
    assert (await asked(proxy, path)).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_there_is_nothing_to_change(proxy, method):
    answer = await asked(proxy, "/status", method=method, headers=["Content-Length: 0"])

    assert answer.status == 405


async def test_a_query_is_no_reason_to_refuse(proxy):
    assert (await asked(proxy, "/metrics?x=y")).status == 200


async def test_a_host_that_is_none_is_not_repeated(proxy):
    answer = await asked(proxy, "/status", host=f"{CANARY}@x")

    assert answer.status == 403
    assert CANARY.encode() not in answer.body


async def test_a_page_that_gave_its_own_name_to_this_address_reads_nothing(proxy):
    answer = await asked(proxy, "/status", host="evil.example:8081")

    assert answer.status == 403
    assert b"recommender" not in answer.body


# --- what aiohttp would repeat

LEAKS = {
    "a control character": f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {CANARY}\x01\r\n\r\n",
    "a long header": f"GET / HTTP/1.1\r\nHost: x\r\nA: {CANARY}{'a' * 9000}\r\n\r\n",
    "a long path": f"GET /{CANARY}{'a' * 9000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a bad request line": f"GET /?k={CANARY} x HTTP/1.1\r\n\r\n",
    "a bad method": f"{CANARY} / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two lengths": f"POST /{CANARY} HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
}


async def told(proxy, raw):
    """Send bytes to the admin listener; return head and body of what it says before it closes.

    aiohttp answers as HTTP/1.0 what it could not read.
    """
    host, port = proxy.admin_url.removeprefix("http://").split(":")
    async with raw_app((host, int(port))) as app:
        await app.send(raw.encode("latin-1"))
        head, _, body = (await app.read_to_end()).partition(b"\r\n\r\n")
    return head, body


@pytest.mark.parametrize("raw", LEAKS.values(), ids=[name.replace(" ", "-") for name in LEAKS])
async def test_nothing_of_a_bad_request_is_repeated(proxy, raw):
    """The harness looks for the canary in the log as well, and for complaints of aiohttp."""
    head, body = await told(proxy, raw)

    assert head.split()[1] == b"400"
    assert CANARY.encode() not in head + body
    assert json.loads(body) == {"error": {"code": "bad_framing"}}
    assert proxy.log.lines("admin.failed") == []


async def test_a_slow_reader_of_metrics_does_not_hold_up_the_end(tmp_path, vendor):
    async with running_proxy(tmp_path, vendor.url, {"recommender": JACKETS}) as proxy:
        host, port = proxy.admin_url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: x.example\r\n")  # and no end
        await writer.drain()
    writer.close()
