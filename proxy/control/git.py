"""What git knows about a folder. No git, no repository or no answer in time: nothing is known."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Enough for `git status` of one folder in a large repository on a slow disk.
DEADLINE_S = 10.0


@dataclass(frozen=True, slots=True)
class GitFacts:
    """`commit` is None where there is none. `dirty` says that the files asked about are not as
    they are in that commit; files that git ignores are not in it at all."""

    commit: str | None = None
    dirty: bool | None = None


async def git_facts(folder: Path, names: Sequence[str]) -> GitFacts:
    """Return the commit and whether the files `names` in `folder` differ from it."""
    commit = await _git(folder, "rev-parse", "--verify", "--quiet", "HEAD")
    if not commit:
        return GitFacts()
    changed = await _git(
        folder, "status", "--porcelain", "--ignored", "--untracked-files=all", "--", *names
    )
    return GitFacts(commit, None if changed is None else bool(changed))


async def has_commit(folder: Path, commit: str) -> bool | None:
    """Say whether the repository around `folder` has `commit`; None: there is no repository."""
    if not await _git(folder, "rev-parse", "--git-dir"):
        return None
    return await _git(folder, "cat-file", "-e", f"{commit}^{{commit}}") is not None


async def git_tag(folder: Path, tag: str) -> bool:
    """Put `tag` on the current commit. A tag that is there already is left; False: git failed."""
    if await _git(folder, "rev-parse", "--verify", "--quiet", f"refs/tags/{tag}"):
        return True
    return await _git(folder, "tag", "--no-sign", tag) is not None


async def _git(folder: Path, *arguments: str) -> str | None:
    """Run git in `folder`; None if it is not there, fails, or takes too long."""
    try:
        process = await asyncio.create_subprocess_exec(
            "git",
            "--no-optional-locks",  # somebody may be at work in the same tree
            "-C",
            str(folder),
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return None
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return None
    return output.decode("utf-8", "replace").strip() if process.returncode == 0 else None
