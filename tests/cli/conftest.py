import pytest

from proxy.cli.background import in_background
from proxy.simvendor.server import SimulatedVendor
from tests.cli.ctl import Ctl
from tests.cli.suites import suite
from tests.harness import CANARY, leaks


@pytest.fixture
def ctl(tmp_path, monkeypatch, repository):
    """Return a proxyctl in an empty directory that holds a copy of the worked example."""
    ctl = Ctl(tmp_path, repository / "config")
    monkeypatch.chdir(tmp_path)
    for name in ("PROXY_STORE_URL", "PROXY_CONFIG", "PROXY_STORE_NAMESPACE", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return ctl


@pytest.fixture
def vendor():
    with in_background(lambda: SimulatedVendor(record=200)) as running:
        yield running


@pytest.fixture
def shop(ctl, vendor, monkeypatch):
    """Return a proxyctl with a suite of ten cases, whose vendor has the canary as its key."""
    config = ctl.directory / "config" / "proxy.toml"
    config.write_text(config.read_text().replace("https://api.openai.com", vendor.url))
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    (ctl.model / "system.md").write_text("You are kind.\n")
    (ctl.model / "evals.toml").write_text(suite(*(f"case {n}" for n in range(10))))
    yield ctl
    assert leaks(ctl.directory, {}) == []
