"""How an eval advances, on stderr: a bar in a terminal, nothing where nobody looks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from proxy.cli.clean import clean
from proxy.control.eval_progress import Scored
from proxy.control.eval_run import Watch

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Silent:
    def begin(self, what: str, total: int, known: int) -> None: ...

    def heard(self, scored: Scored) -> None: ...

    def end(self) -> None: ...


class Bar:
    """One bar for each version that is evaluated."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._progress: Progress = Progress(
            TextColumn("{task.fields[what]}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[failed]}", markup=False),
            console=Console(file=sys.stderr),
        )
        self._task: TaskID | None = None
        self._failed = 0

    def begin(self, what: str, total: int, known: int) -> None:
        self._failed = 0
        self._task = self._progress.add_task(
            "", total=total, completed=known, what=clean(what), failed=""
        )
        self._progress.start()

    def heard(self, scored: Scored) -> None:
        assert self._task is not None
        self._failed += bool(scored.error)
        failed = f"{self._failed} not answered" if self._failed else ""
        self._progress.update(self._task, advance=1, failed=failed)

    def end(self) -> None:
        self._progress.stop()


def watch(*, quiet: bool) -> Watch:
    """Return a bar where somebody looks at stderr, unless it is to be `quiet`."""
    return Silent() if quiet or not sys.stderr.isatty() else Bar()
