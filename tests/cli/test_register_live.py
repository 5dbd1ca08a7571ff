"""`proxyctl register NAME --from-live`, with a proxy that runs and an app that asks."""

import json
import urllib.request

import pytest

from proxy.cli.background import in_background
from tests.harness import running_proxy

MODELS = {"models": {"unmanaged": "passthrough", "capture": 8}}


@pytest.fixture
def asks(ctl, vendor):
    """Return a function by which an app asks through a proxy that uses the command's store."""
    (ctl.directory / ".proxy").mkdir()
    store = {"store": {"url": f"sqlite:///{ctl.directory / '.proxy' / 'store.db'}"}}
    opened = in_background(
        lambda: running_proxy(ctl.directory, vendor.url, {}, {**MODELS, **store})
    )
    with opened as proxy:

        def ask(system):
            said = [{"role": "system", "content": system}, {"role": "user", "content": "hi"}]
            body = json.dumps({"model": "gpt-4o", "messages": said}).encode()
            headers = {"content-type": "application/json"}
            url = f"{proxy.base_url}/chat/completions"
            with urllib.request.urlopen(urllib.request.Request(url, body, headers)) as answer:
                return answer.read()

        yield ask


def test_what_an_app_asks_for_becomes_files_and_a_version(ctl, asks):
    asks("Be kind.")

    answer = ctl.ok("register", "assistant", "--from-live")

    assert (answer["version"], answer["created"]) == (1, True)
    assert answer["adopted"]["count"] == 1
    assert answer["files"] == ["version.toml", "system.md"]
    assert (ctl.model.parent / "assistant" / "system.md").read_text() == "Be kind.\n"


def test_several_are_listed_and_one_is_picked(ctl, asks):
    asks("Yesterday.")
    asks("Today.")

    listed = ctl.ok("register", "assistant", "--from-live")
    page = ctl("register", "assistant", "--from-live").out
    keys = [one["key"] for one in listed["candidates"]]
    picked = [ctl.ok("register", "assistant", "--from-live", "--pick", key) for key in keys[::-1]]

    assert listed.keys() == {"candidates"}
    assert all(key in page for key in keys)
    assert [one["version"] for one in picked] == [1, 2]
    assert picked[1]["parent"] is None


@pytest.mark.parametrize(
    "arguments",
    [
        ["recommender", "--pick", "3f"],
        ["--all", "--from-live"],
        ["a", "b", "--from-live"],
        ["a", "--from-live", "--dry-run"],
        ["a", "--from-live", "--git-tag"],
    ],
)
def test_it_goes_with_one_name(ctl, arguments):
    assert ctl("register", *arguments).status == 2


def test_without_a_proxy_it_says_so(ctl):
    ran = ctl("register", "assistant", "--from-live")

    assert (ran.status, "nothing_captured" in ran.err) == (1, True)
