"""The table of rules of a swap, exhaustively: `rules.decide` and `lua/pin.lua` side by side."""

import itertools

import pytest
import redis

from proxy.errors import ProxyError
from proxy.store import evidence_text, pin_text
from proxy.store.base import Change, Expect, Swapped
from proxy.store.redis_keys import Keys
from proxy.store.rules import Known, decide
from proxy.versions.evidence import Gate, Verdict
from proxy.versions.record import Kind
from tests.contracts.places import MODEL, RedisPlace, order, registered

PROD = (MODEL, "prod")
REASON = "tried before"
GATE_KINDS = ("gate", "verdicts", "unratified")


@pytest.fixture
async def place(redis_server):
    return RedisPlace(redis_server)


@pytest.fixture
async def store(place):
    store = place.open()
    yield store
    await store.close()


@pytest.fixture
def client(redis_server):
    with redis.Redis(port=redis_server.port) as client:
        yield client


@pytest.fixture
async def versions(store):
    return await registered(store, "a", "b", "c")


def texts(versions):
    """Return what the label may hold, by name."""
    one, two, _ = (f"4|{info.id}|{info.digest}|before" for info in versions)
    return {"nothing": None, "other": one, "target": two, "broken": "4|nonsense"}


def expectations(versions):
    one, two, three = (Expect(info.id) for info in versions)
    return {"any": None, "nothing": Expect(None), "other": one, "target": two, "third": three}


async def lua_says(store, client, keys, known, wanted):
    """Bring Redis into the state `known`, carry `wanted` out, and return all that came of it."""
    put(client, keys, known)
    try:
        swapped = await store.swap(wanted)
    except ProxyError as error:
        return refused(error), client.get(keys.pin(PROD))
    (event, *_) = [*await store.history(MODEL, 1), None]
    moved = event is not None and event.operation == wanted.operation
    guards = await store.guards(MODEL)
    return (
        swapped,
        (event.previous, event.revoked, event.restored, event.forced, event.verdict)
        if moved
        else None,
        guards.revoked.keys(),
        guards.unratified.keys(),
        client.get(keys.pin(PROD)),
    )


def put(client, keys, known):
    with client.pipeline() as pipe:
        for kind in (*("held", "revoked", "frozen", "history"), *GATE_KINDS):
            pipe.delete(keys.of_model(kind, MODEL))
        pipe.delete(keys.pin(PROD))
        pipe.set(keys.epoch, known.epoch)
        for text in known.pins.values():
            pipe.set(keys.pin(PROD), text)
        for _, label, id in known.held:
            pipe.sadd(keys.of_model("held", MODEL), f"{label}:{id.split('-v')[1].split('-')[0]}")
        for _, id in known.revoked:
            pipe.hset(keys.of_model("revoked", MODEL), id, REASON)
        for _ in known.frozen:
            pipe.set(keys.of_model("frozen", MODEL), "")
        put_evidence(pipe, keys, known)
        pipe.execute()


def put_evidence(pipe, keys, known):
    for _, label, id in known.unratified:
        pipe.hset(keys.of_model("unratified", MODEL), f"{label}:{id}", "3")
    for gate in known.gates.values():
        pipe.set(keys.of_model("gate", MODEL), evidence_text.encode_gate(gate))
    for (_, digest), verdict in known.verdicts.items():
        text = evidence_text.timed(1, evidence_text.encode(verdict))
        pipe.hset(keys.of_model("verdicts", MODEL), digest, text)


def python_says(known, wanted):
    """Return the same for `rules.decide`."""
    before = known.pins.get(PROD)
    try:
        plan = decide(wanted, known)
    except ProxyError as error:
        return refused(error), before.encode() if before else None
    revoked = {id for _, id in known.revoked}
    event, text = None, before
    forced = {f"{label}:{id}" for _, label, id in known.unratified}
    for step in plan.steps:
        event = (step.previous, step.revoked, step.restored, step.change.force, step.verdict)
        place = f"{step.change.label}:{step.change.id}"
        forced = (forced | ({place} if step.forced else set())) - (
            {place} if step.passed else set()
        )
        revoked = (revoked | {step.revoked}) - {step.restored, None}
        text = pin_text.encode(step.pin)
    return Swapped(plan.epoch, plan.moved), event, revoked, forced, text.encode()


