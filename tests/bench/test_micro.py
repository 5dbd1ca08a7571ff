"""The small measure drives the proxy's own data path, each request to its end."""

import pytest

from bench import micro

ANSWER = micro.HEAD % len(micro.ANSWER) + micro.ANSWER


@pytest.mark.parametrize(
    ("asked", "answer"),
    [
        (micro.request(micro.SDK, micro.ask.body(micro.MODEL)), [ANSWER]),
        (micro.request(micro.PLAIN, micro.ask.body(micro.MODEL, stream=True)), micro.PIECES),
    ],
    ids=["document", "stream"],
)
def test_every_request_is_answered_well_and_counted(asked, answer):
    bench = micro.open_bench(2)

    bench.play(asked, answer)
    bench.play(asked, answer)

    bench.gateway.close()
    [((version, dialect, outcome, status), count)] = bench.gateway.stats.requests.items()
    assert version.startswith("assistant-v1-")
    assert (dialect, outcome, status, count) == ("openai.chat", "ok", 2, 4)
