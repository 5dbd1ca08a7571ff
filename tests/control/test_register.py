import shutil
import subprocess

import pytest

from proxy.control.act import Act
from proxy.control.register import dry_run, read_source, register
from proxy.errors import InvalidArgument, InvalidFiles, UnknownModelNamed, UnknownVersion

VERSION = b'[model]\nvendor = "openai"\nid = "gpt-4o"\n'


@pytest.fixture
def models(tmp_path):
    folder = tmp_path / "models" / "shop"
    folder.mkdir(parents=True)
    (folder / "version.toml").write_bytes(VERSION)
    (folder / "system.md").write_bytes(b"one\n")
    return tmp_path / "models"


@pytest.fixture
def git(models):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=ada", "-c", "user.email=ada@host", *arguments],
            cwd=models,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    run("init", "--quiet")
    run("add", ".")
    run("commit", "--quiet", "-m", "one")
    return run


async def _register(store, models, operation="op", *, read=(), **options):
    source = await read_source(models, "shop", **dict(read))
    return await register(store, source, Act("ada@host", operation), **options)


async def test_files_become_the_first_version(store, models):
    report = await _register(store, models)

    info = report.info
    assert report.json() == {
        "id": f"shop-v1-{info.digest[7:13]}",
        "version": 1,
        "digest": info.digest,
        "created": True,
        "parent": None,
    }
    assert info.meta.by == "ada@host"


async def test_the_same_files_are_the_same_version(store, models):
    first = await _register(store, models, "op1")
    (models / "shop" / "version.toml").write_bytes(b"# comment\n" + VERSION)

    again = await _register(store, models, "op2")

    assert again.json() == {**first.json(), "created": False}


async def test_a_dry_run_says_what_would_be_and_changes_nothing(store, models):
    source = await read_source(models, "shop")

    fresh = (await dry_run(store, source, {})).json()
    assert (fresh["id"], fresh["created"], fresh["would_create"]) == (None, False, True)
    assert await store.models() == []

    first = await _register(store, models)
    known = await dry_run(store, source, {})
    assert (known.json()["id"], known.json()["would_create"]) == (first.info.id, False)
    assert known.json()["digest"] == first.info.digest
    assert any("openai" in warning for warning in known.warnings)


async def test_a_changed_prompt_is_the_next_version(store, models):
    await _register(store, models, "op1")
    (models / "shop" / "system.md").write_bytes(b"two\n")

    assert (await _register(store, models, "op2")).info.number == 2


async def test_the_parent_is_what_is_in_prod_or_what_was_named(shop, models):
    first, second = await shop.register("a", "b")
    await shop.pin("v1")

    in_prod = await _register(shop.store, models, "op-a")
    (models / "shop" / "system.md").write_bytes(b"two\n")
    named = await _register(shop.store, models, "op-b", parent="v2")

    assert in_prod.info.meta.parent == first.id
    assert named.info.meta.parent == second.id


async def test_an_unknown_parent_registers_nothing(shop, models):
    await shop.register("a")

    with pytest.raises(UnknownVersion):
        await _register(shop.store, models, parent="v9")

    assert len(await shop.store.versions("shop")) == 1


async def test_without_git_nothing_is_known_of_it(store, models):
    meta = (await _register(store, models)).info.meta

    assert (meta.commit, meta.dirty) == (None, None)


async def test_the_commit_is_kept(store, models, git):
    meta = (await _register(store, models)).info.meta

    assert (meta.commit, meta.dirty) == (git("rev-parse", "HEAD"), False)


@pytest.mark.parametrize("change", ["changed", "untracked", "ignored", "removed"])
async def test_files_that_the_commit_does_not_hold_make_it_dirty(store, models, git, change):
    folder = models / "shop"
    match change:
        case "changed":
            (folder / "system.md").write_bytes(b"two\n")
        case "untracked":
            (folder / "tools.json").write_bytes(b"[]")
        case "ignored":
            (models / ".gitignore").write_text("tools.json\n")
            (folder / "tools.json").write_bytes(b"[]")
        case "removed":
            (folder / "system.md").unlink()

    assert (await _register(store, models)).info.meta.dirty is True


