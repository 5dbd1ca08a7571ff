"""Counting the latest calls, against a list of all of them."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.tally import SLICES, Tally

WINDOW_S = 30.0
calls = st.lists(st.tuples(st.floats(0, 20), st.booleans()), min_size=1, max_size=60)


@given(st.floats(0, 1e6), calls)
def test_it_counts_the_window_but_for_a_slice_that_it_may_forget_early(start, steps):
    tally, all_calls, now = Tally(WINDOW_S), [], start

    for wait_s, failed in steps:
        now += wait_s
        tally.add(now, failed=failed)
        all_calls.append((now, failed))

    surely = [failed for at, failed in all_calls if now - at < WINDOW_S * (1 - 1 / SLICES) - 1e-6]
    perhaps = [failed for at, failed in all_calls if now - at <= WINDOW_S + 1e-6]
    counted, failures = tally.counted(now)
    assert len(surely) <= counted <= len(perhaps)
    assert sum(surely) <= failures <= sum(perhaps)


def test_what_is_older_than_the_window_is_forgotten_without_another_call():
    tally = Tally(WINDOW_S)
    tally.add(1.0, failed=True)

    assert tally.counted(1.0) == (1, 1)
    assert tally.counted(1.0 + WINDOW_S) == (0, 0)


def test_what_was_forgotten_on_purpose_is_gone():
    tally = Tally(WINDOW_S)
    tally.add(1.0, failed=True)

    tally.forget()

    assert tally.counted(1.0) == (0, 0)
