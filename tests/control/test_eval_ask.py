"""One question: when it is asked again, and what comes of answers that are none."""

import pytest

from proxy.control.eval_ask import FIRST_WAIT_S, MOST_TRIES, pause
from proxy.control.eval_dialects import dialect_of
from proxy.errors import InvalidArgument
from tests.control.shop import content


def test_what_will_not_pass_is_not_asked_again():
    assert pause(False, 1.0, tried=1) is None


def test_a_failure_that_passes_is_asked_again_a_few_times_ever_later():
    waits = [pause(True, None, tried=tried) for tried in range(1, MOST_TRIES + 1)]

    assert waits[0] == FIRST_WAIT_S
    assert waits[:-1] == sorted(waits[:-1])
    assert waits[-1] is None


def test_the_other_side_says_for_how_long():
    assert pause(True, 7.0, tried=1) == 7.0
    assert pause(True, 0.0, tried=3) == 0.0


def test_a_version_is_asked_in_the_first_dialect_that_its_vendor_speaks():
    assert dialect_of(content()) == "openai.chat"
    assert dialect_of(content(), ("openai.responses",)) == "openai.responses"
    assert dialect_of(content(), ("anthropic.messages",)) == "anthropic.messages"


def test_a_version_that_no_spoken_dialect_carries_says_why():
    stop = content(generation={"stop": ["END"]})

    assert dialect_of(stop) == "openai.chat"
    with pytest.raises(InvalidArgument, match=r"openai\.responses: .*stop"):
        dialect_of(stop, ("openai.responses",))
