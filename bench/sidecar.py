"""A proxy as people run it beside an app, on a store that the benchmark may take away."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench import machine

ROOT = Path(__file__).parent.parent

KEY_VARIABLE = "BENCH_VENDOR_KEY"
STOPPED_WITHIN_S = 6.0
ADMIN_S = 2.0

CONFIG = """\
[listen]
data = "127.0.0.1:{data_port}"
admin = "127.0.0.1:{admin_port}"

[store]
url = "{store}"

[fleet]
name = "{name}"

[state]
dir = "{state}"

[vendors.openai]
base_url = "{vendor}"
api_key_env = "{key}"
dialects = ["openai.chat"]

[apps.bench]
token_sha256 = "{token_sha256}"
"""

# printf %s sk-bench-0000 | sha256sum
TOKEN_SHA256 = "21c084e080215d9e9d0f274a5fcf30179fa1fff6803c18061a2c4f7eb96f0f9f"


@dataclass(frozen=True, slots=True)
class Wiring:
    """What a proxy is told. Port 0: one that it picks. `before` are words before its command."""

    name: str
    store: str
    vendor: str = "http://127.0.0.1:9"
    data_port: int = 0
    admin_port: int = 0
    before: tuple[str, ...] = ()

    def config(self, folder: Path) -> str:
        return CONFIG.format(
            name=self.name,
            store=self.store,
            vendor=self.vendor,
            data_port=self.data_port,
            admin_port=self.admin_port,
            state=folder / "state",
            key=KEY_VARIABLE,
            token_sha256=TOKEN_SHA256,
        )


class Sidecar:
    """One proxy in `folder`, where its configuration, its log and its last known good are."""

    def __init__(self, folder: Path, wiring: Wiring) -> None:
        self.folder = folder
        self.wiring = wiring
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "proxy.toml").write_text(wiring.config(folder))

    @property
    def running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the proxy runs"
        return self._process

    @property
    def pid(self) -> int:
        return self.running.pid

    def launch(self) -> None:
        """Start it and return at once."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self.wiring.before, sys.executable, "-m", "proxy"],
                env=environment(self.folder / "proxy.toml"),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def tell_to_stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """Let it drain, and kill it if it does not end; doing so twice is not an error."""
        if self._process is None:
            return
        self.tell_to_stop()
        try:
            self._process.wait(STOPPED_WITHIN_S)
        except subprocess.TimeoutExpired:
            for pid in machine.tree(self._process.pid):
                os.kill(pid, signal.SIGKILL)
            self._process.wait()
        self._process = None

    def log(self) -> str:
        place = self.folder / "log"
        return place.read_text(errors="replace") if place.exists() else ""

    def metric(self, name: str) -> float | None:
        """Return a metric without labels, or None where there is none of this name. Raises
        `OSError` if its admin listener does not answer."""
        url = f"http://127.0.0.1:{self.wiring.admin_port}/metrics"
        with urllib.request.urlopen(url, timeout=ADMIN_S) as answer:
            return metric(answer.read().decode(), name)


def metric(text: str, name: str) -> float | None:
    """Find a metric without labels in Prometheus' text format."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def environment(config: Path) -> dict[str, str]:
    """Return this process's environment without settings of a proxy, and with `config`."""
    plain = {name: text for name, text in os.environ.items() if not name.startswith("PROXY_")}
    # With it set, a package without byte code is compiled again and again.
    plain.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**plain, "PROXY_CONFIG": str(config), KEY_VARIABLE: "sk-vendor"}
