"""Ask the live proxies what they would send, and read the answers."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from proxy.control.ask import LIMIT_S, ask_fleet
from proxy.dialects.registry import DIALECTS
from proxy.fleet.probe import probed
from proxy.fleet.snapshot import Served
from proxy.store.base import MAX_QUESTION_BYTES, Store
from proxy.versions.question import FAILED, PROBE, Probe, Probed, Sample, answered
from proxy.versions.record import Member

FIXED = (Sample((("user", "Hello"),)),)
"""What is asked of a model that has no cases of its own."""

# The rest of a question is names.
_MOST_BYTES = MAX_QUESTION_BYTES // 2


def within(samples: Sequence[Sample]) -> tuple[Sample, ...]:
    """Return as many of `samples` as one question holds, from the first; the fixed one if that is
    none."""
    chosen, size = [], 0
    for sample in samples:
        size += len(msgspec.json.encode(sample)) + 1
        if size > _MOST_BYTES:
            break
        chosen.append(sample)
    return tuple(chosen) or FIXED


async def probe(
    store: Store,
    model: str,
    label: str,
    samples: tuple[Sample, ...],
    members: Iterable[Member],
    limit_s: float = LIMIT_S,
) -> dict[str, Probed]:
    """Return what the members, by key, would send for `samples`, as far as they answer in time."""
    answers = await ask_fleet(store, PROBE, Probe(model, label, samples), members, limit_s)
    read = {key: answered(body, Probed) for key, body in answers.items()}
    return {key: one for key, one in read.items() if one is not None}


def telling(one: Served, other: Served, samples: tuple[Sample, ...]) -> frozenset[str]:
    """Return the dialects in which the two versions make different bodies of `samples`: what
    routing or a dialect's own parameters say may show in some, or in none."""
    asked = Probe(one.version.info.model, "", samples)
    mine, theirs = probed(one, asked, DIALECTS).bodies, probed(other, asked, DIALECTS).bodies
    return frozenset(name for name in DIALECTS if mine[name] != theirs[name])


def summed(bodies: Sequence[str]) -> str:
    """Return one digest for the bodies of all samples: that of the body if there is one, and the
    code if none could be composed."""
    if len(bodies) == 1 or (bodies and all(one.startswith(FAILED) for one in bodies)):
        return bodies[0]
    return hashlib.sha256("\n".join(bodies).encode()).hexdigest()


def summary(one: Probed | None) -> Mapping[str, object] | None:
    """Return what a report keeps of an answer."""
    if one is None:
        return None
    if one.error:
        return {"error": one.error}
    bodies = {name: summed(sent) for name, sent in one.bodies.items()}
    return {"version": one.version, "digest": one.digest, "bodies": bodies}
