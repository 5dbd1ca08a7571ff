"""A result that another tool made, kept with the version that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.act import Act
from proxy.control.eval_subject import Named, named
from proxy.control.gate import follow
from proxy.control.results import result_json
from proxy.control.standing import Standing, standing
from proxy.control.suite_files import wanted_gate
from proxy.errors import InvalidArgument, InvalidFiles, Problem
from proxy.evals.elsewhere import MAX_BYTES, read
from proxy.store.base import Store
from proxy.versions.evidence import Gate, Result
from proxy.versions.names import is_digest

CURRENT = "current"
"""How an operator says that the suite of the files is meant."""


@dataclass(frozen=True, slots=True)
class AttachReport:
    """What was kept. `created` is False for a result that was there before. `gated` says that there
    is a gate; that of `standing` is None all the same if it is about another suite."""

    version: Named
    result: Result
    created: bool
    standing: Standing
    gated: bool

    def json(self) -> dict[str, Any]:
        against = self.standing.comparison
        return {
            "model": self.version.model,
            **self.version.json(),
            **result_json(self.result),
            "created": self.created,
            **self.standing.json(),
            "against": against.json() if against is not None else None,
        }


async def attach(
    store: Store,
    models_dir: Path,
    model: str,
    reference: str,
    file: Path,
    act: Act,
    *,
    suite: str | None = None,
) -> AttachReport:
    """Keep what `file` holds as a result of the version that `reference` means, or of the content
    with that digest.

    `suite` is the digest of the suite that it answers, `current` for that of the files, which the
    gate in force then follows; None: one of its own, made of the names of its cases. Raises
    `InvalidFiles` or `InvalidArgument` for a file that is no report, as `eval_subject.named` does,
    and what the store raises.
    """
    wanted = _current(models_dir / model) if suite == CURRENT else None
    answered = wanted.suite if wanted is not None else _checked(suite)
    version = await named(store, models_dir, model, reference)
    result = read(_raw(file), model, version.digest, answered, act.by)
    kept = await store.attach(result, act.operation)
    gate = (await follow(store, model, wanted, act)).gate
    counts = gate if gate is not None and gate.suite == result.suite else None
    stands = await standing(store, kept.result, counts)
    return AttachReport(version, kept.result, kept.created, stands, gated=gate is not None)


def _current(folder: Path) -> Gate:
    """Return the gate that the files ask for, which names their suite."""
    gate = wanted_gate(folder)
    if gate is None:
        raise InvalidArgument(
            f"there is no evals.toml in {folder}, so there is no current suite",
            hint="without --suite, it is one of the report's own",
        )
    return gate


def _checked(suite: str | None) -> str | None:
    if suite is not None and not is_digest(suite):
        raise InvalidArgument(
            "this is no suite", hint=f"{CURRENT}, or sha256: and 64 lower-case hex digits"
        )
    return suite


def _raw(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            raw = opened.read(MAX_BYTES + 1)
    except OSError:
        raise InvalidFiles([Problem(str(file), 0, "", "cannot be read")]) from None
    if len(raw) > MAX_BYTES:
        raise InvalidFiles([Problem(str(file), 0, "", f"is larger than {MAX_BYTES} bytes")])
    return raw
