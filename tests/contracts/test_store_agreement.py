"""The rules are written twice, in Python and in Lua: random orders must get the same answers."""

import asyncio
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from proxy.errors import ProxyError
from proxy.store.base import Change, Expect, Order
from proxy.store.pin_text import MAX_EPOCH
from proxy.versions.evidence import CaseResult, Drill, Gate, Result, Verdict
from proxy.versions.names import version_id
from proxy.versions.record import Kind, Meta, Pin
from tests.contracts.places import FakeRedisPlace, SqlitePlace, new, restorable

MODELS = ("recommender", "r")
LABELS = ("prod", "canary", "drill")
CONTENTS = ("a", "b", "c", "d")

GATES = (Gate("sha256:" + "a" * 64, 0.9), Gate("sha256:" + "a" * 64, 0.8, 0.02, 3))

# What people may leave in a pin; `test_store_rules` goes through all that can be wrong in one.
BY_HAND = ("{epoch}|{id}|{digest}|by hand", "{epoch}|{id}|{wrong}|by hand", "nonsense")

models, labels = st.sampled_from(MODELS), st.sampled_from(LABELS)
numbers = st.integers(1, 5)
operations = st.sampled_from([f"op-{n}" for n in range(6)]) | st.none()

changes = st.fixed_dictionaries(
    {
        "model": models,
        "label": labels,
        "number": numbers,
        "digest": st.sampled_from(["right"] * 9 + ["wrong"]),
        "expect": st.sampled_from(["any"] * 6 + ["held"] * 3 + ["nothing", "other"]),
        "kind": st.sampled_from([Kind.PIN, Kind.ROLLBACK, Kind.UNDO, Kind.REPAIR]),
        "revoke": st.booleans(),
        "restore": st.sampled_from([False, False, True]),
        "force": st.sampled_from([False, False, True]),
    }
)
swaps = st.tuples(
    st.just("swap"),
    st.lists(changes, min_size=1, max_size=3, unique_by=lambda c: (c["model"], c["label"])),
    operations,
    # Four pins are there at first, and somebody may write one up to 30 by hand.
    st.sampled_from([0, 0, 0, 3, 4, 5, 20, 40, MAX_EPOCH - 1, MAX_EPOCH]),
)
registrations = st.tuples(st.just("register"), models, st.sampled_from(CONTENTS), operations)
freezes = st.tuples(st.just("freeze"), models, st.booleans(), operations)
by_hand = st.tuples(
    st.just("hand"), models, labels, numbers, st.sampled_from(BY_HAND), st.integers(1, 30)
)
restorings = st.tuples(
    st.just("restore"), models, st.integers(1, 6), st.sampled_from([*CONTENTS, "lost"]), operations
)
# As the label holds it, or with another epoch.
recordings = st.tuples(st.just("record"), models, labels, st.sampled_from([0, 0, 0, 1]), operations)
gates = st.tuples(st.just("gate"), models, st.sampled_from([None, *GATES]), operations)
attachings = st.tuples(
    st.just("attach"), models, st.sampled_from(CONTENTS), st.sampled_from([0.5, 1.0]), operations
)
# Of what prod holds, or of nothing.
approvals = st.tuples(st.just("approve"), models, numbers, st.sampled_from(GATES), st.booleans())
ratifyings = st.tuples(st.just("ratify"), models, labels, numbers, operations)
drillings = st.tuples(st.just("drill"), models, labels, operations)
evidence = gates | attachings | approvals | approvals | ratifyings | drillings
others = freezes | registrations | restorings | recordings | evidence
scripts = st.lists(swaps | swaps | by_hand | others, max_size=14)


@given(script=scripts)
@settings(max_examples=60)
def test_both_tables_of_rules_give_the_same_answers(script):
    with tempfile.TemporaryDirectory() as directory:
        places = [SqlitePlace(Path(directory)), FakeRedisPlace()]
        mine, theirs = (asyncio.run(play(place, script)) for place in places)

    assert mine == theirs


async def play(place, script):
    """Return every answer to `script`, and what the store holds at the end."""
    store = place.open()
    try:
        for model in MODELS:
            for content in CONTENTS[:3]:
                await store.register(new(content, model), f"{model}{content}")
            for label in LABELS:
                await store.swap(
                    order([simple(model, label)], await store.pins(), f"{label}{model}")
                )
        answers = [await answer(place, store, n, *step) for n, step in enumerate(script)]
        return answers, await state(store)
    finally:
        await store.close()


def simple(model, label):
    fields = {"model": model, "label": label, "number": 1, "digest": "right", "expect": "any"}
    return {**fields, "kind": Kind.PIN, "revoke": False, "restore": False, "force": False}


async def answer(place, store, n, verb, *arguments):
    try:
        return await VERBS[verb](place, store, n, *arguments)
    except ProxyError as error:
        return type(error), error.message, getattr(error, "current", None)


async def swap(place, store, n, drawn, operation, floor):
    wanted = order(drawn, await store.pins(), operation or f"fresh-{n}", floor)
    return await store.swap(wanted)


