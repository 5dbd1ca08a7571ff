"""The cases of a drill: what is compared with what, and when that is a loss."""

import pytest
from msgspec import structs

from proxy.control.drill_evals import approving, compared, samples_of
from proxy.control.references import find
from proxy.evals.suite import parse
from proxy.versions.evidence import CaseResult, Gate, Result, Verdict
from proxy.versions.question import Sample

SUITE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64

CASES = """
[[case]]
name = "rain"
input = "What should I wear?"
variables = {shop = "Alpine", stock = 3, open = true}
expect = [{contains = "jacket"}]

[[case]]
name = "talk"
messages = [{role = "user", content = "Hi"}, {role = "assistant", content = "Hello"}]
expect = [{contains = "jacket"}]
"""


def result(score, digest="sha256:" + "c" * 64, suite=SUITE, repeats=20, **more):
    scores = (1.0,) * round(repeats * score) + (0.0,) * round(repeats * (1 - score))
    cases = (CaseResult("rain", score, scores),)
    return Result("shop", digest, suite, score, cases, by="ada", **more)


def test_cases_are_sent_as_an_app_would_send_them():
    assert samples_of(parse(CASES, {}).cases) == (
        Sample((("user", "What should I wear?"),), {"shop": "Alpine", "stock": 3, "open": True}),
        Sample((("user", "Hi"), ("assistant", "Hello"))),
    )


def test_a_loss_that_is_more_than_noise_is_one():
    assert compared(result(0.1), result(1.0)).worse is True


@pytest.mark.parametrize(
    ("now", "approved"),
    [
        (result(1.0), result(1.0)),
        (result(1.0), result(0.1)),
        (result(0.9), result(1.0)),
        (result(0.1), result(1.0, suite=OTHER)),
        (result(0.1, simulated=True), result(1.0)),
        (result(0.1), None),
    ],
    ids=["same", "better", "within-noise", "another-suite", "simulated", "first"],
)
def test_anything_else_is_none(now, approved):
    again = compared(now, approved)

    assert again.worse is False
    assert again.words


async def test_it_is_compared_with_the_result_that_let_it_to_prod(shop):
    await shop.register("one")
    found = await find(shop.store, "shop", "v1")
    digest = found.info.digest
    first, second = result(0.9, digest), result(0.8, digest)
    gate = Gate(SUITE)
    about = {"by": "ada", "reason": "launch", "operation": "gate"}
    await shop.store.set_gate("shop", gate, **about)
    await shop.store.attach(first, "first")
    verdict = Verdict("shop", digest, SUITE, gate.key, "", first.pointer, by="ada")
    await shop.store.approve(verdict)
    await shop.pin("v1")
    await shop.store.attach(second, "second")

    approved = await approving(shop.store, found, SUITE)

    assert approved.pointer == first.pointer


async def test_without_a_gate_it_is_compared_with_the_newest_in_the_suite(shop):
    await shop.register("one")
    found = await find(shop.store, "shop", "v1")
    await shop.pin("v1")
    for score in (0.9, 0.8):
        await shop.store.attach(result(score, found.info.digest), f"attach-{score}")

    newest = await approving(shop.store, found, SUITE)

    assert newest.score in (0.8, 0.9)
    assert await approving(shop.store, found, OTHER) is None
    assert structs.replace(newest, at="") == result(newest.score, found.info.digest)
