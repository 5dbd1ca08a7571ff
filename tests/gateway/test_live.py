"""What apps ask for without a version is remembered, if the operator wants that, and adopted."""

import json

import pytest

from proxy.control.act import Act
from proxy.control.adopt import adoptable, write_files
from proxy.control.register import read_source, register
from proxy.errors import NothingCaptured, UnsavedChanges
from proxy.versions.question import Live
from tests.http.scene import BODY, scene_of, until
from tests.raw_client import request

USERS = "what-a-user-said"
CAPTURING = {"models": {"unmanaged": "passthrough", "capture": 3}}
capturing = pytest.mark.vendor(overrides=CAPTURING)

TOOL = {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}


def asking(system="Be kind.", *, user=USERS, **more):
    said = [{"role": "system", "content": system}, {"role": "user", "content": user}]
    return request({"model": "gpt-4o", "messages": said, "temperature": 0.5, **more})


def told(scene):
    return scene.proxy.running.gateway.unmanaged.live.told()


@pytest.mark.vendor(overrides={"models": {"unmanaged": "passthrough"}})
async def test_by_default_nothing_is_remembered(scene):
    await scene.ask(asking())

    assert told(scene) == Live((), 0)


@capturing
async def test_one_way_of_asking_is_one_candidate(scene):
    for words in ("one", "two", "three"):
        await scene.ask(asking(user=words))

    (one,) = told(scene).candidates
    assert (one.app, one.dialect, one.count) == ("local", "openai.chat", 3)
    assert one.first_at <= one.last_at
    content = json.loads(one.content)
    assert (content["system"], content["model"]["id"]) == ("Be kind.", "gpt-4o")


@capturing
async def test_nothing_of_a_user_and_no_key_is_remembered(scene):
    await scene.ask(asking(user=USERS, metadata={"a": USERS}, x_note=USERS))

    (one,) = told(scene).candidates
    assert USERS not in repr(one)
    assert "sk-app" not in repr(one)
    assert one.left_out == ("x_note",)
    assert USERS.encode() not in bytes(scene.proxy.log.written)


@capturing
@pytest.mark.parametrize("secret", ["sk-proj-4711" + "a" * 20, "AKIA" + "A" * 16])
async def test_a_prompt_that_looks_like_a_credential_is_not(scene, secret):
    await scene.ask(asking(f"Your key is {secret}."))

    assert told(scene).candidates == ()


@capturing
async def test_so_many_are_remembered_those_that_came_last(scene):
    for number in (1, 2, 3, 1, 4):
        await scene.ask(asking(f"Prompt {number}."))

    systems = [json.loads(one.content)["system"] for one in told(scene).candidates]
    assert systems == ["Prompt 4.", "Prompt 1.", "Prompt 3."]


@capturing
@pytest.mark.parametrize(
    "raw",
    [
        request(BODY),
        asking(temperature=77),
        request({"model": "gpt-4o", "messages": [1]}),
        request({"model": "gpt-4o", "input": "x"}, path="/v1/embeddings"),
        request({"model": "gpt-4o", "prompt": {"id": "pmpt_1"}}, path="/v1/responses"),
        asking(user="x" * 2**20),
    ],
    ids=["managed", "no such temperature", "no messages", "embeddings", "prompt", "large"],
)
async def test_what_makes_no_version_is_not(scene, raw):
    await scene.ask(raw)

    assert told(scene).candidates == ()


async def test_a_stream_of_gemini_is_remembered_too(tmp_path):
    vendors = {"openai": {"dialects": ["gemini.generate"]}}
    said = {"contents": [{"role": "user", "parts": [{"text": USERS}]}]}
    path = "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
    async with scene_of(tmp_path, overrides={**CAPTURING, "vendors": vendors}) as scene:
        await scene.ask(request({**said, "generationConfig": {"topK": 4}}, path=path))

        (one,) = told(scene).candidates

    assert json.loads(one.content)["model"] == {"vendor": "openai", "id": "gemini-x"}
    assert (one.dialect, one.differs) == ("gemini.generate", ())


@pytest.mark.vendor(overrides={"models": {"capture": 1, "observe": {"gpt-4o": "recommender"}}})
async def test_what_is_observed_is_remembered_too(scene):
    await scene.ask(asking())

    assert len(told(scene).candidates) == 1


async def adopt(scene, model, chosen):
    """Do as `proxyctl register MODEL --from-live`; return the id."""
    proxy, models = scene.proxy, scene.proxy.directory / "models"
    await write_files(proxy.store, models, model, chosen)
    act = Act(by="test", operation=f"adopt-{chosen.key}")
    return (await register(proxy.store, await read_source(models, model), act)).info


@capturing
async def test_the_version_that_was_adopted_sends_what_the_app_sent(scene):
    raw = asking(tools=[TOOL], max_completion_tokens=5)
    await until(lambda: scene.proxy.running.follower.reporter.leased)
    await scene.ask(raw)
    (before,) = scene.vendor.requests

    (chosen,) = await adoptable(scene.proxy.store)
    info = await adopt(scene, "assistant", chosen)
    scene.proxy._versions["assistant", 1] = info
    await scene.proxy.pin("assistant", 1)
    user = {"messages": [{"role": "user", "content": USERS}]}
    answer = await scene.ask(request({"model": "assistant", **user}))

    assert answer.header("x-proxy-version") == info.id
    after = [one for one in scene.vendor.requests if one.line.startswith("POST")][-1]
    assert json.loads(after.body) == json.loads(before.body)
    assert (chosen.count, chosen.apps, chosen.differs) == (1, ("local",), ())


@capturing
async def test_today_and_what_was_before_become_versions(scene):
    await until(lambda: scene.proxy.running.follower.reporter.leased)
    await scene.ask(asking("Yesterday."))
    await scene.ask(asking("Today."))

    today, yesterday = await adoptable(scene.proxy.store)
    ids = [(await adopt(scene, "assistant", one)).number for one in (yesterday, today)]

    assert ids == [1, 2]
    folder = scene.proxy.directory / "models" / "assistant"
    assert (folder / "system.md").read_text() == "Today.\n"


@capturing
async def test_files_that_are_not_registered_are_not_overwritten(scene):
    await until(lambda: scene.proxy.running.follower.reporter.leased)
    await scene.ask(asking())
    (chosen,) = await adoptable(scene.proxy.store)
    folder = scene.proxy.directory / "models" / "assistant"
    folder.mkdir(parents=True)
    (folder / "system.md").write_text("Mine.\n")

    with pytest.raises(UnsavedChanges):
        await adopt(scene, "assistant", chosen)

    assert (folder / "system.md").read_text() == "Mine.\n"


@pytest.mark.parametrize(("models", "words"), [({}, "remembers"), ({"capture": 2}, "no app asked")])
async def test_where_there_is_nothing_it_says_why(tmp_path, models, words):
    async with scene_of(tmp_path, overrides={"models": models}) as scene:
        await until(lambda: scene.proxy.running.follower.reporter.leased)

        with pytest.raises(NothingCaptured, match=words):
            await adoptable(scene.proxy.store)


async def test_without_a_live_proxy_there_is_nothing(tmp_path):
    async with scene_of(tmp_path) as scene:
        await scene.proxy.running.stop()
        scene.proxy.running = None

        with pytest.raises(NothingCaptured, match="live"):
            await adoptable(scene.proxy.store)
