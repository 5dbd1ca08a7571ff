from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import InvalidArgument, StoreUnsafe
from proxy.store import records
from proxy.store.base import Moved, Swapped
from proxy.store.records import MovedResult, SwapResult
from proxy.store.rules import short_hex
from proxy.versions.record import Member

DIGEST = "sha256:" + "0123456789abcdef" * 4


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_keeps_its_milliseconds(at_ms):
    at = datetime.fromisoformat(records.rfc3339(at_ms))

    assert round((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000) == at_ms


def test_a_time_is_written_in_one_way():
    assert records.rfc3339(1_795_443_480_007) == "2026-11-23T14:18:00.007Z"


def test_numbers_may_be_spelled_as_strings():
    text = '{"scope":"s","epoch":"12","moved":[{"model":"m","label":"l","id":"i","epoch":"7"}]}'

    result = records.decode(text, SwapResult)

    assert result == SwapResult("s", 12, (MovedResult("m", "l", "i", 7),))
    assert result.swapped(replayed=True) == Swapped(12, (Moved("m", "l", None, "i", 7),), True)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"scope":1}', b"\xff", b'{"scope":"\xff"}', "[" * 100_000]
)
def test_what_cannot_be_read_is_told(text):
    with pytest.raises(StoreUnsafe):
        records.decode(text, SwapResult)


def test_a_lease_of_another_release_may_say_more():
    text = '{"name":"web-1","epoch":3,"versions":{},"novelty":[1]}'

    member = records.member_from(text, 0.5, False)

    assert member == Member("web-1", 3, {}, age_s=0.5, live=False)


def test_what_a_lease_says_of_its_age_does_not_count():
    text = records.encode(Member("web-1", 3, {}, age_s=7, live=False))

    assert records.member_from(text, 0.5, True) == Member("web-1", 3, {}, age_s=0.5)


@pytest.mark.parametrize("text", [b"nonsense", b'{"name":"\xff"}', b"[" * 100_000, b"{}"])
def test_a_lease_that_cannot_be_read_is_none(text):
    assert records.member_from(text, 0.0, True) is None


def test_a_time_reads_back():
    assert records.milliseconds("2026-11-23T14:18:00.007Z") == 1_795_443_480_007


@given(st.integers(0, 4_000_000_000_000))
def test_every_time_reads_back(at_ms):
    assert records.milliseconds(records.rfc3339(at_ms)) == at_ms


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-11-23", "2026-11-23T14:18:00Z", "2026-11-23 14:18:00.007Z"]
)
def test_a_time_in_another_spelling_is_none(text):
    with pytest.raises(InvalidArgument):
        records.milliseconds(text)


@pytest.mark.parametrize(
    ("taken", "short"),
    [
        ([], "012345"),
        (["012345"], "0123456"),
        (["0123456"], "012345"),
        (["012345", "0123456"], "01234567"),
        (["012345", "01234567"], "0123456"),
        (["abcdef"], "012345"),
    ],
)
def test_an_id_has_six_digits_or_as_many_more_as_nobody_has(taken, short):
    assert short_hex(DIGEST, set(taken)) == short


def test_an_id_is_never_longer_than_the_digest():
    digits = DIGEST.removeprefix("sha256:")

    assert short_hex(DIGEST, {digits[:n] for n in range(65)}) == digits
