"""Files that an operator names or keeps beside a model: read whole, and no larger than agreed."""

from __future__ import annotations

from pathlib import Path

from proxy.errors import InvalidFiles, Problem


def read_bytes(file: Path, most_bytes: int) -> bytes:
    """Return what `file` holds. Raises `InvalidFiles` if it cannot be read, or is larger than
    `most_bytes`."""
    try:
        with file.open("rb") as opened:
            content = opened.read(most_bytes + 1)
    except OSError:
        raise InvalidFiles([Problem(str(file), 0, "", "cannot be read")]) from None
    if len(content) > most_bytes:
        raise InvalidFiles([Problem(str(file), 0, "", f"is larger than {most_bytes} bytes")])
    return content


def read_text(file: Path, most_bytes: int) -> str:
    """Return the text of `file`, in UTF-8 with or without a byte order mark. Raises as `read_bytes`
    does, and for what is no text."""
    try:
        return read_bytes(file, most_bytes).decode().removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise InvalidFiles([Problem(str(file), 0, "", "is not valid UTF-8")]) from None
