"""What becomes of a vendor's answer: passed on and stamped, or refused for a reason."""

import pytest

from tests.harness import CANARY
from tests.http.scene import ANSWER, ASK, ASK_STREAM, BODY, STREAMED, STREAMS, refused
from tests.raw_client import request
from tests.vendor_script import LAST_CHUNK, Say, chunk, head, stream_head, whole

ERROR = b'{"error":{"message":"no","type":"t","code":"c"}}'
LEAK = f'{{"error":{{"message":"Incorrect API key provided: {CANARY}"}}}}'.encode()


@pytest.mark.parametrize("status", [400, 404, 408, 409, 413, 422, 429, 500, 502, 503, 529, 599])
async def test_error_of_the_vendor_is_passed_on_and_stamped(scene, status):
    scene.vendor.play(Say(whole(ERROR, ("retry-after", "7"), status=status)))

    answer = await scene.ask()

    assert (answer.status, answer.body, answer.header("retry-after")) == (status, ERROR, "7")
    assert answer.header("x-proxy-version") == scene.proxy.version("recommender", 1).id
    assert answer.header("x-proxy-error") is None
    line = await scene.line()
    assert (line["status"], line["outcome"], line["error"]) == (status, "vendor_error", None)


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308, 399])
async def test_redirect_is_refused(scene, status):
    scene.vendor.play(
        Say(head(status, ("location", f"{scene.vendor.url}/elsewhere"), ("content-length", "0")))
    )

    answer = await scene.ask()

    assert refused(answer) == (502, "upstream_protocol")
    assert answer.header("location") is None
    assert len(scene.vendor.requests) == 1


@pytest.mark.parametrize("status", [401, 403])
async def test_refusal_of_our_key_is_the_operators_and_its_text_is_not_shown(scene, status):
    scene.vendor.play(Say(whole(LEAK, status=status)))

    answer = await scene.ask()

    assert refused(answer) == (502, "upstream_auth")
    assert CANARY.encode() not in answer.body
    assert answer.header("x-should-retry") == "false"
    assert (await scene.line())["outcome"] == "failed"


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.vendor(overrides={"vendors": {"openai": {"api_key_env": None}}})
async def test_refusal_of_the_apps_own_key_is_passed_on(scene, status):
    scene.vendor.play(Say(whole(ERROR, status=status)))

    answer = await scene.ask()

    assert (answer.status, answer.body) == (status, ERROR)


@pytest.mark.parametrize("raw", [ASK, ASK_STREAM], ids=["document", "stream"])
@pytest.mark.vendor(*STREAMS)
async def test_answer_is_stamped(scene, raw):
    version = scene.proxy.version("recommender", 1)

    answer = await scene.ask(raw)

    assert answer.header("x-proxy-version") == version.id
    assert answer.header("x-proxy-digest") == version.digest
    assert answer.header("x-proxy-upstream") == "openai/gpt-4o-2024-08-06;attempt=1"
    assert answer.header("x-proxy-dropped") is None


async def test_stamp_names_what_the_policy_dropped(scene):
    body = {**BODY, "temperature": 1.5, "tools": []}
    body["messages"] = [{"role": "system", "content": "c4n4ry"}, *BODY["messages"]]

    answer = await scene.ask(request(body))

    assert set(answer.header("x-proxy-dropped").split(",")) == {
        "messages.system",
        "temperature",
        "tools",
    }
    line = await scene.line()
    assert line["dropped"] == answer.header("x-proxy-dropped").split(",")
    assert b"c4n4ry" not in bytes(scene.proxy.log.written)


STAMPED_ERRORS = {
    "unknown variable": (request({**BODY, "proxy_variables": {"other": "a"}}), "unknown_variable"),
    "body": (request({**BODY, "messages": "a"}), "invalid_request"),
}


@pytest.mark.parametrize("name", STAMPED_ERRORS)
async def test_error_after_the_choice_of_a_version_names_it(scene, name):
    raw, code = STAMPED_ERRORS[name]

    answer = await scene.ask(raw)

    assert answer.header("x-proxy-error") == code
    assert answer.header("x-proxy-version") == scene.proxy.version("recommender", 1).id
    assert answer.header("x-proxy-upstream") is None


@pytest.mark.vendor(Say(head(302, ("content-length", "0"))))
async def test_error_after_the_call_of_a_vendor_names_it(scene):
    answer = await scene.ask()

    assert answer.header("x-proxy-version") == scene.proxy.version("recommender", 1).id
    assert answer.header("x-proxy-upstream") == "openai/gpt-4o-2024-08-06;attempt=1"


@pytest.mark.parametrize(
    "raw", [request({**BODY, "model": "nobody"}), request(BODY, path="/nothing")], ids=len
)
async def test_error_before_the_choice_of_a_version_names_none(scene, raw):
    answer = await scene.ask(raw)

    assert [name for name, _ in answer.headers if name.startswith("x-proxy-")] == [
        "x-proxy-error",
        "x-proxy-request-id",
    ]


async def test_error_of_the_proxy_is_not_to_be_kept_or_guessed_at(scene):
    answer = await scene.ask(request("{"))

    assert answer.header("cache-control") == "no-store"
    assert answer.header("x-content-type-options") == "nosniff"


async def test_error_of_the_proxy_has_the_shape_of_the_vendors(scene):
    answer = await scene.ask(request("{"))

    assert answer.json["error"].keys() == {"message", "type", "param", "code", "request_id"}
    assert answer.json["error"]["request_id"] == answer.header("x-proxy-request-id")


@pytest.mark.vendor(Say(stream_head() + chunk(STREAMED[:30]) + chunk(STREAMED[30:]) + LAST_CHUNK))
async def test_bytes_of_a_stream_are_the_vendors(scene):
    answer = await scene.ask(ASK_STREAM)

    assert (answer.body, answer.ending) == (STREAMED, "tidy")


@pytest.mark.vendor(Say(whole(b"\x00\xff" * 5000, ("content-type", "application/octet-stream"))))
async def test_bytes_of_anything_are_the_vendors(scene):
    assert (await scene.ask()).body == b"\x00\xff" * 5000


async def test_answer_of_one_request_is_not_that_of_another(scene):
    scene.vendor.play(Say(whole(b'{"n":1}')))
    scene.vendor.play(Say(whole(b'{"n":2}')))

    answers = [await scene.ask() for _ in range(3)]

    assert [answer.body for answer in answers] == [b'{"n":1}', b'{"n":2}', ANSWER]
