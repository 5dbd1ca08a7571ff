"""Fixtures of the data path's tests, which run on the loop that it runs on."""

import pytest
import uvloop

from tests.http.scene import scene_of


def pytest_asyncio_loop_factories(config, item):
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
async def scene(tmp_path, request):
    """Play the script of the test's marker; its keywords are for the vendor or the settings."""
    marker = request.node.get_closest_marker("vendor")
    script, options = (marker.args, marker.kwargs) if marker else ((), {})
    async with scene_of(tmp_path, *script, **options) as opened:
        yield opened