async def test_other_files_do_not_make_it_dirty(store, models, git):
    (models / "shop" / "evals.toml").write_text(
        '[[case]]\nname = "a"\ninput = "?"\nexpect = [{contains = "b"}]\n'
    )
    (models / "other").mkdir()
    (models / "other" / "version.toml").write_bytes(VERSION)

    assert (await _register(store, models)).info.meta.dirty is False


async def test_a_tag_names_the_commit_by_the_version(store, models, git):
    report = await _register(store, models, read={"git_tag": True}, tag=True)

    assert report.json()["tag"] == report.info.id
    assert git("rev-parse", report.info.id) == git("rev-parse", "HEAD")


async def test_a_tag_that_is_there_is_left(store, models, git):
    await _register(store, models, "op1", read={"git_tag": True}, tag=True)
    git("commit", "--allow-empty", "--quiet", "-m", "two")

    report = await _register(store, models, "op2", read={"git_tag": True}, tag=True)

    assert git("rev-parse", report.info.id) == git("rev-parse", "HEAD~1")


async def test_what_is_not_committed_is_not_tagged(models, git):
    (models / "shop" / "system.md").write_bytes(b"two\n")

    with pytest.raises(InvalidArgument, match="git commit"):
        await read_source(models, "shop", git_tag=True)


async def test_a_missing_folder_is_named(models):
    with pytest.raises(UnknownModelNamed, match="there is no folder"):
        await read_source(models, "ranker")


@pytest.mark.parametrize("name", ["../shop", "Shop", "", "shop-v1-abcdef"])
async def test_a_name_that_is_none_reads_nothing(models, name):
    with pytest.raises(InvalidArgument):
        await read_source(models, name)


async def test_a_file_that_cannot_be_read_is_named(models):
    (models / "shop" / "tools.json").mkdir()

    with pytest.raises(InvalidFiles, match=r"shop/tools\.json: cannot be read"):
        await read_source(models, "shop")


async def test_files_that_are_no_sources_are_warned_about(store, models):
    (models / "shop" / "sytem.md").write_text("typo")
    (models / "shop" / ".hidden").write_text("")

    report = await _register(store, models)

    stranger = models / "shop" / "sytem.md"
    assert report.warnings == (f"{stranger} is no source file and was left out",)


async def test_a_version_that_no_dialect_can_carry_is_refused(models):
    extra = (
        b'seed = 5\nparallel_tool_calls = true\n[generation.extra."openai.chat"]\nmax_tokens = 5\n'
    )
    (models / "shop" / "version.toml").write_bytes(VERSION + b"[generation]\ntop_k = 5\n" + extra)

    with pytest.raises(InvalidFiles, match=r"version\.toml: generation: no dialect can carry"):
        await read_source(models, "shop")


async def test_a_dialect_that_cannot_carry_the_version_is_warned_about(store, models):
    (models / "shop" / "version.toml").write_bytes(VERSION + b"[generation]\nseed = 5\n")

    report = await _register(store, models)

    assert report.warnings == (
        "shop: cannot be served in openai.responses (the version sets seed)",
        "shop: cannot be served in anthropic.messages (the version sets seed)",
    )


async def test_an_extra_of_no_dialect_is_warned_about_by_its_name(store, models):
    extra = b'[generation.extra."openai.cht"]\nreasoning_effort = "low"\n'
    (models / "shop" / "version.toml").write_bytes(VERSION + extra)

    report = await _register(store, models)

    (warning,) = report.warnings
    assert warning.startswith('shop: generation.extra has "openai.cht", and the dialects here are ')
    assert "openai.chat" in warning


async def test_rules_that_no_attempt_reaches_are_warned_about(store, models):
    fallback = b'[[routing.fallback]]\nvendor = "openai"\nid = "gpt-4o-mini"\n'
    routing = b"[routing]\nretry_on = ['status:429']\n" + fallback
    (models / "shop" / "version.toml").write_bytes(VERSION + routing)

    report = await _register(store, models)

    assert report.warnings == (
        "shop: routing.fallback is never used with attempts = 1",
        "shop: routing.retry_on is never used with attempts = 1",
    )
