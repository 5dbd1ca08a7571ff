"""Keys in a query: taken out, whatever stands beside them, and nothing else is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.gateway.query import take_keys

NAMES = {b"key": b"x-goog-api-key", b"access_token": b"authorization"}


@pytest.mark.parametrize(
    ("query", "rest", "found"),
    [
        (b"", b"", []),
        (b"?alt=sse", b"?alt=sse", []),
        (b"?key=k", b"", [(b"x-goog-api-key", b"k")]),
        (b"?alt=sse&key=k&x=%20", b"?alt=sse&x=%20", [(b"x-goog-api-key", b"k")]),
        (b"?%6bey=a%2Bb", b"", [(b"x-goog-api-key", b"a+b")]),
        (b"?access_token=t", b"", [(b"authorization", b"Bearer t")]),
        (b"?KEY=k&keys=k", b"?KEY=k&keys=k", []),
        (b"?key", b"", []),
        (b"?key=&a", b"?a", []),
        (b"?key=a%0D%0Ax-evil:1", b"", []),
        (b"?key=%C3%A9", b"", []),
    ],
)
def test_keys_become_headers_and_the_rest_stays(query, rest, found):
    assert take_keys(query, NAMES) == (rest, found)


parts = st.lists(
    st.sampled_from(
        [b"alt=sse", b"a=%20b", b"", b"key=secret", b"k%65y=secret", b"x=key", b"=", b"a"]
    )
)


@given(parts)
def test_no_key_is_left_and_nothing_else_is_lost(some):
    rest, _ = take_keys(b"?" + b"&".join(some), NAMES)

    assert b"secret" not in rest
    kept = [part for part in some if b"secret" not in part]
    assert rest.removeprefix(b"?") == b"&".join(kept)
