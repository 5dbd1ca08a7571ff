"""What the simulated vendor refuses as Anthropic's API does, so that tests see what would fail."""

import json

import pytest

from proxy.simvendor.messages_wrong import body_of, check_count, check_key, check_messages
from proxy.simvendor.wrong import Wrong

OLD, NEW = {"anthropic-version": "2023-06-01"}, {"anthropic-version": "2026-10-21"}
SAID = {"role": "user", "content": "hi"}
BODY = {"model": "claude-x", "max_tokens": 1, "messages": [SAID]}
COUNT = {"model": "claude-x", "messages": [SAID]}
TOOL = {"name": "a", "input_schema": {"type": "object"}}
MARKED = {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    "change",
    [
        *({"model": None}, {"max_tokens": None}, {"max_tokens": -1}, {"max_tokens": "1"}),
        *({"messages": None}, {"messages": []}, {"messages": [1]}, {"messages": [{"role": "x"}]}),
        *({"system": 1}, {"stream": 1}, {"tools": {}}, {"tool_choice": "auto"}),
        *({"temperature": 1.5}, {"tool_choice": {"type": "auto"}}),
        {"system": [MARKED] * 3, "messages": [{"role": "user", "content": [MARKED] * 2}]},
        {"thread": {"type": "continue"}, "system": "x"},
    ],
)
def test_a_call_that_the_vendor_refuses_is_refused(change):
    with pytest.raises(Wrong) as caught:
        check_messages({**BODY, **change}, OLD)

    assert caught.value.status == 400


@pytest.mark.parametrize("name", ["temperature", "top_p", "top_k"])
def test_sampling_is_unknown_to_the_newer_api(name):
    check_messages({**BODY, name: 1}, OLD)
    with pytest.raises(Wrong, match=name):
        check_messages({**BODY, name: 1}, NEW)


@pytest.mark.parametrize("check", [check_messages, check_count])
def test_the_version_of_the_api_is_required(check):
    with pytest.raises(Wrong, match="anthropic-version"):
        check(BODY, {})


@pytest.mark.parametrize("name", ["max_tokens", "stop_sequences", "temperature", "metadata"])
def test_a_count_takes_nothing_that_has_no_tokens(name):
    check_count(COUNT, NEW)
    with pytest.raises(Wrong, match=name):
        check_count({**COUNT, name: 1}, NEW)


@pytest.mark.parametrize(
    "change",
    [
        *({}, {"system": "x"}, {"system": [MARKED] * 4}, {"max_tokens": 0}),
        {"tools": [TOOL], "tool_choice": {"type": "any"}},
        {"thread": {"type": "continue"}, "tool_choice": {"type": "any"}},
    ],
)
def test_a_call_that_the_vendor_takes_passes(change):
    check_messages({**BODY, **change}, NEW)


@pytest.mark.parametrize("headers", [{}, {"authorization": "Basic x"}, {"x-api-key": ""}])
def test_a_call_without_a_key_is_refused(headers):
    with pytest.raises(Wrong) as caught:
        check_key(headers)

    assert caught.value.status == 401


@pytest.mark.parametrize("headers", [{"authorization": "Bearer x"}, {"x-api-key": "x"}])
def test_a_key_may_come_in_either_header(headers):
    check_key(headers)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((400, "invalid_request_error"), (401, "authentication_error"), (429, "rate_limit_error")),
        *((500, "api_error"), (529, "overloaded_error"), (418, "invalid_request_error")),
    ],
)
def test_errors_have_the_vendors_shape(status, kind):
    body = json.loads(body_of(status))

    assert (body["type"], body["error"]["type"]) == ("error", kind)
    assert body["error"]["message"]
