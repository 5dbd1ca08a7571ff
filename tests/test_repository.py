"""What surrounds the code: locks, sizes, links, versions. What a reader would trip over."""

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import proxy
from scripts import sizes

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": PROJECT["dependency-groups"]["build"],
    "requirements-dev.lock": [
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["dev"],
        *PROJECT["dependency-groups"]["build"],
    ],
}
LOCKED = re.compile(r"^([a-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)

# Folders of tools, and recorded traffic, which may say what it likes.
NOT_OURS = re.compile(r"\.(?!ci$).+|__pycache__|build|dist|fixtures")

# Places that exist on one machine only, in the homes of people or at the root.
MACHINE_PATH = re.compile(r"(?<![\w.@])/(?:root|work|home/\w+|Users/\w+)/")

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


def own_files(*suffixes):
    """Return the files of the checkout, without what tools left in it."""
    found = []
    for folder, subfolders, names in os.walk(ROOT):
        subfolders[:] = [name for name in subfolders if not NOT_OURS.fullmatch(name)]
        # In a worktree .git is a file, and names the place of the repository.
        found += [Path(folder, name) for name in names if name != ".git"]
    return sorted(file for file in found if not suffixes or file.suffix in suffixes)


def shown(file):
    return str(file.relative_to(ROOT))


def locked(lock):
    return {name: Version(version) for name, version in LOCKED.findall((ROOT / lock).read_text())}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(lock):
    text = (ROOT / lock).read_text()

    assert re.findall(r"://|--(?:extra-)?index|--find-links|--trusted-host|@ ", text) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_everything_that_is_locked_has_a_hash(lock):
    text = (ROOT / lock).read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize(("lock", "wanted"), LOCKS.items())
def test_a_lock_holds_what_the_project_asks_for(lock, wanted):
    held = locked(lock)
    requirements = [Requirement(text) for text in wanted]

    assert [r for r in requirements if r.name not in held or held[r.name] not in r.specifier] == []


def test_the_locks_agree_with_one_another():
    dev = locked("requirements-dev.lock")

    assert locked("requirements.lock").items() <= dev.items()
    assert locked("requirements-build.lock").items() <= dev.items()


@pytest.mark.parametrize("size", sizes.files(ROOT / "proxy"), ids=lambda size: size.place)
def test_a_file_is_short_enough_to_be_read(size):
    assert size.lines <= sizes.MOST_LINES_FILE


def test_a_function_fits_on_a_screen():
    functions = sizes.functions(ROOT / "proxy")

    assert [size for size in functions if size.lines > sizes.MOST_LINES_FUNCTION] == []


@pytest.mark.parametrize("file", own_files(".md"), ids=shown)
def test_links_between_documents_lead_somewhere(file):
    targets = [link for link in LINK.findall(file.read_text()) if "://" not in link]

    assert [target for target in targets if not (file.parent / target).exists()] == []


def test_no_file_names_a_place_of_one_machine():
    texts = {shown(f): f.read_text(errors="replace") for f in own_files() if f != Path(__file__)}

    assert {name for name, text in texts.items() if MACHINE_PATH.search(text)} == set()


def test_the_changelog_knows_this_release():
    changelog = (ROOT / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", changelog, re.MULTILINE)

    assert any(heading.startswith(("Unreleased", proxy.__version__)) for heading in headings)


def test_the_release_is_the_same_everywhere():
    assert PROJECT["project"]["version"] == proxy.__version__


@pytest.mark.parametrize("file", own_files(".md"), ids=shown)
def test_every_make_target_that_is_named_exists(file):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", file.read_text(), re.MULTILINE))

    assert named - targets == set()


@pytest.mark.parametrize("script", own_files(".sh"), ids=shown)
def test_a_script_is_a_program_that_its_shell_can_read(script):
    shell = script.read_text().splitlines()[0].rpartition("/")[2].split()[-1]
    told = subprocess.run([shell, "-n", script], capture_output=True, text=True, check=False)

    assert os.access(script, os.X_OK)
    assert told.stderr == ""
