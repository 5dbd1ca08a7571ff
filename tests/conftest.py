"""Fixtures for all tests."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.harness", "tests.raw_client", "tests.vendor_script")

pytest_plugins = ["tests.redis_server"]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the checkout."""
    return Path(__file__).parent.parent
