"""Drills as an operator runs them: real proxies, the real command, and signals."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import sys
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest
import pytest_asyncio

from tests.e2e.models import HATS, JACKETS
from tests.harness import Registry, proxy_command, write_config
from tests.vendor_script import Say, ScriptedVendor, whole

RUN = "from proxy.cli.main import main; main()"
# What the vendor says to everything: a list of models, and an answer of one of them.
SAID = json.dumps(
    {
        "data": [{"id": "gpt-4o-2024-08-06"}],
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Take a jacket."},
                "finish_reason": "stop",
            }
        ],
    }
).encode()
EVALS = """
[[case]]
name = "rain"
input = "What should I wear in the rain?"
expect = [{contains = "jacket"}]

[[case]]
name = "snow"
input = "And in the snow?"
variables = {tone = "dry"}
expect = [{contains = "boots"}]
"""
PATIENCE_S = 30.0

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Shop:
    registry: Registry
    config: str
    proxies: list

    async def begin(self, *arguments, stdin=asyncio.subprocess.DEVNULL):
        """Begin a proxyctl rehearse."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUN, "--config", self.config, "rehearse", "recommender"),
            *arguments,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments):
        """Run it; return its exit status and what it said on stdout and stderr."""
        process = await self.begin(*arguments)
        async with asyncio.timeout(PATIENCE_S):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    async def held(self, label="prod"):
        return (await self.registry.store.pins()).pins["recommender", label].id

    def id(self, number):
        return self.registry.version("recommender", number).id


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(tmp_path_factory):
    """Two proxies as processes; version 1 came to prod, then version 2."""
    async with AsyncExitStack() as stack:
        vendor = await stack.enter_async_context(ScriptedVendor(Say(whole(SAID))))
        directory = tmp_path_factory.mktemp("rehearse") / "shop"
        directory.mkdir()
        registry = Registry.in_directory(directory)
        stack.push_async_callback(registry.store.close)
        for number, files in enumerate((JACKETS, HATS), 1):
            await registry.register("recommender", files)
            await registry.pin("recommender", number)
        config = write_config(directory, vendor.url)
        starting = [stack.enter_async_context(proxy_command(config)) for _ in range(2)]
        proxies = await asyncio.gather(*starting)
        async with asyncio.timeout(PATIENCE_S):
            while len(await registry.store.members()) < len(proxies):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.01)
        yield Shop(registry, str(config), proxies)


@pytest_asyncio.fixture(loop_scope="module")
async def shop(opened):
    """Return the shop when it is as at first: prod holds version 2, and both proxies serve it."""
    await opened.registry.pin("recommender", 2)
    return opened


@pytest.fixture
def cases(opened):
    file = opened.registry.directory / "models" / "recommender" / "evals.toml"
    file.write_text(EVALS)
    yield
    file.unlink()


async def test_a_drill_answers_scripts_with_one_object(shop):
    status, out, err = await shop.run("--json", "--as", "ada@host")

    answer = json.loads(out)
    assert (status, err) == (0, "")
    assert (answer["from"], answer["to"]) == (shop.id(1), shop.id(2))
    assert (answer["reverted"], len(answer["proxies"]), answer["by"]) == (True, 2, "ada@host")
    assert 0 < answer["rollback_ms"] < 5000


async def test_a_drill_reads_well_in_a_terminal_and_in_a_pull_request(shop):
    status, page, _ = await shop.run()
    _, markdown, _ = await shop.run("--markdown")

    assert status == 0
    assert "behaviour reverted, rollback in " in page
    assert [line.split()[:2] for line in page.splitlines() if "2 of 2" in line] == [
        ["probe", "before"],
        ["forward", f"v1-{shop.id(1)[-6:]}"],
        ["probe", "between"],
        ["rollback", f"v2-{shop.id(2)[-6:]}"],
        ["probe", "after"],
    ]
    assert page.count("as before") == 2
    assert "| step | version | ms | confirmed |" in markdown


async def test_where_there_are_cases_they_are_what_is_probed_with_and_run_again(shop, cases):
    status, out, err = await shop.run("--json")
    _, page, _ = await shop.run("--no-evals")

    answer = json.loads(out)
    assert (status, err, answer["samples"]) == (0, "", 2)
    assert answer["evals"]["cases"] == {"rain": 1.0, "snow": 0.0}
    assert answer["evals"]["comparison"] == "it was never evaluated before"
    assert [step["step"] for step in answer["steps"]][-1] == "evals"
    assert "cases were not run again: --no-evals" in page


async def test_a_live_drill_that_nobody_sees_needs_a_yes(shop):
    assert (await shop.run("--live"))[0] == 2

    status, out, _ = await shop.run("--live", "--yes", "--json", "--as", "test")

    answer = json.loads(out)
    assert (status, answer["label"], answer["reverted"]) == (0, "prod", True)
    assert await shop.held() == shop.id(2)


async def test_a_live_drill_soon_after_another_s_pin_is_refused(shop):
    status, out, err = await shop.run("--live", "--yes", "--json", "--as", "somebody-else")

    assert (status, json.loads(out)["error"]["code"]) == (1, "drill_refused")
    assert "test changed it" in err


async def test_the_countdown_can_be_stopped_and_nothing_was_changed(shop):
    before = await shop.registry.store.pins()
    ours, theirs = pty.openpty()
    process = await shop.begin("--live", "--as", "test", stdin=theirs)
    async with asyncio.timeout(PATIENCE_S):
        said = b""
        while "5 …".encode() not in said:
            said += await process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, rest = await process.communicate()
    os.close(ours)
    os.close(theirs)

    assert process.returncode == 1
    assert b"drill_stopped" in rest
    assert await shop.registry.store.pins() == before


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "term"])
async def test_a_live_drill_that_is_stopped_half_way_puts_prod_back(shop, by):
    frozen = shop.proxies[0].process
    frozen.send_signal(signal.SIGSTOP)  # so that the drill waits for it half way
    try:
        process = await shop.begin("--live", "--yes", "--as", "test", "--timeout", "1.5")
        async with asyncio.timeout(PATIENCE_S):
            while await shop.held() != shop.id(1):  # noqa: ASYNC110  # no event
                await asyncio.sleep(0.01)
            process.send_signal(by)
            process.send_signal(by)  # people are impatient
            _, err = await process.communicate()
    finally:
        frozen.send_signal(signal.SIGCONT)

    assert process.returncode == 1
    assert f"prod holds {shop.id(2)} again [drill_stopped]" in err.decode()
    assert await shop.held() == shop.id(2)
