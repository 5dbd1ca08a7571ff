"""What a probe says of a version: the whole of what would be sent, wherever the model is in it."""

import pytest

from proxy.dialects.registry import DIALECTS
from proxy.fleet.probe import probed
from proxy.fleet.snapshot import make_ready
from proxy.versions.content import Content
from proxy.versions.identity import canonical, digest
from proxy.versions.question import Probe, Sample
from proxy.versions.record import Meta, Version, VersionInfo

# Those that have a place for what a version says.
SAYING = ("openai.chat", "openai.responses", "anthropic.messages", "gemini.generate")

HELLO = Sample((("user", "Hello"),))


def served(vendor_model, **parts):
    model = {"vendor": "some", "id": vendor_model}
    stored = canonical(Content.model_validate({"model": model, **parts}))
    mark = digest(stored)
    id = f"shop-v1-{mark.removeprefix('sha256:')[:6]}"
    return make_ready(Version(VersionInfo("shop", 1, id, mark, "", Meta("ada"), 1), stored))


def bodies(version, dialect):
    return probed(version, Probe("shop", "prod", (HELLO,)), [dialect]).bodies[dialect]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_versions_that_differ_in_the_vendors_model_alone_would_send_another_request(dialect):
    one, other = (bodies(served(name), dialect) for name in ("model-a", "model-b"))

    assert one != other
    assert one == bodies(served("model-a"), dialect)


@pytest.mark.parametrize("dialect", SAYING)
def test_what_cannot_be_sent_has_a_code_in_its_place(dialect):
    version = served("model-a", user="{{x}}", variables={"x": {"max_length": 1}})
    probe = Probe("shop", "prod", (Sample((), {"x": "long"}),))

    (body,) = probed(version, probe, [dialect]).bodies[dialect]

    assert body == "error:invalid_request"
