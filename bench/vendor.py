"""Build and run the vendor that answers every target: vendor.c, on the load generator's CPU."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from types import TracebackType

from bench import machine
from bench.plan import Plan

SOURCE = Path(__file__).with_name("vendor.c")

# The usual stream: 64 chunks at 20 ms take 1.3 s.
INTERVAL_MS = 20
CHUNKS = 64


class Vendor:
    def __init__(self, plan: Plan) -> None:
        self.port = machine.free_port()
        self.direct = 0  # requests that went past the target, to compare with
        binary = _built(plan.work)
        pinned = machine.pinned(plan.load_cpu, plan.nice)
        pace = ["-i", str(INTERVAL_MS), "-n", str(CHUNKS)]
        self._process = subprocess.Popen([*pinned, str(binary), *pace, str(self.port)])
        wait_for_port(self.port, 10, self._process)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._process.pid

    def requests(self) -> int:
        """Count the requests that ever came in, direct ones included."""
        return int(json.loads(self._get("/__stats"))["requests"])

    def last(self) -> bytes:
        """Return head and body of the last POST, as they arrived."""
        return self._get("/__last")

    def last_body(self) -> dict[str, object]:
        _, _, body = self.last().partition(b"\r\n\r\n")
        found = json.loads(body)
        assert isinstance(found, dict)
        return found

    def set_pace(self, interval_ms: int, chunks: int) -> None:
        """Pace the streams that begin from now on."""
        self._get(f"/__pace?i={interval_ms}&n={chunks}")

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=5) as answer:
            body: bytes = answer.read()
            return body

    def __enter__(self) -> Vendor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()


def _built(work: Path) -> Path:
    binary = work / "vendor"
    if not binary.exists() or binary.stat().st_mtime < SOURCE.stat().st_mtime:
        work.mkdir(parents=True, exist_ok=True)
        compiler = os.environ.get("CC", "cc")
        subprocess.run([compiler, "-O2", "-o", str(binary), str(SOURCE)], check=True)
    return binary


def wait_for_port(port: int, limit_s: float, process: subprocess.Popen[bytes]) -> None:
    """Wait until something listens; looked at every 2 ms, so that start times mean something."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with status {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.002)
        else:
            return
    raise RuntimeError(f"nothing listens on port {port} after {limit_s} s")
