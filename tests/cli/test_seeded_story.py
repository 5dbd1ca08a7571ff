"""A worse version on its way to prod: what stops it, what lets it through all the same, and what
takes it back. Every step is a command, before a proxy that serves and a vendor that answers."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

import pytest

from proxy.cli.background import in_background
from proxy.simvendor.server import SimulatedVendor
from tests.cli.ctl import Ctl
from tests.cli.serving import serving
from tests.cli.suites import GATE
from tests.harness import CANARY, settings_for

CASES = """
[[case]]
name = "is kind"
input = "Hello!"
expect = [{contains = "kind"}]

[[case]]
name = "knows the shop"
input = "Where am I?"
expect = [{contains = "Alpine Outfitters"}]
"""
GOOD = "You are kind, at Alpine Outfitters.\n"
WORSE = "You are kind.\n"


@pytest.fixture(scope="module")
def story(tmp_path_factory, repository):
    """Play it; return what each step printed, and which version answered after it."""
    directory = tmp_path_factory.mktemp("story")
    with pytest.MonkeyPatch.context() as patch, in_background(SimulatedVendor) as vendor:
        patch.chdir(directory)
        patch.setenv("OPENAI_API_KEY", CANARY)
        ctl = Ctl(directory, repository / "config")
        config = directory / "config" / "proxy.toml"
        config.write_text(config.read_text().replace("https://api.openai.com", vendor.url))
        store = {"url": f"sqlite:///{directory / '.proxy' / 'store.db'}"}
        settings = settings_for(directory, vendor.url, {"store": store})
        (ctl.model / "evals.toml").write_text(GATE + CASES)
        (ctl.model / "system.md").write_text(GOOD)
        steps = {"register": ctl("register", "recommender"), "v1": ctl("eval", "recommender", "v1")}
        with in_background(lambda: serving(settings)) as url:
            yield steps | dict(played(ctl, url))


def played(ctl, url):
    """Yield each step's name with what was printed; a step's stamp is that of the next request."""

    def stamp():
        body = {"model": "recommender", "messages": [{"role": "user", "content": "Hello!"}]}
        asked = Request(f"{url}/v1/chat/completions", json.dumps(body).encode())
        with urlopen(asked, timeout=10) as answer:
            return answer.headers["x-proxy-version"][:14]

    yield "pin", ctl("pin", "recommender", "v1", "--json")
    yield "stamp of v1", stamp()
    (ctl.model / "system.md").write_text(WORSE)
    ctl.ok("register", "recommender")
    yield "unproven", ctl("pin", "recommender", "v2")
    yield "v2", ctl("eval", "recommender", "v2", "--check")
    yield "refused", ctl("pin", "recommender", "v2")
    yield "stamp after the refusal", stamp()
    yield "forced", ctl("pin", "recommender", "v2", "--force", "--reason", "black friday", "--json")
    yield "stamp after the force", stamp()
    yield "status", ctl("status", "--json")
    yield "rollback", ctl("rollback", "recommender", "--reason", "sales fell", "--json")
    yield "stamp after the rollback", stamp()
    yield "again", ctl("pin", "recommender", "v2")
    yield "drill", ctl("rehearse", "recommender", "--json")
    yield "history", ctl("history", "recommender", "--json")


def test_a_version_that_proved_itself_is_pinned_and_confirmed(story):
    pin = story["pin"].json

    assert (pin["confirmed"], pin["of"]) == (1, 1)
    assert story["stamp of v1"] == "recommender-v1"


def test_a_version_without_a_result_stays_out(story):
    assert story["unproven"].status == 1
    assert "[gate_refused]" in story["unproven"].err
    assert "proxyctl eval recommender" in story["unproven"].err


def test_a_worse_version_is_refused_and_the_failing_cases_are_named(story):
    refused = story["refused"]

    assert refused.status == 1
    assert "[gate_refused]" in refused.err
    assert "knows the shop" in refused.err
    assert "is kind" not in refused.err
    assert story["v2"].status == 1
    assert story["stamp after the refusal"] == "recommender-v1"


def test_the_broken_glass_is_recorded_and_shown(story):
    (model,) = story["status"].json["models"]
    forced = [event for event in story["history"].json["pins"] if event["forced"]]

    assert story["stamp after the force"] == "recommender-v2"
    assert [event["reason"] for event in forced] == ["black friday"]
    assert [one["version"][:14] for one in model["unratified"]] == ["recommender-v2"]


def test_the_rollback_asks_no_gate_and_is_confirmed(story):
    back = story["rollback"].json

    assert (back["confirmed"], back["of"]) == (1, 1)
    assert story["stamp after the rollback"] == "recommender-v1"


def test_what_was_rolled_back_from_stays_out(story):
    assert story["again"].status == 1
    assert "[revoked]" in story["again"].err


def test_the_drill_shows_that_behaviour_reverts(story):
    drill = story["drill"].json

    assert drill["reverted"]
    assert (drill["from"][:14], drill["to"][:14]) == ("recommender-v2", "recommender-v1")
    assert drill["rollback_ms"] > 0
    assert [proxy["complaints"] for proxy in drill["proxies"]] == [[]]
    assert drill["evals"]["score"] == 1.0
