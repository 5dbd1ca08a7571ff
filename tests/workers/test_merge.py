"""One page of metrics from those of all workers."""

import pytest

from proxy.workers.merge import Page, Tally, merged

PAGE = """\
# HELP proxy_epoch Up to which epoch.
# TYPE proxy_epoch gauge
proxy_epoch 7
# HELP proxy_loop_lag_seconds Longest delay.
# TYPE proxy_loop_lag_seconds gauge
proxy_loop_lag_seconds 0.003
# HELP proxy_requests_total Requests that ended.
# TYPE proxy_requests_total counter
proxy_requests_total{version="a-v1-0",status="2xx"} 3
proxy_requests_total{version="",status="5xx"} 1
"""
OTHER = """\
# HELP proxy_epoch Up to which epoch.
# TYPE proxy_epoch gauge
proxy_epoch 8
# HELP proxy_requests_total Requests that ended.
# TYPE proxy_requests_total counter
proxy_requests_total{version="a-v1-0",status="2xx"} 5
"""


def lines(serving, others=(), tally=None):
    return merged(serving, others, tally or Tally())


def test_each_series_is_labelled_with_its_worker():
    assert lines({1: PAGE}) == [
        "# HELP proxy_epoch Up to which epoch.",
        "# TYPE proxy_epoch gauge",
        'proxy_epoch{worker="1"} 7',
        "# HELP proxy_loop_lag_seconds Longest delay.",
        "# TYPE proxy_loop_lag_seconds gauge",
        'proxy_loop_lag_seconds{worker="1"} 0.003',
        "# HELP proxy_requests_total Requests that ended.",
        "# TYPE proxy_requests_total counter",
        'proxy_requests_total{worker="1",version="a-v1-0",status="2xx"} 3',
        'proxy_requests_total{worker="1",version="",status="5xx"} 1',
    ]


def test_series_of_one_name_stand_together_under_one_explanation_and_type():
    page = lines({1: PAGE, 2: OTHER})

    assert [line for line in page if "epoch" in line] == [
        "# HELP proxy_epoch Up to which epoch.",
        "# TYPE proxy_epoch gauge",
        'proxy_epoch{worker="1"} 7',
        'proxy_epoch{worker="2"} 8',
    ]
    assert len([line for line in page if line.startswith("# TYPE")]) == 3


def test_counters_of_a_process_that_still_answers_are_added():
    page = lines({1: OTHER}, [(1, PAGE)])

    assert 'proxy_requests_total{worker="1",version="a-v1-0",status="2xx"} 8' in page
    assert 'proxy_requests_total{worker="1",version="",status="5xx"} 1' in page


def test_counters_of_processes_that_are_gone_stay():
    tally = Tally()
    tally.add(1, PAGE)
    tally.add(1, PAGE)

    page = lines({1: OTHER}, tally=tally)

    assert 'proxy_requests_total{worker="1",version="a-v1-0",status="2xx"} 11' in page


def test_a_gauge_is_what_the_process_says_that_serves():
    tally = Tally()
    tally.add(1, PAGE)

    assert 'proxy_epoch{worker="1"} 8' in lines({1: OTHER}, [(1, PAGE)], tally)


def test_counters_of_a_worker_that_is_just_not_there_do_not_disappear():
    tally = Tally()
    tally.add(2, PAGE)

    page = lines({1: OTHER}, tally=tally)

    assert 'proxy_requests_total{worker="2",version="a-v1-0",status="2xx"} 3' in page
    assert not any('proxy_epoch{worker="2"}' in line for line in page)


def test_nothing_is_merged_to_nothing():
    assert lines({}) == []


@pytest.mark.parametrize("page", ["", "\n"])
def test_a_page_may_be_empty(page):
    assert Page.read(page) == Page({}, {})
