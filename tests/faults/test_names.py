"""Names that resolve to nothing, or to another address than before: the store's and the vendor's.

A proxy in a mount namespace of its own reads a hosts file that the test writes.
"""

import pytest

from tests.faults.load import ASK, under_load
from tests.faults.namespace import in_a_namespace
from tests.faults.scene import JACKETS_PROMPT, config_on, proxy_on
from tests.harness import proxy_command
from tests.raw_client import raw_app

MOUNTS = 'mount --bind "$1" /etc/hosts && mount --bind "$2" /etc/resolv.conf'
# Nobody listens there, which is said at once: a name that is not in the hosts file is unknown.
NO_SERVER = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


class Names:
    """The hosts file of a process that is started `through` it."""

    def __init__(self, directory):
        self._hosts = directory / "hosts"
        servers = directory / "resolv.conf"
        servers.write_text(NO_SERVER)
        self.set()
        self.through = in_a_namespace(MOUNTS, self._hosts, servers)

    def set(self, **addresses):
        """Have these names, as subdomains of `test`, and no others."""
        rows = ["127.0.0.1 localhost", *(f"{ip} {name}.test" for name, ip in addresses.items())]
        self._hosts.write_text("".join(f"{row}\n" for row in rows))


@pytest.fixture
def names(tmp_path):
    return Names(tmp_path)


@pytest.fixture
def server(start_redis):
    """Return a server that keeps its data when it moves."""
    return start_redis("--appendonly", "yes", "--appendfsync", "always")


@pytest.mark.slow
async def test_store_that_moves_to_another_address_is_found_there(
    tmp_path, vendor, server, operator, names, jackets
):
    names.set(store="127.0.0.1")
    url = f"redis://store.test:{server.port}/0"
    config = config_on(tmp_path / "process", vendor.url, url)
    async with proxy_command(config, through=names.through) as command:
        await command.event("store.found")
        async with under_load(command.address) as load:
            names.set()
            server.stop()
            await command.event("store.lost")
            await load.more()
            server.host = "127.0.0.2"
            server.start()
            names.set(store="127.0.0.2")
            await command.event("store.found", 2)
            await load.more()

    assert load.failed == []
    assert load.prompts == {jackets.id: {JACKETS_PROMPT}}


async def test_vendor_whose_name_is_unknown_is_unreachable(tmp_path, server, operator):
    """RFC 6761: nobody has a name under `invalid`."""
    overrides = {"timeouts": {"connect_s": 1.0}}
    async with (
        proxy_on(tmp_path / "proxy", "https://vendor.invalid", server.url, overrides) as proxy,
        raw_app(proxy.address) as app,
    ):
        await app.send(ASK)
        answer = await app.answer()

    assert (answer.status, answer.header("x-proxy-error")) == (502, "upstream_unreachable")
    assert answer.header("retry-after") is not None
