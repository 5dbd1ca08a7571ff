"""Which target a request goes to first, and which next. Pure: random numbers are passed in."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from proxy.routing.rules import Rules


def order(
    rules: Rules,
    able: tuple[int, ...],
    draw: float,
    shut: Collection[int] = (),
    scores: Sequence[float] = (),
) -> tuple[int, ...]:
    """Return `able`, the numbers of targets that can be asked, in the order to ask them.

    Of those that share the requests the first is the one with the highest of `scores`, if there are
    any; else it is drawn by weight, with `draw` from [0, 1). The others follow as they stand in the
    version, fallbacks last. None of `shut`, whose circuits are
    open, comes first, unless that leaves nobody: then all are treated alike.
    """
    free = [target for target in able if target not in shut] or able
    sharing = [target for target in free if target < len(rules.weights)]
    first = free[0]
    if sharing and scores:
        first = max(sharing, key=scores.__getitem__)
    elif len(sharing) > 1:
        first = sharing[pick([rules.weights[target] for target in sharing], draw)]
    return (first, *(target for target in able if target != first))


def pick(weights: Sequence[int], draw: float) -> int:
    """Return an index into `weights`, which are positive: each for its share of [0, 1)."""
    point, reached = draw * sum(weights), 0
    for index, weight in enumerate(weights):
        reached += weight
        if point < reached:
            return index
    # A draw just below 1 is rounded up.
    return len(weights) - 1
