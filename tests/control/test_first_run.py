import pytest

from proxy.control.act import Act
from proxy.control.first_run import keyless, prepare, simulated
from proxy.errors import InvalidFiles
from proxy.settings import Settings

VERSION = '[model]\nvendor = "openai"\nid = "gpt-4o"\n'
KEY_ENV = {"base_url": "https://api.openai.com", "api_key_env": "KEY"}


@pytest.fixture
def settings(tmp_path):
    for name in ("shop", "ranker"):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "version.toml").write_text(VERSION)
        (folder / "system.md").write_text(f"{name} one")
    return Settings.model_validate({"models": {"dir": tmp_path / "models"}})


def _act(number=1):
    return Act("ada@host", f"up-{number}")


async def test_everything_is_registered_and_pinned(shop, settings):
    prepared = await prepare(shop.store, settings, _act())

    assert [one.registered.info.model for one in prepared] == ["ranker", "shop"]
    assert all(one.up_to_date for one in prepared)
    assert await shop.held() == "v1"


async def test_a_second_run_changes_nothing(shop, settings):
    await prepare(shop.store, settings, _act(1))

    await prepare(shop.store, settings, _act(2))

    assert (await shop.store.pins()).epoch == 2


async def test_changed_files_are_registered_but_what_is_pinned_stays(shop, settings):
    first = (await prepare(shop.store, settings, _act(1)))[1]
    (settings.models.dir / "shop" / "system.md").write_text("two")

    second = (await prepare(shop.store, settings, _act(2)))[1]

    assert second.registered.created
    assert (second.held, second.newest) == (first.held, 2)
    assert not second.up_to_date


async def test_a_rollback_is_never_undone(shop, settings):
    await prepare(shop.store, settings, _act(1))
    (settings.models.dir / "shop" / "system.md").write_text("two")
    await prepare(shop.store, settings, _act(2))
    await shop.pin("v2")
    await shop.rollback()

    prepared = await prepare(shop.store, settings, _act(3))

    assert await shop.held() == "v1"
    assert not prepared[1].up_to_date


async def test_wrong_files_of_one_model_register_nothing(shop, settings):
    (settings.models.dir / "shop" / "version.toml").write_text("")

    with pytest.raises(InvalidFiles):
        await prepare(shop.store, settings, _act())

    assert await shop.store.models() == []


def _vendors(tmp_path, **vendors):
    (tmp_path / "key").write_text("secret\n")
    (tmp_path / "empty").write_text("\n")
    return Settings.model_validate({"vendors": vendors})


def test_vendors_whose_key_is_missing_are_found(tmp_path):
    base = {"base_url": "https://api.openai.com"}
    settings = _vendors(
        tmp_path,
        unset={**base, "api_key_env": "UNSET"},
        there={**base, "api_key_env": "KEY"},
        file={**base, "api_key_file": tmp_path / "key"},
        missing={**base, "api_key_file": tmp_path / "missing"},
        empty={**base, "api_key_file": tmp_path / "empty"},
        passed=base,
    )

    assert keyless(settings, {"KEY": "secret"}) == ["empty", "missing", "unset"]


def test_only_the_named_vendors_are_played(tmp_path):
    settings = _vendors(tmp_path, one=KEY_ENV, other=KEY_ENV)

    played = simulated(settings, ["one"], "http://127.0.0.1:9").vendors

    assert (played["one"].base_url, played["one"].api_key_env) == ("http://127.0.0.1:9", None)
    assert played["other"] == settings.vendors["other"]