def refused(error):
    return type(error), error.message, getattr(error, "current", None)


BITS = list(itertools.product([False, True], repeat=6))

# What is expected, the kind of the change, and the floor; the store is at epoch 6. Expectations are
# looked at before the rest.
CASES = [
    *((expected, Kind.PIN, 0) for expected in ("any", "nothing", "other", "target", "third")),
    *(("any", kind, floor) for kind in (Kind.PIN, Kind.REPAIR) for floor in (6, 7)),
]


@pytest.mark.parametrize("holds", ["nothing", "other", "target", "broken"])
@pytest.mark.parametrize(("expected", "kind", "floor"), CASES, ids=str)
async def test_lua_and_python_decide_alike(
    store, client, place, versions, holds, expected, kind, floor
):
    keys, target = Keys(place.namespace), versions[1]
    text = texts(versions)[holds]
    for held, revoked, frozen, force, restore, revoke in BITS:
        known = Known(
            epoch=6,
            digests={info.id: info.digest for info in versions},
            pins={PROD: text} if text else {},
            held={(MODEL, "prod", target.id)} if held else set(),
            revoked={(MODEL, target.id)} if revoked else set(),
            frozen={MODEL} if frozen else set(),
        )
        wanted = order(
            Change(
                *(*PROD, target.id, target.digest),
                expect=expectations(versions)[expected],
                force=force,
                restore=restore,
                revoke=revoke,
                kind=kind,
            ),
            floor=floor,
        )

        said = await lua_says(store, client, keys, known, wanted)

        assert said == python_says(known, wanted), (known, wanted)


GATE = Gate("sha256:" + "a" * 64, min_score=0.9, max_regression=0.02, cases=3)
OTHER = "sha256:" + "b" * 64

# Of what a verdict is about, and whether a pin of the version that it names may come to prod then.
VERDICTS = {
    "none": None,
    "current": {},
    "about another gate": {"gate": OTHER},
    "about another suite": {"suite": OTHER},
    "while prod held something else": {"baseline": OTHER},
    "while prod held nothing": {"baseline": ""},
}


@pytest.mark.parametrize("kind", [Kind.PIN, Kind.ROLLBACK, Kind.UNDO, Kind.REPAIR])
@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("holds", ["nothing", "other", "target", "broken"])
async def test_lua_and_python_demand_the_same_verdicts(
    store, client, place, versions, holds, verdict, kind
):
    keys, target = Keys(place.namespace), versions[1]
    text = texts(versions)[holds]
    pin = pin_text.decode(*PROD, text) if text else None
    about = VERDICTS[verdict]
    now = {"gate": GATE.key, "suite": GATE.suite, "baseline": pin.digest if pin else ""}
    asked = Verdict(MODEL, target.digest, result="eval-1", by="ada", **{**now, **(about or {})})
    for held, revoked, forced, force, restore in itertools.product([False, True], repeat=5):
        known = Known(
            epoch=6,
            digests={info.id: info.digest for info in versions},
            pins={PROD: text} if text else {},
            held={(MODEL, "prod", target.id)} if held else set(),
            revoked={(MODEL, target.id)} if revoked else set(),
            frozen=set(),
            unratified={(MODEL, "prod", target.id)} if forced else set(),
            gates={MODEL: GATE},
            verdicts={} if about is None else {(MODEL, target.digest): asked},
        )
        change = Change(*PROD, target.id, target.digest, force=force, restore=restore, kind=kind)
        wanted = order(change)

        said = await lua_says(store, client, keys, known, wanted)

        assert said == python_says(known, wanted), (known, change)


