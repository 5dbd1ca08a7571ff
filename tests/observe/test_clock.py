"""Time in log lines."""

import time
from datetime import UTC, datetime, timedelta

from proxy.observe.clock import Timestamps, timestamp


def test_a_timestamp_is_now_in_utc_with_milliseconds():
    before = datetime.now(UTC)
    text = timestamp()
    after = datetime.now(UTC)

    assert len(text) == len("2026-11-23T14:18:00.123Z")
    assert text.endswith("Z")
    assert before - timedelta(milliseconds=1) <= datetime.fromisoformat(text) <= after


def test_timestamps_never_repeat_the_second_that_is_over():
    timestamps = Timestamps()
    timestamps.now()
    time.sleep(1.001 - time.time() % 1)  # into the next second

    assert abs(datetime.fromisoformat(timestamps.now()).timestamp() - time.time()) < 0.1
