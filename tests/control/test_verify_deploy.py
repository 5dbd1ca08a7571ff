"""The last step of a deployment: what is pinned comes from a commit, what is committed is known."""

import asyncio
import subprocess

import pytest

from proxy.control.check import Level
from proxy.control.confirm import NO_WAIT
from proxy.control.pin import Want, pin
from proxy.control.register import read_source, register
from proxy.control.verify_deploy import verify_deploy

VERSION = '[model]\nvendor = "openai"\nid = "gpt-4o"\n'


def git(folder, *arguments):
    who = ("-c", "user.name=ada", "-c", "user.email=ada@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def models(tmp_path):
    """Return a folder of models, committed, with one model in it."""
    models = tmp_path / "repository" / "models"
    (models / "shop").mkdir(parents=True)
    git(models.parent, "init", "-q")
    write(models, "Hello")
    commit(models)
    return models


def write(models, prompt):
    (models / "shop" / "version.toml").write_text(VERSION)
    (models / "shop" / "system.md").write_text(f"{prompt}\n")


def commit(models):
    git(models.parent, "add", ".")
    git(models.parent, "commit", "-q", "-m", "change")
    return git(models.parent, "rev-parse", "HEAD")


async def deploy(shop, models, act=None):
    source = await read_source(models, "shop")
    info = (await register(shop.store, source, act or shop.act())).info
    await pin(shop.store, [Want("shop", info.id)], shop.act(), NO_WAIT)
    return info


async def findings(shop, models):
    report = await verify_deploy(shop.store, models)
    return report.ok, {(f.level, f.what.partition("/")[0]): f.message for f in report.findings}


async def test_a_deployment_by_the_book_is_green(shop, models):
    info = await deploy(shop, models)

    report = await verify_deploy(shop.store, models)

    assert report.ok
    assert {finding.level for finding in report.findings} == {Level.GREEN}
    assert any(info.id in finding.message for finding in report.findings)


async def test_a_pin_of_files_that_were_not_committed_is_red(shop, models):
    write(models, "Hello, quickly")
    await deploy(shop, models)

    ok, found = await findings(shop, models)

    assert not ok
    assert "not in its commit" in found[Level.RED, "shop prod"]


async def test_a_pin_without_a_commit_is_red(shop, models):
    await shop.register("from nowhere")
    await shop.pin("v1")

    ok, found = await findings(shop, models)

    assert not ok
    assert "has no commit" in found[Level.RED, "shop prod"]


async def test_a_commit_that_was_never_registered_is_red(shop, models):
    await deploy(shop, models)
    write(models, "Hello, later")
    head = await asyncio.to_thread(commit, models)

    report = await verify_deploy(shop.store, models)

    assert not report.ok
    (red,) = [finding for finding in report.findings if finding.level is Level.RED]
    assert head[:12] in red.message


async def test_after_a_rollback_all_is_well(shop, models):
    await deploy(shop, models)
    write(models, "Hello, later")
    await asyncio.to_thread(commit, models)
    await deploy(shop, models)
    await shop.rollback()

    assert (await verify_deploy(shop.store, models)).ok


async def test_a_pin_by_hand_is_red(shop, models):
    await deploy(shop, models)
    info = (await shop.register("other"))[0]
    text = f"9|{info.id}|{info.digest}|by-hand"
    await shop.store._file.write(
        lambda connection: connection.execute("UPDATE pins SET text = ?", (text,)), "by-hand"
    )

    ok, found = await findings(shop, models)

    assert not ok
    assert any("by hand" in text or "no commit" in text for text in found.values())


async def test_a_forced_pin_is_yellow_until_it_is_ratified(shop, models):
    info = await deploy(shop, models)
    write(models, "Hello, later")
    await asyncio.to_thread(commit, models)
    later = (await register(shop.store, await read_source(models, "shop"), shop.act())).info
    await shop.pin(later.id, reason="why not", force=True)

    report = await verify_deploy(shop.store, models)

    assert report.ok
    assert [f.level for f in report.findings].count(Level.YELLOW) == 1
    assert info.id != later.id


async def test_a_commit_of_another_repository_is_yellow(shop, models, tmp_path):
    await deploy(shop, models)
    other = tmp_path / "other" / "models"
    (other / "shop").mkdir(parents=True)
    git(other.parent, "init", "-q")
    write(other, "Hello")
    (other / "README").write_text("Another repository.\n")
    await asyncio.to_thread(commit, other)

    report = await verify_deploy(shop.store, other)

    assert report.ok
    assert any("not in this repository" in finding.message for finding in report.findings)


async def test_a_folder_that_cannot_be_read_as_a_version_is_red(shop, models):
    await deploy(shop, models)
    (models / "shop" / "version.toml").write_text("nonsense")

    assert not (await verify_deploy(shop.store, models)).ok


async def test_a_model_without_a_folder_here_is_yellow(shop, models):
    await deploy(shop, models)
    await shop.register("elsewhere", model="ranker")
    await pin(shop.store, [Want("ranker", "v1")], shop.act(), NO_WAIT)

    report = await verify_deploy(shop.store, models)

    assert any("no folder" in f.message for f in report.findings if f.level is Level.YELLOW)
