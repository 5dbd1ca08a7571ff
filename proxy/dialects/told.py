"""What the readers of answers have in common: they never fail, whatever a vendor sends."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from proxy.dialects.base import Seen
from proxy.dialects.sse import Document

T = TypeVar("T")

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_COUNT = msgspec.json.Decoder(int)


def told(decoder: msgspec.json.Decoder[T], text: bytes | msgspec.Raw) -> T | None:
    """Return what a vendor says in `text`, None if it says something else."""
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


class TokenCount(Document):
    """A document that answers how many tokens there are, under `name`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def finish(self) -> Seen:
        members = told(_MEMBERS, self.whole())
        raw = None if members is None else members.get(self._name)
        tokens = None if raw is None else told(_COUNT, raw)
        # What is whole has ended, a refusal too.
        return Seen(input_tokens=tokens, ended=members is not None, lost_sight=self.lost_sight)
