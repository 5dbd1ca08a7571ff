import pytest

from tests.cli.ctl import Ctl


@pytest.fixture
def ctl(tmp_path, monkeypatch, repository):
    """Return a proxyctl in an empty directory that holds a copy of the worked example."""
    ctl = Ctl(tmp_path, repository / "config")
    monkeypatch.chdir(tmp_path)
    for name in ("PROXY_STORE_URL", "PROXY_CONFIG", "PROXY_STORE_NAMESPACE", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return ctl
