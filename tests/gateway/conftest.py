"""Fixtures of the gateway's tests, which run on the loop that it runs on."""

from tests.http.conftest import pytest_asyncio_loop_factories, scene

__all__ = ["pytest_asyncio_loop_factories", "scene"]
