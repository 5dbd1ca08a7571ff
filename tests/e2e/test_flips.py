"""Requests that are being answered while the pin moves: each is served wholly by one version.

Every version has a system prompt, a temperature and a tool that carry its number, and the simulated
vendor repeats all three as it received them. So one answer shows what was mixed, if anything was.
"""

import asyncio
import json
import re

import pytest

from proxy.store.base import Change, Order
from proxy.versions.record import PROD
from tests.harness import running_proxy
from tests.raw_client import RawApp, request

VERSIONS = 8
FLIPS = 1000
OPERATORS = 4
APPS = 3

ASK = request({"model": "flip", "messages": [{"role": "user", "content": "hi"}]})
RESPONSE = request({"model": "flip", "input": "hi"}, path="/v1/responses")
STREAM = request({"model": "flip", "stream": True, "messages": [{"role": "user", "content": "hi"}]})


def files(number):
    tool = {"name": f"tool_{number}", "parameters": {"type": "object", "properties": {}}}
    return {
        "version.toml": f"""
[model]
vendor = "openai"
id = "gpt-{number}-2026-01-01"
[generation]
temperature = 1.{number}
""",
        "system.md": f"Version {number}.\n",
        "tools.json": json.dumps([tool]),
    }


def shown(number):
    """Return what the answer must say if version `number` alone made it."""
    given = f"gpt-{number}-2026-01-01 | temperature 1.{number} | tools tool_{number}"
    return f"[{given} | system: Version {number}.] You asked: hi"


def said(answer):
    """Return the text of an answer, however it came."""
    if answer.body.startswith(b"data: "):
        events = answer.body.decode().split("\n\n")[:-2]
        deltas = (json.loads(e.removeprefix("data: "))["choices"][0]["delta"] for e in events)
        return "".join(delta.get("content") or "" for delta in deltas)
    if "output" in answer.json:
        return answer.json["output"][0]["content"][0]["text"]
    return answer.json["choices"][0]["message"]["content"]


async def flip(proxy, done):
    """Move the pin as fast as the store takes it from several operators at once."""
    infos = [proxy.version("flip", number) for number in range(1, VERSIONS + 1)]

    async def operate(first):
        for count in range(first, FLIPS, OPERATORS):
            info = infos[count % VERSIONS]
            change = Change("flip", PROD, info.id, info.digest)
            await proxy.store.swap(Order((change,), operation=f"flip-{count:06d}", by="test"))

    await asyncio.gather(*map(operate, range(OPERATORS)))
    done.set()


async def keep_asking(proxy, done, raw):
    """Ask on one connection until the pin rests; return stamp, digest and text of each answer."""
    app = await RawApp.connect(proxy.address)
    seen = []
    while not done.is_set():
        await app.send(raw)
        answer = await app.answer()
        stamps = answer.header("x-proxy-version"), answer.header("x-proxy-digest")
        seen.append((*stamps, said(answer)))
    app.vanish()
    return seen


@pytest.mark.slow
async def test_each_answer_is_made_by_the_one_version_that_it_is_stamped_with(
    tmp_path, vendor, redis_server
):
    overrides = {"store": {"url": redis_server.url, "namespace": "flips"}}
    models = {"flip": files(1)}
    async with running_proxy(tmp_path, vendor.url, models, overrides) as proxy:
        for number in range(2, VERSIONS + 1):
            await proxy.register("flip", files(number))
        done = asyncio.Event()
        raws = [ASK, STREAM, RESPONSE]

        asking = [keep_asking(proxy, done, raws[n % len(raws)]) for n in range(APPS)]
        *seen, _ = await asyncio.gather(*asking, flip(proxy, done))
        lines = await proxy.lines("request.finished", sum(map(len, seen)))

    answers = [answer for one in seen for answer in one]
    for stamp, digest, text in answers:
        number = int(re.fullmatch(r"flip-v([0-9]+)-[0-9a-f]{6,}", stamp)[1])
        assert digest == proxy.version("flip", number).digest
        assert text == shown(number)
    assert len({stamp for stamp, _, _ in answers}) == VERSIONS
    assert {(line["version"], line["digest"]) for line in lines} == {
        (stamp, digest) for stamp, digest, _ in answers
    }
    assert len({line["epoch"] for line in lines}) > FLIPS / 10
