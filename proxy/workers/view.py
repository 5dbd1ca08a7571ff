"""What the admin listener shows of all workers together: each is asked, none is waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.observe.exposition import described
from proxy.workers.child import Child
from proxy.workers.merge import Tally, merged
from proxy.workers.messages import What
from proxy.workers.team import Team


@dataclass(slots=True)
class WholeView:
    """`team` serves; `before` are those that only finish what they began."""

    team: Team
    before: list[Team] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)
    restarts: int = 0
    draining: bool = False

    async def readiness(self) -> dict[str, Any]:
        """Ready are all that run, and at least one: the kernel gives connections to each."""
        return self._readiness(await _asked(self.team.serving, What.READINESS))

    def _readiness(self, answers: Sequence[Any | None]) -> dict[str, Any]:
        ready = [bool(answer and answer["ready"]) for answer in answers]
        return {
            "ready": not self.draining and bool(ready) and all(ready),
            "draining": self.draining,
            "workers_running": len(ready),
            "workers_ready": sum(ready),
        }

    async def status(self) -> dict[str, Any]:
        """Everything that one proxy shows, of each."""
        running = self.team.serving
        answers = await _asked(running, What.STATUS)
        return {
            **self._readiness(answers),
            "restarts": self.restarts,
            "older_workers": len(list(self._others())),
            "workers": [
                {
                    "worker": child.worker,
                    "pid": child.pid,
                    "answers": answer is not None,
                    **(answer or {}),
                }
                for child, answer in zip(running, answers, strict=True)
            ],
        }

    async def metrics(self) -> list[str]:
        """Return lines in Prometheus' text format."""
        asked = [*self.team.serving, *self._others()]
        for child, page in zip(asked, await _asked(asked, What.METRICS), strict=True):
            child.page = page or child.page
        # Who went meanwhile is in the tally: nobody must be counted twice.
        now = {child.worker: child.page for child in self.team.serving}
        others = [(child.worker, child.page) for child in self._others()]
        return [
            *described("proxy_workers", "gauge", "Workers that run."),
            f"proxy_workers {len(now)}",
            *described("proxy_worker_restarts_total", "counter", "Workers replaced after a death."),
            f"proxy_worker_restarts_total {self.restarts}",
            *merged(now, others, self.tally),
        ]

    def _others(self) -> Iterable[Child]:
        return (child for team in self.before for child in team.children.values())


async def _asked(children: Iterable[Child], what: What) -> list[Any | None]:
    return await asyncio.gather(*(child.ask(what) for child in children))
