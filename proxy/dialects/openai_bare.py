"""What dialects without system prompt, messages and tools make of a version: of what it sets, only
its vendor model and parameters have a place in their bodies.

An app that calls such a dialect says all that is said itself. So a version with a system prompt is
served there all the same: by its model, and without the prompt.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.dialects import policy
from proxy.dialects.base import Asked, Composed
from proxy.dialects.openai_deployments import Deployable
from proxy.dialects.raw import Buffer, key_bytes
from proxy.dialects.text import check_declared
from proxy.versions.content import Content


@dataclass(frozen=True, slots=True)
class CompiledBare:
    """`said` is the field that holds what the app says; it goes out as it came."""

    content: Content
    table: policy.Settings
    said: str

    def compose(self, asked: Asked) -> Composed:
        check_declared(self.content.variables, asked.variables)
        kept = policy.walk(asked.fields, self.table)
        raw = asked.fields.get(self.said)
        said: tuple[Buffer, ...] = () if raw is None else (key_bytes(self.said), raw)
        return Composed(
            b'{"model":',
            (self.table.pinned, *said, *kept.pieces, b"}"),
            tuple(kept.dropped),
            tuple(kept.app_fields),
        )


class Bare(Deployable):
    """Such a dialect. `said` is the field that holds what the app says."""

    said: str

    def __init__(self) -> None:
        super().__init__()
        self.own = ("model", self.said, "proxy_variables")
