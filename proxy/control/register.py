"""Register: the files of a model's folder become a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.act import Act
from proxy.control.folder import Folder, read_folder
from proxy.control.gate import follow
from proxy.control.git import GitFacts, git_facts, git_tag
from proxy.control.references import find, require_model_name
from proxy.control.suite_files import scorer_names, wanted_gate
from proxy.dialects.registry import DIALECTS, GENERATING
from proxy.errors import InvalidArgument, InvalidFiles, Problem, RequestError
from proxy.routing.retry import targets
from proxy.settings import Vendor
from proxy.store.base import NewVersion, Store
from proxy.versions import identity, sources
from proxy.versions.content import Content, unused_variables
from proxy.versions.record import PROD, Meta, VersionInfo


@dataclass(frozen=True, slots=True)
class Source:
    """A model's files, read and found right, before anything is registered."""

    model: str
    folder: Folder
    content: Content
    git: GitFacts


@dataclass(frozen=True, slots=True)
class RegisterReport:
    """`created` is False for content that was registered before: `info` is the first one then.
    `tag` is the git tag that is on the commit, if one was asked for."""

    info: VersionInfo
    created: bool
    tag: str | None
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        facts = {
            "id": self.info.id,
            "version": self.info.number,
            "digest": self.info.digest,
            "created": self.created,
            "parent": self.info.meta.parent,
        }
        return facts if self.tag is None else {**facts, "tag": self.tag}


async def read_source(
    models_dir: Path, model: str, *, allow_secrets: bool = False, git_tag: bool = False
) -> Source:
    """Read and check the files of `model`.

    Raises `UnknownModelNamed`, `InvalidFiles`, or `InvalidArgument` if `git_tag` is asked for
    where the commit does not hold these files.
    """
    require_model_name(model)
    folder = read_folder(models_dir / model)
    content = sources.read(folder.files, str(folder.path), allow_secrets=allow_secrets)
    if not any(_lacks(name, content) is None for name in GENERATING):
        raise InvalidFiles([_unservable(folder, content)])
    facts = await git_facts(folder.path, sources.SOURCE_FILES)
    if git_tag and (facts.commit is None or facts.dirty is not False):
        raise InvalidArgument(
            f"{folder.path} is not as it is in a git commit, so a tag would name something else",
            hint="commit the files first",
        )
    return Source(model, folder, content, facts)


async def read_sources(
    models_dir: Path, models: Sequence[str], *, allow_secrets: bool = False, git_tag: bool = False
) -> list[Source]:
    """Read the files of several models; raises as `read_source`, `InvalidFiles` for all at once."""
    found: list[Source] = []
    wrong: list[InvalidFiles] = []
    for model in models:
        try:
            found.append(
                await read_source(models_dir, model, allow_secrets=allow_secrets, git_tag=git_tag)
            )
        except InvalidFiles as error:
            wrong.append(error)
    if wrong:
        problems = [problem for error in wrong for problem in error.problems]
        raise InvalidFiles(problems, hint=next((e.hint for e in wrong if e.hint), ""))
    return found


async def register(
    store: Store,
    source: Source,
    act: Act,
    *,
    message: str = "",
    parent: str | None = None,
    tag: bool = False,
    vendors: Mapping[str, Vendor] | None = None,
    follows: bool = True,
) -> RegisterReport:
    """Keep the content under the model's next number, or return the version that holds it.

    The parent is the version that `parent` refers to, or the one that is in prod. `vendors` are
    those of this configuration, to warn of others. With `follows`, `follow_files` is done too.
    Raises `CommandError`s and what the store raises.
    """
    stored = identity.canonical(source.content)
    meta = Meta(
        by=act.by,
        message=message,
        parent=await _parent(store, source.model, parent),
        commit=source.git.commit,
        dirty=source.git.dirty,
    )
    new = NewVersion(source.model, stored, identity.digest(stored), meta)
    registered = await store.register(new, act.operation)
    info = registered.info
    warnings = list(_warnings(source, vendors))
    if follows:
        warnings += await follow_files(store, source, act)
    if tag and not await git_tag(source.folder.path, info.id):
        warnings.append(f"the git tag {info.id} could not be made")
        tag = False
    return RegisterReport(info, registered.created, info.id if tag else None, tuple(warnings))


