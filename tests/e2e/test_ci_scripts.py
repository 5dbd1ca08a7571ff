"""The scripts that pipelines run, run as a pipeline runs them: in a checkout, with proxyctl on the
path, a store that is shared, and a vendor that is asked with a key."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from check_jsonschema import main as check_jsonschema
from click.testing import CliRunner

from proxy.cli.background import in_background
from proxy.simvendor.server import SimulatedVendor

ROOT = Path(__file__).parent.parent.parent
SCRIPTS = ROOT / "deploy" / "ci"
LIMIT_S = 60

pytestmark = pytest.mark.slow


class Checkout:
    """A clone in which a pipeline works."""

    def __init__(self, folder: Path, vendor: SimulatedVendor) -> None:
        self.folder = folder
        self.vendor = vendor
        tools = folder.parent / "bin"
        tools.mkdir()
        words = shlex.join([sys.executable, "-c", "from proxy.cli.main import main; main()"])
        (tools / "proxyctl").write_text(f'#!/bin/sh\nexec {words} "$@"\n')
        (tools / "proxyctl").chmod(0o755)
        (tools / "python3").symlink_to(sys.executable)
        self.env = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder.parent),
            "PYTHONPATH": str(ROOT),
            "OPENAI_API_KEY": "sk-of-the-pipeline",
        }
        shutil.copytree(ROOT / "config", folder / "config")
        shutil.copytree(SCRIPTS, folder / "deploy" / "ci")
        (folder / ".gitignore").write_text(".proxy/\nsummary.md\n")
        config = folder / "config" / "proxy.toml"
        config.write_text(config.read_text().replace("https://api.openai.com", vendor.url))
        self.run("git", "init", "-q")
        self.commit("the first version")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def commit(self, message: str) -> None:
        person = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
        for words in (("add", "-A"), (*person, "commit", "-qm", message)):
            done = self.run("git", *words)
            assert done.returncode == 0, done.stderr

    def edit(self, old: str, new: str) -> None:
        prompt = self.folder / "config" / "models" / "recommender" / "system.md"
        text = prompt.read_text()
        assert old in text
        prompt.write_text(text.replace(old, new))
        self.commit(f"{old} becomes {new}")

    def review(self) -> tuple[int, str]:
        done = self.run("deploy/ci/review.sh", "summary.md")
        return done.returncode, (self.folder / "summary.md").read_text()

    def deploy(self) -> subprocess.CompletedProcess[str]:
        return self.run("deploy/ci/deploy.sh")

    def held(self) -> str:
        return self.run("proxyctl", "versions", "recommender").stdout


@pytest.fixture(scope="module")
def vendor():
    with in_background(lambda: SimulatedVendor(record=500)) as running:
        yield running


@pytest.fixture(scope="module")
def story(tmp_path_factory, vendor):
    """Play what happens to a repository; return what each step said."""
    checkout = Checkout(tmp_path_factory.mktemp("pipeline") / "clone", vendor)
    steps = {"new": checkout.review(), "first": checkout.deploy()}
    checkout.edit("the shopping assistant", "the gruff shopping assistant")
    before = len(vendor.seen)
    steps["review"] = checkout.review()
    steps["asked"] = len(vendor.seen) - before
    steps["second"] = checkout.deploy()
    steps["asked again"] = len(vendor.seen) - before - steps["asked"]
    checkout.run("proxyctl", "rollback", "recommender", "--reason", "too gruff")
    steps["after the rollback"] = checkout.deploy()
    steps["held"] = checkout.run("proxyctl", "history", "recommender").stdout
    checkout.edit("{{shop}}", "a shop")
    steps["worse"] = checkout.review()
    checkout.edit("a shop", "{{shopp}}")
    steps["invalid"] = checkout.review()
    return steps


def test_a_first_merge_is_registered_evaluated_and_pinned(story):
    done = story["first"]

    assert done.returncode == 0, done.stdout + done.stderr
    assert "recommender-v1" in done.stdout


def test_a_pull_request_gets_a_summary_of_what_changes_and_how_good_it_is(story):
    status, summary = story["review"]

    assert status == 0
    assert "gruff shopping assistant" in summary
    assert "| case | prod | now |" in summary
    assert "would pass" in summary


def test_what_the_pull_request_showed_is_not_asked_again_after_the_merge(story):
    assert story["second"].returncode == 0, story["second"].stdout + story["second"].stderr
    assert (story["asked"], story["asked again"]) == (15, 0)


def test_a_run_after_a_rollback_leaves_prod_alone_and_is_no_failure(story):
    done = story["after the rollback"]

    assert done.returncode == 0, done.stdout + done.stderr
    assert "was rolled back from, and stays out" in done.stdout
    assert story["held"].index("rollback") < story["held"].index("pin")


def test_a_pull_request_that_makes_it_worse_fails_and_names_the_cases(story):
    status, summary = story["worse"]

    assert status == 1
    assert "would not pass" in summary
    assert "speaks for another shop" in summary


def test_a_pull_request_with_a_new_model_has_nothing_to_be_compared_with(story):
    status, summary = story["new"]

    assert status == 0
    assert "a new model: prod holds nothing of it to compare with" in summary


def test_a_pull_request_with_invalid_files_says_what_is_wrong_once(story):
    status, summary = story["invalid"]

    assert status == 1
    assert summary.count("problem") == 1
    assert "is used but not declared" in summary
    assert "prod holds nothing" not in summary


@pytest.mark.parametrize("file", ["github-actions.yml", "gitlab-ci.yml"])
def test_workflows_run_scripts_that_are_there(file):
    text = (SCRIPTS / file).read_text()

    assert yaml.safe_load(text)
    for script in ("deploy/ci/review.sh", "deploy/ci/deploy.sh"):
        assert script in text
        assert os.access(ROOT / script, os.X_OK)


SCHEMAS = {
    "github-actions.yml": ["vendor.github-workflows"],
    "gitlab-ci.yml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}


@pytest.mark.parametrize("file", SCHEMAS)
def test_workflows_are_what_their_readers_understand(file):
    ran = CliRunner().invoke(
        check_jsonschema, ["--builtin-schema", *SCHEMAS[file], str(SCRIPTS / file)]
    )

    assert ran.exit_code == 0, ran.output


def test_actions_are_pinned_to_commits_with_their_release_beside():
    text = (SCRIPTS / "github-actions.yml").read_text()
    used = re.findall(r"uses: (.*)", text)

    assert len(used) == 4
    assert all(re.fullmatch(r"actions/[a-z-]+@[0-9a-f]{40} # v[0-9.]+", one) for one in used)


def test_a_job_may_do_what_it_has_to_and_each_step_has_the_secrets_that_it_needs():
    workflow = yaml.safe_load((SCRIPTS / "github-actions.yml").read_text())
    review, deploy = workflow["jobs"]["review"], workflow["jobs"]["deploy"]
    steps = [step for job in (review, deploy) for step in job["steps"]]
    secret = [step for step in steps if "secrets." in str(step.get("env", {}))]

    assert (workflow["permissions"], "env" in workflow) == ({}, False)
    assert review["permissions"] == {"contents": "read", "pull-requests": "write"}
    assert deploy["permissions"] == {"contents": "read"}
    assert [step["run"].split()[0] for step in secret] == [
        "deploy/ci/review.sh",
        "deploy/ci/deploy.sh",
    ]
    assert "secrets.PROXY_STORE_URL" not in str(review)
    assert "pull_request_target" not in str(workflow)
    assert not deploy["concurrency"]["cancel-in-progress"]


def test_the_hook_before_a_commit_refuses_what_is_no_version(tmp_path, vendor):
    checkout = Checkout(tmp_path / "clone", vendor)
    ((hook,),) = (repo["hooks"] for repo in _hooks()["repos"])
    good = checkout.run(*shlex.split(hook["entry"]))
    checkout.edit("{{shop}}", "{{shopp}}")

    bad = checkout.run(*shlex.split(hook["entry"]))

    assert good.returncode == 0, good.stderr
    assert bad.returncode == 1
    assert "shopp" in bad.stderr


def _hooks():
    return yaml.safe_load((SCRIPTS / "pre-commit-config.yaml").read_text())
