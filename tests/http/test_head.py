"""The head of a request, without a socket: what is let through is safe to act on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import BadFraming, HeadersTooLarge, MethodNotAllowed, RequestError
from proxy.http.head import Head, check_head, check_size

HOST = (b"host", b"a")


def head(*headers, target=b"/", method=b"POST", version="1.1"):
    return Head(method, target, version, True, list(headers), dict(headers))


def passes(checked):
    try:
        check_head(checked)
    except RequestError:
        return False
    return True


@given(st.binary(max_size=40))
def test_target_that_passes_is_a_plain_path(target):
    if passes(head(HOST, target=b"/" + target)):
        assert re.fullmatch(rb"[\x21-\x7e]*", target)
        assert b"#" not in target
        assert b"\\" not in target
        assert not re.search(rb"%(?![0-9a-fA-F]{2})|%[01]|%7[fF]", target)


@given(st.text(alphabet="/abc.~-_!$&'()*+,;=:@?", max_size=40))
def test_what_a_path_may_hold_passes(text):
    assert passes(head(HOST, target=b"/" + text.encode()))


@given(st.integers(0x20, 0xFF).filter(lambda byte: byte != 0x7F))
def test_escapes_of_visible_bytes_pass(byte):
    assert passes(head(HOST, target=b"/%%%02x" % byte))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"host", b"b"),
        (b"authorization", b"Bearer a"),
        (b"content-type", b"a/b"),
        (b"content-length", b"0"),
        (b"expect", b"100-continue"),
        (b"transfer-encoding", b"chunked"),
    ],
)
def test_header_that_decides_something_stands_there_once(name, value):
    once = [HOST, *([(name, value)] if name != b"host" else [])]

    assert passes(head(*once))
    assert not passes(head(*once, (name, value)))


def test_other_headers_may_stand_there_twice():
    assert passes(head(HOST, (b"x-note", b"a"), (b"x-note", b"b")))


@pytest.mark.parametrize("method", [b"CONNECT", b"TRACE", b"PROPFIND", b"SOURCE", b"M-SEARCH"])
def test_method_that_nothing_takes_is_not_allowed(method):
    with pytest.raises(MethodNotAllowed):
        check_head(head(HOST, method=method))


@pytest.mark.parametrize("coding", [b"chunked", b"Chunked", b"CHUNKED"])
def test_chunked_is_the_only_coding(coding):
    check_head(head(HOST, (b"transfer-encoding", coding)))
    with pytest.raises(BadFraming):
        check_head(head(HOST, (b"transfer-encoding", coding), version="1.0"))
    with pytest.raises(BadFraming):
        check_head(head(HOST, (b"transfer-encoding", coding + b", gzip")))


def test_path_and_query_are_cut_at_the_first_question_mark():
    cut = head(HOST, target=b"/a/b?c=d?e")

    assert (cut.path, cut.query) == (b"/a/b", b"?c=d?e")


@given(st.integers(0, 60), st.lists(st.tuples(st.binary(max_size=9), st.binary(max_size=9))))
def test_size_is_that_of_what_was_sent(target_bytes, headers):
    target = b"a" * target_bytes
    size = target_bytes + len(b"".join(b"%b: %b\r\n" % pair for pair in headers))

    check_size(target, headers, size)
    if size:
        with pytest.raises(HeadersTooLarge):
            check_size(target, headers, size - 1)