async def register(place, store, n, model, content, operation):
    asked = new(content, model, message=content)
    done = await store.register(replace(asked, meta=Meta("bob")), operation or f"fresh-{n}")
    return replace(done, info=timeless(done.info))


async def freeze(place, store, n, model, frozen, operation):
    return timeless(
        await store.freeze(
            model, frozen, by="ada", reason=f"r{n}", operation=operation or f"fresh-{n}"
        )
    )


async def hand(place, store, n, model, label, number, text, epoch):
    id, digest = version(model, number)
    wrong = digest[:20] + "0" * 51
    place.set_pin(model, label, text.format(epoch=epoch, id=id, digest=digest, wrong=wrong))
    return await store.pins()


async def restore(place, store, n, model, number, content, operation):
    version = restorable(content, number, model, message=content)
    done = await store.restore(version, by="ada", operation=operation or f"fresh-{n}")
    return replace(done, info=timeless(done.info))


async def record(place, store, n, model, label, more, operation):
    pins = await store.pins()
    id, digest = version(model, 1)
    held = pins.pins.get((model, label), Pin(model, label, 1, id, digest, "nobody"))
    pin = replace(held, epoch=min(held.epoch + more, MAX_EPOCH))
    return timeless(await store.record(pin, by="ada", operation=operation or f"fresh-{n}"))


async def set_gate(place, store, n, model, gate, operation):
    about = {"by": "ada", "reason": f"r{n}", "operation": operation or f"fresh-{n}"}
    return timeless(await store.set_gate(model, gate, **about))


def result(model, content, score):
    digest, case = new(content, model).digest, CaseResult("one", score)
    return Result(model, digest, GATES[0].suite, score, (case,), "ada")


async def attach(place, store, n, model, content, score, operation):
    done = await store.attach(result(model, content, score), operation or f"fresh-{n}")
    return done.created, structs.replace(done.result, at="")


async def approve(place, store, n, model, number, gate, now):
    content, (_, digest) = (*CONTENTS, "never")[number - 1], version(model, number)
    held = (await store.pins()).pins.get((model, "prod"))
    baseline = held.digest if held and now else ""
    pointer = result(model, content, 1.0).pointer
    about = (gate.suite, gate.key, baseline, pointer)
    return await store.approve(Verdict(model, digest, *about, by="ada"))


async def ratify(place, store, n, model, label, number, operation):
    about = {"by": "ada", "reason": f"r{n}", "operation": operation or f"fresh-{n}"}
    return timeless(await store.ratify(model, label, version(model, number)[0], **about))


async def drill(place, store, n, model, label, operation):
    ids = (version(model, 1)[0], version(model, 2)[0])
    done = Drill(model, label, *ids, reverted=True, rollback_ms=1.5 + n, proxies=n, by="ada")
    about = {"reason": "", "operation": operation or f"fresh-{n}"}
    return timeless(await store.note_drill(done, '{"steps": []}', **about))


VERBS = {
    "gate": set_gate,
    "attach": attach,
    "approve": approve,
    "ratify": ratify,
    "drill": drill,
    "swap": swap,
    "register": register,
    "freeze": freeze,
    "hand": hand,
    "restore": restore,
    "record": record,
}


def order(drawn, pins, operation, floor=0):
    changes = tuple(made(each, pins) for each in drawn)
    return Order(changes, operation, "ada", reason=f"why {operation}", floor=floor)


def made(drawn, pins):
    id, digest = version(drawn["model"], drawn["number"])
    held = pins.pins.get((drawn["model"], drawn["label"]))
    expect = {
        "any": None,
        "held": Expect(held.id if held else None),
        "nothing": Expect(None),
        "other": Expect(id),
    }[drawn["expect"]]
    fields = {
        name: drawn[name] for name in ("model", "label", "kind", "revoke", "restore", "force")
    }
    wrong = "sha256:" + "0" * 64
    return Change(
        id=id, digest=digest if drawn["digest"] == "right" else wrong, expect=expect, **fields
    )


def version(model, number):
    """Return the id and digest that content `number` has, if it is registered in order."""
    digest = new((*CONTENTS, "never")[number - 1]).digest
    return version_id(model, number, digest[7:13]), digest


def timeless(value):
    return replace(value, at="")


async def state(store):
    return [
        await store.pins(),
        await store.models(),
        *[[timeless(info) for info in await store.versions(model)] for model in MODELS],
        *[[timeless(event) for event in await store.history(model)] for model in MODELS],
        *[without_time(await store.guards(model)) for model in MODELS],
        [structs.replace(drill, at="") for drill in await store.drills()],
        *[
            structs.replace(one, at="")
            for model in MODELS
            for content in CONTENTS
            for one in by_pointer(await store.results(model, new(content, model).digest))
        ],
    ]


def by_pointer(results):
    """Sort them: of two that came in the same millisecond either may be the newer."""
    return sorted(results, key=lambda one: one.pointer)


def without_time(guards):
    drill = guards.drill and structs.replace(guards.drill, at="")
    return replace(guards, drill=drill)
