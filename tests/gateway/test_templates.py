"""Variables and the user's message, from an app's bytes to the vendor's."""

import json

import pytest

from tests.e2e.models import ASKING
from tests.http.scene import ANSWER, refused, scene_of
from tests.raw_client import request

MODEL = "asking"
VALUES = {"thing": "hats", "days": 3}
PROMPTS = {"models": {"prompts": {"pmpt_1": MODEL}}}


@pytest.fixture
async def asking(tmp_path):
    async with scene_of(tmp_path, models={MODEL: ASKING}, overrides=PROMPTS) as scene:
        yield scene


def sent(scene):
    """Return the last message that the vendor received."""
    body = json.loads(scene.vendor.requests[-1].body)
    return body.get("messages", body.get("input"))[-1]


async def test_a_model_and_variables_are_a_whole_request(asking):
    answer = await asking.ask(request({"model": MODEL, "proxy_variables": VALUES}))

    assert answer.body == ANSWER
    assert sent(asking) == {"role": "user", "content": "Which hats for 3 days?"}


async def test_so_is_a_prompt_object_under_the_id_that_it_had_at_the_vendor(asking):
    prompt = {"id": "pmpt_1", "variables": {"thing": "hats", "days": "3"}}

    answer = await asking.ask(request({"prompt": prompt}, path="/v1/responses"))

    assert answer.header("x-proxy-version") == asking.proxy.version(MODEL, 1).id
    assert sent(asking) == {"role": "user", "content": "Which hats for 3 days?"}


@pytest.mark.vendor(overrides={"models": {"unmanaged": "passthrough"}})
async def test_a_prompt_that_is_not_ours_yet_goes_on_to_the_vendor(scene):
    raw = request({"input": "Hi", "prompt": {"id": "pmpt_2"}}, path="/v1/responses")

    answer = await scene.ask(raw)

    assert answer.header("x-proxy-version") == "unversioned"
    assert scene.vendor.requests[0].body == raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"thing": "c4n4ry"}, "missing_variable"),
        ({**VALUES, "c4n4ry": "c4n4ry"}, "unknown_variable"),
        ({**VALUES, "days": "c4n4ry"}, "invalid_request"),
        ({**VALUES, "days": ["c4n4ry"]}, "invalid_request"),
    ],
)
async def test_what_does_not_fit_is_refused_and_not_repeated(asking, values, code):
    answer = await asking.ask(request({"model": MODEL, "proxy_variables": values}))

    assert refused(answer) == (400, code)
    assert asking.vendor.requests == []
    assert b"c4n4ry" not in answer.body + bytes(asking.proxy.log.written)


@pytest.mark.parametrize("values", [{"thing": "c4n4ry"}, {**VALUES, "days": "c4n4ry"}])
async def test_the_variable_is_named_as_the_version_calls_it(asking, values):
    answer = await asking.ask(request({"model": MODEL, "proxy_variables": values}))

    assert "variable days" in answer.json["error"]["message"]
