"""How calls of one vendor differ from its dialect: paths, a query, names of parameters. Pure.

Many vendors speak OpenAI's dialects with a difference of their own. Those without one, which are
nearly all, cost nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes, urlencode, urlsplit

import msgspec

from proxy.dialects.raw import Buffer, key_bytes, read_nested
from proxy.settings import CALL, MODEL, Vendor

# What stands before a call's own path in the dialects' paths.
_USUAL = b"/v1/"


@dataclass(frozen=True, slots=True)
class Calls:
    """`prefix` is the path of the base URL, `path` what comes behind it, empty: the dialect's own.
    `query` is what is added to the query, `names` the parameters that are in it. `rename` is by
    name of a body's field."""

    prefix: bytes
    path: bytes
    query: bytes
    names: frozenset[bytes]
    rename: Mapping[str, str]

    def target(self, path: bytes, model: str, query: bytes) -> bytes:
        """Return path and query for a call that the dialect has under `path`; `query` is the app's,
        with its question mark."""
        if self.path:
            spelled = self.path.replace(MODEL.encode(), quote(model, safe="").encode())
            path = spelled.replace(CALL.encode(), path.removeprefix(_USUAL).lstrip(b"/"))
        return self.prefix + path + self._with_query(query)

    def _with_query(self, sent: bytes) -> bytes:
        if not self.query:
            return sent
        theirs = [one for one in sent[1:].split(b"&") if one and _name(one) not in self.names]
        return b"?" + b"&".join([*theirs, self.query])

    def body(self, pieces: list[Buffer]) -> list[Buffer]:
        """Return the body with the vendor's own names. Where both names of a setting are there, the
        value goes out that has the dialect's: that is the one which a version's policy is about.

        Raises `InvalidJson` for what nests too deeply to be looked at again.
        """
        if not self.rename:
            return pieces
        fields = read_nested(msgspec.Raw(b"".join(pieces)), "the body")
        wanted = {new: fields[old] for old, new in self.rename.items() if old in fields}
        kept = {name: raw for name, raw in fields.items() if name not in self.rename} | wanted
        named = [part for name, raw in kept.items() for part in (key_bytes(name), raw)]
        return [b"{", named[0][1:], *named[1:], b"}"] if named else [b"{}"]


def _name(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0])


def calls_of(vendor: Vendor) -> Calls | None:
    """Return how calls of `vendor` differ from its dialects; None if they do not."""
    if not (vendor.path or vendor.query or vendor.rename):
        return None
    return Calls(
        urlsplit(vendor.base_url).path.encode(),
        (vendor.path or "").encode(),
        urlencode(vendor.query).encode(),
        frozenset(name.encode() for name in vendor.query),
        dict(vendor.rename),
    )


def list_url(vendor: Vendor, path: str, query: str = "") -> str | None:
    """Return where the vendor lists its models, which its dialects have under `path` with `query`;
    None if it has no such list."""
    if not vendor.lists_models or MODEL in (vendor.path or ""):
        return None
    calls = calls_of(vendor)
    if calls is None:
        return vendor.base_url + path + query
    url = urlsplit(vendor.base_url)
    return f"{url.scheme}://{url.netloc}" + calls.target(path.encode(), "", query.encode()).decode()
