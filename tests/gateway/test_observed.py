"""A model that is observed: requests go on as they are, and the log says what would change."""

import hashlib
import json

import pytest

from tests.e2e.models import JACKETS
from tests.http.scene import ANSWER, BODY, EVENT, STREAMED, STREAMS, refused, scene_of
from tests.raw_client import request

OBSERVED = {"models": {"observe": {"gpt-4o": "recommender", "o9": "nothing"}}}
observed = pytest.mark.vendor(overrides=OBSERVED)
SECRET = "p4tient"

PROMPTED = [{"role": "system", "content": SECRET}, *BODY["messages"]]


def asking(model="gpt-4o", **more):
    return request({**BODY, "model": model, **more})


@observed
async def test_the_request_goes_on_as_it_is(scene):
    raw = asking(temperature=2, messages=PROMPTED)

    answer = await scene.ask(raw)

    assert answer.body == ANSWER
    (sent,) = scene.vendor.requests
    assert sent.body == raw.partition(b"\r\n\r\n")[2]


@observed
async def test_it_is_stamped_as_what_it_is(scene):
    answer = await scene.ask(asking())

    assert answer.header("x-proxy-version") == "unversioned"
    assert answer.header("x-proxy-dropped") is None
    assert answer.header("x-proxy-upstream") == "openai/gpt-4o;attempt=1"


@observed
async def test_the_log_says_what_would_have_changed_by_name_only(scene):
    await scene.ask(asking(temperature=2, messages=PROMPTED, user="u"))

    line = await scene.line()
    version = scene.proxy.version("recommender", 1)
    shown = {name: line[name] for name in ("model", "version", "observed", "unmanaged")}
    assert shown == {
        "model": "recommender",
        "version": None,
        "observed": version.id,
        "unmanaged": True,
    }
    assert {"messages", "messages.system", "model", "temperature"} <= set(line["would_change"])
    assert "user" not in line["would_change"]
    assert (line["dropped"], line["would_fail"]) == ([], None)
    assert SECRET.encode() not in bytes(scene.proxy.log.written)


@observed
async def test_what_would_have_failed_is_said_and_goes_on(scene):
    answer = await scene.ask(asking(proxy_variables={"nobody": "declared"}))

    assert answer.body == ANSWER
    line = await scene.line()
    assert (line["would_change"], line["would_fail"]) == ([], "unknown_variable")


@observed
async def test_a_model_without_a_version_goes_on_too(scene):
    assert (await scene.ask(asking("o9"))).body == ANSWER

    line = await scene.line()
    assert (line["model"], line["observed"]) == ("nothing", None)
    assert line["would_fail"] == "not_pinned"


@observed
async def test_a_large_body_is_not_compared(scene):
    await scene.ask(asking(messages=[{"role": "user", "content": "x" * 2**20}]))

    line = await scene.line()
    assert (line["model"], line["observed"], line["would_fail"]) == ("recommender", None, None)


@observed
async def test_other_models_are_not_observed(scene):
    assert refused(await scene.ask(asking("gpt-4.1"))) == (404, "unknown_model")
    await scene.ask(asking("recommender"))

    assert [line["observed"] for line in await scene.lines(2)] == [None, None]


@pytest.mark.vendor(*STREAMS, overrides=OBSERVED)
async def test_a_stream_is_counted_as_ever(scene):
    answer = await scene.ask(asking(stream=True))

    assert answer.body == STREAMED
    assert EVENT in answer.body
    line = await scene.line()
    assert (line["stream"], line["outcome"]) == (True, "ok")


@pytest.mark.parametrize(("granted", "status"), [("recommender", 200), ("other", 403)])
async def test_an_app_needs_the_model_that_is_observed(tmp_path, granted, status):
    token = hashlib.sha256(b"sk-app-0000").hexdigest()
    apps = {"web": {"token_sha256": token, "models": [granted]}}
    async with scene_of(tmp_path, overrides={**OBSERVED, "apps": apps}) as scene:
        assert (await scene.ask(asking())).status == status


async def test_what_the_version_says_already_is_no_change(tmp_path):
    async with scene_of(tmp_path, overrides=OBSERVED, models={"recommender": JACKETS}) as scene:
        await scene.ask(asking("recommender"))
        managed = json.loads(scene.vendor.requests[0].body)
        raw = request({**managed, "model": "gpt-4o"})
        await scene.ask(raw)

        line = await scene.line(2)

    assert line["would_change"] == ["model"]
