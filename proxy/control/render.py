"""What the vendor would be sent: the real composition, over a sample request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from proxy.control.references import find
from proxy.dialects.base import Dialect
from proxy.dialects.registry import DIALECTS
from proxy.dialects.samples import sample
from proxy.errors import InvalidArgument, RequestError
from proxy.store.base import Store
from proxy.versions.content import Content
from proxy.versions.record import VersionInfo
from proxy.versions.variables import as_declared

SAMPLE_TEXT = "Hello"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One dialect's request: `path` below the vendor's base URL and `body`, or why there is
    none."""

    dialect: str
    path: str
    body: Any
    error: RequestError | None = None

    def json(self) -> dict[str, Any]:
        if self.error is not None:
            return {"error": {"code": self.error.code, "message": self.error.message}}
        return {"path": self.path, "body": self.body}


@dataclass(frozen=True, slots=True)
class RenderReport:
    info: VersionInfo
    rendered: tuple[Rendered, ...]

    def json(self) -> dict[str, Any]:
        return {
            "model": self.info.model,
            "id": self.info.id,
            "digest": self.info.digest,
            "dialects": {one.dialect: one.json() for one in self.rendered},
        }


async def render(
    store: Store,
    model: str,
    reference: str,
    *,
    variables: Mapping[str, str],
    dialect: str | None = None,
    text: str = SAMPLE_TEXT,
) -> RenderReport:
    """Compose a request of an app that sends `text` and nothing else, in one dialect or in all.

    Raises as `references.find` does, and `InvalidArgument` for an unknown dialect.
    """
    if dialect is not None and dialect not in DIALECTS:
        raise InvalidArgument("there is no such dialect", hint=f"one of {', '.join(DIALECTS)}")
    found = await find(store, model, reference)
    chosen = DIALECTS.values() if dialect is None else [DIALECTS[dialect]]
    rendered = tuple(_render(one, model, found.content, variables, text) for one in chosen)
    return RenderReport(found.info, rendered)


def _render(
    dialect: Dialect, model: str, content: Content, variables: Mapping[str, str], text: str
) -> Rendered:
    declared = content.variables
    values = {
        name: as_declared(declared[name], value) if name in declared else value
        for name, value in variables.items()
    }
    try:
        composed = dialect.compile(content).compose(sample(dialect, model, text, values))
    except RequestError as error:
        return Rendered(dialect.name, dialect.path, None, error)
    body = b"".join(composed.body(json.dumps(content.model.id).encode()))
    return Rendered(dialect.name, dialect.path, json.loads(body))
