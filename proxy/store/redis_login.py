"""How to log in. A password in a file may change while the program runs: it is read anew for each
connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from proxy.errors import StoreUnavailable

# Far above any password; a file that is larger is something else.
MAX_PASSWORD_BYTES = 16 * 1024

# Who logs in without a name.
_DEFAULT_USER = "default"


class Login(Protocol):
    def credentials(self) -> tuple[str, str]:
        """Return user and password. Raises `StoreUnavailable` if they are not to be had."""


@dataclass(frozen=True, slots=True)
class Password(Login):
    """What a URL says."""

    user: str
    password: str = field(repr=False)

    def credentials(self) -> tuple[str, str]:
        return self.user or _DEFAULT_USER, self.password


class PasswordFile(Login):
    """Logs `user` in with the password in the file at `path`. Shown to nobody.

    Blanks and line ends around the password do not count: editors and secret stores add them.
    """

    def __init__(self, user: str, path: Path) -> None:
        self._user = user
        self._path = path

    def __repr__(self) -> str:
        return "***"

    def credentials(self) -> tuple[str, str]:
        """Return what to log in with. Raises `StoreUnavailable` if the file does not say."""
        return self._user or _DEFAULT_USER, self._read()

    def _read(self) -> str:
        try:
            with self._path.open("rb") as file:
                text = file.read(MAX_PASSWORD_BYTES + 1)
            password = text.decode().strip()
        except (OSError, UnicodeDecodeError):
            password, text = "", b""
        if not password or len(text) > MAX_PASSWORD_BYTES:
            raise StoreUnavailable(
                "the file with the store's password cannot be read, or holds none",
                hint=f"look at {self._path}",
            )
        return password
