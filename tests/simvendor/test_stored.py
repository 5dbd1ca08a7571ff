"""What the simulated vendor keeps of responses, over a socket."""

import json

import pytest

from proxy.simvendor import responses
from proxy.simvendor.server import SimulatedVendor
from proxy.simvendor.stored import MOST, Stored
from proxy.simvendor.wrong import Wrong
from tests.raw_client import raw_app, request

BODY = {"model": "gpt-4o", "input": "hi", "instructions": "Be kind."}


@pytest.fixture
async def ask():
    async with SimulatedVendor() as vendor:
        address = ("127.0.0.1", int(vendor.url.rpartition(":")[2]))

        async def asked(path, body="", method="POST", key="Authorization: Bearer x"):
            raw = request(body, path=path, method=method)
            raw = raw.replace(b"Authorization: Bearer sk-app-0000", key.encode())
            async with raw_app(address) as app:
                await app.send(raw)
                return await app.answer()

        yield asked


def events(answer):
    return [
        json.loads(one.partition("data: ")[2]) for one in answer.body.decode().split("\n\n") if one
    ]


async def test_background_is_queued_then_in_progress_then_complete(ask):
    made = (await ask("/v1/responses", {**BODY, "background": True})).json
    path = f"/v1/responses/{made['id']}"

    seen = [(await ask(path, method="GET")).json for _ in range(3)]

    assert (made["status"], made["background"], made["output"]) == ("queued", True, [])
    assert [one["status"] for one in seen] == ["in_progress", "completed", "completed"]
    assert "You asked: hi" in seen[1]["output"][0]["content"][0]["text"]


async def test_a_stream_is_taken_up_behind_an_event(ask):
    whole = events(await ask("/v1/responses", {**BODY, "background": True, "stream": True}))
    path = f"/v1/responses/{whole[0]['response']['id']}?stream=true&starting_after=3"

    assert events(await ask(path, method="GET")) == whole[4:]


async def test_a_response_is_listed_cancelled_and_deleted(ask):
    path = f"/v1/responses/{(await ask('/v1/responses', {**BODY, 'background': True})).json['id']}"

    items = (await ask(f"{path}/input_items", method="GET")).json
    cancelled = (await ask(f"{path}/cancel")).json
    deleted = (await ask(path, method="DELETE")).json

    assert [item["content"] for item in items["data"]] == ["hi"]
    assert cancelled["status"] == "cancelled"
    assert deleted["deleted"] is True
    assert (await ask(path, method="GET")).status == 404


async def test_only_what_runs_in_the_background_is_cancelled(ask):
    made = (await ask("/v1/responses", BODY)).json

    assert (await ask(f"/v1/responses/{made['id']}/cancel")).status == 400


async def test_nothing_is_kept_that_is_not_to_be(ask):
    made = (await ask("/v1/responses", {**BODY, "store": False})).json

    assert (await ask(f"/v1/responses/{made['id']}", method="GET")).status == 404


async def test_tokens_are_counted_and_conversations_made_compact(ask):
    counted = (await ask("/v1/responses/input_tokens", BODY)).json
    compact = (await ask("/v1/responses/compact", BODY)).json

    assert counted == {"object": "response.input_tokens", "input_tokens": 3}
    assert compact["object"] == "response.compaction"
    assert compact["output"][0]["type"] == "compaction"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/openai/deployments/gpt-4o/chat/completions?api-version=1", 200),
        ("/openai/deployments/gpt-4o/chat/completions", 404),
        ("/openai/v1/chat/completions", 200),
    ],
)
async def test_azures_paths_and_key_are_known(ask, path, status):
    body = {"model": "x", "messages": [{"role": "user", "content": "hi"}]}

    answer = await ask(path, body, key="api-key: k")

    assert answer.status == status
    if "deployments" in path and status == 200:
        assert answer.json["model"] == "gpt-4o-2024-08-06"
    assert (await ask("/v1/chat/completions", body, key="api-key: k")).status == 401


def test_only_the_last_ones_are_kept():
    stored = Stored()
    ids = []
    for number in range(MOST + 1):
        body = {**BODY, "input": str(number)}
        question = _asked(body)
        ids.append(f"resp_{question.seed}")
        stored.answer(body, question)

    with pytest.raises(Wrong):
        stored.call("GET", ids[0], "", {})
    assert stored.call("GET", ids[1], "", {})


def _asked(body):
    return responses.asked(body, json.dumps(body).encode())
