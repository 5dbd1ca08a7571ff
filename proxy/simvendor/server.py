"""A vendor on loopback that speaks OpenAI's dialects, repeats what it was given, and misbehaves
when it is told to. For demonstrations, tests and the first run; no vendor is contacted.

It logs nothing and keeps no request unless it is asked to record.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any, Literal, Self

from aiohttp import web

from proxy.simvendor import (
    chat,
    completions,
    embeddings,
    gemini,
    gemini_wrong,
    lists,
    messages,
    messages_wrong,
    responses,
)
from proxy.simvendor.answer import STREAM, Answer, whole
from proxy.simvendor.asked import SNAPSHOTS, Asked
from proxy.simvendor.player import Player, plain, refusal
from proxy.simvendor.script import Fail, Refuse, Rest, Step, asked_for
from proxy.simvendor.stored import Stored
from proxy.simvendor.wrong import (
    Wrong,
    check_chat,
    check_completions,
    check_credential,
    check_embeddings,
    check_responses,
    parsed,
    usual,
)

# Above the proxy's own default of 32 MiB, so that the proxy's limit is what is seen.
MAX_BODY_BYTES = 64 * 2**20

# Tests look at the last few requests; a demonstration that runs for weeks must not grow.
MAX_RECORDED = 1000

Outcome = Literal["unfinished", "answered", "refused", "broken", "abandoned"]


@dataclass(slots=True)
class Exchange:
    """One request as it came in, and how it ended; `abandoned` means that the caller went.

    `headers` holds the credential as it came, so it is left out of the repr.
    """

    method: str
    path: str
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)
    outcome: Outcome = "unfinished"
    ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)


Json = Mapping[str, Any]
Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Vendor:
    """How a vendor checks keys, what its errors look like, and which headers its answers have; `{}`
    in those is for the number of the request."""

    check_key: Callable[[Headers], None]
    refused: Callable[[Wrong], bytes]
    headers: Headers


def _as_sent(body: Json, request: web.Request) -> Json:
    return body


def _of_deployment(body: Json, request: web.Request) -> Json:
    """Return `body` with the model of Azure's path. Raises `Wrong`."""
    if "api-version" not in request.query:
        raise Wrong(404, "Resource not found", code="404")
    return {**body, "model": request.match_info["deployment"]}


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A kind of call as the vendor serves it. `addressed` adds to a body what the path says."""

    vendor: _Vendor
    check: Callable[[Json, Headers], None]
    asked: Callable[[Json, bytes], Asked]
    answer: Callable[[Json, Asked], Answer]
    addressed: Callable[[Json, web.Request], Json] = _as_sent


_OPENAI = _Vendor(
    lambda headers: check_credential(headers.get("authorization")),
    lambda wrong: wrong.body(),
    {
        "x-request-id": "req_sim{:012d}",
        "openai-organization": "org-simulated",
        "openai-processing-ms": "7",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-reset-requests": "6ms",
    },
)
_AZURE = replace(
    _OPENAI,
    check_key=lambda headers: None if headers.get("api-key") else _OPENAI.check_key(headers),
)
_ANTHROPIC = _Vendor(
    messages_wrong.check_key,
    lambda wrong: messages_wrong.body_of(wrong.status, wrong.error["message"]),
    {
        "request-id": "req_sim{:012d}",
        "anthropic-organization-id": "org-simulated",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
    },
)
_GOOGLE = _Vendor(
    gemini_wrong.check_key,
    lambda wrong: gemini_wrong.body_of(wrong.status, wrong.error["message"]),
    {"x-gemini-service-tier": "standard"},
)


def _in_path(body: Json, request: web.Request) -> Json:
    said = {name: request.match_info[name] for name in ("model", "method", "scope")}
    alt = request.query.get("alt") or request.query.get("$alt", "")
    return {**gemini_wrong.one_spelling(body), **said, "alt": alt}


# Under every version of the API, and with what Vertex has between that and the model.
_GEMINI_PATH = (
    "/{version:v[0-9][a-z0-9]*}{scope:(?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/google)?}"
    "/models/{model:[^/:]+}:{method:generateContent|streamGenerateContent|countTokens|embedContent"
    "|batchEmbedContents}"
)
_GEMINI_LISTS = ("/v1beta/models", "/v1alpha/models")

_SPOKEN = {
    "/v1/chat/completions": _Spoken(
        _OPENAI, lambda body, _: check_chat(body), chat.asked, chat.answer
    ),
    "/v1/responses": _Spoken(
        _OPENAI, lambda body, _: check_responses(body), responses.asked, responses.answer
    ),
    "/v1/responses/input_tokens": _Spoken(
        _OPENAI, lambda body, _: check_responses(body), responses.asked, responses.count
    ),
    "/v1/responses/compact": _Spoken(
        _OPENAI, lambda body, _: check_responses(body), responses.asked, responses.compact
    ),
    "/v1/embeddings": _Spoken(
        _OPENAI, lambda body, _: check_embeddings(body), embeddings.asked, embeddings.answer
    ),
    "/v1/completions": _Spoken(
        _OPENAI, lambda body, _: check_completions(body), completions.asked, completions.answer
    ),
    "/v1/messages": _Spoken(
        _ANTHROPIC, messages_wrong.check_messages, messages.asked, messages.answer
    ),
    "/v1/messages/count_tokens": _Spoken(
        _ANTHROPIC, messages_wrong.check_count, messages.asked, messages.count
    ),
    _GEMINI_PATH: _Spoken(
        _GOOGLE, lambda body, _: gemini.check(body), gemini.asked, gemini.answer, _in_path
    ),
}


# Azure's older API has the model in the path, and wants to be told which version it is; in the
# newer one all is as elsewhere, behind a prefix. Both take another header for the key too.
_DEPLOYED = {
    f"/openai/deployments/{{deployment}}/{call}": replace(
        _SPOKEN[f"/v1/{call}"], vendor=_AZURE, addressed=_of_deployment
    )
    for call in ("chat/completions", "completions", "embeddings")
}
_AZURES = {
    f"/openai{path}": replace(spoken, vendor=_AZURE)
    for path, spoken in _SPOKEN.items()
    if spoken.vendor is _OPENAI
}


class SimulatedVendor:
    """A server, running inside `async with`. `port` 0 picks a free one; `url` says which.

    `pace_ms` is the wait before each event. `record` is how many requests `seen` keeps, at most
    `MAX_RECORDED`. `models` are listed beside the usual ones; every name is answered.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        pace_ms: float = 0.0,
        auth: bool = True,
        record: int = 0,
        models: Sequence[str] = (),
    ) -> None:
        self._host = host
        self._port = port
        self._pace_ms = pace_ms
        self._auth = auth
        self._models = (*SNAPSHOTS, *SNAPSHOTS.values(), *models)
        self._scripts: deque[Sequence[Step]] = deque()
        self._served = 0
        self._stored = Stored()
        self._runner: web.AppRunner | None = None
        self.seen: deque[Exchange] = deque(maxlen=min(record, MAX_RECORDED))

    async def __aenter__(self) -> Self:
        # aiohttp's own complaints repeat what the other side sent, credentials included.
        silent = logging.Logger("simvendor", logging.CRITICAL + 1)
        self._runner = web.AppRunner(
            self._app(),
            access_log=None,
            logger=silent,
            handler_cancellation=True,
            shutdown_timeout=0.5,
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._host, self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The base URL, without `/v1`."""
        return f"http://{self._host}:{self._port}"

    def play(self, *steps: Step, times: int = 1) -> None:
        """Answer the next `times` requests, after those that have a script, by `steps`."""
        self._scripts.extend([steps] * times)

    def _app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        made = replace(_SPOKEN["/v1/responses"], answer=self._stored.answer)
        every = {**_SPOKEN, **_AZURES, **_DEPLOYED, "/v1/responses": made}
        for path, spoken in every.items():
            app.router.add_post(path, self._recorded(spoken))
        app.router.add_route("GET", "/v1/responses/{id}", self._about)
        app.router.add_route("DELETE", "/v1/responses/{id}", self._about)
        app.router.add_route("GET", "/v1/responses/{id}/{call:input_items}", self._about)
        app.router.add_route("POST", "/v1/responses/{id}/{call:cancel}", self._about)
        for path in ("/v1/models", *_GEMINI_LISTS):
            app.router.add_get(path, self._list)
        app.router.add_route("*", "/{path:.*}", _unknown)
        return app

    def _recorded(self, spoken: _Spoken) -> Callable[[web.Request], Any]:
        async def handler(request: web.Request) -> web.StreamResponse:
            body = await request.read()
            headers = [(name, value) for name, value in request.headers.items()]
            exchange = Exchange(request.method, request.path_qs, headers, body)
            self.seen.append(exchange)
            try:
                return await self._reply(request, spoken, exchange)
            except (asyncio.CancelledError, ConnectionError):
                exchange.outcome = "abandoned"
                raise
            finally:
                exchange.ended.set()

        return handler

    async def _reply(
        self, request: web.Request, spoken: _Spoken, exchange: Exchange
    ) -> web.StreamResponse:
        vendor = spoken.vendor
        try:
            if self._auth:
                vendor.check_key(request.headers)
            body = spoken.addressed(parsed(exchange.body), request)
            spoken.check(body, request.headers)
            question = spoken.asked(body, exchange.body)
        except Wrong as wrong:
            exchange.outcome = "refused"
            return refusal(Refuse(wrong.status, vendor.refused(wrong)), self._headers(vendor))
        answer = spoken.answer(body, question)
        script = self._scripts.popleft() if self._scripts else asked_for(question.question)
        return await self._play(request, exchange, vendor, answer, script)

    async def _play(
        self,
        request: web.Request,
        exchange: Exchange,
        vendor: _Vendor,
        answer: Answer,
        script: Sequence[Step],
    ) -> web.StreamResponse:
        headers = self._headers(vendor)
        if refuse := _refusal(script, answer):
            exchange.outcome = "refused"
            if refuse.body is None:
                refuse = replace(refuse, body=vendor.refused(usual(refuse.status)))
            return refusal(refuse, headers)
        if not script and answer.content_type != STREAM:
            exchange.outcome = "answered"
            return plain(answer, headers)
        player = Player(request, answer, headers, self._pace_ms)
        reply = await player.play(script or [Rest()])
        exchange.outcome = "broken" if player.broken else "answered"
        return reply

    def _headers(self, vendor: _Vendor) -> dict[str, str]:
        self._served += 1
        return {name: value.format(self._served) for name, value in vendor.headers.items()}

    async def _about(self, request: web.Request) -> web.StreamResponse:
        """Answer a call about a response that was made before."""
        headers = [(name, value) for name, value in request.headers.items()]
        exchange = Exchange(request.method, request.path_qs, headers, await request.read())
        self.seen.append(exchange)
        asked = request.match_info
        try:
            if self._auth:
                _OPENAI.check_key(request.headers)
            answer = self._stored.call(
                request.method, asked["id"], asked.get("call", ""), request.query
            )
        except Wrong as wrong:
            exchange.outcome = "refused"
            return refusal(Refuse(wrong.status, wrong.body()), self._headers(_OPENAI))
        finally:
            exchange.ended.set()
        exchange.outcome = "answered"
        if answer.content_type != STREAM:
            return plain(answer, self._headers(_OPENAI))
        return await Player(request, answer, self._headers(_OPENAI), self._pace_ms).play([Rest()])

    async def _list(self, request: web.Request) -> web.StreamResponse:
        vendor, listing = _list_for(request)
        try:
            if self._auth:
                vendor.check_key(request.headers)
        except Wrong as wrong:
            return refusal(Refuse(wrong.status, vendor.refused(wrong)), self._headers(vendor))
        return plain(whole(listing(self._models)), self._headers(vendor))


def _refusal(script: Sequence[Step], answer: Answer) -> Refuse | None:
    """Return the refusal that a script is; one that fails midway is one where nothing streams."""
    if script and isinstance(script[0], Refuse):
        return script[0]
    return Refuse(500) if Fail() in script and answer.content_type != STREAM else None


def _list_for(request: web.Request) -> tuple[_Vendor, Callable[[Sequence[str]], dict[str, Any]]]:
    """Return who answers, and in which shape, by what its callers send."""
    if request.path in _GEMINI_LISTS or "x-goog-api-client" in request.headers:
        return _GOOGLE, lists.google
    return (
        (_ANTHROPIC, lists.anthropic)
        if messages_wrong.API in request.headers
        else (_OPENAI, lists.openai)
    )


async def _unknown(request: web.Request) -> web.StreamResponse:
    wrong = Wrong(404, "Invalid URL.", code="unknown_url")
    return refusal(Refuse(404, wrong.body()), {})
