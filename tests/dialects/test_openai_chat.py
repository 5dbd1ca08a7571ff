"""Chat completions: where the version's words go, and what becomes of the app's."""

import json
from itertools import product

import pytest

from proxy.dialects.base import Asked, Seen
from proxy.errors import (
    InvalidRequest,
    MissingVariable,
    OverrideRejected,
    UnknownModel,
    UnknownVariable,
    UpstreamTimeout,
)
from tests.dialects.composing import CHAT, compose, read, says, version
from tests.wire.spelled import elements

USER = '{ "role":"user","content":"hi\\u0021","n":1.0e0 }'
OURS = {"role": "system", "content": "Ours."}
THEIRS = {
    "none": [],
    "one": ['{"role":"system","content":"Theirs."}'],
    "developer": ['{"role":"developer","content":[{"type":"text","text":"Theirs."}]}'],
    "two": ['{"role":"system","content":"First."}', '{"role":"developer","content":"Second."}'],
    "empty": ['{"role":"system","content":""}'],
    "null": ['{"role":"system","content":null}'],
}
REFUSED = "refused"

# The leading system message, None if there is none: by (rule, version has one), by what is sent.
TABLE = {
    ("replace", True): dict.fromkeys(THEIRS, "Ours."),
    ("replace", False): dict.fromkeys(THEIRS, None),
    ("append", True): {
        "none": "Ours.",
        "one": "Ours.\n\nTheirs.",
        "developer": "Ours.\n\nTheirs.",
        "two": "Ours.\n\nFirst.\n\nSecond.",
        "empty": "Ours.",
        "null": "Ours.",
    },
    ("append", False): {
        "none": None,
        "one": "Theirs.",
        "developer": "Theirs.",
        "two": "First.\n\nSecond.",
        "empty": None,
        "null": None,
    },
    ("reject", True): {**dict.fromkeys(THEIRS, REFUSED), "none": "Ours."},
    ("reject", False): {**dict.fromkeys(THEIRS, REFUSED), "none": None},
}
CASES = [
    pytest.param(rule, has, sent, place, TABLE[rule, has][sent], id=f"{rule}-{has}-{sent}-{place}")
    for rule, has, sent, place in product(
        ("replace", "append", "reject"), (True, False), THEIRS, ("first", "last")
    )
]


def asks(*messages, **fields):
    rest = "".join(f",{json.dumps(name)}:{json.dumps(value)}" for name, value in fields.items())
    return f'{{"model":"recommender","messages":[{", ".join(messages)}]{rest}}}'


@pytest.mark.parametrize(("rule", "has_system", "sent", "place", "leading"), CASES)
def test_there_is_one_leading_system_message_by_the_rule(rule, has_system, sent, place, leading):
    content = version(system="Ours." if has_system else "", policy={"system": rule})
    body = asks(*THEIRS[sent], USER) if place == "first" else asks(USER, *THEIRS[sent])
    if leading == REFUSED:
        with pytest.raises(OverrideRejected):
            compose(CHAT, content, body)
        return

    received = compose(CHAT, content, body)

    *head, last = elements(received.spelled["messages"])
    expected = [] if leading is None else [{"role": "system", "content": leading}]
    assert [json.loads(item) for item in head] == expected
    assert last == USER
    told = rule == "replace" and sent != "none"
    assert received.dropped == (("messages.system",) if told else ())


@pytest.mark.parametrize("content", ["[1]", '[{"type":"image_url","image_url":{}}]', "{}"])
def test_system_message_that_cannot_be_appended_is_refused(content):
    body = asks(f'{{"role":"system","content":{content}}}', USER)

    with pytest.raises(InvalidRequest):
        compose(CHAT, version(system="Ours.", policy={"system": "append"}), body)
    compose(CHAT, version(system="Ours."), body)


def test_other_messages_keep_order_and_spelling():
    said = [USER, '{"role":"assistant","content":null}', '{"role":"tool","tool_call_id":"1" }']

    received = compose(CHAT, version(system="Ours."), asks(said[0], THEIRS["one"][0], *said[1:]))

    assert elements(received.spelled["messages"])[1:] == said


@pytest.mark.parametrize("messages", ["null", '"hi"', "{}", "[1]"])
def test_messages_that_are_none_are_refused(messages):
    with pytest.raises(InvalidRequest):
        compose(CHAT, version(), f'{{"model":"recommender","messages":{messages}}}')


def test_messages_are_required():
    with pytest.raises(InvalidRequest):
        compose(CHAT, version(system="Ours."), '{"model":"recommender"}')


def test_empty_conversation_holds_what_is_the_versions():
    assert compose(CHAT, version(system="Ours."), asks()).fields["messages"] == [OURS]
    assert compose(CHAT, version(), asks()).fields["messages"] == []


SHOTS = [{"role": "user", "content": "Q {{x}}"}, {"role": "assistant", "content": 'A "{{ y }}"'}]
VARIABLES = {"x": {"required": True}, "y": {"default": "preset"}}


