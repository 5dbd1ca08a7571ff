"""What a proxy is called in the fleet where nobody gave it a name."""

from __future__ import annotations

import secrets
import socket


def made_up_name() -> str:
    """Return the host's name and a random part: several proxies run on one host."""
    return f"{socket.gethostname()}-{secrets.token_hex(2)}"


def new_instance() -> str:
    """Return what tells a proxy from others of its name: the one before it, at an upgrade."""
    return secrets.token_hex(4)
