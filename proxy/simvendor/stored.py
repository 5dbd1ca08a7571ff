"""What the vendor keeps of responses: they can be fetched, cancelled, deleted and streamed again.

One that runs in the background is queued when it is made, in progress when it is first looked at,
and complete from then on, so that whoever polls sees each state.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.simvendor import responses
from proxy.simvendor.answer import STREAM, Answer, whole
from proxy.simvendor.asked import Asked
from proxy.simvendor.wrong import Wrong

Json = Mapping[str, Any]

# What has become of a response when it is looked at again.
_NEXT = {"queued": "in_progress", "in_progress": "completed"}

# A demonstration that runs for weeks must not grow.
MOST = 100


@dataclass(slots=True)
class _Response:
    body: Json
    question: Asked
    status: str


class Stored:
    """The last responses, by id."""

    def __init__(self) -> None:
        self._responses: OrderedDict[str, _Response] = OrderedDict()

    def answer(self, body: Json, question: Asked) -> Answer:
        """Return the tidy answer to a checked body, and keep it unless the body says not to."""
        background = body.get("background") is True
        if body.get("store") is not False:
            status = "queued" if background else "completed"
            self._responses[responses.id_of(question)] = _Response(body, question, status)
            while len(self._responses) > MOST:
                self._responses.popitem(last=False)
        if background and not body.get("stream"):
            return whole(responses.document(body, question, "queued"))
        return responses.answer(body, question)

    def call(self, method: str, name: str, call: str, query: Mapping[str, str]) -> Answer:
        """Return the answer to a call about the response `name`. Raises `Wrong`."""
        found = self._responses.get(name)
        if found is None:
            raise Wrong(404, f"Response with id '{name}' not found.", code="response_not_found")
        calls: Mapping[tuple[str, str], Callable[[_Response], Answer]] = {
            ("GET", ""): lambda one: _fetched(one, query),
            ("GET", "input_items"): _items,
            ("POST", "cancel"): _cancelled,
            ("DELETE", ""): lambda one: self._deleted(name),
        }
        return calls[method, call](found)

    def _deleted(self, name: str) -> Answer:
        del self._responses[name]
        return whole({"id": name, "object": "response", "deleted": True})


def _fetched(found: _Response, query: Mapping[str, str]) -> Answer:
    if query.get("stream") == "true":
        streamed = responses.answer({**found.body, "stream": True}, found.question)
        after = int(query.get("starting_after", "-1"))
        return Answer(STREAM, streamed.pieces[after + 1 :], streamed.failure)
    found.status = _NEXT.get(found.status, found.status)
    return whole(responses.document(found.body, found.question, found.status))


def _cancelled(found: _Response) -> Answer:
    if found.body.get("background") is not True:
        raise Wrong(400, "Only responses that run in the background can be cancelled.")
    found.status = "cancelled" if found.status != "completed" else found.status
    return whole(responses.document(found.body, found.question, found.status))


def _items(found: _Response) -> Answer:
    rows = [
        {"id": f"msg_{found.question.seed}{number}", "type": "message", **item}
        for number, item in enumerate(responses.items(found.body.get("input")))
    ]
    ends = {"first_id": rows[0]["id"], "last_id": rows[-1]["id"]} if rows else {}
    return whole({"object": "list", "data": rows, "has_more": False, **ends})
