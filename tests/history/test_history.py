"""Everything at once, for a while, and then every promise checked against what happened."""

from __future__ import annotations

import secrets

import pytest

from tests.history.check import summary, violations
from tests.history.record import History, Recorder
from tests.history.run import run
from tests.history.schedule import PROXY_FAULTS, STORE_FAULTS

SHOWN = 20

# Far below what happens in a run, and enough to know that something did.
LEAST_ANSWERS = 200
LEAST_CONFIRMED = 10


@pytest.mark.slow
async def test_no_promise_is_broken_whatever_happens(tmp_path, request):
    seconds = request.config.getoption("--history-seconds")
    seed = request.config.getoption("--history-seed") or secrets.randbelow(2**32)
    record = Recorder(tmp_path / "history.jsonl")

    try:
        complaints = await run(record, tmp_path, seconds, seed)
    finally:
        record.close()

    history = History.of(record.facts)
    found = violations(history)
    shown = "\n".join(map(str, [summary(history), *found[:SHOWN]]))
    assert not found, f"--history-seed {seed}, {record.path}: {len(found)} violations\n{shown}"
    assert complaints == ""
    assert {fault.kind for fault in history.fault} == {*STORE_FAULTS, *PROXY_FAULTS}
    assert sum(asked.status == 200 for asked in history.asked) > LEAST_ANSWERS
    assert sum(bool(pinned.confirmed) for pinned in history.pinned) > LEAST_CONFIRMED
