"""A mount namespace for one process, in which a test may mount what it likes.

Where none can be had, the tests that need one are skipped; with CI=true they fail.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

_OWN = ("unshare", "--map-root-user", "--mount", "sh", "-c")


def in_a_namespace(mounts: str, *paths: Path) -> tuple[str, ...]:
    """Return a command that runs the one behind it after `mounts`, in shell, where the paths are
    `$1`, `$2` and so on."""
    script = f'{mounts} && shift {len(paths)} && exec "$@"'
    through = (*_OWN, script, "sh", *map(str, paths))
    tried = subprocess.run([*through, "true"], capture_output=True, check=False)
    if tried.returncode:
        _missing(f"there may be no mount namespaces here: {tried.stderr!r}")
    return through


def _missing(what: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what}, and in CI these tests must run")
    pytest.skip(what)
