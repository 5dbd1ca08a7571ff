"""`eval` as people and pipelines run it, through a proxy of its own or one that runs, before a
vendor that repeats the system prompt it was given."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import re
import signal
import sys

import pytest

from proxy.cli.background import in_background
from proxy.cli.eval_bar import watch
from proxy.control.eval_progress import Scored
from proxy.simvendor.script import Refuse, Stall
from proxy.simvendor.server import SimulatedVendor
from tests.cli.serving import serving
from tests.cli.suites import suite
from tests.harness import CANARY, settings_for

TOKEN = "token-of-the-eval"


def models_of(vendor):
    return [json.loads(one.body)["model"] for one in vendor.seen]


def keys_of(vendor):
    headers = [{name.lower(): value for name, value in one.headers} for one in vendor.seen]
    return {one["authorization"] for one in headers}


def test_files_are_evaluated_before_they_have_a_number(shop, vendor):
    answer = shop.ok("eval", "recommender", "--as", "ada")

    assert (answer["id"], answer["version"]) == (None, None)
    assert (answer["score"], len(answer["cases"]), answer["stored"]) == (1.0, 10, True)
    assert (answer["model"], answer["by"]) == ("recommender", "ada")
    assert answer["passes"]
    assert models_of(vendor) == ["gpt-4o-2024-08-06"] * 10
    registered = shop.ok("register", "recommender")
    assert registered["digest"] == answer["digest"]
    assert shop.ok("pin", "recommender", "v1")["to"] == registered["id"]
    (row,) = shop.ok("versions", "recommender")["versions"]
    assert row["evals"][0]["pointer"] == answer["pointer"]
    assert [pin["label"] for pin in row["evals"][0]["approved"]] == ["prod"]


def test_a_draft_changes_nothing_of_what_is_asked_of_versions_until_it_is_registered(shop):
    shop.ok("register", "recommender")
    gate = shop.ok("gate", "recommender")["gate"]
    (shop.model / "system.md").write_text("You are kind to all.\n")
    (shop.model / "evals.toml").write_text(suite("rain"))

    page = shop("eval", "recommender").out

    assert shop.ok("gate", "recommender")["gate"] == gate
    assert "by evals.toml; in force with proxyctl register recommender" in page
    assert "what was evaluated in that would no longer count" in page
    assert "next        proxyctl register recommender, then proxyctl pin recommender vN" in page


def test_it_goes_the_way_of_production_as_app_eval_and_stdout_is_for_the_answer(shop, vendor):
    log = shop.directory / "eval.log"

    shop.ok("eval", "recommender", "--log", str(log))

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    requests = [line for line in lines if line["event"] == "request.finished"]
    assert {(one["app"], one["version"][:14]) for one in requests} == {("eval", "recommender-v1")}
    assert len(requests) == 10
    assert keys_of(vendor) == {f"Bearer {CANARY}"}


def test_a_version_that_is_worse_than_prod_is_told_with_its_cases(shop):
    shop.ok("register", "recommender")
    shop.ok("eval", "recommender", "v1")
    shop.ok("pin", "recommender", "v1")
    shop.change("You are cold.")

    ran = shop("eval", "recommender", "v2", "--check")

    assert ran.status == 1
    assert "[eval_refused]" in ran.err
    assert "case 0" in ran.out
    assert "would not pass" in ran.out
    assert "worse" in ran.out


def test_check_answers_with_the_result_and_the_error(shop):
    (shop.model / "system.md").write_text("You are cold.\n")

    ran = shop("eval", "recommender", "--check", "--json")

    assert (ran.status, ran.json["error"]["code"]) == (1, "eval_refused")
    assert ran.json["score"] == 0.0
    assert [reason["code"] for reason in ran.json["reasons"]] == ["below_min_score"]


def test_without_check_a_bad_score_is_an_answer(shop):
    (shop.model / "system.md").write_text("You are cold.\n")

    assert not shop.ok("eval", "recommender")["passes"]


def test_what_prod_holds_is_evaluated_beside(shop):
    shop.ok("register", "recommender")
    shop.ok("eval", "recommender", "v1")
    held = shop.ok("pin", "recommender", "v1")["to"]
    (shop.model / "evals.toml").write_text(suite("rain", "snow"))
    shop.change("You are kind, too.")

    answer = shop.ok("eval", "recommender", "v2")

    assert answer["evaluated_beside"] == held
    assert answer["against"]["difference"] == 0.0
    assert answer["passes"]


def test_it_reads_well(shop):
    page = shop("eval", "recommender").out

    assert "10 cases, 10 answers in " in page
    assert "case    score  what failed\n" in page
    assert "score       1.000" in page
    assert "next        proxyctl register recommender, then proxyctl pin recommender vN" in page


def test_markdown_is_ready_to_be_posted(shop):
    page = shop("eval", "recommender", "--markdown").out

    assert "| case | score | what failed |\n| --- | --- | --- |\n| case 0 | 1.00 |  |" in page
    assert "score       **1.000**" in page


def test_a_vendor_without_a_key_is_refused_before_anything_is_asked(shop, vendor, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")

    ran = shop("eval", "recommender")

    assert ran.status == 1
    assert "[no_key]" in ran.err
    assert "--simulate" in ran.err
    assert list(vendor.seen) == []


def test_a_vendor_without_a_key_can_be_played(shop, vendor, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY")

    answer = shop.ok("eval", "recommender", "--simulate")

    assert answer["simulated"]
    assert list(vendor.seen) == []


def test_a_vendor_that_takes_the_apps_own_key_gets_the_one_that_is_given(shop, vendor, tmp_path):
    config = shop.directory / "config" / "proxy.toml"
    config.write_text(
        "\n".join(one for one in config.read_text().split("\n") if "api_key_env" not in one)
    )
    (tmp_path / "token").write_text("sk-mine\n")

    without = shop("eval", "recommender")
    shop.ok("eval", "recommender", "--token-file", str(tmp_path / "token"))

    assert "[no_key]" in without.err
    assert keys_of(vendor) == {"Bearer sk-mine"}


@pytest.mark.parametrize(
    ("dialect", "path"),
    [
        ("openai.responses", "/v1/responses"),
        ("anthropic.messages", "/v1/messages"),
        ("gemini.generate", "/v1beta/models/gpt-4o-2024-08-06:generateContent"),
    ],
)
def test_a_vendor_is_asked_in_a_dialect_that_it_speaks(shop, vendor, dialect, path):
    config = shop.directory / "config" / "proxy.toml"
    text = re.sub(r"(?m)^dialects = .*$", f'dialects = ["{dialect}"]', config.read_text(), count=1)
    config.write_text(text)

    answer = shop.ok("eval", "recommender")

    assert answer["score"] == 1.0
    assert answer["input_tokens"] > 0
    assert {one.path for one in vendor.seen} == {path}


def test_a_key_that_the_vendor_refuses_ends_it(shop, vendor):
    vendor.play(Refuse(401))

    ran = shop("eval", "recommender", "--concurrency", "1", "--json")

    assert (ran.status, ran.json["error"]["code"]) == (1, "eval_failed")
    assert len(vendor.seen) == 1


def test_a_run_goes_on_where_it_was(shop, vendor):
    vendor.play(times=3)
    vendor.play(Refuse(400), times=6)
    assert shop("eval", "recommender", "--concurrency", "1").status == 1

    answer = shop.ok("eval", "recommender")

    assert (answer["resumed"], answer["score"]) == (3, 1.0)
    assert list((shop.directory / ".proxy" / "evals").iterdir()) == []


def test_a_pipeline_asks_only_what_is_not_known(shop, vendor):
    shop.ok("eval", "recommender")

    ran = shop("eval", "recommender", "--if-missing")

    assert "nothing was asked" in ran.out
    assert len(vendor.seen) == 10


def test_no_store_keeps_nothing(shop):
    answer = shop.ok("eval", "recommender", "--no-store")

    assert not answer["stored"]
    assert shop.ok("register", "recommender")["created"]
    (row,) = shop.ok("versions", "recommender")["versions"]
    assert row["evals"] == []


def test_a_model_without_evals_says_where_to_read_on(shop):
    (shop.model / "evals.toml").unlink()

    ran = shop("eval", "recommender")

    assert ran.status == 1
    assert "evals.toml: the file is missing" in ran.err


def test_a_scorer_file_is_no_stranger_to_register(shop):
    (shop.model / "scorers.py").write_text("def nice(text, case):\n    return 'kind' in text\n")
    (shop.model / "evals.toml").write_text(suite("rain", expect='python = "scorers.py:nice"'))

    assert shop.ok("eval", "recommender")["score"] == 1.0
    assert "is no source file" not in shop("register", "recommender").err


@pytest.mark.parametrize(
    "arguments",
    [
        ["--proxy", "http://127.0.0.1:1", "--simulate"],
        ["--proxy", "not a url"],
        ["--concurrency", "0"],
        ["--repeats", "0"],
        ["--timeout", "0"],
        ["--if-missing", "--fresh"],
        ["--if-missing", "--repeats", "2"],
    ],
)
def test_wrong_usage(shop, arguments):
    assert shop("eval", "recommender", *arguments).status == 2


# --- a proxy that runs


@pytest.fixture
def proxy(shop, vendor):
    """Return the base URL of a proxy that follows the store and knows one app."""
    apps = {
        "eval": {
            "token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(),
            "explicit_versions": True,
        }
    }
    store = {"url": f"sqlite:///{shop.directory / '.proxy' / 'store.db'}"}
    settings = settings_for(shop.directory, vendor.url, {"apps": apps, "store": store})
    shop.ok("register", "recommender")
    with in_background(lambda: serving(settings)) as url:
        yield f"{url}/v1"


def test_a_proxy_that_runs_is_asked_for_the_version(shop, proxy, monkeypatch):
    monkeypatch.setenv("PROXY_APP_TOKEN", TOKEN)

    answer = shop.ok("eval", "recommender", "v1", "--proxy", proxy)

    assert (answer["version"], answer["score"]) == (1, 1.0)


def test_a_proxy_that_does_not_know_the_token_ends_it(shop, proxy):
    ran = shop("eval", "recommender", "v1", "--proxy", proxy)

    assert ran.status == 1
    assert "no question is answered: unauthorized [eval_failed]" in ran.err


def test_a_proxy_serves_registered_versions_only(shop, proxy):
    (shop.model / "system.md").write_text("new\n")

    ran = shop("eval", "recommender", "--proxy", proxy)

    assert "[unknown_version]" in ran.err
    assert "proxyctl register recommender" in ran.err


def test_what_is_no_proxy_is_told_so(shop, vendor):
    shop.ok("register", "recommender")

    ran = shop("eval", "recommender", "v1", "--proxy", vendor.url)

    assert ran.status == 1
    assert "[eval_failed]" in ran.err


# --- people who watch, and people who lose patience


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_shows_how_far_it_is(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr("sys.stderr", Terminal())
    bar = watch(quiet=False)

    bar.begin("files", 3, 1)
    bar.heard(Scored("rain", 0, 1.0))
    bar.heard(Scored("snow", 0, 0.0, error="timeout"))
    bar.end()

    assert "3/3" in sys.stderr.getvalue()
    assert "1 not answered" in sys.stderr.getvalue()


def test_a_pipe_and_a_script_see_no_bar(shop):
    assert shop("eval", "recommender").err == ""
    assert shop("eval", "recommender", "--json").err == ""


RUN = "from proxy.cli.main import main; main()"


@pytest.mark.slow
async def test_ctrl_c_keeps_what_was_answered(shop, repository):
    async with SimulatedVendor(record=20) as vendor:
        vendor.play(times=3)
        vendor.play(Stall())
        config = shop.directory / "config" / "proxy.toml"
        lines = config.read_text().split("\n")
        config.write_text(
            "\n".join(
                f'base_url = "{vendor.url}"' if one.startswith("base_url") else one for one in lines
            )
        )
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", RUN, "eval", "recommender", "--concurrency", "1"),
            cwd=shop.directory,
            env={**os.environ, "PYTHONPATH": str(repository)},
            stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(20):
            while len(vendor.seen) < 4:  # noqa: ASYNC110  # nothing tells that it waits
                await asyncio.sleep(0.01)
            process.send_signal(signal.SIGINT)
            _, err = await process.communicate()

        assert process.returncode == 1
        assert b"run it again, and it goes on" in err
        answer = await asyncio.to_thread(shop.ok, "eval", "recommender")
        assert (answer["resumed"], answer["score"]) == (3, 1.0)
