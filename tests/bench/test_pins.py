"""What a series of pins shows is arithmetic over what the product reports."""

import asyncio

import pytest

from bench import members, pins, versions
from bench.bare import Bare
from bench.members import Kind
from bench.pins import One, Used, costs, times
from proxy.store.url import open_store
from tests.redis_server import RedisServer


def one(elapsed_ms: float, confirmed: int = 4) -> One:
    return One(1.0, elapsed_ms, elapsed_ms + 5.0, 900.0, confirmed, 4)


def used(at_s: float, store_us: float, *members_us: float, machine_us: float = 0.0) -> Used:
    return Used(at_s, store_us, members_us, machine_us)


def test_a_series_is_summed_up_by_its_percentiles():
    found = times([one(float(ms)) for ms in range(1, 101)])

    assert (found["p50_ms"], found["p95_ms"], found["p99_ms"], found["max_ms"]) == (
        51,
        96,
        100,
        100,
    )


def test_a_pin_that_somebody_did_not_confirm_is_counted():
    assert times([one(1.0), one(2.0, confirmed=3)])["unconfirmed"] == 1


def test_what_a_fleet_uses_at_rest_is_no_cost_of_a_pin():
    idle = [used(0.0, 0.0, 0.0), used(1.0, 100.0, 10.0)]
    busy = [used(1.0, 100.0, 10.0), used(3.0, 900.0, 130.0)]

    found = costs(idle, busy, members=1, pins=2, own_us=0.0)

    assert (found["store_us"], found["member_us"]) == (300.0, 50.0)
    assert (found["rest_store_us_s"], found["rest_member_us_s"]) == (100.0, 10.0)


def test_members_that_share_a_process_share_its_cost():
    idle = [used(0.0, 0.0, 0.0), used(1.0, 0.0, 0.0)]
    busy = [used(1.0, 0.0, 0.0), used(2.0, 0.0, 1000.0)]

    assert costs(idle, busy, members=10, pins=1, own_us=0.0)["member_us"] == 100.0


def test_what_others_used_is_noise():
    idle = [used(0.0, 0.0, 0.0), used(1.0, 0.0, 0.0)]
    busy = [used(1.0, 0.0, 0.0), used(2.0, 0.0, 1000.0, machine_us=50_000.0)]

    assert costs(idle, busy, members=1, pins=1, own_us=49_000.0)["noise"] == 0.0
    assert costs(idle, busy, members=1, pins=1, own_us=0.0)["noise"] > 0.0


def test_a_fleet_that_keeps_failing_to_confirm_ends_the_series():
    with pytest.raises(RuntimeError, match="3 of 4 confirmed"):
        pins.require_most([one(1.0, confirmed=3)] * (pins.MOST_UNCONFIRMED + 1))


@pytest.mark.parametrize(
    ("kind", "count", "called"),
    [(Kind.PROXY, 1, "1 proxy"), (Kind.PROXY, 50, "50 proxies"), (Kind.BARE, 2, "2 bare watchers")],
)
def test_a_fleet_is_called_by_its_size(kind, count, called):
    assert kind.of(count) == called


def test_no_two_versions_are_the_same():
    found = [versions.version(number) for number in range(1, 5)]

    assert len({new.digest for new in found}) == 4
    assert all(
        versions.SYSTEM_BYTES < len(new.content) < 2 * versions.SYSTEM_BYTES for new in found
    )


async def test_bare_watchers_confirm_a_pin(start_redis):
    server: RedisServer = start_redis()
    store = open_store(server.url)
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda name=name: Bare(name), "127.0.0.1", server.port)
        for name in ("web-1", "web-2")
    ]
    (info,) = await versions.register(store, 1)
    await members.joined(store, ("web-1", "web-2"))

    report = await pins.swapped_only(store, info, "pin-1")

    assert report.confirmation.confirmed == 2
    for transport, bare in made:
        transport.close()
        await bare.over.wait()
    await store.close()
