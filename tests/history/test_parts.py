"""What the run is made of, as far as it can be wrong without being noticed."""

from __future__ import annotations

import itertools
import json
import random

import pytest

from tests.history import schedule
from tests.history.apps import Apps, Caller, text_of
from tests.history.body import asking, expected, sources
from tests.history.hands import read
from tests.history.nemesis import Nemesis
from tests.history.record import Recorder
from tests.history.vendor import MirrorVendor, seen
from tests.redis_server import free_port

KINDS = schedule.STORE_FAULTS


def first(count, seed=1):
    steps = schedule.steps(random.Random(seed), KINDS, ("web-1", "web-2"))
    return list(itertools.islice(steps, count))


def test_the_same_seed_draws_the_same_faults():
    assert first(50) == first(50)
    assert first(50) != first(50, seed=2)


def test_every_fault_comes_once_before_any_comes_again():
    kinds = [step.kind for step in first(2 * len(KINDS))]

    assert sorted(kinds[: len(KINDS)]) == sorted(KINDS) == sorted(kinds[len(KINDS) :])


@pytest.mark.parametrize("kind", sorted({*schedule.STORE_FAULTS, *schedule.PROXY_FAULTS}))
def test_the_nemesis_can_do_what_is_scheduled(kind):
    nemesis = Nemesis(None, [], None, None, None, None, random.Random(1))

    assert kind in nemesis.acts
    assert kind in schedule.LASTS_S


@pytest.mark.parametrize("stream", [False, True])
def test_the_vendor_tells_a_body_from_any_other(stream):
    made, other = (sources(f"mark-{number}", number) for number in (1, 2))
    injected = json.loads(made.injected)
    asked = asking("flip", "ask-1", stream=stream)
    messages = [*injected["messages"], *asked["messages"]]

    told = seen({**injected, **asked, "model": injected["model"], "messages": messages})

    assert (told["mark"], told["echo"]) == ("mark-1", "ask-1")
    assert told["saw"] == expected(made.injected, "ask-1", stream=stream)
    assert told["saw"] != expected(other.injected, "ask-1", stream=stream)
    assert told["saw"] != expected(made.injected, "ask-2", stream=stream)
    assert told["saw"] != expected(made.injected, "ask-1", stream=not stream)


def test_half_a_stream_is_no_answer():
    event = b'data: {"choices": [{"delta": {"content": "hi"}}]}\n\n'

    assert text_of(event + b"data: [DONE]\n\n") == "hi"
    with pytest.raises(ValueError, match="half"):
        text_of(event)


@pytest.mark.parametrize("status", [4, -9])
def test_a_command_that_was_cut_off_has_an_unknown_outcome(status):
    assert read(status, b"", "").outcome == "unknown"


def test_a_refusal_is_read_with_its_code():
    answered = read(1, b"", "proxyctl: it is away [store_unavailable]\nhint: look")

    assert (answered.outcome, answered.code) == ("refused", "store_unavailable")


async def test_an_app_that_reaches_nobody_writes_that_down(tmp_path, free_address):
    record = Recorder(tmp_path / "history.jsonl")

    asked = await Caller(Apps(record, {"web-1": free_address}), "web-1").ask("flip@prod")

    assert (asked.status, asked.error) == (0, "ConnectionRefusedError")
    assert record.facts == [asked]
    record.close()


async def test_an_app_writes_down_what_the_vendor_told_it(tmp_path):
    record = Recorder(tmp_path / "history.jsonl")
    async with MirrorVendor(1) as vendor:
        host, _, port = vendor.url.removeprefix("http://").partition(":")
        apps = Apps(record, {"web-1": (host, int(port))})

        answers = [await apps.ask("web-1", "flip@prod", stream=one) for one in (False, True)]

    for asked in answers:
        assert (asked.status, asked.error, asked.key) == (200, "", "flip@prod")
        assert asked.echo == asked.request
        assert asked.version == ""
    record.close()


@pytest.fixture
def free_address():
    return "127.0.0.1", free_port()
