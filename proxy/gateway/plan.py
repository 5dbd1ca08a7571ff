"""What is to be sent for one request, and to whom. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

from proxy.dialects.base import Asked, Composed, Dialect
from proxy.fleet.snapshot import Served
from proxy.routing.retry import targets
from proxy.versions.content import Routing, VendorModel

UNVERSIONED = b"x-proxy-version: unversioned\r\n"


@dataclass(frozen=True, slots=True)
class Plan:
    """`stamp` is the header lines that name the version, and what its policy dropped."""

    composed: Composed = field(repr=False)
    targets: tuple[VendorModel, ...]
    routing: Routing
    stamp: bytes

    def body(self, target: int) -> list[bytes | bytearray | memoryview]:
        return self.composed.body(msgspec.json.encode(self.targets[target].id))


def plan(served: Served, dialect: Dialect, asked: Asked) -> Plan:
    """Put the version into the request. Raises `RequestError`s."""
    composed = served.compiled(dialect.name).compose(asked)
    content = served.content
    stamp = served.stamp
    if composed.dropped:
        stamp += b"x-proxy-dropped: %b\r\n" % ",".join(composed.dropped).encode()
    return Plan(composed, targets(content.model, content.routing), content.routing, stamp)


def passthrough(asked: Asked, vendor: str, body: bytes | bytearray) -> Plan:
    """Plan to forward a request of a model that is not managed, as it is."""
    model = asked.address or "unknown"
    return Plan(
        _AsItIs(b"", (body,)), (VendorModel(vendor=vendor, id=model),), Routing(), UNVERSIONED
    )


class _AsItIs(Composed):
    """A body that already names its model."""

    def body(self, vendor_model: bytes) -> list[bytes | bytearray | memoryview]:
        return list(self.rest)
