"""aiohttp's server, with our own error answers and log events in place of its own.

aiohttp answers a request that it cannot read with what the client sent, and logs it with all its
headers. There is no public way to change that: a handler of our own says it in fixed words.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy import events

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

KEEPALIVE_S = 15.0

# Nobody has to wait for a slow reader of metrics when the proxy stops.
SHUTDOWN_S = 0.5


class _Handler(RequestHandler):
    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log_exception("failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer was sent already")
        code = "bad_framing" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "internal"
        answer = web.json_response({"error": {"code": code}}, status=status)
        answer.force_close()
        return answer


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Handler(self, loop=self._loop, **self._kwargs)


class _Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server
        return server


class _Events(logging.Handler):
    """Turns aiohttp's log records into events that name the exception's class and no more."""

    def __init__(self, log: FilteringBoundLogger) -> None:
        super().__init__(logging.ERROR)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        kind = record.exc_info[0] if record.exc_info else None
        self._log.error(events.ADMIN_FAILED, error=kind.__name__ if kind else None)


async def listen(runner: web.AppRunner, sockets: Iterable[socket.socket]) -> None:
    """Start `runner` on copies of `sockets`. Raises `OSError`; nothing is left open then."""
    await runner.setup()
    try:
        for one in sockets:
            await web.SockSite(runner, one.dup()).start()
    except BaseException:
        await runner.cleanup()
        raise


def build_runner(app: web.Application, log: FilteringBoundLogger) -> web.AppRunner:
    """Return a runner for `app`; what fails in it becomes an event in `log`."""
    logger = logging.Logger("admin")  # nothing global is to be configured
    logger.addHandler(_Events(log))
    return _Runner(
        app,
        access_log=None,
        logger=logger,
        keepalive_timeout=KEEPALIVE_S,
        shutdown_timeout=SHUTDOWN_S,
        auto_decompress=False,
        handler_cancellation=True,
    )
