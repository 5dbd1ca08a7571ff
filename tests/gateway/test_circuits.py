"""Targets that keep failing are left alone, and taken back when they answer."""

from contextlib import asynccontextmanager

import pytest
import structlog

from proxy.fleet.snapshot import target_of
from proxy.gateway.circuits import MOST_CIRCUITS, Circuits
from proxy.observe.stats import Stats
from proxy.routing.rules import BreakerLimits
from proxy.versions.routing import VendorModel
from tests.e2e.models import recommender
from tests.http.scene import ANSWER, refused, scene_of, until
from tests.raw_client import request
from tests.vendor_script import Cut, Say, ScriptedVendor, whole

SPARE = '[[routing.fallback]]\nvendor = "spare"\nid = "gpt-4o-mini"\n'
FIRST, SECOND = "openai/gpt-4o-2024-08-06", "spare/gpt-4o-mini"
FAILED = Say(whole(b"{}", status=500))
LIMITED = Say(whole(b"{}", status=429))
WRONG = Say(whole(b"{}", status=400))
WELL = Say(whole(ANSWER))

ONCE = BreakerLimits(failures=1, window_s=1.0, open_s=1.0)

# Long enough to stay open while a test looks, and short enough to be waited for.
LONG, SHORT = 600, 0.5


def model(*, open_s=LONG, all_open="try", spare=True, attempts=1):
    breaker = f'[routing.breaker]\nfailures = 2\nopen_s = {open_s}\nall_open = "{all_open}"\n'
    routing = f"[routing]\nattempts = {attempts}\n{SPARE * spare}"
    return {"recommender": recommender(more=routing + breaker)}


@asynccontextmanager
async def scene_with(directory, *script, models):
    async with ScriptedVendor(WELL) as spare:
        vendors = {"openai": {}, "spare": {"base_url": spare.url}}
        async with scene_of(
            directory, *script, overrides={"vendors": vendors}, models=models
        ) as scene:
            scene.spare = spare
            yield scene


async def upstreams(scene, count):
    return [(await scene.ask()).header("x-proxy-upstream").partition(";")[0] for _ in range(count)]


def shown(scene):
    return scene.proxy.running.view.status()["circuits"]


def metrics(scene):
    return dict(line.rsplit(" ", 1) for line in scene.proxy.running.view.metrics())


@pytest.mark.parametrize("failing", [FAILED, LIMITED, Say(b"what?\r\n\r\n")], ids=repr)
async def test_target_that_keeps_failing_is_passed_over(tmp_path, failing):
    async with scene_with(tmp_path, failing, models=model()) as scene:
        assert await upstreams(scene, 5) == [FIRST, FIRST, SECOND, SECOND, SECOND]
        assert len(scene.vendor.requests) == 2
        assert shown(scene) == {FIRST: "open"}
        assert metrics(scene)["proxy_circuits_open"] == "1"
        assert metrics(scene)['proxy_circuits_opened_total{vendor="openai"}'] == "1"
        (line,) = await scene.proxy.lines("circuit.opened", 1)
        assert (line["vendor"], line["vendor_model"]) == ("openai", "gpt-4o-2024-08-06")
        assert (line["level"], line["open_s"]) == ("warning", LONG)


async def test_target_that_cannot_be_reached_costs_no_attempt_any_more(tmp_path):
    models = model(attempts=2)
    async with scene_with(tmp_path, Cut(), models=models) as scene:
        await scene.ask()
        await scene.ask()

        answer = await scene.ask()

        assert answer.header("x-proxy-upstream") == f"{SECOND};attempt=1"


async def test_errors_of_the_app_open_nothing(tmp_path):
    async with scene_with(tmp_path, WRONG, models=model()) as scene:
        assert await upstreams(scene, 4) == [FIRST] * 4
        assert shown(scene) == {}


async def test_target_that_fails_every_other_time_is_passed_over_where_the_rules_name_a_rate(
    tmp_path,
):
    models = model()
    text = models["recommender"]["version.toml"]
    rate = "failure_rate = 0.5\nmin_requests = 6\n"
    models["recommender"]["version.toml"] = text.replace("failures = 2\n", rate)
    async with scene_with(tmp_path, WELL, models=models) as scene:
        for _ in range(3):
            scene.vendor.play(WELL)
            scene.vendor.play(FAILED)

        assert await upstreams(scene, 9) == [*[FIRST] * 6, *[SECOND] * 3]


async def test_target_that_answers_a_trial_is_taken_back(tmp_path):
    async with scene_with(tmp_path, WELL, models=model(open_s=SHORT / 10)) as scene:
        scene.vendor.play(FAILED)
        scene.vendor.play(FAILED)
        await upstreams(scene, 2)

        async def back():
            while (await upstreams(scene, 1)) != [FIRST]:
                pass

        await back()

        assert await upstreams(scene, 3) == [FIRST] * 3
        assert shown(scene) == {}
        (line,) = await scene.proxy.lines("circuit.closed", 1)
        assert (line["vendor"], line["level"]) == ("openai", "info")


