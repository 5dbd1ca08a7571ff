"""Floor: an aiohttp pass-through, nothing else.   bare_aiohttp.py PORT VENDOR_URL

Forwards bytes both ways, chunk by chunk. Without limits, deadlines, logs or error answers.
"""

import asyncio
import sys
from collections.abc import AsyncIterator

import uvloop
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

PORT, VENDOR = int(sys.argv[1]), sys.argv[2].rstrip("/")
SESSION = web.AppKey("session", ClientSession)
ONE_CONNECTION = {"content-length", "transfer-encoding", "connection", "keep-alive"}
DROPPED = ONE_CONNECTION | {"host", "accept-encoding"}
DROPPED_BACK = ONE_CONNECTION | {"content-encoding", "date", "server"}


async def forward(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    headers = {k: v for k, v in request.headers.items() if k.lower() not in DROPPED}
    url = VENDOR + request.path_qs
    async with request.app[SESSION].post(url, data=body, headers=headers) as answer:
        back = {k: v for k, v in answer.headers.items() if k.lower() not in DROPPED_BACK}
        if answer.content_length is not None:
            return web.Response(status=answer.status, headers=back, body=await answer.read())
        out = web.StreamResponse(status=answer.status, headers=back)
        await out.prepare(request)
        async for chunk in answer.content.iter_any():
            await out.write(chunk)
        await out.write_eof()
        return out


async def session(app: web.Application) -> AsyncIterator[None]:
    app[SESSION] = ClientSession(
        connector=TCPConnector(limit=0, keepalive_timeout=60),
        timeout=ClientTimeout(total=None),
        auto_decompress=False,
    )
    yield
    await app[SESSION].close()


async def make() -> web.Application:
    app = web.Application(client_max_size=64 << 20)
    app.cleanup_ctx.append(session)
    app.router.add_route("*", "/{tail:.*}", forward)
    return app


if __name__ == "__main__":
    loop = uvloop.new_event_loop()
    asyncio.set_event_loop(loop)
    web.run_app(make(), host="127.0.0.1", port=PORT, access_log=None, loop=loop, print=None)
