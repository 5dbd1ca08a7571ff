"""What the history tells of results, at the price of one look."""

from proxy.control.catalog import list_versions, show
from proxy.control.results import proofs
from proxy.versions.evidence import CaseResult, Result
from proxy.versions.record import Event, Kind

SUITE = "sha256:" + "5" * 64


async def attach(shop, info, score=1.0):
    cases = (CaseResult("rain", score, (score,)),)
    result = Result("shop", info.digest, SUITE, score, cases, "ada@host")
    return (await shop.store.attach(result, shop.act().operation)).result


async def test_a_version_has_the_results_of_its_content_newest_first(shop):
    one, two = await shop.register("one", "two")
    first, second = await attach(shop, one, 0.5), await attach(shop, one, 0.75)

    newer, older = await list_versions(shop.store, "shop")

    assert newer.info == two
    assert newer.evals == ()
    assert [proof.pointer for proof in older.evals] == [second.pointer, first.pointer]
    assert older.json()["evals"][1] == {
        "pointer": first.pointer,
        "suite": SUITE,
        "score": 0.5,
        "cases": 1,
        "source": "proxyctl",
        "simulated": False,
        "at": first.at,
        "by": "ada@host",
        "approved": [],
    }


async def test_show_has_them_too(shop):
    (info,) = await shop.register("one")
    result = await attach(shop, info)

    shown = await show(shop.store, "shop", "v1")

    assert [one["pointer"] for one in shown.json()["evals"]] == [result.pointer]


def event(kind, **facts):
    return Event("shop", kind, 3, "2026-11-23T14:18:00.000Z", "ada", "op", **facts)


def test_a_pin_is_listed_with_the_result_that_approved_it():
    pin = event(Kind.PIN, label="prod", version="shop-v1-aaaaaa", verdict="eval-1")
    made = event(Kind.EVAL, digest="sha256:1", verdict="eval-1", detail='{"score": 0.5}')

    ((proof,),) = proofs([pin, made]).values()

    assert proof.approved == (pin,)
    assert (proof.score, proof.suite) == (0.5, "")


def test_a_detail_that_cannot_be_read_hides_no_result():
    made = event(Kind.EVAL, digest="sha256:1", verdict="eval-1", detail="{")

    assert [one.pointer for one in proofs([made])["sha256:1"]] == ["eval-1"]
