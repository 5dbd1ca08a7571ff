"""Events: facts in fields, and no more of an unknown object than its type."""

import asyncio
import io
import json
import sys
from pathlib import Path
from subprocess import run

import pytest
from pydantic import SecretStr

from proxy.gateway.credential import FixedCredential
from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from tests.harness import CANARY


@pytest.fixture
def logged():
    """Return a log, and a function that closes it and returns its lines."""
    file = io.BytesIO()
    sink = LogSink(file, most_lines=100)

    def lines():
        sink.close()
        return [json.loads(line) for line in file.getvalue().splitlines()]

    return open_log(sink), lines


def test_an_event_is_a_line_with_time_and_level(logged):
    log, lines = logged
    log.warning("store.lost", reason="away")

    (line,) = lines()
    assert list(line) == ["event", "ts", "level", "reason"]
    assert (line["event"], line["level"], line["reason"]) == ("store.lost", "warning", "away")


class Client:
    """What a careless repr would show."""

    def __repr__(self):
        return CANARY


@pytest.mark.parametrize(
    "value",
    [Client(), SecretStr(CANARY), FixedCredential(CANARY), OSError(CANARY), [{"deep": Client()}]],
    ids=["object", "secret", "credential", "exception", "nested"],
)
def test_an_unknown_object_is_named_by_its_type(logged, value):
    log, lines = logged
    log.error("store.lost", reason=value)

    (line,) = lines()
    assert CANARY not in json.dumps(line)


def test_an_exception_is_logged_without_its_words_and_its_stack(logged):
    log, lines = logged
    try:
        raise ValueError(CANARY)
    except ValueError:
        log.exception("store.lost")

    assert CANARY not in json.dumps(lines())


def test_paths_and_other_values_do_not_break_the_line(logged):
    log, lines = logged
    log.info("proxy.started", path=Path("/x"), number=1.5, nothing=None, text="ä\n\x1b[31m")

    (line,) = lines()
    assert (line["path"], line["text"]) == ("PosixPath", "ä\n\x1b[31m")


def test_what_is_below_information_is_not_written(logged):
    log, lines = logged
    log.debug("store.lost")

    assert lines() == []


async def test_events_and_request_lines_keep_their_order():
    file = io.BytesIO()
    sink = LogSink(file, most_lines=100)
    sink.attach(asyncio.get_running_loop())
    log = open_log(sink)

    sink.write(b'{"event":"first"}\n')
    log.info("second")
    sink.write(b'{"event":"third"}\n')
    sink.close()

    events = [json.loads(line)["event"] for line in file.getvalue().splitlines()]
    assert events == ["first", "second", "third"]


def test_a_log_is_opened_without_what_only_developers_see():
    code = (
        "import io, sys; from proxy.observe.log_sink import LogSink; "
        "from proxy.observe.logs import open_log; open_log(LogSink(io.BytesIO(), most_lines=1)); "
        "print('rich' in sys.modules); import rich.table; print(rich.table.__name__)"
    )

    ran = run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.split() == ["False", "rich.table"]
