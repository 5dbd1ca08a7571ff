"""What an auditor reads of a gate's changes."""

from proxy.control.freeze import set_frozen
from proxy.control.gate import accept
from proxy.control.gate_history import gate_changes
from proxy.control.status import status
from proxy.versions.evidence import Gate

SUITE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


async def test_each_change_of_the_gate_is_told_in_words(shop):
    await shop.register("one")
    for gate in (
        Gate(SUITE, min_score=0.9, cases=2),
        Gate(SUITE, min_score=0.5, max_regression=0.02, cases=2),
        Gate(OTHER, min_score=0.5, max_regression=0.02, cases=3, simulated=True),
        None,
        Gate(SUITE, min_score=0.5, cases=2),
    ):
        await accept(shop.store, "shop", gate, shop.act("why"))

    events = await shop.store.history("shop", 100)

    assert list(gate_changes(events).values()) == [
        "min_score 0.5, max_regression not asked, simulated does not count, 2 cases sha256:aaaaaa",
        "none is in force any more",
        "simulated does not count → counts, other cases: 2 cases sha256:aaaaaa"
        " → 3 cases sha256:bbbbbb",
        "min_score 0.9 → 0.5, max_regression not asked → 0.02",
        "min_score 0.9, max_regression not asked, simulated does not count, 2 cases sha256:aaaaaa",
    ]


async def test_status_says_who_froze_a_model_and_when_the_last_time(shop):
    await shop.register("one")
    await set_frozen(shop.store, "shop", True, shop.act("holidays"))
    (frozen,) = (await status(shop.store)).json()["models"]
    await set_frozen(shop.store, "shop", False, shop.act())
    (free,) = (await status(shop.store)).json()["models"]

    assert (frozen["frozen_by"], frozen["frozen_reason"]) == ("ada@host", "holidays")
    assert frozen["frozen_at"].endswith("Z")
    assert (free["frozen_by"], free["frozen_at"]) == (None, None)
