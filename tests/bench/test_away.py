"""What is read from a proxy and from a load while its store is away, or at its start."""

import hashlib
import tomllib
from collections import Counter

import pytest

from bench import coldstart, outage, sidecar, steady
from bench.sidecar import KEY_VARIABLE, Wiring
from bench.streams import Tally as Streamed
from bench.targets import TOKEN
from proxy.settings_file import load_settings

METRICS = """\
# TYPE proxy_epoch gauge
proxy_epoch 7
proxy_requests_total{status="200"} 3
"""


def test_a_metric_is_found_by_its_whole_name():
    assert sidecar.metric(METRICS, "proxy_epoch") == 7


@pytest.mark.parametrize("name", ["proxy", "epoch", "proxy_requests_total"])
def test_a_metric_that_is_not_there_is_none(name):
    assert sidecar.metric(METRICS, name) is None


def test_a_sidecar_is_configured_in_words_that_the_proxy_knows(tmp_path):
    text = Wiring("web-1", "redis://127.0.0.1:1/0", data_port=8080).config(tmp_path)

    settings = load_settings(text, "proxy.toml", {KEY_VARIABLE: "sk-vendor"}, {})

    assert settings.fleet.name == tomllib.loads(text)["fleet"]["name"] == "web-1"
    assert settings.state.dir == tmp_path / "state"


def test_a_sidecar_knows_the_token_that_the_load_sends():
    assert hashlib.sha256(TOKEN.encode()).hexdigest() == sidecar.TOKEN_SHA256


def test_what_failed_in_a_phase_is_counted_and_named():
    tally = steady.Tally(
        [100, 300, 200],
        Streamed(lag_us=[5, 7], whole=2),
        Counter({"status 503": 2}),
        Counter({"closed": 1}),
    )

    found = steady.summary(tally)

    assert (found["requests"], found["max_us"], found["lag_max_us"]) == (3, 300, 7)
    assert (found["failed"], found["broken_streams"]) == (2, 1)
    assert found["reasons"] == {"status 503": 2, "stream: closed": 1}


def test_a_phase_without_answers_has_no_latency():
    assert steady.summary(steady.Tally())["p99_us"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error": {"code": "store_unavailable"}}', "store_unavailable"),
        (b'{"error": {}}', ""),
        (b'{"choices": []}', ""),
        (b"[]", ""),
    ],
)
def test_the_code_of_an_error_is_read_from_its_body(body, code):
    assert coldstart.code(body) == code


def recovered(follows_s, confirmed_s, *, noticed=True):
    return {"noticed": noticed, "follows_s": follows_s, "confirmed_s": confirmed_s}


def test_recoveries_are_summed_up_by_median_and_most():
    found = outage.summed_up([recovered(0.1, 0.2), recovered(0.3, 0.9), recovered(0.2, 0.4)])

    assert (found["confirmed_s"], found["most_confirmed_s"], found["times"]) == (0.4, 0.9, 3)


def test_a_proxy_that_did_not_follow_again_is_not_left_out():
    found = outage.summed_up([recovered(0.1, 0.2), recovered(None, 0.2)])

    assert found["most_follows_s"] == outage.RECOVERED_WITHIN_S


def test_a_fault_that_was_missed_once_was_not_noticed():
    assert not outage.summed_up([recovered(0.1, 0.2), recovered(0.1, 0.2, noticed=False)])[
        "noticed"
    ]


def test_every_fault_has_a_version_to_pin_when_it_ends():
    assert outage.Stay(seconds=60, again=9, rounds=2).pins == 1 + 2 * 3 * 10
