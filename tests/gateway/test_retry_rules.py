"""What a version's rules let be repeated, and what goes to the app when nothing more is tried."""

import time
from contextlib import asynccontextmanager

import pytest

from proxy.errors import Overloaded, UpstreamProtocol, UpstreamUnreachable
from proxy.gateway.attempts import failure_of
from proxy.routing.retry import Failure, Kind
from tests.e2e.models import recommender
from tests.http.scene import ANSWER, ASK, ASK_STREAM, EVENT, LIST, refused, scene_of, until
from tests.raw_client import request
from tests.vendor_script import (
    LAST_CHUNK,
    Cut,
    Fin,
    Say,
    ScriptedVendor,
    Stall,
    chunk,
    stream_head,
    whole,
)

SPARE = '[[routing.fallback]]\nvendor = "spare"\nid = "gpt-4o-mini"\n'
SHORT = 0.1

LIMITED = whole(b'{"error":{"message":"slow down"}}', ("retry-after", "7"), status=429)
FAILED = whole(b'{"error":{"message":"oops"}}', status=500)


def rules(retry_on, *, attempts=2, more="", fallback=True):
    lines = ["[routing]", f"attempts = {attempts}", f"retry_on = {retry_on}", more]
    return {"recommender": recommender(more="\n".join([*lines, SPARE * fallback]))}


def named(*names, risky=True, **more):
    """Return a model whose rules name these failures."""
    extra = more.pop("more", "") + ("\nmay_bill_twice = true" if risky else "")
    return rules(f"[{', '.join(map(repr, names))}]", more=extra, **more)


EVERYTHING = named("status:429", "status:5xx", "first_byte_timeout", "reset", attempts=5)


@asynccontextmanager
async def two_vendors(directory, first, *script, models):
    """Open a scene whose first vendor plays `first`, and whose own is the spare one."""
    async with (
        ScriptedVendor(*first) as primary,
        ScriptedVendor(*(script or (Say(whole(ANSWER)),))) as spare,
    ):
        vendors = {"openai": {"base_url": primary.url}, "spare": {"base_url": spare.url}}
        async with scene_of(directory, overrides={"vendors": vendors}, models=models) as scene:
            scene.vendor, scene.primary = spare, primary
            yield scene


UNANSWERED = {
    "refused": (Say(LIMITED), named("status:429", risky=False)),
    "failed": (Say(FAILED), named("status:5xx")),
    "one status": (Say(FAILED), named("status:500")),
    "key refused": (Say(whole(b"{}", status=401)), named("status:401", risky=False)),
    "reset": (Cut(), named("reset")),
    "closed": (Fin(), named("reset")),
    "half a head": (Say(b"HTTP/1.1 200 OK\r\ncontent-ty"), Cut(), named("reset")),
    "silent": (Stall(), named("first_byte_timeout", more=f"first_byte_timeout_s = {SHORT}")),
}


@pytest.mark.parametrize("name", UNANSWERED)
async def test_failure_that_the_rules_name_is_followed_by_another_attempt(tmp_path, name):
    *first, models = UNANSWERED[name]

    async with two_vendors(tmp_path, first, models=models) as scene:
        answer = await scene.ask()

        assert (answer.status, answer.body) == (200, ANSWER)
        assert answer.header("x-proxy-upstream") == "spare/gpt-4o-mini;attempt=2"
        assert answer.header("retry-after") is None
        line = await scene.line()
        assert (line["vendor"], line["attempt"], line["outcome"]) == ("spare", 2, "ok")
        assert line["bytes_out"] == len(ANSWER)
        assert len(scene.primary.requests) == 1


@pytest.mark.parametrize("name", UNANSWERED)
async def test_failure_that_the_rules_do_not_name_is_final(tmp_path, name):
    *first, _ = UNANSWERED[name]
    models = named("status:418", risky=False, more=f"first_byte_timeout_s = {SHORT}", attempts=5)

    async with two_vendors(tmp_path, first, models=models) as scene:
        answer = await scene.ask()

        assert answer.status in (429, 500, 502, 504)
        assert answer.header("x-proxy-upstream") == "openai/gpt-4o-2024-08-06;attempt=1"
        assert scene.vendor.connections == []


async def test_last_refusal_reaches_the_app_as_it_is(tmp_path):
    models = named("status:429", "status:500")

    async with two_vendors(tmp_path, [Say(FAILED)], Say(LIMITED), models=models) as scene:
        answer = await scene.ask()

        assert (answer.status, answer.header("retry-after")) == (429, "7")
        assert answer.body == b'{"error":{"message":"slow down"}}'
        assert answer.header("x-proxy-upstream") == "spare/gpt-4o-mini;attempt=2"
        assert answer.header("x-proxy-error") is None
        assert (await scene.line())["outcome"] == "vendor_error"


