"""What the vendor would be sent: the real composition, over a sample request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proxy.control.eval_subject import Subject, subject
from proxy.dialects.base import Dialect, path_for
from proxy.dialects.openai_completions import OpenAICompletions
from proxy.dialects.openai_embeddings import OpenAIEmbeddings
from proxy.dialects.registry import DIALECTS
from proxy.dialects.samples import sample
from proxy.errors import InvalidArgument, RequestError
from proxy.store.base import Store
from proxy.versions.content import Content
from proxy.versions.variables import Given, Value, Written, as_declared

SAMPLE_TEXT = "Hello"

_WITHOUT_PROMPTS = frozenset({OpenAIEmbeddings.name, OpenAICompletions.name})


@dataclass(frozen=True, slots=True)
class Rendered:
    """One dialect's request: `path` below the vendor's base URL and `body`, or why there is
    none. `headers` are what the version adds to those of the app."""

    dialect: str
    path: str
    body: Any
    error: RequestError | None = None
    headers: tuple[tuple[str, str], ...] = ()

    def json(self) -> dict[str, Any]:
        if self.error is not None:
            return {"error": {"code": self.error.code, "message": self.error.message}}
        sent = {"path": self.path, "body": self.body}
        return {**sent, "headers": dict(self.headers)} if self.headers else sent


@dataclass(frozen=True, slots=True)
class RenderReport:
    subject: Subject
    rendered: tuple[Rendered, ...]

    @property
    def is_refused(self) -> bool:
        """Whether no dialect carries what the version says; those that have no place for it carry
        anything, and count only if nothing else was asked for."""
        telling = [one for one in self.rendered if one.dialect not in _WITHOUT_PROMPTS]
        return all(one.error is not None for one in telling or self.rendered)

    def json(self) -> dict[str, Any]:
        info = self.subject.info
        return {
            "model": self.subject.model,
            "id": info.id if info is not None else None,
            "digest": self.subject.digest,
            "dialects": {one.dialect: one.json() for one in self.rendered},
        }


async def render(
    store: Store,
    model: str,
    reference: str,
    *,
    models_dir: Path,
    variables: Mapping[str, Given],
    dialect: str | None = None,
    text: str | None = None,
) -> RenderReport:
    """Compose a request of an app that sends `text` and nothing else, in one dialect or in all.

    Without a text, an app says "Hello", or nothing where the version makes the user's message.
    Raises as `eval_subject.subject` does, and `InvalidArgument` for an unknown dialect.
    """
    if dialect is not None and dialect not in DIALECTS:
        raise InvalidArgument("there is no such dialect", hint=f"one of {', '.join(DIALECTS)}")
    found = await subject(store, models_dir, model, reference)
    chosen = DIALECTS.values() if dialect is None else [DIALECTS[dialect]]
    rendered = tuple(_render(one, found, variables, text) for one in chosen)
    return RenderReport(found, rendered)


def _render(
    dialect: Dialect, found: Subject, variables: Mapping[str, Given], text: str | None
) -> Rendered:
    model, content = found.model, found.content
    values = {name: _value(content, name, given) for name, given in variables.items()}
    says = text if text is not None or content.user else SAMPLE_TEXT
    path = dialect.upstream_path(path_for(dialect, model).encode(), content.model.id).decode()
    try:
        composed = dialect.compile(content).compose(sample(dialect, model, says, values))
    except RequestError as error:
        return Rendered(dialect.name, path, None, error)
    body = b"".join(composed.body(json.dumps(content.model.id).encode()))
    headers = tuple((name.decode(), value.decode()) for name, value in composed.headers)
    return Rendered(dialect.name, path, json.loads(body), headers=headers)


def _value(content: Content, name: str, given: Given) -> Value:
    if not isinstance(given, Written):
        return given
    declared = content.variables.get(name)
    return given.text if declared is None else as_declared(declared, given.text)
