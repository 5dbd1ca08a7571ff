"""The recorded exchanges as values: what an app sent, what a vendor answered."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.vendor_script import LAST_CHUNK, Cut, Say, Step, chunk, head

FIXTURES = Path(__file__).parent / "fixtures"

_IN_FRONT = re.compile(r"/openai/(v1/|deployments/(?P<name>[^/]+)/)?")

# A stream that was recorded whole is cut so that characters and lines are torn.
TORN_BYTES = 5

_IN_PATH = re.compile(r"models/(?P<name>[^:]+):")

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Recording:
    """One exchange. `pieces` is the answer's body as it came, `aborted` that it was cut there."""

    name: str
    method: str
    path: str
    query: str
    headers: Pairs
    body: bytes
    status: int
    answer_headers: Pairs
    pieces: list[bytes]
    stream: bool
    aborted: bool

    @property
    def answer(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.body)
        assert isinstance(found, dict)
        return found

    @property
    def family(self) -> str:
        """Whose API it is."""
        if self.header("x-goog-api-client") is not None:
            return "gemini"
        return "anthropic" if self.path.startswith("/v1/messages") else "openai"

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def call(self) -> str:
        """Its path, as the dialect has it: without what Azure and Groq put in front, and with
        `NAME` where Google's has a model."""
        return _IN_PATH.sub("models/NAME:", _IN_FRONT.sub("/v1/", self.path))

    @property
    def model(self) -> str | None:
        """What the app calls the model; the last one where it says so twice, and the path's where
        that has one."""
        found = _IN_PATH.search(self.path) or _IN_FRONT.match(self.path)
        return (found and found["name"]) or self.json.get("model")

    def request(self) -> bytes:
        """Return the request's bytes as the SDK sent them, framed as it framed them."""
        target = self.path + (f"?{self.query}" if self.query else "")
        lines = [
            f"{self.method} {target} HTTP/1.1",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        head_bytes = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        chunked = any(name.lower() == "transfer-encoding" for name, _ in self.headers)
        return head_bytes + (chunk(self.body) + LAST_CHUNK if chunked else self.body)

    def script(self) -> list[Step]:
        """Return what a vendor says to answer as recorded."""
        if not self.stream:
            length = ("content-length", str(len(self.answer)))
            return [Say(head(self.status, *self.answer_headers, length) + self.answer)]
        coding = ("transfer-encoding", "chunked")
        steps: list[Step] = [Say(head(self.status, *self.answer_headers, coding))]
        steps += [Say(chunk(piece)) for piece in self.pieces]
        return [*steps, Cut() if self.aborted else Say(LAST_CHUNK)]


def recordings() -> Iterator[Recording]:
    """Yield every exchange of every file, in the order of their names."""
    for path in sorted(FIXTURES.glob("*.json")):
        scenario = json.loads(path.read_text())
        for number, exchange in enumerate(scenario["exchanges"]):
            name = scenario["name"] + (f"-{number + 1}" if number else "")
            yield _recording(name, exchange["request"], exchange["response"])


def recording(name: str) -> Recording:
    return next(found for found in recordings() if found.name == name)


def _recording(name: str, sent: Mapping[str, Any], came: Mapping[str, Any]) -> Recording:
    stream = bool(came.get("stream"))
    pieces = _pieces(came)
    aborted = came.get("connection_aborted_after_chunk")
    return Recording(
        name=name,
        method=sent["method"],
        path=sent["path"],
        query=sent["query"],
        headers=[(key, value) for key, value in sent["headers"]],
        body=_body(sent),
        status=came["status"],
        answer_headers=[(key, value) for key, value in came["headers"]],
        pieces=pieces[:aborted] if aborted else pieces,
        stream=stream,
        aborted=aborted is not None,
    )


def _pieces(came: Mapping[str, Any]) -> list[bytes]:
    if "chunks" in came:
        return [piece.encode() for piece in came["chunks"]]
    body = _body(came)
    step = TORN_BYTES if came.get("stream") else max(len(body), 1)
    return [body[start : start + step] for start in range(0, len(body), step)]


def _body(side: Mapping[str, Any]) -> bytes:
    if "body_base64" in side:
        return base64.b64decode(side["body_base64"])
    if "body_json" in side:
        return json.dumps(side["body_json"], ensure_ascii=False).encode()
    return str(side.get("body_text", "")).encode()
