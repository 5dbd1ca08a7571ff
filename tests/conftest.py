"""Fixtures for all tests."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("tests.harness", "tests.raw_client", "tests.vendor_script")

# What others import comes first: it could not be rewritten later.
pytest_plugins = ["tests.redis_server", "tests.sentinel", "tests.cluster", "tests.partition"]


# The suite draws the same examples in every run, so that a change is judged by what it changes;
# `make search` draws new ones, and more. What depends on how quick the machine is, fails no test.
PATIENT = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
settings.register_profile("suite", PATIENT, derandomize=True, database=None, max_examples=60)
settings.register_profile("search", PATIENT, derandomize=False, print_blob=True, max_examples=200)
settings.load_profile("suite")

# Whole processes, which mostly wait. The first worker begins with them and the others take what is
# left at the end of its queue: small tests, so that all end at once and no story is told twice.
FIRST = ("history", "e2e", "faults", "workers", "cli/test_processes.py")


def pytest_xdist_auto_num_workers() -> int:
    """Return one worker more than there are cores: tests with processes wait half of their time."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave what is imported and collected, a million objects that stay, to no garbage collection:
    that would take seconds of each worker, and many of a test that collects for itself."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    starts = [f"tests/{place}" for place in FIRST]

    def rank(item: pytest.Item) -> int:
        found = (n for n, start in enumerate(starts) if item.nodeid.startswith(start))
        return next(found, len(starts))

    items.sort(key=rank)


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return Path(__file__).parent.parent


@pytest.fixture
def aborts(request: pytest.FixtureRequest) -> int:
    """Return how many streams apps abort where that must leave nothing behind."""
    return int(request.config.getoption("--aborts"))


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("history", "the history checker (docs/history-checker.md)")
    group.addoption("--history-seconds", type=float, default=20.0, help="How long it runs.")
    group.addoption("--history-seed", type=int, default=0, help="Repeats a run; 0 is a new one.")
    group = parser.getgroup("faults", "the fault suite (docs/reliability.md)")
    group.addoption("--aborts", type=int, default=1000, help="Streams that apps abort.")
