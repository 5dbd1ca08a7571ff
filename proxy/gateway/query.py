"""Keys that apps put into the query of a call, as Google's API lets them. Pure.

A query goes to the vendor as it came; a key in it would go along, beside the operator's own or into
logs on the way. So it is taken out, and is a header like every other key from there on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import unquote_to_bytes

from proxy.http.head import Headers

_KEY = re.compile(rb"[\x21-\x7e]{1,4096}")


def take_keys(query: bytes, names: Mapping[bytes, bytes]) -> tuple[bytes, Headers]:
    """Return `query` (with its question mark, or empty) without the parameters in `names`, and the
    headers that these are: `names` says which."""
    kept: list[bytes] = []
    found: Headers = []
    for part in query[1:].split(b"&"):
        name, _, value = part.partition(b"=")
        header = names.get(unquote_to_bytes(name))
        if header is None:
            kept.append(part)
        elif _KEY.fullmatch(key := unquote_to_bytes(value)):
            found.append((header, b"Bearer " + key if header == b"authorization" else key))
    rest = b"&".join(kept)
    return b"?" + rest if rest else b"", found
