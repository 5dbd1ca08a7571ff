import string

from hypothesis import given
from hypothesis import strategies as st

from proxy.store import pin_text
from proxy.store.pin_text import MAX_EPOCH
from proxy.versions.names import version_id
from proxy.versions.record import Pin

HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
PRINTABLE = st.text(string.ascii_letters + string.digits + "-_.", min_size=1, max_size=40)


@st.composite
def pins(draw):
    digits = draw(HEX)
    model = draw(st.sampled_from(["recommender", "r", "a-v1", "x-v2-abc"]))
    id = version_id(model, draw(st.integers(1, 999_999_999)), digits[: draw(st.integers(6, 64))])
    label, epoch = draw(st.sampled_from(["prod", "canary"])), draw(st.integers(1, MAX_EPOCH))
    return Pin(model, label, epoch, id, "sha256:" + digits, draw(PRINTABLE))


@given(pins())
def test_what_was_written_is_read(pin):
    text = pin_text.encode(pin)

    assert pin_text.decode(pin.model, pin.label, text) == pin
    assert pin_text.decode(pin.model, pin.label, text.encode()) == pin


@given(pins(), st.data())
def test_a_text_that_was_cut_is_not_taken_for_another_pin(pin, data):
    text = pin_text.encode(pin)
    cut = text[: data.draw(st.integers(0, len(text) - len(pin.operation)))]

    assert pin_text.decode(pin.model, pin.label, cut) is None


@given(pins(), st.sampled_from(["other", "recommende", "recommender2"]))
def test_a_pin_of_another_model_is_none_of_ours(pin, model):
    assert pin_text.decode(model, pin.label, pin_text.encode(pin)) is None


@given(st.text() | st.binary())
def test_any_text_is_read_or_refused(text):
    pin_text.decode("recommender", "prod", text)


@given(st.integers(0, MAX_EPOCH))
def test_an_epoch_is_read_as_it_was_written(epoch):
    assert pin_text.decode_epoch(str(epoch)) == epoch
    assert pin_text.decode_epoch(str(epoch).encode()) == epoch


@given(st.none() | st.text() | st.binary())
def test_any_epoch_is_a_number_that_can_be_counted(text):
    assert 0 <= pin_text.decode_epoch(text) <= MAX_EPOCH


@given(st.lists(pins(), unique_by=lambda pin: (pin.model, pin.label)), st.integers(0, 100))
def test_the_epoch_is_the_highest_that_is_known(many, epoch):
    texts = {(pin.model, pin.label): pin_text.encode(pin) for pin in many}

    read = pin_text.assemble(str(epoch), texts)

    assert read.epoch == max([epoch, *(pin.epoch for pin in many)])
    assert set(read.pins.values()) == set(many)


def test_only_a_label_that_was_pinned_before_can_be_missing():
    read = pin_text.assemble(b"3", {("a", "prod"): None, ("b", "prod"): None}, [("a", "prod")])

    assert read.broken == {("a", "prod")}
