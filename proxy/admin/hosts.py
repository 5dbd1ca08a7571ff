"""Which `host` headers the admin listener answers: a defence against DNS rebinding, where a web
page gives its own name to this address, so that a browser on this machine reads what is shown here.
Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address

_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?", re.ASCII)


def is_ours(header: str | None, listen_host: str) -> bool:
    """Say whether a `host` header may come from somebody who knows where this listener is.

    An address is no name that could be given away, and no browser leaves the header out. A
    listener on all addresses has names that it does not know, and is reached over the network
    anyway.
    """
    if header is None or listen_host in ("0.0.0.0", "::"):  # noqa: S104  # compared, not bound
        return True
    match = _HOST.fullmatch(header)
    if match is None:
        return False
    host = (match[1] or match[2]).lower()
    return host in ("localhost", listen_host.lower()) or _is_address(host)


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
