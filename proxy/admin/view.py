"""What the admin listener shows of a running proxy. No secrets, no prompts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy import __version__
from proxy.fleet.follow import Follower
from proxy.observe.exposition import described
from proxy.observe.log_sink import LogSink
from proxy.observe.stats import Stats
from proxy.versions.evidence import Drill


@dataclass(frozen=True, slots=True)
class AdminView:
    follower: Follower
    stats: Stats
    sink: LogSink
    draining: Callable[[], bool]
    clock: Callable[[], float]
    circuits: Callable[[], Mapping[str, str]]

    @property
    def is_ready(self) -> bool:
        return self.follower.snapshot.loaded and not self.draining()

    def readiness(self) -> dict[str, Any]:
        state = self.follower.state
        return {
            "ready": self.is_ready,
            "draining": self.draining(),
            "store_connected": state.connected,
            "source": state.source,
        }

    def status(self) -> dict[str, Any]:
        """Everything that an operator at one proxy wants to know."""
        follower, state = self.follower, self.follower.state
        contact = state.last_contact
        return {
            "name": follower.reporter.name,
            "instance": follower.reporter.instance,
            **self.readiness(),
            "epoch": follower.snapshot.epoch,
            "serving": follower.snapshot.serving(),
            "rejected": {f"{m}@{label}": why for (m, label), why in state.rejected.items()},
            "store_regressed": state.regressed,
            "last_contact_s": None if contact is None else round(self.clock() - contact, 3),
            "leased": follower.reporter.leased,
            "not_saved": follower.saver.not_saved,
            "in_flight": self.stats.in_flight,
            "circuits": dict(self.circuits()),
            "drills": {drill.model: self._drill(drill) for drill in follower.drills.known.values()},
        }

    def _drill(self, drill: Drill) -> dict[str, Any]:
        return {
            "at": drill.at,
            "age_s": round(self.follower.drills.age_s(drill), 3),
            "rollback_ms": drill.rollback_ms,
            "reverted": drill.reverted,
        }

    def metrics(self) -> Iterator[str]:
        """Yield lines in Prometheus' text format."""
        follower, state = self.follower, self.follower.state
        yield from described("proxy_build_info", "gauge", "1, by the release that runs.")
        yield f'proxy_build_info{{version="{__version__}"}} 1'
        gauges = {
            ("proxy_ready", "Whether it should get traffic."): self.is_ready,
            ("proxy_store_connected", "Whether it follows the store."): state.connected,
            ("proxy_store_regressed", "Whether the store knows less than it."): state.regressed,
            ("proxy_epoch", "Up to which epoch it follows."): follower.snapshot.epoch,
            ("proxy_pins_rejected", "Pins that it does not follow."): len(state.rejected),
            ("proxy_leased", "Whether the fleet sees it."): follower.reporter.leased,
            ("proxy_snapshot_saved", "Whether last known good is up to date."): (
                not follower.saver.not_saved
            ),
            ("proxy_circuits_open", "Circuits that are not closed."): len(self.circuits()),
        }
        for (name, text), value in gauges.items():
            yield from described(name, "gauge", text)
            yield f"{name} {int(value)}"
        yield from self._drill_lines()
        dropped = "Log lines that were lost, because nobody read."
        yield from described("proxy_log_lines_dropped_total", "counter", dropped)
        yield f"proxy_log_lines_dropped_total {self.sink.dropped}"
        yield from self.stats.lines()

    def _drill_lines(self) -> Iterator[str]:
        known = self.follower.drills
        values: dict[tuple[str, str], Callable[[Drill], float]] = {
            ("proxy_drill_age_seconds", "Time since a model's last drill."): (
                lambda drill: round(known.age_s(drill), 1)
            ),
            ("proxy_drill_rollback_seconds", "How long its rollback took."): (
                lambda drill: round(drill.rollback_ms / 1000, 6)
            ),
            ("proxy_drill_reverted", "Whether behaviour went back."): (
                lambda drill: int(drill.reverted)
            ),
        }
        for (name, text), value in values.items():
            yield from described(name, "gauge", text)
            for model, drill in sorted(known.known.items()):
                yield f'{name}{{model="{model}"}} {value(drill)}'


@dataclass(frozen=True, slots=True)
class Alone:
    """What the admin listener of a single proxy shows."""

    view: AdminView

    async def readiness(self) -> dict[str, Any]:
        return self.view.readiness()

    async def status(self) -> dict[str, Any]:
        return self.view.status()

    async def metrics(self) -> Iterator[str]:
        return self.view.metrics()
