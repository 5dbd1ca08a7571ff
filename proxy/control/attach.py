"""A result that another tool made, kept with the version that it is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.act import Act
from proxy.control.bounded_file import read_bytes
from proxy.control.eval_subject import Named, named
from proxy.control.gate import GateReport, follow
from proxy.control.results import result_json
from proxy.control.standing import Standing, standing
from proxy.control.suite_files import SuiteFiles, find_suite
from proxy.errors import InvalidArgument
from proxy.evals.elsewhere import MAX_BYTES, read
from proxy.evals.suite import Suite, gate_of
from proxy.store.base import Store
from proxy.versions.evidence import Gate, Result
from proxy.versions.names import is_digest

CURRENT, GATE = "current", "gate"
"""How an operator says that the suite of the files is meant, or the one that the gate in force asks
for."""

# So many cases are named: enough to see what is wrong.
_NAMED = 5


@dataclass(frozen=True, slots=True)
class AttachReport:
    """What was kept. `created` is False for a result that was there before. `gated` says that there
    is a gate; that of `standing` is None all the same if it is about another suite. `gate` says
    what became of the one in force."""

    version: Named
    result: Result
    created: bool
    standing: Standing
    gate: GateReport

    @property
    def gated(self) -> bool:
        return self.gate.gate is not None

    def json(self) -> dict[str, Any]:
        against = self.standing.comparison
        return {
            "model": self.version.model,
            **self.version.json(),
            **result_json(self.result),
            "created": self.created,
            "gate_changed": self.gate.changed,
            "left_suite": self.gate.left,
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

    `suite` is the digest of the suite that it answers, `gate` for that of the gate in force, or
    `current` for that of the files, which the gate then follows if the version is registered; None:
    one of its own, made of the names of its cases. Raises `InvalidFiles` or `InvalidArgument` for
    a file that is no report, or lacks cases of the suite, as `eval_subject.named` does, and what
    the store raises.
    """
    version = await named(store, models_dir, model, reference)
    now = (await store.guards(model)).gate
    files = _current(models_dir / model) if suite == CURRENT else None
    answered = files.suite.digest if files is not None else _answered(suite, now)
    result = read(read_bytes(file, MAX_BYTES), model, version.digest, answered, act.by)
    if files is not None:
        _require_cases(result, files.suite)
    elif now is not None and now.suite == answered:
        _require_count(result, now)
    kept = await store.attach(result, act.operation)
    wanted = gate_of(files.suite) if files is not None and version.number is not None else None
    gate = await follow(store, model, wanted, act)
    counts = gate.gate if gate.gate is not None and gate.gate.suite == result.suite else None
    stands = await standing(store, kept.result, counts)
    return AttachReport(version, kept.result, kept.created, stands, gate)


def _current(folder: Path) -> SuiteFiles:
    files = find_suite(folder)
    if files is None:
        raise InvalidArgument(
            f"there is no evals.toml in {folder}, so there is no current suite",
            hint="without --suite, it is one of the report's own",
        )
    return files


def _require_cases(result: Result, suite: Suite) -> None:
    """A report that claims to answer a suite answers all of it: else the best cases would do."""
    asked = {case.name.strip() for case in suite.cases}
    told = {case.name for case in result.cases}
    lacking, unknown = sorted(asked - told), sorted(told - asked)
    if lacking or unknown:
        said = [f"lacks {_some(lacking)}"] if lacking else []
        said += [f"has {_some(unknown)}, not in evals.toml"] if unknown else []
        raise InvalidArgument(
            f"the report does not answer the suite of the files: it {' and '.join(said)}",
            hint="a case is known by its name (promptfoo: description); without --suite, the suite"
            " is one of the report's own",
        )


def _some(names: list[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(map(repr, names[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def _require_count(result: Result, gate: Gate) -> None:
    """Of the gate's suite nothing but this is known here."""
    if gate.cases and len(result.cases) != gate.cases:
        raise InvalidArgument(
            f"the suite of the gate has {gate.cases} cases, and the report has {len(result.cases)}",
            hint="a report that answers a suite has a result for each of its cases",
        )


def _answered(suite: str | None, gate: Gate | None) -> str | None:
    if suite != GATE:
        return _checked(suite)
    if gate is None:
        raise InvalidArgument("there is no gate in force, so it asks for no suite")
    return gate.suite


def _checked(suite: str | None) -> str | None:
    if suite is not None and not is_digest(suite):
        raise InvalidArgument(
            "this is no suite", hint=f"{CURRENT}, {GATE}, or sha256: and 64 lower-case hex digits"
        )
    return suite
