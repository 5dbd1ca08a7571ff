"""The targets files name what is there, and an exchange that was not measured fairly is refused."""

import json

import pytest

from bench import ask
from bench.targets import DEFAULT_FILE, PEERS_FILE, Answer, Spec, choose, complaint, read_specs

SPECS = [*read_specs(DEFAULT_FILE).values(), *read_specs(PEERS_FILE).values()]
SPEC = Spec(
    "ours",
    DEFAULT_FILE.parent,
    ["true"],
    stamp="x-proxy-version",
    expect={"tools.0.function.name": "lookup"},
)
SEEN = {
    "messages": [{"role": "user", "content": ask.QUESTION}],
    "tools": [{"function": {"name": "lookup"}}],
}


def answer(text=ask.ANSWER, status=200, **headers):
    body = json.dumps({"choices": [{"message": {"content": text}}]}).encode()
    return Answer(status, headers or {"X-Proxy-Version": "a-v1-000000"}, body)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)
def test_every_file_of_a_target_is_there(spec):
    assert all((spec.folder / template).is_file() for template in spec.files.values())


def test_the_default_run_holds_the_references_and_the_proxy():
    assert {"nginx", "bare-aiohttp", "proxy"} <= {spec.name for spec in choose([])}


def test_an_unknown_target_is_refused_by_name():
    with pytest.raises(SystemExit, match="no such target: nginy"):
        choose(["nginy"])


def test_a_right_exchange_is_measured():
    assert complaint(SPEC, answer(), SEEN) == ""


@pytest.mark.parametrize(
    ("got", "seen", "why"),
    [
        (answer(status=500), SEEN, "status 500"),
        (answer("something cached"), SEEN, "another answer"),
        (answer(server="x"), SEEN, "no x-proxy-version header"),
        (answer(), {**SEEN, "tools": [{"function": {"name": "other"}}]}, "the vendor saw 'other'"),
        (answer(), {"messages": [{"content": "?"}]}, "did not get the question"),
    ],
)
def test_a_wrong_exchange_is_not(got, seen, why):
    assert why in complaint(SPEC, got, seen)
