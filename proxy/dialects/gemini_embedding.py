"""Embeddings in Gemini's API: the version's vendor model, and the parameters that it sets for them.

A batch names the model in each of its requests, a single request may; a version's system prompt,
tools and generation fields have no place here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from proxy.dialects import policy
from proxy.dialects.base import Composed
from proxy.dialects.gemini_generation import EMBEDDING, embedding_table
from proxy.dialects.gemini_names import Spellings, one_spelling, spellings
from proxy.dialects.gemini_paths import resource
from proxy.dialects.policy import Kept
from proxy.dialects.raw import Buffer, Fields, Raw, key_bytes, read_list, read_nested
from proxy.errors import InvalidRequest
from proxy.versions.content import Content

# Where a body has the vendor's model; told from what is sent by being this very object.
PLACE: Final = b"MODEL"

_META = frozenset({"model", "proxy_variables"})


class ModelInPlaces(Composed, frozen=True, gc=False):
    """A body that names the model in its collection (`models/…`), wherever `PLACE` stands."""

    def body(self, vendor_model: bytes) -> list[Buffer]:
        named = b'"%b"' % resource(vendor_model[1:-1].decode()).encode()
        return [named if piece is PLACE else piece for piece in (self.opening, *self.rest)]


@dataclass(frozen=True, slots=True)
class CompiledEmbedding:
    table: policy.Settings
    known: Spellings

    @classmethod
    def of(cls, content: Content) -> CompiledEmbedding:
        table = embedding_table(content)
        return cls(table, spellings({*EMBEDDING, *table.rules}))

    def compose(self, fields: Fields, *, batch: bool) -> Composed:
        """Raises `InvalidRequest` and `OverrideRejected`."""
        kept = Kept([], [], [])
        pieces = tuple(self._batch(fields, kept) if batch else self._request(fields, kept))
        dropped, app_fields = (dict.fromkeys(some) for some in (kept.dropped, kept.app_fields))
        return ModelInPlaces(b"", pieces, tuple(dropped), tuple(app_fields))

    def _batch(self, fields: Fields, kept: Kept) -> Iterator[Buffer]:
        raw = fields.get("requests")
        if raw is None:
            raise InvalidRequest("requests are required")
        yield b'{"requests":['
        for number, item in enumerate(read_list(raw)):
            if number:
                yield b","
            yield from self._request(read_nested(item, "every one of requests"), kept, named=True)
        yield b"]"
        for name, value in fields.items():
            if name not in ("requests", *_META):
                yield key_bytes(name)
                yield value
        yield b"}"

    def _request(self, sent: Fields, kept: Kept, *, named: bool = False) -> Iterator[Buffer]:
        """Yield one request. The vendor needs the model in each of a batch; alone it goes out where
        the app sent one."""
        fields = one_spelling(sent, self.known)
        found = policy.walk(_without_meta(fields), self.table)
        kept.dropped += found.dropped
        kept.app_fields += [name for name in found.app_fields if name != "content"]
        opening: list[Buffer] = [b'{"model":', PLACE] if named or "model" in fields else [b"{"]
        pieces = [*filter(None, (self.table.pinned,)), *found.pieces]
        if len(opening) == 1 and pieces:
            pieces[0] = bytes(pieces[0])[1:]
        yield from (*opening, *pieces, b"}")


def _without_meta(fields: Fields) -> dict[str, Raw]:
    return {name: raw for name, raw in fields.items() if name not in _META}
