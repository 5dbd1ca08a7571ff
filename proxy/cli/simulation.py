"""The simulated vendor beside a command: it plays vendors whose key is not set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proxy.cli.background import in_background
from proxy.control.first_run import keyless, simulated
from proxy.settings import Settings

if TYPE_CHECKING:
    from proxy.simvendor.server import SimulatedVendor


@contextmanager
def with_simulated(
    settings: Settings, env: Mapping[str, str], models: Sequence[str]
) -> Iterator[tuple[Settings, list[str]]]:
    """Yield settings in which the simulated vendor plays those without a key, and their names; it
    lists `models` too, and runs until the end of the block."""
    played = keyless(settings, env)
    if not played:
        yield settings, played
        return

    def vendor() -> SimulatedVendor:
        from proxy.simvendor.server import SimulatedVendor  # nobody else needs it

        return SimulatedVendor(auth=False, models=models)

    with in_background(vendor) as running:
        yield simulated(settings, played, running.url), played