@pytest.mark.parametrize("system", ["Ours.", ""])
@pytest.mark.parametrize("said", [[USER], [], [*THEIRS["one"], USER]])
def test_few_shot_messages_stand_between_system_and_the_apps(system, said):
    content = version(system=system, messages=SHOTS, variables=VARIABLES)

    received = compose(CHAT, content, asks(*said, proxy_variables={"x": "1"}))

    assert received.fields["messages"] == [
        *([OURS] if system else []),
        {"role": "user", "content": "Q 1"},
        {"role": "assistant", "content": 'A "preset"'},
        *([json.loads(USER)] if said else []),
    ]


@pytest.mark.parametrize(
    ("given", "written"),
    [("text", "text"), ('"}{{y}}', '"}{{y}}'), (7, "7"), (1.5, "1.5"), (True, "true"), ("", "")],
)
def test_variables_fill_the_places_and_go_no_further(given, written):
    content = version(system="{{x}}/{{y}}", variables=VARIABLES)

    received = compose(CHAT, content, asks(USER, proxy_variables={"x": given}))

    assert received.fields["messages"][0]["content"] == f"{written}/preset"
    assert "proxy_variables" not in received.fields
    assert (received.dropped, received.app_fields) == ((), ())


@pytest.mark.parametrize("given", [None, {}])
def test_null_and_empty_variables_are_none(given):
    content = version(system="{{y}}", variables={"y": VARIABLES["y"]})

    received = compose(CHAT, content, asks(USER, proxy_variables=given))

    assert received.fields["messages"][0]["content"] == "preset"
    assert "proxy_variables" not in received.fields


def test_a_required_variable_must_be_given_and_an_unknown_one_must_not():
    content = version(system="{{x}}", variables={"x": VARIABLES["x"]})

    with pytest.raises(MissingVariable):
        compose(CHAT, content, asks(USER))
    with pytest.raises(UnknownVariable):
        compose(CHAT, content, asks(USER, proxy_variables={"x": "1", "z": "1"}))
    with pytest.raises(UnknownVariable):
        compose(CHAT, version(), asks(USER, proxy_variables={"z": "1"}))


@pytest.mark.parametrize("given", [[], "x", 1, {"x": None}, {"x": []}, {"x": {"a": 1}}])
def test_variables_of_another_shape_are_refused(given):
    with pytest.raises(InvalidRequest):
        read(CHAT, asks(USER, proxy_variables=given))


@pytest.mark.parametrize(
    ("fields", "address", "stream"),
    [
        ('"model":"recommender@v6"', "recommender@v6", False),
        ('"model":"r","stream":true', "r", True),
        ('"model":"r","stream":false', "r", False),
        ('"model":"r","stream":null', "r", False),
        ('"model":null', "", False),
        (f'"model":"{"m" * 512}"', "m" * 512, False),
        ('"stream":true', "", True),
        ('"model":"a","mod\\u0065l":"b"', "b", False),
    ],
)
def test_what_is_asked_for_is_read(fields, address, stream):
    asked = read(CHAT, f'{{{fields},"messages":[]}}')

    assert (asked.address, asked.stream, asked.prompt_id) == (address, stream, "")


@pytest.mark.parametrize(
    "fields",
    ['"model":1', '"model":["r"]', '"stream":1', '"stream":"true"', '"model":"%s"' % ("m" * 513)],
)
def test_what_cannot_be_asked_for_is_refused(fields):
    with pytest.raises(InvalidRequest):
        read(CHAT, f"{{{fields}}}")


def test_what_is_read_is_a_value():
    assert isinstance(read(CHAT, says(CHAT)), Asked)


def test_an_error_has_the_shape_that_sdks_parse():
    body = json.loads(CHAT.error_body(UnknownModel(hint="run: proxyctl status"), "req_1"))

    assert body == {
        "error": {
            "message": f"proxy: {UnknownModel.text} (run: proxyctl status)",
            "type": "invalid_request_error",
            "param": None,
            "code": "unknown_model",
            "request_id": "req_1",
        }
    }


def test_an_error_that_is_not_the_callers_is_the_proxys():
    error = json.loads(CHAT.error_body(UpstreamTimeout(), "req_1"))["error"]

    assert (error["type"], error["code"]) == ("proxy_error", "upstream_timeout")


def test_a_broken_stream_is_reported_as_a_chunk_with_an_error():
    event = CHAT.error_event(UpstreamTimeout(), "req_1")

    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    assert event.count(b"\n") == 2
    assert json.loads(event[6:])["error"]["code"] == "upstream_timeout"


def test_error_event_is_seen_as_one():
    observer = CHAT.observer(stream=True)
    observer.feed(CHAT.error_event(UpstreamTimeout(), "req_1"))

    assert observer.finish() == Seen(failed=True)
