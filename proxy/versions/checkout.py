"""A version's content, written back as the files of its model's folder."""

from __future__ import annotations

import json
from typing import Any

from proxy.errors import InvalidFiles, NotWritable
from proxy.versions import toml
from proxy.versions.content import Content
from proxy.versions.identity import canonical
from proxy.versions.sources import (
    MESSAGES_FILE,
    SYSTEM_FILE,
    TOOLS_FILE,
    USER_FILE,
    VERSION_FILE,
    read,
)


def write(content: Content) -> dict[str, bytes]:
    """Return the files, by name, that `sources.read` makes the same content of.

    Parts that are empty have no file. Raises `NotWritable` for the few contents that files cannot
    hold, such as null in a TOML table; none of those ever came from files.
    """
    plain = content.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    plain.pop("schema", None)
    tools, messages = (plain.pop(key, None) for key in ("tools", "messages"))
    texts = {SYSTEM_FILE: plain.pop("system", None), USER_FILE: plain.pop("user", None)}
    try:
        files = {VERSION_FILE: toml.dumps(plain).encode()}
    except ValueError:
        raise NotWritable("a value is null, which version.toml cannot hold") from None
    files |= {name: f"{text}\n".encode() for name, text in texts.items() if text is not None}
    if tools is not None:
        files[TOOLS_FILE] = _json(tools)
    if messages is not None:
        files[MESSAGES_FILE] = _json(messages)
    _prove(files, content)
    return files


def _json(value: Any) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=2) + "\n").encode()


def _prove(files: dict[str, bytes], content: Content) -> None:
    """Read the files again: a tree that silently says something else than is live is worse than
    none. CR before LF in a prompt is the known case, which reading takes for LF."""
    try:
        again = read(files, allow_secrets=True)
    except InvalidFiles:
        raise NotWritable("the content cannot be written as files") from None
    if canonical(again) != canonical(content):
        raise NotWritable("the content cannot be written as files without a change")