# What people may leave in a pin: one that a swap could have written, and one thing wrong each.
BY_HAND = {
    "7|{id}|{digest}|by hand": True,
    "7|{id}|{digest}|größer": True,
    "007|{id}|{digest}|op": True,
    f"{pin_text.MAX_EPOCH - 1}|{{id}}|{{digest}}|op": True,
    f"{pin_text.MAX_EPOCH}|{{id}}|{{digest}}|op": True,
    f"{pin_text.MAX_EPOCH + 1}|{{id}}|{{digest}}|op": False,
    "12345678901234567|{id}|{digest}|op": False,
    "0|{id}|{digest}|op": False,
    "|{id}|{digest}|op": False,
    "-7|{id}|{digest}|op": False,
    "7.0|{id}|{digest}|op": False,
    "\u0667|{id}|{digest}|op": False,
    " 7|{id}|{digest}|op": False,
    "7|{id}|{digest}|": False,
    "7|{id}|{digest}": False,
    "7|{id}|{digest}|a|b": False,
    "7|{id}|{digest}|op\n": False,
    "7|{id}|{digest}|o\x00p": False,
    "7|{id}0|{digest}|op": False,
    "7|{model}-v1-{hex5}|{digest}|op": False,
    "7|{model}-v0-{hex6}|{digest}|op": False,
    "7|{model}-v01-{hex6}|{digest}|op": False,
    "7|{model}-v999999999-{hex6}|{digest}|op": True,
    "7|{model}-v1000000000-{hex6}|{digest}|op": False,
    "7|{model}-v1-{hex64}|{digest}|op": True,
    "7|{model}-v1|{digest}|op": False,
    "7|x{id}|{digest}|op": False,
    "7|ranker-v1-{hex6}|{digest}|op": False,
    "7|{id}|{digest}0|op": False,
    "7|{id}|sha256:{hex6}|op": False,
    "7|{id}|SHA256:{hex64}|op": False,
    "7|{id}|sha256:{upper}|op": False,
    "nonsense": False,
    "": False,
}


@pytest.mark.parametrize(("text", "readable"), BY_HAND.items(), ids=map(ascii, BY_HAND))
async def test_lua_and_python_read_the_same_pins(store, client, place, versions, text, readable):
    info = versions[0]
    digits = info.digest.removeprefix("sha256:")
    text = text.format(
        id=info.id,
        digest=info.digest,
        model=MODEL,
        upper=digits.upper(),
        hex5=digits[:5],
        hex6=digits[:6],
        hex64=digits,
    )
    target = versions[1]
    digests = {info.id: info.digest for info in versions}
    pin = pin_text.decode(*PROD, text)
    epoch = pin.epoch if pin else 1
    known = Known(epoch, digests, {PROD: text}, set(), set(), set())
    wanted = order(Change(*PROD, target.id, target.digest))
    keys = Keys(place.namespace)

    said = await lua_says(store, client, keys, known, wanted)

    assert (pin is not None) is readable
    assert said == python_says(known, wanted)


@pytest.mark.parametrize(
    "change",
    [
        lambda info: Change(*PROD, f"{MODEL}-v9-{info.digest[7:13]}", info.digest),
        lambda info: Change(*PROD, f"{MODEL}-v1-ffffff", info.digest),
        lambda info: Change(*PROD, info.id + "0", info.digest),
        lambda info: Change(*PROD, info.id, "sha256:" + "0" * 64),
    ],
    ids=["number", "digits", "too many digits", "digest"],
)
async def test_lua_and_python_refuse_what_is_not_registered(store, client, place, versions, change):
    digests = {info.id: info.digest for info in versions}
    known = Known(1, digests, {}, set(), set(), set())
    wanted = order(change(versions[0]))

    said = await lua_says(store, client, Keys(place.namespace), known, wanted)

    assert said == python_says(known, wanted)
