"""proxyctl check against real listeners: what is green, yellow and red."""

import json
import sqlite3
import threading
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from proxy.versions.record import Member
from tests.control.shop import corrupt


@contextmanager
def vendor(body: bytes, status: int = 200):
    """Serve one answer to every GET; yield the URL and the requests' paths and credentials."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["authorization"]))
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", seen
        server.shutdown()
        thread.join()


def _listing(*ids):
    return json.dumps({"data": [{"id": one} for one in ids]}).encode()


@pytest.fixture
def pinned(ctl):
    ctl.versions(1)
    return ctl


def _check(ctl, url="http://127.0.0.1:1", key="key-canary", **more):
    config = ctl.directory / "config/proxy.toml"
    config.write_text(config.read_text().replace("https://api.openai.com", url))
    ran = ctl("check", "--json", env={"OPENAI_API_KEY": key}, **more)
    assert "canary" not in ran.out + ran.err
    findings = {one["what"]: one for one in ran.json["findings"]}
    return ran.status, {what: one["level"] for what, one in findings.items()}, findings


def test_everything_is_green_where_the_vendor_has_the_vendor_model(pinned):
    with vendor(_listing("other", "gpt-4o-2024-08-06")) as (url, seen):
        status, levels, _ = _check(pinned, url)

    assert status == 0
    assert levels == {
        "store": "green",
        "recommender prod": "green",
        "recommender rollback": "yellow",
        "config/models/recommender": "green",
        "vendor openai": "green",
    }
    assert seen == [("/v1/models", "Bearer key-canary")]


def test_a_list_without_the_vendor_model_is_red(pinned):
    with vendor(_listing("other")) as (url, _):
        status, levels, findings = _check(pinned, url)

    assert (status, levels["vendor openai"]) == (1, "red")
    assert "gpt-4o-2024-08-06, wanted by recommender-v1-" in findings["vendor openai"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{}", 200),
        (b"not json", 200),
        (b'{"data": [1]}', 200),
        (b'{"data": null}', 200),
        (b"[" * 5000, 200),
        (_listing("other"), 403),
        (b'{"data": [], "has_more": true}', 200),
        (_listing("other"), 307),
        (b"", 500),
    ],
)
def test_any_other_answer_of_a_vendor_is_yellow(pinned, body, status):
    with vendor(body, status) as (url, _):
        ran, levels, _ = _check(pinned, url)

    assert (ran, levels["vendor openai"]) == (0, "yellow")


def test_a_key_that_the_vendor_refuses_is_red(pinned):
    with vendor(b"", 401) as (url, _):
        status, levels, findings = _check(pinned, url)

    assert (status, levels["vendor openai"]) == (1, "red")
    assert "refuses the key" in findings["vendor openai"]["message"]


def test_a_vendor_model_that_only_a_rollback_would_need_is_red_too(ctl):
    version = ctl.model / "version.toml"
    text = version.read_text()
    version.write_text(text.replace("gpt-4o-2024-08-06", "gpt-4o-retired"))
    ctl.versions(1)
    version.write_text(text)
    ctl.ok("pin", "recommender", ctl.change("another"))

    with vendor(_listing("gpt-4o-2024-08-06")) as (url, _):
        status, levels, findings = _check(ctl, url)

    assert (status, levels["vendor openai"]) == (1, "red")
    assert "gpt-4o-retired, wanted by recommender-v1-" in findings["vendor openai"]["message"]


def test_a_vendor_model_that_only_a_fallback_needs_is_yellow(ctl):
    version = ctl.model / "version.toml"
    fallback = '[[routing.fallback]]\nvendor = "openai"\nid = "gpt-4o-retired"\n'
    version.write_text(f"{version.read_text()}\n{fallback}")
    ctl.versions(1)

    with vendor(_listing("gpt-4o-2024-08-06")) as (url, _):
        status, levels, findings = _check(ctl, url)

    assert (status, levels["vendor openai"]) == (0, "yellow")
    assert "gpt-4o-retired" in findings["vendor openai"]["message"]


def test_a_vendor_that_is_away_is_yellow(pinned):
    status, levels, findings = _check(pinned)

    assert (status, levels["vendor openai"]) == (0, "yellow")
    assert "cannot be reached" in findings["vendor openai"]["message"]


def test_a_missing_key_is_red_where_it_is_needed_and_yellow_elsewhere(ctl):
    assert _check(ctl, key="")[1]["vendor openai"] == "yellow"
    ctl.versions(1)

    status, levels, findings = _check(ctl, key="")

    assert (status, levels["vendor openai"]) == (1, "red")
    assert "OPENAI_API_KEY" in findings["vendor openai"]["message"]


def test_a_vendor_that_apps_bring_keys_for_is_not_asked(pinned):
    config = pinned.directory / "config/proxy.toml"
    config.write_text(config.read_text().replace("api_key_env", "# api_key_env"))

    with vendor(b"") as (url, seen):
        status, levels, _ = _check(pinned, url)

    assert (status, levels["vendor openai"], seen) == (0, "green", [])


def test_a_vendor_that_is_not_configured_is_red(pinned):
    config = pinned.directory / "config/proxy.toml"
    config.write_text(config.read_text().replace("[vendors.openai]", "[vendors.other]"))

    status, levels, _ = _check(pinned)

    assert (status, levels["recommender prod"]) == (1, "red")


def test_what_is_neither_registered_nor_pinned_is_yellow(ctl):
    assert _check(ctl)[1]["config/models/recommender"] == "yellow"

    ctl.ok("register", "recommender")

    status, levels, findings = _check(ctl)
    assert (status, levels["recommender prod"]) == (0, "yellow")
    assert findings["recommender prod"]["hint"] == "proxyctl pin recommender v1"


def test_files_that_say_something_else_than_prod_are_yellow(pinned):
    pinned.change("two")
    _, _, findings = _check(pinned)
    assert "says recommender-v2-" in findings["config/models/recommender"]["message"]

    (pinned.model / "system.md").write_text("three")
    _, _, findings = _check(pinned)
    assert "not registered" in findings["config/models/recommender"]["message"]


def test_files_that_are_wrong_are_red(pinned):
    (pinned.model / "version.toml").write_text("")

    status, levels, _ = _check(pinned)

    assert (status, levels["config/models/recommender"]) == (1, "red")


def test_a_corrupt_version_in_prod_is_red(pinned):
    corrupt(pinned.directory / ".proxy/store.db", b"prompt", b"tpmorp")

    status, levels, _ = _check(pinned)

    assert (status, levels["recommender prod"]) == (1, "red")


def test_a_corrupt_way_back_is_red(ctl):
    ctl.versions(2)
    assert _check(ctl)[1]["recommender rollback"] == "green"

    corrupt(ctl.directory / ".proxy/store.db", b"prompt 1", b"prompt 9")

    status, levels, _ = _check(ctl)
    assert (status, levels["recommender rollback"]) == (1, "red")


def test_a_pin_that_cannot_be_read_is_red(pinned):
    with closing(sqlite3.connect(pinned.directory / ".proxy/store.db")) as file, file:
        file.execute("UPDATE pins SET text = 'nonsense'")

    status, levels, _ = _check(pinned)

    assert (status, levels["recommender prod"]) == (1, "red")


def test_proxies_that_are_behind_or_differ_are_yellow(pinned):
    def member(name, epoch, release):
        return lambda store: store.report(Member(name, epoch, {}, release=release))

    for one in (("a", 1, "1"), ("b", 1, "1"), ("c", 0, "1"), ("d", 1, "2")):
        pinned.with_store(member(*one))

    _, levels, _ = _check(pinned)

    proxies = {what: level for what, level in levels.items() if what.startswith("proxy ")}
    assert proxies == {
        "proxy a": "green",
        "proxy b": "green",
        "proxy c": "yellow",
        "proxy d": "yellow",
    }


def test_a_store_that_is_away_is_red(ctl):
    config = ctl.directory / "config/proxy.toml"
    url = "sqlite:///.proxy/store.db"
    config.write_text(config.read_text().replace(url, "redis://127.0.0.1:1/0"))

    status, levels, _ = _check(ctl)

    assert (status, levels["store"]) == (1, "red")


def test_wrong_settings_are_refused_with_every_problem(ctl):
    with (ctl.directory / "config/proxy.toml").open("a") as file:
        file.write("[timeout]\n[limits]\nheaders = 0\n")

    ran = ctl("check")

    assert ran.status == 1
    assert ran.err.startswith("proxyctl: 2 problems [invalid_files]\n")
    assert 'unknown field; did you mean "timeouts"?' in ran.err
