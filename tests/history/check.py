"""The checker: from a history to everything in it that must not be. Pure; it can be run again on
the file that a run left behind (`python -m tests.history.check FILE`)."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.history import kept, served
from tests.history.known import Known
from tests.history.record import History
from tests.history.violation import Violation

RULES: tuple[Callable[[Known], Iterator[Violation]], ...] = (
    served.nothing_older_than_promised,
    served.each_made_by_its_version,
    served.only_registered_ones,
    served.only_what_was_pinned,
    served.none_failed,
    served.none_died,
    served.all_settled,
    kept.nothing_lost,
    kept.nothing_half,
    kept.each_operation_once,
    kept.epochs_rise,
    kept.registrations_agree,
)


def violations(history: History) -> list[Violation]:
    known = Known.of(history)
    return [found for rule in RULES for found in rule(known)]


def summary(history: History) -> str:
    """Say how much happened, and how much of it was excused."""
    known = Known.of(history)
    answered = sum(1 for _ in served.answered(known))
    confirmed = sum(1 for one in history.pinned if one.confirmed)
    return (
        f"{len(history.asked)} requests, {answered} answered; {confirmed} of "
        f"{len(history.pinned)} swaps confirmed; {len(history.kept)} versions; "
        f"{len(history.fault)} faults, {len(history.lived)} processes of proxies; "
        f"{served.excused(known)} answers older than promised, but excused"
    )


def main(path: str) -> int:
    history = History.read(Path(path))
    found = violations(history)
    sys.stdout.writelines(f"{line}\n" for line in (summary(history), *found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
