"""What a repair does, decided from what the store and the fleet hold."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.versions.question import Wanted
from proxy.versions.record import Pin, Pins
from proxy.versions.repair import Copy, Found, RepairPlan, plan

KEY = ("shop", "prod")


def version(number, letter="a", model="shop"):
    return Wanted(model, number, f"{model}-v{number}-{letter * 6}", "sha256:" + letter * 64)


V1, V2, V3 = version(1, "a"), version(2, "b"), version(3, "c")


def pin(wanted, epoch, label="prod"):
    return Pin(wanted.model, label, epoch, wanted.id, wanted.digest, f"op-{epoch}")


def found(*versions, pins=(), epoch=0, broken=(), unrecorded=(), damaged=()):
    held = {(one.model, one.label): one for one in pins}
    highest = max([epoch, *(one.epoch for one in pins)])
    return Found(
        Pins(highest, held, frozenset(broken)),
        {(one.model, one.number): one for one in versions},
        {one.id for one in versions} - {one.id for one in damaged},
        tuple(unrecorded),
    )


def proxy(name, *versions, pins=(), epoch=0):
    highest = max([epoch, *(one.epoch for one in pins)])
    return Copy(f"{name}/1", name, tuple(versions), tuple(pins), highest)


def restored(made):
    return [one.version.id for one in made.restore]


def test_a_store_that_agrees_with_its_fleet_needs_nothing():
    store = found(V1, pins=[pin(V1, 4)])

    assert plan(store, [proxy("web-1", V1, pins=[pin(V1, 4)])]) == RepairPlan(epoch=4)


def test_a_proxy_that_is_behind_is_no_reason_to_do_anything():
    store = found(V1, V2, pins=[pin(V2, 5)])

    assert plan(store, [proxy("web-1", V1, pins=[pin(V1, 4)])]).is_empty


def test_an_empty_store_gets_back_what_the_fleet_holds_under_its_numbers():
    made = plan(found(), [proxy("web-1", V2, V1, pins=[pin(V2, 7)])])

    assert restored(made) == [V1.id, V2.id]
    assert [(one.pin.id, one.held, one.served_by) for one in made.repin] == [
        (V2.id, None, ("web-1",))
    ]
    assert made.epoch == 7


def test_a_version_whose_bytes_are_damaged_comes_back():
    store = found(V1, pins=[pin(V1, 4)], damaged=[V1])

    made = plan(store, [proxy("web-1", V1, pins=[pin(V1, 4)])])

    assert restored(made) == [V1.id]
    assert made.repin == ()


def test_a_number_that_was_given_to_other_content_is_not_taken_back():
    other = version(2, "d")

    made = plan(found(other), [proxy("web-1", V2)])

    assert made.restore == ()
    assert V2.id in made.remarks[0]
    assert other.id in made.remarks[0]


def test_content_that_has_another_number_now_is_not_registered_twice():
    renumbered = Wanted("shop", 9, "shop-v9-bbbbbb", V2.digest)

    made = plan(found(renumbered), [proxy("web-1", V2)])

    assert made.restore == ()
    assert len(made.remarks) == 1


def test_two_copies_that_differ_give_only_the_first():
    made = plan(found(), [proxy("web-1", V2), proxy("web-2", version(2, "d"))])

    assert restored(made) == [V2.id]
    assert "web-2" in made.remarks[0]


def test_a_store_that_went_back_is_pinned_to_what_the_fleet_serves():
    store = found(V1, V2, pins=[pin(V1, 4)])

    made = plan(store, [proxy("web-1", V2, pins=[pin(V2, 6)])])

    assert [(one.pin.id, one.held) for one in made.repin] == [(V2.id, V1.id)]


def test_two_stores_that_parted_at_one_epoch_take_what_is_served():
    store = found(V1, V2, pins=[pin(V1, 4)])

    assert plan(store, [proxy("web-1", V2, pins=[pin(V2, 4)])]).repin[0].pin.id == V2.id


def test_of_two_proxies_the_higher_epoch_wins_and_it_is_said():
    copies = [proxy("web-1", V2, pins=[pin(V2, 6)]), proxy("web-2", V3, pins=[pin(V3, 7)])]

    made = plan(found(V1, V2, V3), copies)

    assert [one.pin.id for one in made.repin] == [V3.id]
    assert any("differ" in remark and V2.id in remark for remark in made.remarks)


def test_a_broken_pin_is_written_again():
    store = found(V1, broken=[KEY], epoch=4)

    assert plan(store, [proxy("web-1", V1, pins=[pin(V1, 4)])]).repin[0].pin.id == V1.id


def test_what_is_served_and_held_by_nobody_is_said():
    made = plan(found(), [proxy("web-1", pins=[pin(V1, 4)])])

    assert made.repin == ()
    assert V1.id in made.remarks[0]


def test_an_epoch_that_another_store_counted_says_nothing():
    store = found(V1, V2, pins=[pin(V1, 4)])

    assert plan(store, [proxy("web-1", V2, pins=[pin(V2, 0)])]).is_empty


def test_a_pin_set_by_hand_is_recorded():
    by_hand = pin(V1, 5)

    made = plan(found(V1, pins=[by_hand], unrecorded=[by_hand]), [])

    assert made.record == (by_hand,)


def test_a_pin_set_by_hand_that_gives_way_is_not_recorded():
    by_hand = pin(V1, 5)
    store = found(V1, V2, pins=[by_hand], unrecorded=[by_hand])

    made = plan(store, [proxy("web-1", V2, pins=[pin(V2, 9)])])

    assert made.record == ()
    assert len(made.repin) == 1


def test_a_pin_set_by_hand_to_what_is_not_registered_stays_unrecorded():
    by_hand = pin(V1, 5)

    made = plan(found(pins=[by_hand], unrecorded=[by_hand]), [])

    assert made.record == ()
    assert "by hand" in made.remarks[0]


def test_an_epoch_that_alone_is_behind_is_raised_by_writing_a_pin_again():
    store = found(V1, pins=[pin(V1, 4)])

    made = plan(store, [proxy("web-1", V1, pins=[pin(V1, 4)], epoch=9)])

    assert [(one.pin.id, one.held) for one in made.repin] == [(V1.id, V1.id)]
    assert made.epoch == 9


_VERSIONS = st.sampled_from([version(n, letter) for n in (1, 2, 3) for letter in "abc"])
_PINS = st.builds(pin, _VERSIONS, st.integers(1, 9), st.sampled_from(["prod", "staging"]))
_COPIES = st.builds(
    lambda name, versions, pins: proxy(name, *versions, pins=pins),
    st.sampled_from(["web-1", "web-2", "web-3"]),
    st.lists(_VERSIONS, max_size=4),
    st.lists(_PINS, max_size=3),
)


@given(st.lists(_VERSIONS, max_size=3, unique_by=lambda v: v.number), st.lists(_COPIES, max_size=3))
def test_nothing_that_is_there_is_given_away_and_nothing_is_there_twice(held, copies):
    unique = {one.digest: one for one in held}.values()
    made = plan(found(*unique), copies)

    after = [*unique, *(one.version for one in made.restore)]
    assert len({one.number for one in after}) == len({one.id for one in after})
    assert len({one.digest for one in after}) == len({one.id for one in after})
    assert {one.pin.id for one in made.repin} <= {one.id for one in after}
