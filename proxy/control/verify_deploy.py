"""Is what runs what was committed? The last step of a deployment asks.

What is pinned must come from a commit, and what the commit holds must be registered: else somebody
pinned past the pipeline, or the pipeline did not run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from proxy.control.check import CheckReport, Finding, Level
from proxy.control.folder import model_folders
from proxy.control.git import has_commit
from proxy.control.register import Source, read_source
from proxy.control.status import LabelState, ModelState, status
from proxy.errors import InvalidFiles, UnknownModelNamed
from proxy.store.base import Store
from proxy.versions import identity
from proxy.versions.record import PROD, VersionInfo

_REGISTER = "the pipeline registers what is merged: proxyctl register --all"


async def verify_deploy(store: Store, models_dir: Path, *, label: str = PROD) -> CheckReport:
    """Look at what `label` holds of every model, and at the files under `models_dir`. Changes
    nothing. What is wrong is a finding, not an error; raises what the store raises."""
    state = await status(store)
    folders = model_folders(models_dir)
    findings: list[Finding] = []
    for model in state.models:
        known = {info.id: info for info in await store.versions(model.model)}
        held = next((one for one in model.labels if one.label == label), None)
        if held is None:
            if model.model in folders:
                findings.append(Finding(Level.YELLOW, model.model, f"{label} holds nothing"))
            continue
        findings += _pinned(model, held, known)
        findings += await _commit(models_dir, model.model, held, known)
        if model.model not in folders:
            findings.append(
                Finding(Level.YELLOW, model.model, f"is pinned, and has no folder in {models_dir}")
            )
    for name in folders:
        findings += await _files(store, models_dir, name)
    return CheckReport(tuple(findings))


def _pinned(
    model: ModelState, held: LabelState, known: dict[str, VersionInfo]
) -> Iterator[Finding]:
    """Say whether the pin came the usual way, and the version from a commit."""
    what = f"{model.model} {held.label}"
    if held.pin is None or held.pin.id not in known:
        yield Finding(Level.RED, what, "holds no version that can be read", "see proxyctl check")
        return
    if held.event is None:
        yield Finding(Level.RED, what, "was set by hand", "see proxyctl repair")
    if f"{held.label}:{held.pin.id}" in model.guards.unratified:
        yield Finding(
            Level.YELLOW, what, "was forced, and is not ratified", f"proxyctl ratify {model.model}"
        )
    meta = known[held.pin.id].meta
    if meta.commit is None:
        yield Finding(Level.RED, what, f"{held.pin.id} has no commit", _REGISTER)
    elif meta.dirty:
        text = f"{held.pin.id} was registered from files that are not in its commit"
        yield Finding(Level.RED, what, text, _REGISTER)
    else:
        by = held.event.by if held.event else "somebody"
        yield Finding(Level.GREEN, what, f"{held.pin.id}, commit {meta.commit[:12]}, by {by}")


async def _commit(
    models_dir: Path, model: str, held: LabelState, known: dict[str, VersionInfo]
) -> list[Finding]:
    """Say so where the repository here does not have the commit."""
    info = known.get(held.pin.id) if held.pin is not None else None
    if info is None or info.meta.commit is None:
        return []
    if await has_commit(models_dir, info.meta.commit) is not False:
        return []
    text = f"commit {info.meta.commit[:12]} is not in this repository"
    return [Finding(Level.YELLOW, f"{model} {held.label}", text, "fetch the whole history")]


async def _files(store: Store, models_dir: Path, model: str) -> list[Finding]:
    """Say whether what the model's folder holds is registered."""
    what = f"{models_dir / model}"
    try:
        source = await read_source(models_dir, model, allow_secrets=True)
    except (InvalidFiles, UnknownModelNamed) as error:
        return [Finding(Level.RED, what, error.message, "proxyctl register says what is wrong")]
    digest = identity.digest(identity.canonical(source.content))
    same = [one for one in await store.versions(model) if one.digest == digest]
    if same:
        return [Finding(Level.GREEN, what, f"is registered as {same[0].id}")]
    return [Finding(Level.RED, what, f"{_commit_of(source)} was never registered", _REGISTER)]


def _commit_of(source: Source) -> str:
    if source.git.commit is None:
        return "what it holds"
    commit = f"commit {source.git.commit[:12]}"
    return f"{commit} with changes" if source.git.dirty else commit
