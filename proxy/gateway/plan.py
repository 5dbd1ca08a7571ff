"""What is to be sent for one request, and to whom. Pure."""

from __future__ import annotations

import re

import msgspec

from proxy.dialects.base import Asked, Composed, Dialect, Headers, WithoutModel
from proxy.dialects.raw import Buffer
from proxy.errors import UnknownModel
from proxy.fleet.snapshot import Served, Target, target_of
from proxy.routing.rules import Rules
from proxy.routing.sticky import key_of
from proxy.versions.routing import Routing, VendorModel

# Visible ASCII, as long as a version's own vendor model may be.
_VENDOR_MODEL = re.compile(r"[\x21-\x7e]{1,256}")

# What holds where no version says anything.
_NO_RULES = Rules.of(Routing())

UNVERSIONED = b"x-proxy-version: unversioned\r\n"


class Plan(msgspec.Struct, frozen=True, gc=False):
    """`stamp` is the header lines that name the version, and what its policy dropped. `key` is what
    keeps the request with one of the targets that share; empty: nothing does."""

    composed: Composed
    targets: tuple[Target, ...]
    rules: Rules
    stamp: bytes
    key: bytes = b""

    def body(self, target: int) -> list[Buffer]:
        return self.composed.body(self.targets[target].model_json)


def plan(served: Served, dialect: Dialect, asked: Asked, headers: Headers) -> Plan:
    """Put the version into the request, which came with `headers`. Raises `RequestError`s."""
    composed = served.compiled(dialect.name).compose(asked)
    stamp = served.stamp
    if composed.dropped:
        stamp += b"x-proxy-dropped: %b\r\n" % ",".join(composed.dropped).encode()
    rules = served.rules
    key = _key(served, dialect, asked, headers) if rules.sticky else b""
    return Plan(composed, served.targets, rules, stamp, key)


def _key(served: Served, dialect: Dialect, asked: Asked, headers: Headers) -> bytes:
    """Users keep their targets from version to version, and have others with another model: it
    shall not always be the same ones for whom something is tried."""
    key = key_of(served.rules.sticky, dialect.users, asked.fields, headers)
    return b"%b\0%b" % (served.version.info.model.encode(), key) if key else b""


def passthrough(asked: Asked, vendor: str, body: bytes | bytearray) -> Plan:
    """Plan to forward a request of a model that is not managed, as it is.

    Raises `UnknownModel` for what cannot be a vendor's name, and would not fit into a header.
    """
    model = asked.address or "unknown"
    if _VENDOR_MODEL.fullmatch(model) is None:
        raise UnknownModel()
    target = target_of(VendorModel(vendor=vendor, id=model))
    return Plan(WithoutModel(b"", (body,)), (target,), _NO_RULES, UNVERSIONED)
