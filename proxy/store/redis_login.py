"""A password that may change while the program runs: it is read anew for each connection."""

from __future__ import annotations

from pathlib import Path

from redis.credentials import CredentialProvider

from proxy.errors import StoreUnavailable

# Far above any password; a file that is larger is something else.
MAX_PASSWORD_BYTES = 16 * 1024


class PasswordFile(CredentialProvider):
    """Logs `user` in with the password in the file at `path`. Shown to nobody.

    Blanks and line ends around the password do not count: editors and secret stores add them.
    """

    def __init__(self, user: str, path: Path) -> None:
        self._user = user
        self._path = path

    def __repr__(self) -> str:
        return "***"

    async def get_credentials_async(self) -> tuple[str] | tuple[str, str]:
        """Return what to log in with. Raises `StoreUnavailable` if the file does not say."""
        password = self._read()
        return (self._user, password) if self._user else (password,)

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
