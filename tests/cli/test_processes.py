"""The program as people run it: processes, pipes, signals, a live proxy."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager

import pytest

RUN = "from proxy.cli.main import main; main()"


@pytest.fixture
def place(ctl):
    """Return the directory in which `ctl` works too, without a process."""
    return ctl.directory


@pytest.fixture
def env(repository):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PROXY_")}
    kept.pop("OPENAI_API_KEY", None)
    return {
        **kept,
        "PYTHONPATH": str(repository),
        "PROXY_LISTEN": "127.0.0.1:0",
        "PROXY_ADMIN_LISTEN": "127.0.0.1:0",
    }


@pytest.fixture
def run(place, env):
    """Return a function that runs proxyctl as a process."""

    def run_one(*arguments):
        return subprocess.run(
            [sys.executable, "-c", RUN, *arguments],
            cwd=place,
            env=env,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    return run_one


@contextmanager
def serving(place, env, *arguments):
    """Run a proxy; yield what it says when it listens. It must end by SIGTERM with status 0."""
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=place,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield json.loads(_first_line(process))
        finally:
            process.send_signal(signal.SIGTERM)
            _, err = process.communicate(timeout=20)
        assert process.returncode == 0, err


def _first_line(process):
    """Return the line that --json prints; log lines may come before it."""
    for line in process.stdout:
        if "event" not in json.loads(line):
            return line
    raise AssertionError(process.stderr.read())


def _ask(address, text="Hello"):
    body = {"model": "recommender", "messages": [{"role": "user", "content": text}]}
    request = urllib.request.Request(
        f"http://{address}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return answer.headers["x-proxy-version"], answer.read().decode()


def test_the_first_run_serves_and_a_pin_is_confirmed(place, env, ctl, run):
    with serving(place, env, "-c", RUN, "up", "--json") as up:
        first = up["models"][0]["pinned"]
        assert up["simulated"] == ["openai"]
        version, answer = _ask(up["data"])
        assert version == first
        assert "Alpine Outfitters" in answer

        (place / "config/models/recommender/system.md").write_text("Sell boats.\n")
        second = ctl.ok("register", "recommender")["id"]
        pinned = run("pin", "recommender", "v2", "--json")
        assert pinned.returncode == 0, pinned.stderr
        moved = json.loads(pinned.stdout)
        assert (moved["from"], moved["to"]) == (first, second)
        assert (moved["confirmed"], moved["of"]) == (1, 1)
        version, answer = _ask(up["data"])
        assert version == second
        assert "Sell boats." in answer

        back = ctl.ok("rollback", "recommender")
        assert (back["to"], back["confirmed"]) == (first, 1)
        assert _ask(up["data"])[0] == first

    with serving(place, env, "-c", RUN, "up", "--json") as up:
        assert up["models"][0]["id"] == second
        assert up["models"][0]["pinned"] == first


def test_python_m_proxy_serves(place, env):
    with (
        serving(place, env, "-m", "proxy", "--json") as bound,
        urllib.request.urlopen(f"http://{bound['admin']}/healthz", timeout=10) as answer,
    ):
        assert answer.status == 200


def test_an_address_that_is_taken_is_told(place, env, run):
    with serving(place, env, "-m", "proxy", "--json") as bound:
        ran = run("serve", "--listen", bound["data"])

    assert ran.returncode == 1
    assert "[cannot_start]" in ran.stderr
    assert "address already in use" in ran.stderr


def test_up_says_what_to_do_next(place, env):
    with subprocess.Popen(
        [sys.executable, "-c", RUN, "up"],
        cwd=place,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        banner = ""
        for line in process.stderr:
            banner += line
            if "rollback" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert "vendor openai is played by the simulated vendor" in banner
    assert "curl -si http://127.0.0.1:" in banner
    assert "proxyctl register recommender" in banner


def test_the_exit_status_reaches_the_shell(run):
    assert run("versions").returncode == 0
    assert run("pin", "nobody", "v1").returncode == 1
    assert run("pin", "nobody").returncode == 2


@pytest.mark.parametrize("arguments", [["status"], ["versions", "--json"], ["pin", "--help"]])
def test_a_reader_that_went_away_is_no_trouble(place, env, arguments):
    reader, writer = os.pipe()
    os.close(reader)

    ran = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=place,
        env=env,
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(writer)

    assert ran.stderr == b""


def test_an_interrupted_wait_is_an_unknown_outcome_that_can_be_asked_again(place, env, ctl):
    ctl.ok("register", "recommender")
    arguments = ["pin", "recommender", "v1", "--require", "1", "--timeout", "60", "--op-id", "mine"]
    with subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments],
        cwd=place,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        while ctl.held() is None:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)

    assert process.returncode == 4
    assert "--op-id mine" in err
    assert ctl.ok("pin", "recommender", "v1", "--op-id", "mine")["replayed"] is True


def test_of_two_pins_with_one_expectation_one_wins(place, env, ctl):
    ids = []
    for prompt in ("one", "two", "three"):
        (place / "config/models/recommender/system.md").write_text(prompt)
        ids.append(ctl.ok("register", "recommender")["id"])
    ctl.ok("pin", "recommender", "v1")

    racing = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, "pin", "recommender", one, "--expect", "v1", "--json"],
            cwd=place,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for one in ("v2", "v3")
    ]
    answers = [(process.communicate(timeout=30)[0], process.returncode) for process in racing]

    (won,) = [json.loads(out) for out, status in answers if status == 0]
    (lost,) = [json.loads(out) for out, status in answers if status == 1]
    assert won["to"] in ids[1:]
    assert lost["error"]["code"] == "conflict"
    assert lost["error"]["current"] == won["to"]
