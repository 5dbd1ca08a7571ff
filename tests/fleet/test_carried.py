"""In which dialects a version is compiled, and when."""

import pytest

from proxy.dialects.registry import DIALECTS
from proxy.errors import WrongDialect
from proxy.fleet.carried import Carried
from proxy.fleet.snapshot import make_ready
from proxy.versions.content import Content
from tests.contracts.places import MODEL, pin
from tests.fleet.following import Eyes, following, in_no_dialect, text_of
from tests.fleet.test_snapshot import version

OF_OPENAI = ("openai.chat", "openai.responses")
FOR_CHAT_ONLY = {"generation": {"seed": 1}}


def spoken(*names):
    return lambda _: names


def content(system="Jackets.", **more):
    return Content.model_validate_json(text_of(system, **more))


def test_a_version_is_compiled_for_what_is_spoken_and_no_more():
    served = make_ready(version(text_of("Jackets.")), spoken(*OF_OPENAI))

    assert served.dialects.compiled.keys() == set(OF_OPENAI)


def test_another_dialect_is_compiled_once_it_is_asked_for():
    served = make_ready(version(text_of("Jackets.")), spoken("openai.chat"))

    found = served.compiled("anthropic.messages")

    assert served.compiled("anthropic.messages") is found
    assert served.dialects.compiled.keys() == {"openai.chat", "anthropic.messages"}


def test_a_version_is_ready_if_a_dialect_carries_it_that_is_not_spoken():
    served = make_ready(version(text_of("x", **FOR_CHAT_ONLY)), spoken("anthropic.messages"))

    assert served.compiled("openai.chat") is not None
    with pytest.raises(WrongDialect):
        served.compiled("anthropic.messages")


@pytest.mark.parametrize("names", [(), OF_OPENAI, tuple(DIALECTS)], ids=len)
def test_a_version_that_no_dialect_can_carry_is_never_ready(names):
    with pytest.raises(WrongDialect):
        make_ready(version(in_no_dialect()), spoken(*names))


def test_the_dialects_that_can_carry_it_are_told_by_name():
    carried = Carried(content(**FOR_CHAT_ONLY))

    assert "openai.chat" in carried
    assert "anthropic.messages" not in carried
    assert "fax" not in carried
    assert set(carried) < set(DIALECTS)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_the_first_request_after_a_pin_waits_for_no_compiling(place, store, infos, tmp_path):
    own = place.open()
    async with following(own, tmp_path / "kept", fit=Eyes(spoken=OF_OPENAI)) as proxy:
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])
        served = proxy.resolve(MODEL).served
    await own.close()

    assert served.dialects.compiled.keys() == set(OF_OPENAI)


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
async def test_a_holder_that_came_from_disk_is_compiled_before_it_is_served_again(
    store, infos, tmp_path, place
):
    own, eyes = place.open(), Eyes(spoken=OF_OPENAI)
    async with following(own, tmp_path / "kept", fit=eyes) as proxy:
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])
    async with following(own, tmp_path / "kept", fit=eyes) as proxy:
        (holder,) = proxy.follower.snapshot.holders
        before = set(holder.dialects.compiled)
        await pin(store, infos[0])
        await proxy.until_serving(infos[0])
        served = proxy.resolve(MODEL).served
    await own.close()

    assert before < set(OF_OPENAI)
    assert served is holder
    assert served.dialects.compiled.keys() == set(OF_OPENAI)
