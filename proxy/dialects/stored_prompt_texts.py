"""What a stored prompt says: its system prompt, its messages, and the variables in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.complaints import Complaint
from proxy.dialects.messages import SYSTEM_ROLES
from proxy.versions.template import IDENTIFIER, placeholders

Path = tuple[str | int, ...]

_PARTS = frozenset({"input_text", "output_text", "text"})
_OF_A_PART = frozenset({"type", "text", "annotations", "logprobs"})
_OF_AN_ITEM = frozenset({"type", "role", "content", "id", "status", "object"})
_BRACES = re.compile(r"\{\{([^{}]*)\}\}")


@dataclass(frozen=True, slots=True)
class Said:
    """`messages` are roles with texts; `user` is the last of them where that is the user's, so that
    what is asked is told from examples."""

    system: str
    messages: tuple[tuple[str, str], ...]
    user: str

    @property
    def texts(self) -> tuple[str, ...]:
        return (self.system, *(text for _, text in self.messages), self.user)

    @property
    def placeholders(self) -> frozenset[str]:
        return frozenset(name for text in self.texts for name in placeholders(text))


def read_said(given: Mapping[str, Any], names: Sequence[str], left: list[Complaint]) -> Said:
    """Return what the fields `names` say, in this order; `left` gets what is not understood."""
    system: list[str] = []
    messages: list[tuple[str, str]] = []
    for name in names:
        for path, role, text in _items(given.get(name), name, left):
            if role not in SYSTEM_ROLES:
                messages.append((role, text))
            elif messages:
                left.append((path, "a system message behind others has no place in a version"))
            else:
                system.append(text)
    user = messages.pop()[1] if messages and messages[-1][0] == "user" else ""
    return Said("\n\n".join(filter(None, system)), tuple(messages), user)


def _items(value: Any, name: str, left: list[Complaint]) -> Iterator[tuple[Path, str, str]]:
    """Yield the messages of a field: where they are, their role, and their text."""
    if value is None:
        return
    if isinstance(value, str):
        yield (name,), "system" if name == "instructions" else "user", _plain(value)
        return
    if not isinstance(value, list):
        left.append(((name,), "is not understood"))
        return
    for index, item in enumerate(value):
        path: Path = (name, index)
        if not _is_message(item):
            left.append((path, "is no message"))
            continue
        odd = sorted(key for key in item.keys() - _OF_AN_ITEM if item[key] is not None)
        left += [((*path, key), "is not understood") for key in odd]
        if (text := _text(item.get("content"), path, left)) is not None:
            yield path, item["role"], text


def _is_message(item: Any) -> bool:
    roles = {*SYSTEM_ROLES, "user", "assistant"}
    return (
        isinstance(item, Mapping)
        and item.get("type", "message") == "message"
        and isinstance(item.get("role"), str)
        and item["role"] in roles
    )


def _text(content: Any, path: Path, left: list[Complaint]) -> str | None:
    """Return a message's text; None if it holds something that is no text."""
    if isinstance(content, str):
        return _plain(content)
    if not isinstance(content, list):
        left.append(((*path, "content"), "is no text"))
        return None
    texts = []
    for index, part in enumerate(content):
        if not _is_text(part):
            left.append(((*path, "content", index), "is no text"))
            return None
        odd = sorted(key for key in part.keys() - _OF_A_PART if part[key] is not None)
        left += [((*path, "content", index, key), "is not understood") for key in odd]
        texts.append(part["text"])
    return _plain("".join(texts))


def _is_text(part: Any) -> bool:
    return (
        isinstance(part, Mapping)
        and part.get("type") in _PARTS
        and isinstance(part.get("text"), str)
    )


def _plain(text: str) -> str:
    """Write line ends as files do, which reading them would do anyway."""
    return text.replace("\r\n", "\n")


def read_variables(
    given: Mapping[str, Any], said: Said, left: list[Complaint]
) -> dict[str, dict[str, Any]]:
    """Declare the variables that the texts use and those that the file names, all required, as they
    were at the vendor; `left` gets names that no variable can have here."""
    for text in said.texts:
        for match in _BRACES.finditer(text):
            name = match[1].strip()
            if name and IDENTIFIER.fullmatch(name) is None:
                left.append(((f"{{{{{name}}}}}",), _NO_NAME))
    names = list(dict.fromkeys(name for text in said.texts for name in placeholders(text)))
    for path, name, value in _named(given):
        if isinstance(value, Mapping) and value.get("type") in ("input_image", "input_file"):
            left.append(((*path, name), "an image or a file cannot be a variable"))
        elif IDENTIFIER.fullmatch(name) is None:
            left.append(((*path, name), _NO_NAME))
        elif name not in names:
            names.append(name)
    return {name: {"required": True} for name in names}


_NO_NAME = "a variable name is letters, digits and _, not starting with a digit"


def _named(given: Mapping[str, Any]) -> Iterator[tuple[Path, str, Any]]:
    """Yield the variables that the file names: in a table with values, or in a list of names."""
    reference = given.get("prompt")
    inner = reference.get("variables") if isinstance(reference, Mapping) else None
    for path, named in ((("variables",), given.get("variables")), (("prompt", "variables"), inner)):
        if isinstance(named, Mapping):
            yield from ((path, str(name), value) for name, value in named.items())
        elif isinstance(named, list):
            for one in named:
                name = one.get("name") if isinstance(one, Mapping) else one
                if isinstance(name, str):
                    yield path, name, None
