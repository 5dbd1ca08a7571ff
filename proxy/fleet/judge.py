"""Whether a pin is followed: what it names is verified before it is served.

What was refused is remembered for a moment, so that a pin nobody can follow is not fetched four
times a second; a version that comes later is found all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from proxy.errors import RequestError, StoreUnavailable, StoreUnsafe, UnknownVersionAsked
from proxy.fleet.held import Held
from proxy.fleet.snapshot import Pinned, Served, Snapshot
from proxy.versions.names import split_id
from proxy.versions.record import Pin, PinKey

# A pin that could not be followed is tried again this often.
REFUSED_FOR_S = 1.0


@dataclass(frozen=True, slots=True)
class _Refused:
    pin: Pin
    reason: str
    until_s: float


class Judge:
    """Judges pins against what is served. `held` is where versions come from."""

    def __init__(self, held: Held, clock: Callable[[], float]) -> None:
        self._held = held
        self._clock = clock
        self._refused: dict[PinKey, _Refused] = {}

    async def judge(self, key: PinKey, pin: Pin, snapshot: Snapshot) -> Pinned | str | None:
        """Return the pin made ready to serve, or why it is rejected; None: nothing changes.

        Raises `StoreUnavailable`.
        """
        held = snapshot.pinned.get(key)
        if held is not None and pin.epoch <= held.pin.epoch:
            return None
        if held is not None and (pin.id, pin.digest) == (held.pin.id, held.pin.digest):
            return Pinned(pin, held.served)
        refused = self._refused.get(key)
        if refused is not None and refused.pin == pin and self._clock() < refused.until_s:
            return refused.reason
        verified = await self.verified(pin.model, pin.id, pin.digest, snapshot)
        self._refused.pop(key, None)
        if isinstance(verified, Served):
            return Pinned(pin, verified)
        self._refused[key] = _Refused(pin, verified, self._clock() + REFUSED_FOR_S)
        return verified

    async def verified(self, model: str, id: str, digest: str, snapshot: Snapshot) -> Served | str:
        """Return the version, or the code of what is wrong with it. Raises `StoreUnavailable`."""
        try:
            full = split_id(id)
            if full is None or full[0] != model:
                raise UnknownVersionAsked()
            return await self._held.verified(id, digest, snapshot)
        except StoreUnavailable:
            raise
        except (RequestError, StoreUnsafe) as error:
            return error.code
        except Exception as error:
            # A version that our own code cannot bear must not end the following of all others.
            return type(error).__name__
