"""One question of an eval, put to a proxy as an app would put it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from proxy.control.eval_dialects import SPOKEN
from proxy.dialects.base import path_for
from proxy.dialects.openai_chat import OpenAIChat
from proxy.dialects.registry import DIALECTS
from proxy.errors import EvalFailed
from proxy.evals.answer import Answer
from proxy.evals.suite import Case
from proxy.settings import Auth

if TYPE_CHECKING:
    import aiohttp

# Of one question: the first try, and what follows a failure that is expected to pass.
MOST_TRIES = 5
# A vendor that is asked too much says for how long; beyond this the run is not worth waiting for.
MOST_WAITING_S = 120.0
FIRST_WAIT_S = 0.5
LONGEST_WAIT_S = 30.0

# As much as a proxy lets an app send; answers are smaller by far.
MAX_ANSWER_BYTES = 32 * 2**20

_PASSING = frozenset({429, 502, 503, 504, 529})

# What every further question would be answered with too.
_HOPELESS = frozenset(
    {
        *("unauthorized", "forbidden", "unknown_model", "unknown_version", "not_found"),
        *("upstream_auth", "wrong_dialect"),
    }
)

# How the simulated vendor signs; a result that it had a part in is no proof.
_SIMULATED = "org-simulated"
_SIGNED = ("openai-organization", "anthropic-organization-id")

TIMED_OUT, UNREACHABLE = "timeout", "unreachable"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version is asked: the base URL of a proxy, what `model` says there, in which dialect,
    and the digest that has to answer. `token` is an app's, or empty; `auth` is how it is sent."""

    url: str
    model: str
    digest: str
    dialect: str = OpenAIChat.name
    token: str = field(default="", repr=False)
    auth: Auth = "bearer"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came back in the end; `simulated` says that no real vendor answered."""

    answer: Answer
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class _Reply:
    """One try: the answer, or what failed in `answer.error`. `wait_s` is what the other side asked
    for; `passing` says that another try may succeed."""

    answer: Answer
    simulated: bool = False
    passing: bool = False
    wait_s: float | None = None


async def ask(session: aiohttp.ClientSession, place: Place, case: Case, timeout_s: float) -> Heard:
    """Ask once, and again after failures that are expected to pass; each try takes `timeout_s` at
    most. What fails in the end is an answer whose `error` says why.

    Raises `EvalFailed` if another version answers, or if no question will ever be answered.
    """
    body, waited_s = msgspec.json.encode(_body(place, case)), 0.0
    for tried in range(1, MOST_TRIES + 1):
        reply = await _once(session, place, body, timeout_s)
        if reply.answer.error in _HOPELESS:
            raise EvalFailed(
                f"no question is answered: {reply.answer.error}",
                hint="docs/errors.md says what is wrong",
            )
        pause_s = pause(reply.passing, reply.wait_s, tried)
        if pause_s is None or waited_s + pause_s > MOST_WAITING_S:
            break
        waited_s += pause_s
        await asyncio.sleep(pause_s)
    return Heard(reply.answer, reply.simulated)


def pause(passing: bool, wanted_s: float | None, tried: int) -> float | None:
    """Return how long to wait before the next try, after `tried` of them; None: there is none."""
    if not passing or tried >= MOST_TRIES:
        return None
    usual_s = min(FIRST_WAIT_S * 2 ** (tried - 1), LONGEST_WAIT_S)
    return usual_s if wanted_s is None else wanted_s


def _body(place: Place, case: Case) -> dict[str, Any]:
    said = SPOKEN[place.dialect].said(case) if case.messages else {}
    body = {"model": place.model, **said}
    if case.variables:
        body["proxy_variables"] = dict(case.variables)
    return body


async def _once(
    session: aiohttp.ClientSession, place: Place, body: bytes, timeout_s: float
) -> _Reply:
    import aiohttp  # takes a fifth of the time that a verb takes to start

    loop = asyncio.get_running_loop()
    started_s = loop.time()
    try:
        async with (
            asyncio.timeout(timeout_s),
            session.post(
                place.url + path_for(DIALECTS[place.dialect], place.model),
                data=body,
                headers=_headers(place),
                allow_redirects=False,
            ) as reply,
        ):
            content = await _content(reply)
    except TimeoutError:
        return _Reply(failed(TIMED_OUT, (loop.time() - started_s) * 1000))
    except (aiohttp.ClientError, OSError):
        return _Reply(failed(UNREACHABLE, (loop.time() - started_s) * 1000), passing=True)
    return _read(place, _Whole(reply.status, reply.headers, content), loop.time() - started_s)


async def _content(reply: aiohttp.ClientResponse) -> bytes:
    """Return the body, cut where it is longer than any answer: then it cannot be read."""
    content = bytearray()
    async for chunk in reply.content.iter_any():
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            break
    return bytes(content)


def _headers(place: Place) -> dict[str, str]:
    headers = {"content-type": "application/json"}
    if place.token and place.auth == "bearer":
        headers["authorization"] = f"Bearer {place.token}"
    elif place.token:
        headers[place.auth] = place.token
    return headers


@dataclass(frozen=True, slots=True)
class _Whole:
    status: int
    headers: Mapping[str, str]
    body: bytes


def _read(place: Place, reply: _Whole, elapsed_s: float) -> _Reply:
    headers, elapsed_ms = reply.headers, elapsed_s * 1000
    _check_digest(place, reply)
    simulated = any(headers.get(name) == _SIMULATED for name in _SIGNED)
    if reply.status != 200:
        code = headers.get("x-proxy-error") or f"http_{reply.status}"
        passing = reply.status in _PASSING and headers.get("x-should-retry") != "false"
        wait_s = _seconds(headers.get("retry-after"))
        return _Reply(failed(code, elapsed_ms), simulated, passing, wait_s)
    answer = SPOKEN[place.dialect].read(reply.body)
    answer = msgspec.structs.replace(answer, latency_ms=elapsed_ms)
    return _Reply(answer, simulated)


def _check_digest(place: Place, reply: _Whole) -> None:
    """Raise `EvalFailed` if an answer is of another version, or of no version."""
    digest = reply.headers.get("x-proxy-digest")
    if digest == place.digest or (digest is None and reply.status != 200):
        return
    if digest is None:
        raise EvalFailed(
            "the answers do not say which version gave them: this is no proxy of ours",
            hint="--proxy takes the address where apps call, for example http://127.0.0.1:8080",
        )
    raise EvalFailed(f"{place.model} was answered by the version with the digest {digest}")


def failed(code: str, latency_ms: float) -> Answer:
    """Return what stands for an answer that did not come."""
    return Answer("", (), "", None, None, latency_ms, error=code)


def _seconds(text: str | None) -> float | None:
    """Read a `retry-after` in seconds; None for a date, which nobody sends."""
    try:
        seconds = float(text) if text is not None else -1.0
    except ValueError:
        return None
    return seconds if 0 <= seconds < float("inf") else None
