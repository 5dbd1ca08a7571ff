"""What the load generators say is read as they say it."""

import pytest

from bench import ask, profile, streams, wrk

WRK_OUTPUT = """\
Running 8s test @ http://127.0.0.1:1/
  1 threads and 32 connections
JSON {"requests":1000,"duration_us":2000000,"p50_us":400,"p99_us":900,"max_us":1000,\
"not_2xx":10,"broken":1}
"""


def test_only_good_answers_count_as_throughput():
    assert wrk.parse(WRK_OUTPUT).per_s == 495


def test_a_run_without_figures_says_what_wrk_said():
    with pytest.raises(RuntimeError, match="unable to connect"):
        wrk.parse("unable to connect to 127.0.0.1\n")


@pytest.mark.parametrize(("share", "value"), [(0, 1), (0.5, 51), (0.99, 100), (1, 100)])
def test_a_percentile_is_one_of_the_values(share, value):
    assert streams.percentile(range(100, 0, -1), share) == value


def test_nothing_has_no_percentile():
    assert streams.percentile([], 0.5) is None


def test_a_small_body_is_of_the_usual_size():
    assert 1100 < len(ask.body("gpt-4o-mini")) < 1500


def test_a_large_body_is_a_megabyte_and_ends_in_the_question():
    body = ask.body("gpt-4o-mini", large_bytes=ask.LARGE_BYTES)

    assert 0.98 < len(body) / ask.LARGE_BYTES < 1.02
    assert ask.QUESTION.encode() in body[-2000:]


def test_samples_of_the_main_thread_are_summed_up_by_function():
    stacks = ["serve;parse 30", "serve 10", "serve;parse;parse 60"]
    waiting = 'thread (0x2): "log";wait 500\n'

    text = profile.table(waiting + "".join(f"thread (0x1): MainThread;{s}\n" for s in stacks))

    assert text.splitlines()[:3] == [
        " on top  within  function (100 samples)",
        "  90.0%   90.0%  parse",
        "  10.0%  100.0%  serve",
    ]


@pytest.mark.parametrize(
    ("frame", "area"),
    [
        ("UpstreamConnection.send (proxy/http/upstream.py:94)", "proxy/http"),
        ("serve (proxy/serve.py:3)", "proxy/serve.py"),
        ("Runner.run (asyncio/runners.py:86)", "event loop"),
        ("<genexpr> (<string>:2)", "other"),
    ],
)
def test_a_frame_belongs_to_a_package(frame, area):
    assert profile.area(frame) == area
