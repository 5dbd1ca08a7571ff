"""Making versions ready, and looking them up."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import NotPinned, UnknownModel, UnknownVersionAsked, VersionCorrupt, WrongDialect
from proxy.fleet.snapshot import (
    LARGE_BYTES,
    MOST_HOLDERS,
    Pinned,
    Snapshot,
    former,
    make_ready,
    ready,
    target_of,
)
from proxy.routing.address import parse_address
from proxy.versions.content import MAX_CONTENT_BYTES
from proxy.versions.identity import digest
from proxy.versions.record import Meta, Pin, Version, VersionInfo
from proxy.versions.routing import VendorModel
from tests.fleet.following import from_the_future, in_no_dialect, text_of


def version(text, **changed):
    content = text.encode()
    mark = digest(content)
    id = f"recommender-v7-{mark.removeprefix('sha256:')[:6]}"
    info = VersionInfo("recommender", 7, id, mark, "", Meta("ada"), len(content))
    return Version(replace(info, **changed), content)


def test_a_version_is_ready_for_every_dialect_that_can_carry_it():
    served = make_ready(version(text_of("Jackets.")))

    assert served.compiled("openai.chat") is not None
    assert served.compiled("openai.responses") is not None
    with pytest.raises(WrongDialect):
        served.compiled("fax")


def test_the_stamp_names_the_version_and_its_digest():
    made = version(text_of("Jackets."))

    assert make_ready(made).stamp.decode() == (
        f"x-proxy-version: {made.info.id}\r\nx-proxy-digest: {made.info.digest}\r\n"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        version(text_of("Jackets."), digest="sha256:" + "0" * 64),
        version(text_of("Jackets."), id="recommender-v7-000000"),
        version(text_of("Jackets."), id="recommender-v8-" + digest(b"")[7:13]),
        version(text_of("Jackets."), id="x\r\nset-cookie: y"),
        version(text_of("Jackets."), model="ranker"),
        version(text_of("x" * MAX_CONTENT_BYTES)),
        version(from_the_future()),
        version("{}"),
        version("not JSON"),
    ],
    ids=["digest", "digits", "number", "no id", "model", "size", "future", "empty", "garbage"],
)
def test_what_is_not_the_version_that_it_says_is_never_served(wrong):
    with pytest.raises(VersionCorrupt):
        make_ready(wrong)


def test_a_version_that_no_dialect_can_carry_is_not_served():
    with pytest.raises(WrongDialect):
        make_ready(version(in_no_dialect()))


@given(id=st.text(min_size=1, max_size=256))
def test_a_vendor_models_id_cannot_end_a_header_line(id):
    stamp = target_of(VendorModel(vendor="openai", id=id.encode(errors="replace").decode())).stamp

    assert stamp.isascii()
    assert stamp.decode().isprintable()


async def test_a_large_version_does_not_stop_the_event_loop():
    large = version(text_of("Wear a {{thing}}. " * 50_000, variables={"thing": {"default": "hat"}}))
    assert len(large.content) > LARGE_BYTES
    making = asyncio.create_task(ready(large))
    turns = 0
    while not making.done():
        await asyncio.sleep(0.001)
        turns += 1

    assert (await making).id == large.info.id
    assert turns >= 5


def snapshot():
    served = make_ready(version(text_of("Jackets.")))
    pin = Pin("recommender", "prod", 3, served.id, served.version.info.digest, "op")
    return Snapshot.of(3, {("recommender", "prod"): Pinned(pin, served)}, frozenset({"ranker"}))


def test_a_label_gives_what_is_pinned_to_it():
    one = snapshot()

    assert one.by_label(parse_address("recommender")) is one.by_text["recommender"]


@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("ranker", NotPinned),
        ("nobody", UnknownModel),
        ("nobody@staging", UnknownModel),
        ("ranker@staging", UnknownVersionAsked),
        ("recommender@staging", UnknownVersionAsked),
    ],
)
def test_what_is_not_pinned_says_why(name, error):
    with pytest.raises(error):
        snapshot().by_label(parse_address(name))


def test_what_is_served_is_told_by_label():
    one = snapshot()

    assert one.serving() == {"recommender@prod": one.by_text["recommender"].served.id}


def _pinned(text, label="prod", epoch=1):
    served = make_ready(version(text_of(text)))
    info = served.version.info
    return Pinned(Pin("recommender", label, epoch, info.id, info.digest, "op"), served)


def _by_key(*items):
    return {(item.pin.model, item.pin.label): item for item in items}


def test_what_a_label_held_last_is_the_first_of_the_holders():
    jackets, hats, shoes = (_pinned(text) for text in ("Jackets.", "Hats.", "Shoes."))
    first = Snapshot.of(1, _by_key(jackets))
    second = Snapshot.of(2, _by_key(hats), holders=former(first, _by_key(hats)))

    assert former(second, _by_key(shoes)) == (hats.served, jackets.served)


def test_what_a_label_still_holds_is_no_former_holder():
    jackets, hats = _pinned("Jackets."), _pinned("Hats.")
    staging = _pinned("Jackets.", "staging")
    before = Snapshot.of(1, _by_key(jackets, staging))

    assert former(before, _by_key(hats, staging)) == ()


def test_what_comes_back_is_a_former_holder_no_more():
    jackets, hats = _pinned("Jackets."), _pinned("Hats.")
    before = Snapshot.of(2, _by_key(hats), holders=(jackets.served,))

    assert former(before, _by_key(jackets)) == (hats.served,)


def test_holders_are_bounded_and_the_oldest_goes_first():
    snapshot = Snapshot.of(1, _by_key(_pinned("0")))
    for number in range(1, MOST_HOLDERS + 5):
        pinned = _by_key(_pinned(str(number)))
        snapshot = Snapshot.of(number, pinned, holders=former(snapshot, pinned))

    held = [served.content.system for served in snapshot.holders]
    assert held == [str(number) for number in range(MOST_HOLDERS + 3, 3, -1)]


def test_current_are_the_versions_that_labels_hold():
    jackets, hats = _pinned("Jackets."), _pinned("Hats.")
    snapshot = Snapshot.of(2, _by_key(hats), holders=(jackets.served,))

    assert snapshot.current() == {hats.served.id}
    assert list(snapshot.versions("recommender")) == [hats.served, jackets.served]
