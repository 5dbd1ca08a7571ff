"""Settings on their way to a worker: whole, and shown to nobody."""

import json

import msgspec
import pytest
from pydantic import BaseModel, SecretStr

from proxy.settings import Settings
from proxy.workers.messages import (
    Answer,
    Ask,
    Begin,
    Cut,
    Deaf,
    Failed,
    News,
    Order,
    Over,
    Ready,
    Retire,
    Save,
    Stop,
    What,
    handed,
)
from tests.harness import CANARY

FULL = Settings.model_validate(
    {
        "listen": {"data": "127.0.0.1:1", "workers": 4},
        "store": {"url": f"redis://user:{CANARY}@127.0.0.1:6379/0"},
        "state": {"dir": "/var/lib/proxy"},
        "models": {"prompts": {"pmpt_1": "recommender"}},
        "vendors": {
            "openai": {"base_url": "https://api.openai.com", "api_key_file": "/run/secrets/key"}
        },
        "apps": {"web": {"token_sha256": "0" * 64, "models": ["recommender"]}},
        "timeouts": {"drain_s": 7},
    }
)


@pytest.mark.parametrize("settings", [Settings(), FULL], ids=["defaults", "full"])
def test_settings_arrive_as_they_were(settings):
    assert Settings.model_validate(json.loads(json.dumps(handed(settings)))) == settings


def test_every_secret_is_handed_over():
    """A field that becomes secret one day would arrive as stars."""
    assert secrets_of(FULL) != []
    assert "**" not in json.dumps(handed(FULL))


def secrets_of(model):
    found = []
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            found += secrets_of(value)
        elif isinstance(value, SecretStr):
            found.append(name)
    return found


def test_what_is_shown_of_a_beginning_holds_no_secret():
    begin = Begin(1, "web-1", "ab", handed(FULL), {"KEY": CANARY}, [3], 2, True)

    assert CANARY not in repr(begin)
    assert begin.member == "web-1/ab"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (Begin(1, "web-1", "ab", {}, {}, [3], 2, True, ["web-1/cd"]), Order),
        (Ask(1, What.STATUS), Order),
        (Stop(True), Order),
        (Retire(False), Order),
        (Cut(), Order),
        (Save(), Order),
        (Ready(), News),
        (Failed(["no"]), News),
        (Answer(1, {"ready": True}), News),
        (Deaf(), News),
        (Over("page"), News),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_message_arrives_as_it_was(message, kind):
    assert msgspec.json.decode(msgspec.json.encode(message), type=kind) == message
