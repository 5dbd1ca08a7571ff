"""What is shown of several workers is what the page for the night says."""

import pytest

from proxy.observe.log_sink import LogSink
from proxy.observe.logs import open_log
from proxy.settings import Settings
from proxy.workers.team import Team, Work
from proxy.workers.view import WholeView
from tests.harness import LogFile
from tests.test_operations import table


@pytest.fixture
async def view():
    """Return the view of a proxy none of whose workers is there yet."""
    sink = LogSink(LogFile(), most_lines=10)
    yield WholeView(Team(Work(Settings(), {}, "web", []), open_log(sink), lambda child: None))
    sink.close()


@pytest.fixture
def operations(repository):
    return (repository / "docs" / "operations.md").read_text()


async def test_without_a_worker_it_is_not_ready(view):
    assert (await view.readiness())["ready"] is False


async def test_fields_are_documented(view, operations):
    rows = table(operations, "workers")

    assert {row[0] for row in rows if "readyz" in row[1]} == (await view.readiness()).keys()
    assert {row[0] for row in rows if "status" in row[1]} == (await view.status()).keys()


async def test_metrics_are_documented_with_their_types(view, operations):
    typed = [line.split()[2:] for line in await view.metrics() if line.startswith("# TYPE ")]

    assert [row[:2] for row in table(operations, "worker metrics")] == typed
