import json

import pytest

from proxy.simvendor.wrong import (
    Wrong,
    check_chat,
    check_credential,
    check_responses,
    parsed,
    usual,
)

CHAT = {"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}
RESPONSE = {"model": "gpt-4o", "input": "hi"}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot"}]}, "messages[0].role"),
        ({"temperature": 3}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens"),
        ({"stream_options": {"include_usage": True}}, "stream_options"),
        ({"tools": "all"}, "tools"),
        ({"n": True}, "n"),
    ],
)
def test_chat_request_is_refused_by_name_of_the_parameter(change, param):
    with pytest.raises(Wrong) as caught:
        check_chat({**CHAT, **change})

    assert (caught.value.status, caught.value.error["param"]) == (400, param)


@pytest.mark.parametrize(
    ("change", "status"),
    [({"model": None}, 400), ({"input": None}, 400), ({"prompt": {"id": "pmpt_1"}}, 404)],
)
def test_responses_request_is_refused(change, status):
    with pytest.raises(Wrong) as caught:
        check_responses({**RESPONSE, **change})

    assert caught.value.status == status


def test_good_requests_pass():
    check_chat(CHAT)
    check_responses(RESPONSE)


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc"])
def test_request_without_a_bearer_token_is_refused(header):
    with pytest.raises(Wrong) as caught:
        check_credential(header)

    assert caught.value.status == 401


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_body_that_is_no_json_object_is_refused(body):
    with pytest.raises(Wrong):
        parsed(body)


def test_error_has_the_shape_that_sdks_parse():
    error = json.loads(usual(429).body())["error"]

    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == "rate_limit_exceeded"