async def test_last_failure_of_several_is_the_one_that_is_told(tmp_path):
    async with two_vendors(tmp_path, [Say(LIMITED)], Cut(), models=named("status:429")) as scene:
        answer = await scene.ask()

        assert refused(answer) == (502, "upstream_unreachable")
        assert answer.header("x-proxy-upstream") == "spare/gpt-4o-mini;attempt=2"


BEGUN = {
    "head": [Say(stream_head())],
    "event": [Say(stream_head()), Say(chunk(EVENT))],
    "half an event": [Say(stream_head()), Say(chunk(EVENT[:9]))],
}


@pytest.mark.parametrize("name", BEGUN)
@pytest.mark.parametrize("end", [Cut(), Stall()], ids=["cut", "silent"])
async def test_nothing_is_repeated_once_a_byte_has_reached_the_app(tmp_path, name, end):
    models = {
        "recommender": {
            **EVERYTHING["recommender"],
            "version.toml": EVERYTHING["recommender"]["version.toml"].replace(
                "attempts", f"idle_timeout_s = {SHORT}\nattempts", 1
            ),
        }
    }

    async with two_vendors(tmp_path, [*BEGUN[name], end], models=models) as scene:
        answer = await scene.ask(ASK_STREAM)

        assert (answer.status, answer.ending) == (200, "cut")
        assert (await scene.line())["outcome"] == "broken"
        assert len(scene.primary.requests) == 1
        assert scene.vendor.connections == []


async def test_vendor_that_names_a_short_time_is_asked_again_after_it(tmp_path):
    soon = whole(b"{}", ("retry-after-ms", "250"), status=429)
    models = named("status:429", risky=False, fallback=False)

    async with scene_of(tmp_path, models=models) as scene:
        scene.vendor.play(Say(soon))
        began = time.monotonic()
        answer = await scene.ask()

        assert (answer.status, answer.body) == (200, ANSWER)
        assert answer.header("x-proxy-upstream") == "openai/gpt-4o-2024-08-06;attempt=2"
        assert time.monotonic() - began >= 0.25


async def test_vendor_that_names_a_long_time_is_not_waited_for(tmp_path):
    late = whole(b"{}", ("retry-after", "11"), status=429)
    models = named("status:429", risky=False, fallback=False, attempts=5)

    async with scene_of(tmp_path, Say(late), models=models) as scene:
        answer = await scene.ask()

        assert (answer.status, answer.header("retry-after")) == (429, "11")
        assert len(scene.vendor.requests) == 1


async def test_no_attempt_is_waited_for_that_would_come_too_late(tmp_path):
    late = whole(b"{}", ("retry-after", "5"), status=429)
    models = named("status:429", risky=False, fallback=False, attempts=5, more="timeout_s = 2")

    async with scene_of(tmp_path, Say(late), models=models) as scene:
        assert (await scene.ask()).status == 429
        assert len(scene.vendor.requests) == 1


async def test_time_of_the_version_bounds_all_attempts_together(tmp_path):
    more = f"timeout_s = {6 * SHORT}\nfirst_byte_timeout_s = {SHORT}"
    models = named("first_byte_timeout", attempts=10, more=more)

    async with two_vendors(tmp_path, [Stall()], Stall(), models=models) as scene:
        answer = await scene.ask()

        assert refused(answer) == (504, "upstream_timeout")
        assert (await scene.line())["attempt"] < 10


async def test_version_may_bear_less_silence_than_the_proxy(tmp_path):
    models = {"recommender": recommender(more=f"[routing]\nfirst_byte_timeout_s = {SHORT}\n")}

    async with scene_of(tmp_path, Stall(), models=models) as scene:
        assert refused(await scene.ask()) == (504, "upstream_timeout")


async def test_a_target_may_be_given_more_time_than_the_others(tmp_path):
    more = f"first_byte_timeout_s = {SHORT}"
    models = named("first_byte_timeout", more=more)
    text = models["recommender"]["version.toml"]
    spare = 'vendor = "spare"\n'
    models["recommender"]["version.toml"] = text.replace(
        spare, f"{spare}first_byte_timeout_s = 60\n"
    )

    late = (Stall(3 * SHORT), Say(whole(ANSWER)))
    async with two_vendors(tmp_path, [Stall()], *late, models=models) as scene:
        answer = await scene.ask()

        assert (answer.status, answer.body) == (200, ANSWER)
        assert answer.header("x-proxy-upstream") == "spare/gpt-4o-mini;attempt=2"


