"""Requests whose end two parsers could see in different places are refused, and nothing after.

Sources of the rows: RFC 9112 sections 2 to 7, and the advisories in docs/security.md.
"""

import pytest
import pytest_asyncio

from tests.http.scene import ASK, BODY, refused, scene_of
from tests.raw_client import raw_app, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

INPUT = "c4n4ry"
"""Stands in every request; nothing that the proxy says or writes down may repeat it."""

LINE = "POST /v1/chat/completions HTTP/1.1"
BAD = (400, "bad_framing")
NOT_ALLOWED = (405, "method_not_allowed")
TOO_LARGE = (431, "headers_too_large")


def raw(*headers, line=LINE, body=b"", host="Host: proxy.test"):
    lines = [line, *([host] if host else []), f"X-Note: {INPUT}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(body, **more):
    return raw("Transfer-Encoding: chunked", body=body, **more)


LENGTHS = ["7, 7", "+7", "-1", "0x7", "1e1", "9" * 20, "7 7", "", "seven", "\xb2"]
CODINGS = [
    "xchunked",
    "chunked, identity",
    "gzip, chunked",
    "identity",
    "\x0bchunked",
    "",
    "chunke",
]
METHODS = ["post", "GeT", "P\xd6ST", "TRACK", "BREW", "POST\t", ""]
VERSIONS = [
    "HTTP/3.0",
    "HTTP/2.0",
    "HTTP/0.9",
    "HTTP/1.2",
    "http/1.1",
    "HTTP/1",
    "HTTP/11",
    "ICY/1.1",
]
CHUNKS = {
    "hexadecimal prefix": b"0x7\r\nc4n4ry!\r\n0\r\n\r\n",
    "space after the size": b"7 \r\nc4n4ry!\r\n0\r\n\r\n",
    "size of 17 digits": b"10000000000000007\r\nc4n4ry!\r\n0\r\n\r\n",
    "negative size": b"-7\r\nc4n4ry!\r\n0\r\n\r\n",
    "no size": b"\r\nc4n4ry!\r\n0\r\n\r\n",
    "line feed in the extension": b"7;a=c4n4ry\nb\r\nc4n4ry!\r\n0\r\n\r\n",
    "line feed after the size": b"7\nc4n4ry!\r\n0\r\n\r\n",
    "data longer than the size": b"3\r\nc4n4ry!\r\n0\r\n\r\n",
    "data shorter than the size": b"9\r\nc4n4ry!\r\n0\r\n\r\n",
    "bad trailer": b"0\r\nc4n4ry\r\n\r\n",
    "length in a trailer": b"0\r\nContent-Length: 7\r\n\r\n",
    "a thousand trailers": b"0\r\n" + b"x-note: c4n4ry\r\n" * 1000 + b"\r\n",
}

ROWS = {
    "length and coding": (chunked(b"0\r\n\r\n", line=LINE + "\r\nContent-Length: 5"), BAD),
    "coding and length": (
        raw("Transfer-Encoding: chunked", "Content-Length: 5", body=b"0\r\n\r\n"),
        BAD,
    ),
    "two lengths alike": (raw("Content-Length: 5", "Content-Length: 5", body=b"{   }"), BAD),
    "two lengths": (raw("Content-Length: 5", "Content-Length: 6", body=b"{   }"), BAD),
    "two codings": (
        raw("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
        BAD,
    ),
    "space before the colon": (raw("Transfer-Encoding : chunked", body=b"0\r\n\r\n"), BAD),
    "coding over HTTP/1.0": (
        chunked(b"0\r\n\r\n", line="POST /v1/chat/completions HTTP/1.0"),
        BAD,
    ),
    "folded header": (raw("X-Note: a", f" {INPUT}"), BAD),
    "folded first header": (raw(f" X-Note: {INPUT}"), BAD),
    "bare line feeds": (f"{LINE}\nHost: a\nX-Note: {INPUT}\n\n".encode(), BAD),
    "bare carriage return": (raw(f"X-Note: a\r{INPUT}"), BAD),
    "NUL in a value": (raw(f"X-Note: a\0{INPUT}"), BAD),
    "control character beside a key": (raw(f"Authorization: Bearer {INPUT}\x01"), BAD),
    "NUL in a name": (raw(f"X-\0Note: {INPUT}"), BAD),
    "space in a name": (raw(f"X Note: {INPUT}"), BAD),
    "no name": (raw(f": {INPUT}"), BAD),
    "no colon": (raw(INPUT), BAD),
    "no host": (raw(host=""), BAD),
    "two hosts": (raw("Host: evil.test"), BAD),
    "two hosts alike": (raw("Host: proxy.test"), BAD),
    "two credentials": (raw("Authorization: Bearer a", "Authorization: Bearer b"), BAD),
    "absolute target": (raw(line=f"POST http://{INPUT}/v1/chat/completions HTTP/1.1"), BAD),
    "asterisk target": (raw(line="OPTIONS * HTTP/1.1"), BAD),
    "fragment": (raw(line=f"POST /v1/chat/completions#{INPUT} HTTP/1.1"), BAD),
    "space in the target": (raw(line=f"POST /v1/chat/completions {INPUT} HTTP/1.1"), BAD),
    "no version": (raw(line="POST /v1/chat/completions"), BAD),
    "connect": (raw(line=f"CONNECT {INPUT}:443 HTTP/1.1"), NOT_ALLOWED),
    "trace": (raw(line="TRACE /v1/chat/completions HTTP/1.1"), NOT_ALLOWED),
    "method of another protocol": (raw(line="PROPFIND /v1/models HTTP/1.1"), NOT_ALLOWED),
    "preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + INPUT.encode(), BAD),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + INPUT.encode() + b"\r\n\r\n", BAD),
    "garbage": (b"\x00\xff" + INPUT.encode() + b"\r\n\r\n", BAD),
    "websocket": (raw("Connection: Upgrade", "Upgrade: websocket"), BAD),
    "upgrade to HTTP/2": (raw("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c"), BAD),
    "upgrade without connection": (raw("Upgrade: h2c"), BAD),
    "other expectation": (raw(f"Expect: {INPUT}"), BAD),
    "long request line": (raw(line=f"POST /{INPUT * 12000} HTTP/1.1"), TOO_LARGE),
    "long header": (raw(f"X-Note: {INPUT * 12000}"), TOO_LARGE),
    "many headers": (raw(*[f"X-Note: {INPUT}"] * 200), TOO_LARGE),
    **{f"length {text!a}": (raw(f"Content-Length: {text}", body=b"{}"), BAD) for text in LENGTHS},
    **{
        f"coding {text!a}": (raw(f"Transfer-Encoding: {text}", body=b"0\r\n\r\n"), BAD)
        for text in CODINGS
    },
    **{f"method {text!a}": (raw(line=f"{text} /v1/models HTTP/1.1"), BAD) for text in METHODS},
    **{f"version {text!a}": (raw(line=f"GET /v1/models {text}"), BAD) for text in VERSIONS},
    **{f"chunk: {name}": (chunked(body), BAD) for name, body in CHUNKS.items()},
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    """One scene for the whole table: every row has a connection of its own."""
    async with scene_of(tmp_path_factory.mktemp("framing")) as scene:
        yield scene


async def answer_to(shared, sent):
    async with raw_app(shared.proxy.address) as app:
        await app.send(sent)
        return await app.answer(), await app.closed()


async def all_said(scene, sent):
    async with raw_app(scene.proxy.address) as app:
        await app.send(sent)
        said = await app.read_to_end()
    assert said.startswith(b"HTTP/1.1 4")
    return said


@pytest.mark.parametrize("name", ROWS)
async def test_ambiguous_request_is_refused_and_its_connection_closed(shared, name):
    sent, expected = ROWS[name]

    answer, ending = await answer_to(shared, sent)

    assert refused(answer) == expected
    assert answer.header("connection") == "close"
    assert ending == "cut"


async def test_nothing_of_a_refused_request_is_said_again_or_logged(tmp_path):
    async with scene_of(tmp_path) as scene:
        said = {name: await all_said(scene, sent) for name, (sent, _) in ROWS.items()}

        assert [name for name, text in said.items() if INPUT.encode() in text] == []
        assert len(await scene.lines(len(ROWS))) == len(ROWS)
        assert INPUT.encode() not in bytes(scene.proxy.log.written)


@pytest.mark.parametrize("name", ROWS)
async def test_what_follows_a_refused_request_is_not_served(shared, name):
    sent, _ = ROWS[name]

    answer, ending = await answer_to(shared, sent + ASK)

    assert answer.status >= 400
    assert ending == "cut"
    assert shared.vendor.requests == []


@pytest.mark.parametrize(
    "extension", [b"", b";a", b";a=1", b';a="b c"', b";a=" + b"x" * 1000], ids=len
)
async def test_chunk_extensions_are_ignored(shared, extension, tmp_path):
    body = request(BODY).partition(b"\r\n\r\n")[2]
    pieces = b"%x%b\r\n%b\r\n0%b\r\n\r\n" % (len(body), extension, body, extension)

    async with scene_of(tmp_path) as scene:
        answer = await scene.ask(chunked(pieces))

        assert answer.status == 200
        assert b"You recommend jackets." in scene.vendor.requests[0].body


async def test_trailers_are_ignored(tmp_path):
    body = request(BODY).partition(b"\r\n\r\n")[2]
    trailers = b"Host: evil.test\r\nAuthorization: Bearer other\r\n"
    pieces = b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(body), body, trailers)

    async with scene_of(tmp_path) as scene:
        answers = [await scene.ask(chunked(pieces)) for _ in range(2)]

        assert [answer.status for answer in answers] == [200, 200]
        assert b"other" not in scene.vendor.requests[0].head
