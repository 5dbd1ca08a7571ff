"""Vendor keys: rotated without a restart, shown to nobody."""

import asyncio
import os

import pytest

from proxy.errors import UpstreamAuth
from proxy.gateway.credential import (
    MAX_KEY_BYTES,
    REREAD_S,
    FileCredential,
    FixedCredential,
    auth_of,
    credential_of,
    find_credential,
    unusable,
)
from proxy.gateway.vendors import open_vendors
from proxy.http.deadlines import Deadlines
from proxy.http.outbox import Outbox
from proxy.settings import Vendor
from tests.harness import CANARY, KEY_VARIABLE, settings_for
from tests.http.scene import scene_of

LINE = f"authorization: Bearer {CANARY}\r\n".encode()


@pytest.fixture
def key_file(tmp_path):
    file = tmp_path / "key"
    file.write_text(f"{CANARY}\n")
    return file


def write(file, key):
    """Replace a key as tools that mount secrets do: by renaming."""
    fresh = file.with_suffix(".new")
    fresh.write_text(key)
    os.replace(fresh, file)  # noqa: PTH105  # what those tools do


def test_key_from_the_environment_is_sent_without_its_line_end():
    assert FixedCredential(f" {CANARY}\n").line(0) == LINE


@pytest.mark.parametrize("key", ["", " ", "a b", "a\r\nx-evil: 1", "k\u00e9y", "a\0"])
def test_key_that_would_not_fit_into_a_header_is_not_used(key, key_file):
    key_file.write_text(key)

    for credential in (FixedCredential(key), FileCredential(key_file)):
        with pytest.raises(UpstreamAuth):
            credential.line(0)


def test_key_is_read_when_it_is_first_used(key_file):
    assert FileCredential(key_file).line(0) == LINE


def test_key_that_was_replaced_is_used_within_a_second(key_file):
    credential = FileCredential(key_file)
    credential.line(0)

    write(key_file, "sk-new")

    assert credential.line(REREAD_S) == b"authorization: Bearer sk-new\r\n"


def test_file_is_not_looked_at_for_every_request(key_file):
    credential = FileCredential(key_file)
    credential.line(0)

    write(key_file, "sk-new")

    assert credential.line(REREAD_S / 2) == LINE


def test_key_stays_while_its_file_is_away(key_file):
    credential = FileCredential(key_file)
    credential.line(0)

    key_file.unlink()

    assert credential.line(REREAD_S) == LINE


def test_key_that_comes_later_is_used(tmp_path):
    credential = FileCredential(tmp_path / "later")
    with pytest.raises(UpstreamAuth):
        credential.line(0)

    (tmp_path / "later").write_text(CANARY)

    assert credential.line(REREAD_S) == LINE


def test_file_that_is_no_key_is_not_read(tmp_path):
    (tmp_path / "key").write_text("x" * (MAX_KEY_BYTES + 1))

    with pytest.raises(UpstreamAuth):
        FileCredential(tmp_path / "key").line(0)


def test_without_a_source_the_apps_own_credential_passes():
    assert find_credential(None, None, {}) is None


def test_key_is_in_no_repr(key_file):
    credentials = [
        FixedCredential(CANARY),
        FileCredential(key_file),
        find_credential(None, KEY_VARIABLE, {KEY_VARIABLE: CANARY}),
    ]
    credentials[1].line(0)

    assert CANARY not in repr(credentials) + str(credentials) + f"{credentials}"


async def test_vendor_table_shows_no_key(tmp_path):
    loop = asyncio.get_running_loop()
    settings = settings_for(tmp_path, "http://127.0.0.1:1")
    parts = Deadlines(loop), memoryview(bytearray(16)), Outbox(loop), loop

    vendors = open_vendors(settings, {KEY_VARIABLE: CANARY}, *parts)

    route = vendors.route("openai", "openai.chat")
    assert route.credential.line(0) == LINE
    assert CANARY not in f"{vendors!r} {route!r} {route.pool!r} {vars(vendors)} {settings!r}"


async def test_key_that_is_rotated_is_used_without_a_restart(tmp_path, key_file):
    vendors = {"vendors": {"openai": {"api_key_env": None, "api_key_file": str(key_file)}}}
    (tmp_path / "proxy").mkdir()

    async with scene_of(tmp_path / "proxy", overrides=vendors) as scene:
        await scene.ask()
        write(key_file, "sk-rotated")
        await asyncio.sleep(REREAD_S)
        await scene.ask()

        keys = [seen.header("authorization") for seen in scene.vendor.requests]
        assert keys == [f"Bearer {CANARY}", "Bearer sk-rotated"]


# --- new settings


def vendors(**entry):
    return {"openai": Vendor(base_url="https://api.openai.com", **entry)}


def test_a_key_that_new_settings_name_has_to_be_there(tmp_path):
    named = vendors(api_key_file=tmp_path / "key")

    told = list(unusable(named, vendors(api_key_env="KEY"), {"KEY": "k"}))
    (tmp_path / "key").write_text("k")

    assert told == ["vendors.openai.api_key_file: names no key that can be used"]
    assert list(unusable(named, {}, {})) == []


def test_a_key_that_was_not_there_before_is_not_waited_for():
    same = vendors(api_key_env="KEY")

    assert list(unusable(same, same, {})) == []
    assert list(unusable(same, {}, {})) != []


def test_the_app_s_own_credential_is_always_there():
    assert list(unusable(vendors(), {}, {})) == []


LINES = {
    "bearer": LINE,
    "x-api-key": f"x-api-key: {CANARY}\r\n".encode(),
    "x-goog-api-key": f"x-goog-api-key: {CANARY}\r\n".encode(),
    "api-key": f"api-key: {CANARY}\r\n".encode(),
}


@pytest.mark.parametrize("auth", LINES)
def test_key_is_sent_as_the_vendor_wants_it(auth, key_file):
    entry = {"base_url": "https://vendor.test", "auth": auth}
    from_file = Vendor(**entry, api_key_file=key_file)
    from_env = Vendor(**entry, api_key_env=KEY_VARIABLE)

    for vendor in (from_file, from_env):
        assert credential_of(vendor, {KEY_VARIABLE: CANARY}).line(0) == LINES[auth]


@pytest.mark.parametrize(
    ("dialects", "auth", "wanted"),
    [
        (["openai.chat", "openai.responses"], None, "bearer"),
        (["anthropic.messages"], None, "x-api-key"),
        (["openai.chat", "anthropic.messages"], None, "bearer"),
        (["anthropic.messages"], "bearer", "bearer"),
        (["openai.chat"], "api-key", "api-key"),
    ],
)
def test_how_a_vendor_wants_its_key_is_known_by_its_dialects(dialects, auth, wanted):
    vendor = Vendor(base_url="https://vendor.test", dialects=dialects, auth=auth)

    assert auth_of(vendor) == wanted
