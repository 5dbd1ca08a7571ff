"""The README's commands are run as they are printed, and print what the README says.

A copy of the checkout is worked in, on free ports: curl is told by its configuration file where
127.0.0.1:8080 is, so that no command is changed. `.venv` stands ready, as after a first run.
"""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```console\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
PYTHON_BLOCK = re.search(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)

# What `make run` needs of the checkout.
COPIED = ("Makefile", "README.md", "pyproject.toml", "scripts", "config")
LOCKS = ("requirements.lock", "requirements-build.lock")

DOCUMENTED = "127.0.0.1:8080"
END = "-- end of output --"
LIMIT_S = 60

pytestmark = pytest.mark.slow


def steps(block):
    """Yield the commands of a block, each with the lines that it is said to print."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output.splitlines()


def pattern(line):
    """Turn a line of the README into a pattern: `…` is anything; digests and times vary."""
    told = re.escape(line).replace("…", ".*")
    told = re.sub(r"(v\d+\\-)[0-9a-f]{6}", r"\g<1>[0-9a-f]{6}", told)
    return re.sub(r"\d+\\ ms", r"[0-9.]+\\ ms", told)


def free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


class Terminal:
    """A shell that runs one command after the other."""

    def __init__(self, folder, env):
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, command):
        watchdog = threading.Timer(LIMIT_S, self._shell.kill)
        watchdog.start()
        try:
            return self._run(command)
        finally:
            watchdog.cancel()

    def _run(self, command):
        self._shell.stdin.write(f"{command}\nprintf '\\n%s %s\\n' '{END}' $?\n")
        self._shell.stdin.flush()
        lines = []
        for line in self._shell.stdout:
            if line.startswith(END):
                assert line == f"{END} 0\n", f"{command}: {''.join(lines)}"
                return lines
            lines.append(line.rstrip("\r\n"))
        raise AssertionError(f"the shell ended: {command}: {lines}")

    def close(self):
        self._shell.communicate()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """Copy what `make run` needs; `.venv` is as a first run leaves it."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in (*COPIED, *LOCKS):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    tools = folder / ".venv" / "bin"
    tools.mkdir(parents=True)
    program = "from proxy.cli.main import main; main()"
    words = shlex.join([sys.executable, "-c", program])
    (tools / "proxyctl").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    (tools / "proxyctl").chmod(0o755)
    (folder / ".venv" / ".run").touch()
    return folder


@pytest.fixture(scope="module")
def env(checkout):
    address = free_address()
    (checkout / ".curlrc").write_text(f'connect-to = "{DOCUMENTED}:{address}"\n')
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {
        "CURL_HOME": str(checkout),
        "PYTHONPATH": str(ROOT),
        "PROXY_LISTEN": address,
        "PROXY_ADMIN_LISTEN": "127.0.0.1:0",
    }


@pytest.fixture(scope="module")
def first_terminal(checkout, env):
    """Run the first block, which does not come back; yield the file that its log goes to."""
    ((command, _),) = steps(BLOCKS[0])
    log = checkout / "log"
    with log.open("wb") as out:
        running = subprocess.Popen(
            ["bash", "-c", command],
            cwd=checkout,
            env=env,
            stdout=out,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        said = []
        for line in running.stderr:
            said.append(line.decode())
            if "apps call" in said[-1]:
                break
        assert running.poll() is None, "".join(said)
        yield log
        os.killpg(running.pid, signal.SIGTERM)
        running.communicate(timeout=10)


@pytest.fixture(scope="module")
def played(checkout, env, first_terminal):
    """Run all other blocks in the second terminal; return (command, said, printed) of each."""
    terminal = Terminal(checkout, env)
    found = [
        (command, said, terminal.run(command))
        for block in BLOCKS[1:]
        for command, said in steps(block)
    ]
    terminal.close()
    return found


def test_every_command_prints_what_the_readme_says(played):
    missing = [
        f"{command}: {line}"
        for command, said, printed in played
        for line in said
        if not any(re.fullmatch(pattern(line), one) for one in printed)
    ]

    assert missing == []


def test_the_readme_tells_the_whole_story(played):
    asked = [printed for command, _, printed in played if command == "ask"]
    stamps = [line for printed in asked for line in printed if line.startswith("x-proxy-version")]

    assert [re.search(r"recommender-v\d+", line)[0] for line in stamps] == [
        "recommender-v1",
        "recommender-v1",
        "recommender-v2",
        "recommender-v1",
    ]


def test_behaviour_changes_with_the_pin_and_reverts_with_the_rollback(played):
    asked = ["\n".join(printed) for command, _, printed in played if command == "ask"]

    assert ["gruff" in answer for answer in asked] == [False, False, True, False]


def test_the_log_has_a_line_for_each_request_with_its_version(played, first_terminal):
    lines = first_terminal.read_text().splitlines()
    logged = [line for line in lines if '"request.finished"' in line]

    assert [re.search(r'"version":"recommender-(v\d+)', line)[1] for line in logged] == [
        "v1",
        "v1",
        "v2",
        "v1",
    ]


def test_the_python_example_works_as_printed(played, env):
    program = PYTHON_BLOCK[1].replace(DOCUMENTED, env["PROXY_LISTEN"])

    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )

    assert "You asked: What should I wear in the rain?" in told.stdout, told.stderr