async def test_trial_that_fails_keeps_it_open(tmp_path):
    async with scene_with(tmp_path, FAILED, models=model(open_s=SHORT)) as scene:
        await upstreams(scene, 2)
        loop = scene.proxy.running.gateway.loop
        opened = loop.time()
        await until(lambda: loop.time() >= opened + SHORT)

        assert await upstreams(scene, 2) == [FIRST, SECOND]
        assert len(await scene.proxy.lines("circuit.opened", 1)) == 1


@pytest.mark.parametrize("spare", [False, True])
async def test_request_is_sent_all_the_same_where_nobody_else_could_take_it(tmp_path, spare):
    async with scene_with(tmp_path, FAILED, models=model(spare=spare)) as scene:
        scene.spare.script = (FAILED,)
        await upstreams(scene, 4 if spare else 2)

        answer = await scene.ask()

        assert answer.status == 500
        assert answer.header("x-proxy-upstream") == f"{FIRST};attempt=1"


async def test_answer_to_a_request_that_was_sent_all_the_same_closes_it(tmp_path):
    async with scene_with(tmp_path, WELL, models=model(spare=False)) as scene:
        scene.vendor.play(FAILED)
        scene.vendor.play(FAILED)
        await upstreams(scene, 2)
        assert shown(scene) == {FIRST: "open"}

        assert (await scene.ask()).status == 200

        assert shown(scene) == {}


@pytest.mark.parametrize("spare", [False, True])
async def test_request_is_refused_where_the_rules_say_so(tmp_path, spare):
    models = model(all_open="refuse", spare=spare)
    async with scene_with(tmp_path, FAILED, models=models) as scene:
        scene.spare.script = (FAILED,)
        await upstreams(scene, 4 if spare else 2)
        calls = len(scene.vendor.requests)

        answer = await scene.ask()

        assert refused(answer) == (503, "circuit_open")
        assert answer.header("retry-after") == "1"
        assert answer.header("x-proxy-version").startswith("recommender-v1-")
        assert answer.header("x-proxy-upstream") is None
        assert len(scene.vendor.requests) == calls
        line = await scene.line_of(answer.header("x-proxy-request-id"))
        assert (line["error"], line["attempt"], line["vendor"]) == ("circuit_open", 0, None)


async def test_failing_target_does_not_take_other_rules_or_targets_with_it(tmp_path):
    other = recommender("You recommend hats.", more=SPARE)
    async with scene_with(tmp_path, FAILED, models={**model(), "hats": other}) as scene:
        await upstreams(scene, 3)

        asked = {"model": "hats", "messages": [{"role": "user", "content": "hi"}]}
        answer = await scene.ask(request(asked))

        assert answer.header("x-proxy-upstream") == f"{FIRST};attempt=1"


async def test_attempts_that_follow_pass_over_open_circuits_too(tmp_path):
    """The failure that opens a circuit is not followed by another attempt at the same target."""
    retry = 'retry_on = ["status:429"]\n'
    models = model(attempts=5)
    text = models["recommender"]["version.toml"]
    models["recommender"]["version.toml"] = text.replace("[routing]\n", f"[routing]\n{retry}")

    async with scene_with(tmp_path, LIMITED, models=models) as scene:
        scene.spare.script = (LIMITED,)
        answer = await scene.ask()

        assert answer.status == 429
        assert len(scene.vendor.requests) + len(scene.spare.requests) == 5
        assert scene.vendor.requests
        assert scene.spare.requests


async def test_repeated_attempts_are_counted_by_vendor_and_failure(tmp_path):
    retry = 'retry_on = ["status:429"]\n'
    models = model(attempts=2)
    text = models["recommender"]["version.toml"]
    models["recommender"]["version.toml"] = text.replace("[routing]\n", f"[routing]\n{retry}")

    async with scene_with(tmp_path, LIMITED, models=models) as scene:
        assert await upstreams(scene, 3) == [SECOND] * 3

        counted = metrics(scene)['proxy_retries_total{vendor="openai",failure="status:429"}']
        assert counted == "2"


# --- the table of them


def opened(circuits, vendor, limits):
    circuit = circuits.of(target_of(VendorModel(vendor=vendor, id="gpt-4o")), limits)
    circuit.failed(0.0, trial=False)
    return circuit


@pytest.fixture
def circuits():
    return Circuits(structlog.wrap_logger(structlog.ReturnLogger()), Stats())


def test_versions_with_the_same_rules_share_what_they_learn(circuits):
    first = opened(circuits, "openai", ONCE)

    assert opened(circuits, "openai", ONCE) is first
    assert opened(circuits, "openai", BreakerLimits(2, 1.0, 1.0)) is not first
    assert opened(circuits, "azure", ONCE) is not first
    assert circuits.shown() == {"openai/gpt-4o": "open", "azure/gpt-4o": "open"}


def test_circuits_are_bounded_and_the_oldest_goes(circuits):
    for number in range(MOST_CIRCUITS + 1):
        opened(circuits, f"vendor-{number}", ONCE)

    assert len(circuits.shown()) == MOST_CIRCUITS
    assert "vendor-0/gpt-4o" not in circuits.shown()