@dataclass(frozen=True, slots=True)
class DryRun:
    """What registering would do: `known` is the version that holds the content already."""

    model: str
    digest: str
    known: VersionInfo | None
    warnings: tuple[str, ...]

    def json(self) -> dict[str, Any]:
        return {
            "id": self.known.id if self.known else None,
            "version": self.known.number if self.known else None,
            "model": self.model,
            "digest": self.digest,
            "created": False,
            "would_create": self.known is None,
        }


async def dry_run(
    store: Store, source: Source, vendors: Mapping[str, Vendor] | None = None
) -> DryRun:
    """Say what `register` would do, and change nothing."""
    digest = identity.digest(identity.canonical(source.content))
    same = [one for one in await store.versions(source.model) if one.digest == digest]
    warnings = tuple(_warnings(source, vendors))
    return DryRun(source.model, digest, same[0] if same else None, warnings)


async def follow_files(store: Store, source: Source, act: Act) -> list[str]:
    """Put the gate of the files in force; return a warning if it is not, since it is looser.

    Raises `InvalidFiles` if `evals.toml` is wrong.
    """
    report = await follow(store, source.model, wanted_gate(source.folder.path), act)
    if not report.looser or report.wanted is None:
        return []
    again = f"proxyctl gate {source.model} --accept --reason WHY"
    return [f"{source.model}: evals.toml asks for less than the gate in force; {again}"]


def _lacks(dialect: str, content: Content) -> str | None:
    """Return why `content` cannot be served in `dialect`; None if it can."""
    try:
        DIALECTS[dialect].compile(content)
    except RequestError as error:
        return error.hint or error.message
    return None


def _unservable(folder: Folder, content: Content) -> Problem:
    reasons = "; ".join(f"{name}: {_lacks(name, content)}" for name in GENERATING)
    place = str(folder.path / "version.toml")
    return Problem(place, 0, "generation", f"no dialect can carry this version ({reasons})")


def _dialect_warnings(
    model: str, content: Content, vendors: Mapping[str, Vendor] | None
) -> Iterator[str]:
    """Yield what concerns the dialects of the version's vendor; all, if those are unknown."""
    vendor = vendors.get(content.model.vendor) if vendors is not None else None
    for name in DIALECTS if vendor is None else vendor.dialects:
        if name not in DIALECTS:
            continue
        if (reason := _lacks(name, content)) is not None:
            yield f"{model}: cannot be served in {name} ({reason})"
        elif vendor is not None:
            yield from (f"{model}: in {name}, {words}" for words in DIALECTS[name].advice(content))
    for dialect in content.generation.extra:
        if dialect not in DIALECTS:
            known = ", ".join(DIALECTS)
            yield f'{model}: generation.extra has "{dialect}", and the dialects here are {known}'


def _warnings(source: Source, vendors: Mapping[str, Vendor] | None) -> Iterator[str]:
    """Yield what is probably a mistake, but is no error: other proxies may know better."""
    folder, content = source.folder, source.content
    named = scorer_names(folder.path) if folder.strangers else frozenset()
    for name in (one for one in folder.strangers if one not in named):
        yield f"{folder.path / name} is no source file and was left out"
    for place in targets(content.model, content.routing):
        if vendors is not None and place.vendor not in vendors:
            yield f"{source.model}: vendor {place.vendor} is not in this configuration"
    for name in ("fallback", "retry_on"):
        if getattr(content.routing, name) and content.routing.attempts < 2:
            yield f"{source.model}: routing.{name} is never used with attempts = 1"
    for name in unused_variables(content):
        yield f"{source.model}: variable {name} is declared and stands in no text"
    yield from _dialect_warnings(source.model, content, vendors)


async def _parent(store: Store, model: str, reference: str | None) -> str | None:
    if reference is not None:
        return (await find(store, model, reference)).info.id
    pin = (await store.pins()).pins.get((model, PROD))
    return pin.id if pin is not None else None
