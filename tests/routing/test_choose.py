"""Who is asked first: shares are exact, and nobody is asked who cannot answer."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.choose import order, pick
from proxy.routing.retry import targets
from proxy.routing.rules import Rules
from proxy.versions.routing import Routing, SharedTarget, Target

weightings = st.lists(st.integers(1, 40), min_size=1, max_size=6)
draws = st.floats(0, 1, exclude_max=True)


@st.composite
def choices(draw):
    """Return rules, and the numbers of the targets that can be asked: at least one."""
    weights = tuple(draw(st.just([]) | weightings.filter(lambda w: len(w) > 1)))
    count = max(1, len(weights)) + draw(st.integers(0, 3))
    able = draw(st.sets(st.integers(0, count - 1), min_size=1))
    return Rules(600.0, weights=weights), tuple(sorted(able))


@given(weightings)
def test_each_gets_exactly_its_share_of_evenly_spread_draws(weights):
    total = sum(weights)

    drawn = Counter(pick(weights, (place + 0.5) / total) for place in range(total))

    assert drawn == dict(enumerate(weights))


@given(weightings, draws | st.just(1.0))
def test_every_draw_picks_somebody(weights, draw):
    assert 0 <= pick(weights, draw) < len(weights)


@given(choices(), draws)
def test_all_who_can_be_asked_are_in_the_order_once(choice, draw):
    rules, able = choice

    assert sorted(order(rules, able, draw)) == list(able)


@given(choices(), draws)
def test_one_who_shares_comes_first_and_the_rest_as_it_stands(choice, draw):
    rules, able = choice

    first, *rest = order(rules, able, draw)

    sharing = [target for target in able if target < len(rules.weights)]
    assert first in (sharing or able[:1])
    assert rest == sorted(rest)


@given(choices())
def test_the_share_of_one_who_cannot_be_asked_goes_to_the_others_by_weight(choice):
    rules, able = choice
    sharing = {target: rules.weights[target] for target in able if target < len(rules.weights)}
    total = sum(sharing.values())

    drawn = Counter(order(rules, able, (place + 0.5) / total)[0] for place in range(total))

    assert drawn == sharing


def test_targets_are_numbered_first_those_that_share_and_then_the_fallbacks():
    one, two, three = (Target(vendor=f"vendor-{n}", id="gpt-4o") for n in range(3))
    shared = SharedTarget(vendor=two.vendor, id=two.id, weight=9)
    routing = Routing(weight=3, targets=(shared,), fallback=(three,))

    assert targets(one, routing) == (one, shared, three)
    assert Rules.of(routing).weights == (3, 9)
    assert Rules.of(Routing(fallback=(three,))).weights == ()


@given(choices(), draws, st.sets(st.integers(0, 8)))
def test_nobody_whose_circuit_is_open_comes_first_unless_all_are(choice, draw, shut):
    rules, able = choice

    first, *rest = order(rules, able, draw, shut)

    assert sorted([first, *rest]) == list(able)
    assert first not in shut or shut.issuperset(able)


@given(choices(), draws)
def test_where_all_circuits_are_open_none_counts(choice, draw):
    rules, able = choice

    assert order(rules, able, draw, set(able)) == order(rules, able, draw)


@given(choices(), draws, st.lists(st.floats(0.1, 9.0), min_size=9, max_size=9, unique=True))
def test_who_suits_best_of_those_that_share_comes_first_whatever_the_draw(choice, draw, scores):
    rules, able = choice

    first, *rest = order(rules, able, draw, scores=scores)

    sharing = [target for target in able if target < len(rules.weights)]
    assert first == (max(sharing, key=scores.__getitem__) if sharing else able[0])
    assert rest == sorted(rest)
