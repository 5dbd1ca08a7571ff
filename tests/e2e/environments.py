"""Environments of their own for SDKs: made once for each lock file, kept between runs."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "sdk"
INSTALL_S = 120

# Ours installs for all of them: one of their own would take longer than the SDK. What a driver
# imports is compiled then, which is less than all that is installed.
PIP = (sys.executable, "-m", "pip", "--timeout=15", "--retries=1")
INSTALL = ("install", "--no-compile", "--no-deps", "--only-binary", ":all:", "--require-hashes")


def folder_of(repository: Path, kind: str, lock: Path, salt: str) -> Path:
    """Return where the environment of `lock` belongs; it is whole if it holds a file `complete`."""
    key = hashlib.sha256(lock.read_bytes() + salt.encode()).hexdigest()[:12]
    return repository / ".cache" / kind / f"{lock.stem}-{key}"


def python_of(repository: Path, generation: str) -> Path:
    """Return an interpreter that has `generation` installed, or skip: never where CI runs."""
    lock = HERE / f"{generation}.txt"
    folder = folder_of(repository, "sdk-venvs", lock, sys.version)
    with installing(generation, "no package index"), alone_with(folder):
        if not (folder / "complete").exists():
            run(sys.executable, "-m", "venv", "--clear", "--without-pip", folder)
            run(*PIP, "--python", folder / "bin" / "python", *INSTALL, "--requirement", lock)
            (folder / "complete").touch()
    return folder / "bin" / "python"


def node_of(repository: Path, package: str) -> Path:
    """Return a folder in which Node finds `package` installed, or skip: never where CI runs."""
    source = HERE / package
    folder = folder_of(repository, "sdk-node", source / "package-lock.json", package)
    with installing(package, "no Node, or no package index"), alone_with(folder):
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(source, folder)
            run("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)
            (folder / "complete").touch()
        shutil.copy(source / "drive.mjs", folder)  # what is run may be newer than what is installed
    return folder


@contextmanager
def alone_with(folder: Path) -> Iterator[None]:
    """Keep other test processes from making the same environment meanwhile."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


@contextmanager
def installing(name: str, reason: str) -> Iterator[None]:
    """Skip the test if what is inside fails; where CI runs, fail."""
    try:
        yield
    except (subprocess.SubprocessError, OSError):
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"{name} could not be installed: {reason}")


def run(*command: object, cwd: Path | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S, cwd=cwd)
