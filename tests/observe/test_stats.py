"""Counters: right, bounded, and in a format that Prometheus reads."""

import re

from proxy.observe.request_line import Outcome, RequestLine
from proxy.observe.stats import MOST_SERIES, OTHER, Stats

SERIES = re.compile(r'[a-z_]+(?:\{(?:[a-z_]+="[^"\\\n]*",?)+\})? [0-9.]+')


def line(**fields):
    return RequestLine("", "", **{"outcome": Outcome.OK, "status": 200, **fields})


def samples(stats):
    return dict(text.rsplit(" ", 1) for text in stats.lines() if not text.startswith("#"))


def test_requests_are_counted_by_version_dialect_outcome_and_class():
    stats = Stats()
    for _ in range(3):
        stats.count(line(version="a-v1-aaaaaa", dialect="openai.chat"))
    stats.count(line(outcome=Outcome.REFUSED, status=404))

    assert samples(stats) == {
        "proxy_loop_lag_seconds": "0.000",
        "proxy_requests_in_flight": "0",
        'proxy_requests_total{version="",dialect="",outcome="refused",status="4xx"}': "1",
        'proxy_requests_total{version="a-v1-aaaaaa",dialect="openai.chat",outcome="ok",'
        'status="2xx"}': "3",
    }


def test_every_outcome_is_a_label_that_needs_no_escapes():
    stats = Stats()
    for outcome in Outcome:
        stats.count(line(outcome=outcome))

    assert all(SERIES.fullmatch(text) for text in stats.lines() if not text.startswith("#"))
    assert len(stats.requests) == len(Outcome)


def test_series_are_bounded_and_no_request_is_lost():
    stats = Stats()
    for number in range(MOST_SERIES + 500):
        stats.count(line(version=f"a-v{number}-aaaaaa"))

    assert len(stats.requests) == MOST_SERIES + 1
    assert stats.requests[OTHER] == 500
    assert sum(stats.requests.values()) == MOST_SERIES + 500


def test_a_series_that_is_known_goes_on_when_there_is_no_room_for_more():
    stats = Stats()
    for number in range(MOST_SERIES + 1):
        stats.count(line(version=f"a-v{number}-aaaaaa"))
    stats.count(line(version="a-v0-aaaaaa"))

    assert stats.requests["a-v0-aaaaaa", "", "ok", 2] == 2


def test_each_metric_has_its_type_before_it():
    stats = Stats()
    stats.count(line())
    typed = set()
    for text in stats.lines():
        if text.startswith("# TYPE "):
            typed.add(text.split()[2])
        elif not text.startswith("# HELP "):
            assert re.split(r"[ {]", text)[0] in typed


def test_what_is_not_managed_is_counted_by_vendor_too():
    stats = Stats()
    stats.count(line(unmanaged=True, vendor="openai"))
    stats.count(line(unmanaged=True, outcome=Outcome.FAILED, status=503))

    assert [text for text in stats.lines() if text.startswith("proxy_unmanaged")] == [
        'proxy_unmanaged_requests_total{vendor="",outcome="failed",status="5xx"} 1',
        'proxy_unmanaged_requests_total{vendor="openai",outcome="ok",status="2xx"} 1',
    ]
