"""The tools of the replay are tools: they must see the difference that they are there to find."""

import pytest

from tests.vendor_script import cut_request
from tests.wire.injection import VENDOR_MODEL, Injected, differences
from tests.wire.recordings import recording, recordings
from tests.wire.spelled import elements, members


def test_numbers_and_escapes_keep_their_spelling():
    text = '{"a": 1.50e0, "b":"\\u00e9", "c" : [1, {"x":2}] }'

    assert members(text) == [("a", "1.50e0"), ("b", '"\\u00e9"'), ("c", '[1, {"x":2}]')]
    assert elements('[1, {"x":2}]') == ["1", '{"x":2}']


def test_repeated_names_are_seen():
    assert members('{"a":1,"\\u0061":2}') == [("a", "1"), ("a", "2")]


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ('{"a":1.0,"model":"m"}', "a is 1.0, expected 1"),
        ('{"a":1,"model":"m","b":2}', "b added"),
        ('{"model":"m"}', "a missing"),
        ('{"a":1,"a":1,"model":"m"}', "a twice"),
    ],
)
def test_differences_name_what_differs(body, complaint):
    expected = {"a": "1", "model": Injected("m")}

    assert complaint in differences(expected, body)


def test_there_is_none_where_there_is_no_difference():
    expected = {"a": "1", "model": Injected(VENDOR_MODEL)}

    assert differences(expected, f'{{"model":"{VENDOR_MODEL}","a":1}}') == []


def test_request_is_replayed_as_it_was_sent():
    found = recording("openai-chat-basic")

    received = cut_request(found.request())

    assert received is not None
    assert received.body == found.body
    assert ("user-agent", "OpenAI/Python 3.54.0") in received.headers


def test_chunked_request_is_replayed_in_chunks():
    received = cut_request(recording("http-request-body-chunked").request())

    assert received is not None
    assert received.header("content-length") is None
    assert received.framed != received.body


def test_there_are_recordings_of_every_dialect_and_of_aborts():
    found = list(recordings())

    shapes = {one.call for one in found}
    assert {
        *("/v1/chat/completions", "/v1/responses", "/v1/embeddings", "/v1/completions"),
        *("/v1/responses/input_tokens", "/v1/responses/compact"),
        *("/v1/messages", "/v1/messages/count_tokens"),
        *(f"/v1beta/models/NAME:{call}" for call in ("generateContent", "streamGenerateContent")),
        *(f"/v1beta/models/NAME:{call}" for call in ("countTokens", "batchEmbedContents")),
    } <= shapes
    assert {one.family for one in found if one.aborted} == {"openai", "anthropic", "gemini"}
