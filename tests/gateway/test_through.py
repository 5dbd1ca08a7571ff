"""What is passed through to which vendor, and what of a head goes along. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.gateway.headers import Crossings
from proxy.gateway.through import (
    MOST_SHOWN,
    family,
    may_pass,
    query_without_keys,
    shown,
    through_head,
)
from proxy.http.head import Head

CROSSINGS = Crossings()


def built(sent, prefix, host, credential):
    return through_head(sent, prefix, host, credential, CROSSINGS)


def head(target=b"/v1/files", method=b"GET", *headers):
    return Head(method, target, "1.1", True, list(headers), dict(headers))


@pytest.mark.parametrize(
    ("target", "header", "expected"),
    [
        (b"/v1/files", (b"accept", b"*/*"), "openai."),
        (b"/v1/files", (b"anthropic-version", b"2023-06-01"), "anthropic."),
        (b"/v1/messages", (b"accept", b"*/*"), "anthropic."),
        (b"/v1beta/files", (b"accept", b"*/*"), "gemini."),
        (b"/v1alpha/files", (b"accept", b"*/*"), "gemini."),
        (b"/upload/v1beta/files", (b"accept", b"*/*"), "gemini."),
        (b"/v1/files", (b"x-goog-api-key", b"k"), "gemini."),
        (b"/nothing", (b"x-api-key", b"k"), "openai."),
    ],
)
def test_the_family_is_told_by_what_sdks_leave_in_every_call(target, header, expected):
    assert family(head(target, b"GET", header)) == expected


@pytest.mark.parametrize("method", [b"GET", b"POST", b"PUT", b"PATCH", b"DELETE"])
def test_methods_that_sdks_use_pass(method):
    assert may_pass(head(method=method))


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS"])
def test_other_methods_do_not(method):
    assert not may_pass(head(method=method))


@pytest.mark.parametrize(
    "path",
    [
        *(b"/v1/files", b"/", b"/v1/files/", b"/v1/files/file-a.b_c~d", b"/v1/models/ft%3Agpt%2Fx"),
        *(b"/v1/a:b", b"/v1/...", b"/v1/.well-known", b"/v1/%C3%A9"),
    ],
)
def test_plain_paths_pass(path):
    assert may_pass(head(path))
    assert may_pass(head(path + b"?a=../.."))


@pytest.mark.parametrize(
    "path",
    [
        *(b"/v1/../admin", b"/..", b"/v1/.", b"/./v1", b"//v1/files", b"/v1//files", b"/v1/.."),
        *(b"/v1/%2e%2e/admin", b"/v1/%2E./admin", b"/v1/.%2e", b"/v1%2f..%2fadmin", b"/v1/%2f"),
        *(b"/v1/%252e%252e/admin", b"/v1/%5c..", b"/v1/a%3fb", b"/v1/a%23b", b"/v1/..%5c"),
        *(b"/v1/..;/admin", b"/v1/..;a=b", b"/v1/;/x", b"/v1/%2e%2e%3b/x"),
    ],
)
def test_paths_that_may_lead_elsewhere_do_not(path):
    assert not may_pass(head(path))


@given(st.lists(st.sampled_from(["..", ".", "", "%2e", "%2f", "%25", "v1", "a", "/"]), max_size=8))
def test_what_passes_stays_where_it_is_however_often_it_is_decoded(parts):
    path = ("/" + "/".join(parts)).encode()

    if may_pass(head(path)):
        once = path.replace(b"%2e", b".").replace(b"%2f", b"/")
        assert b"%2" not in once
        assert not {b"..", b"."}.intersection(once.split(b"/"))
        assert b"//" not in once


@pytest.mark.parametrize(
    ("query", "left"),
    [
        (b"", b""),
        (b"?limit=2&after=x", b"?limit=2&after=x"),
        (b"?key=secret", b""),
        (b"?a=1&key=secret&b=2", b"?a=1&b=2"),
        (b"?%6Bey=secret&KEY=s&api_key=s&api%2Dkey=s&access_token=s", b""),
        (b"?+key=s&a=key", b"?a=key"),
        (b"?monkey=1&keys=2", b"?monkey=1&keys=2"),
    ],
)
def test_keys_of_the_app_are_taken_out_of_the_query(query, left):
    assert query_without_keys(query) == left


def lines(text):
    return text.decode().split("\r\n")


def test_the_operators_key_takes_the_place_of_the_apps():
    sent = head(b"/v1/files?key=app", b"GET", (b"authorization", b"Bearer app"), (b"accept", b"*"))

    assert lines(built(sent, b"/base", b"vendor.test", b"authorization: Bearer ours\r\n")) == [
        *("GET /base/v1/files HTTP/1.1", "host: vendor.test", "authorization: Bearer ours"),
        *("accept: *", "accept-encoding: identity", "", ""),
    ]


def test_without_one_the_apps_own_passes():
    sent = head(b"/v1/files?key=app", b"GET", (b"authorization", b"Bearer app"))

    assert "authorization: Bearer app" in lines(built(sent, b"", b"vendor.test", None))
    assert lines(built(sent, b"", b"vendor.test", None))[0] == "GET /v1/files?key=app HTTP/1.1"


@pytest.mark.parametrize(
    "name",
    [
        *(b"connection", b"cookie", b"x-forwarded-for", b"te", b"trailer", b"proxy-authorization"),
        *(b"x-proxy-version", b"keep-alive", b"expect", b"host", b"via", b"x-http-method-override"),
    ],
)
def test_other_headers_stay_here(name):
    assert b"evil" not in built(head(b"/v1/files", b"GET", (name, b"evil")), b"", b"v", None)


@pytest.mark.parametrize(
    ("method", "header", "framing"),
    [
        (b"GET", (b"accept", b"*"), []),
        (b"POST", (b"accept", b"*"), ["content-length: 0"]),
        (b"POST", (b"content-length", b"007"), ["content-length: 7"]),
        (b"PUT", (b"transfer-encoding", b"Chunked"), ["transfer-encoding: chunked"]),
        (b"DELETE", (b"content-length", b"3"), ["content-length: 3"]),
    ],
)
def test_the_framing_is_what_the_parser_went_by(method, header, framing):
    made = lines(built(head(b"/v1/files", method, header), b"", b"v", None))

    assert [line for line in made if line.startswith(("content-l", "transfer"))] == framing


def test_the_log_shows_no_query_and_no_more_than_fits():
    assert shown(head(b"/v1/files?secret=1")) == "GET /v1/files"
    assert len(shown(head(b"/" + b"a" * 5000))) == MOST_SHOWN