async def test_version_cannot_bear_more_silence_than_the_proxy(tmp_path):
    models = {"recommender": recommender(more="[routing]\nfirst_byte_timeout_s = 600\n")}
    operators = {"timeouts": {"first_byte_s": SHORT}}

    async with scene_of(tmp_path, Stall(), models=models, overrides=operators) as scene:
        assert refused(await scene.ask()) == (504, "upstream_timeout")


REFUSALS = {
    "whole": [Say(LIMITED)],
    "in parts": [Say(LIMITED[:-9]), Say(LIMITED[-9:])],
    "chunked": [
        Say(stream_head().replace(b"200 OK", b"429 No")),
        Say(chunk(EVENT)),
        Say(chunk(EVENT) + LAST_CHUNK),
    ],
}


@pytest.mark.parametrize("name", REFUSALS)
async def test_connection_of_a_refusal_is_used_again(tmp_path, name):
    models = named("status:429", risky=False)
    size = sum(len(step.bytes) for step in REFUSALS[name])

    async with two_vendors(tmp_path, REFUSALS[name], models=models) as scene:
        for count in range(1, 4):
            assert (await scene.ask()).body == ANSWER
            # All of it was sent, and the proxy's loop has been round since.
            await until(lambda count=count: scene.primary.said_bytes == count * size)
            await scene.ask(LIST)

        assert len(scene.primary.requests) == 3
        assert len(scene.primary.connections) == 1


HEAD_500 = stream_head().replace(b"200 OK", b"500 No")
ENDLESS = {
    "long by its head": [Say(whole(b"x" * 65_537, status=500)[:500]), Stall()],
    "long in chunks": [
        Say(HEAD_500),
        Say(chunk(b"x" * 40_000)),
        Say(chunk(b"x" * 40_000)),
        Stall(),
    ],
    "to the end of the connection": [Say(b"HTTP/1.1 500 No\r\n\r\nx"), Stall()],
}


@pytest.mark.parametrize("name", ENDLESS)
async def test_refusal_that_is_long_does_not_hold_its_connection(tmp_path, name):
    async with two_vendors(tmp_path, ENDLESS[name], models=named("status:5xx")) as scene:
        assert (await scene.ask()).body == ANSWER

        connection = await scene.primary.connected()
        await connection.closed.wait()


async def test_refusal_that_breaks_off_is_over_all_the_same(tmp_path):
    half = [Say(LIMITED[:-9]), Cut()]

    async with two_vendors(tmp_path, half, models=named("status:429")) as scene:
        for _ in range(2):
            assert (await scene.ask()).body == ANSWER

        await scene.nothing_in_flight()


async def test_large_request_is_sent_again_whole(tmp_path):
    body = {"model": "recommender", "messages": [{"role": "user", "content": "x" * 300_000}]}

    async with two_vendors(tmp_path, [Say(FAILED)], models=named("status:500")) as scene:
        answer = await scene.ask(request(body))

        assert answer.body == ANSWER
        first, second = scene.primary.requests[0], scene.vendor.requests[0]
        assert second.body == first.body.replace(b'"gpt-4o-2024-08-06"', b'"gpt-4o-mini"')
        assert len(second.body) > 300_000


async def test_app_that_goes_while_a_target_is_waited_for_ends_it(tmp_path):
    late = whole(b"{}", ("retry-after", "9"), status=429)
    models = named("status:429", risky=False, fallback=False)

    async with scene_of(tmp_path, Say(late), models=models) as scene:
        await scene.app.send(ASK)
        await scene.vendor.received()
        scene.app.vanish()

        line = await scene.line()
        assert (line["outcome"], line["status"], line["attempt"]) == ("client_closed", 499, 1)


async def test_second_attempt_sends_the_same_request_but_for_the_model(tmp_path):
    async with two_vendors(tmp_path, [Say(FAILED)], models=named("status:500")) as scene:
        await scene.ask()

        first, second = scene.primary.requests[0], scene.vendor.requests[0]
        assert second.body == first.body.replace(b'"gpt-4o-2024-08-06"', b'"gpt-4o-mini"')
        changing = {"host", "content-length"}
        assert [h for h in first.headers if h[0] not in changing] == [
            h for h in second.headers if h[0] not in changing
        ]


@pytest.mark.parametrize(
    ("error", "not_sent", "kind"),
    [
        (UpstreamUnreachable(), True, Kind.NO_CONNECTION),
        (Overloaded(), True, Kind.NOT_CALLED),
        (UpstreamUnreachable(), False, Kind.RESET),
        (UpstreamProtocol(), False, Kind.UNUSABLE),
    ],
)
def test_what_a_connection_ends_with_has_a_name_in_the_rules(error, not_sent, kind):
    assert failure_of(error, not_sent=not_sent) == Failure(kind)
