"""Where Gemini's API has the model and the way of answering: in the path.

`/v1beta/models/NAME:generateContent`, under any version of the API; Vertex has project and location
in front, or nothing (express mode), and `publishers/google`. The method is behind the last colon.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

_VERSION = rb"/v[0-9][a-z0-9]{0,15}"
_PATH = re.compile(
    rb"(%b)((?:/projects/[^/]+/locations/[^/]+)?(?:/publishers/google)?)"
    rb"/((?:models|tunedModels)/.+):([A-Za-z]{1,64})" % _VERSION,
    re.DOTALL,
)
_VERSIONED = re.compile(rb"%b(?:/|\Z)" % _VERSION)

MODELS = "models/"
_COLLECTIONS = (MODELS, "tunedModels/")

# Left as they are in a path: what Google's own clients do not encode either.
_SAFE = "/@:"


class Place(NamedTuple):
    """A path taken apart. `scope` is what Vertex has between version and model, `name` the model as
    the app calls it, decoded."""

    version: bytes
    scope: bytes
    name: str
    method: bytes


def split_path(path: bytes) -> Place | None:
    """Take apart a path without its query; None if it is no call of a model."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    named = found[3].decode("latin-1")
    if "%" in named:
        named = unquote(named)
    # What a vendor would resolve to another path is no name, however it was spelled.
    odd = "//" in named or "/." in named or named.endswith("/")
    if odd and not {"", ".", ".."}.isdisjoint(named.split("/")):
        return None
    return Place(found[1], found[2], named.removeprefix(MODELS), found[4])


def resource(model: str) -> str:
    """Return a vendor's model as it stands in paths and bodies: in its collection."""
    return model if model.startswith(_COLLECTIONS) else MODELS + model


def join_path(prefix: bytes, place: Place, vendor_model: str) -> bytes:
    """Return the path at a vendor whose base URL has the path `prefix`.

    A base URL that names a version of the API names all that comes before the model (on Vertex
    project and location, which are the operator's to say); else what the app sent stands there.
    """
    before = prefix if _VERSIONED.search(prefix) else prefix + place.version + place.scope
    named = quote(resource(vendor_model), safe=_SAFE).encode()
    return b"%b/%b:%b" % (before, named, place.method)


def list_path(prefix: str, version: str) -> str:
    """Return where a vendor with such a base URL lists its models."""
    return "/models" if _VERSIONED.search(prefix.encode()) else f"{version}/models"
