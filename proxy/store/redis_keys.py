"""The names of all keys in Redis. One hash tag: a script may touch them all, on a cluster too."""

from __future__ import annotations

import re
from dataclasses import dataclass

from proxy.errors import InvalidArgument
from proxy.versions.names import is_label, is_model_name
from proxy.versions.record import PinKey

# Braces would end the hash tag; the rest of what is refused is refused for people's sake.
_NAMESPACE = re.compile(r"[A-Za-z0-9._:-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Keys:
    """Key names within `namespace`. Raises `InvalidArgument` if it cannot be a hash tag."""

    namespace: str = "proxy"

    def __post_init__(self) -> None:
        if _NAMESPACE.fullmatch(self.namespace) is None:
            raise InvalidArgument("a namespace is 1 to 64 letters, digits and . _ : -")

    def named(self, *parts: str) -> str:
        return ":".join((f"{{{self.namespace}}}", *parts))

    @property
    def epoch(self) -> str:
        return self.named("epoch")

    @property
    def pinned(self) -> str:
        """A set of `MODEL:LABEL`: the labels that a swap ever wrote."""
        return self.named("pinned")

    @property
    def models(self) -> str:
        return self.named("models")

    @property
    def members(self) -> str:
        return self.named("members")

    @property
    def questions(self) -> str:
        """What the fleet is asked; see `question_text`."""
        return self.named("questions")

    @property
    def former(self) -> str:
        """What labels held before; see `former_text`."""
        return self.named("former")

    @property
    def changes(self) -> str:
        """The channel on which every swap and every question is announced. It has the namespace's
        tag as well, for the sake of access rules that go by pattern."""
        return self.named("changes")

    def pin(self, key: PinKey) -> str:
        return self.named("pin", *key)

    def of_model(self, kind: str, model: str) -> str:
        """Return one of `seq versions meta digests short held revoked frozen history gate verdicts
        unratified`."""
        return self.named(kind, model)

    @property
    def drills(self) -> str:
        """A hash of the last drill of each model."""
        return self.named("drills")

    def results(self, model: str, digest: str) -> str:
        """A hash of the results of some content, by pointer."""
        return self.named("results", model, digest.removeprefix("sha256:"))

    def operation(self, operation: str) -> str:
        return self.named("op", operation)

    def member(self, key: str) -> str:
        return self.named("member", key)

    def answers(self, question: str) -> str:
        """A hash of answers, by the key of the member that gave them."""
        return self.named("answers", question)


def listed(members: object) -> frozenset[PinKey]:
    """Read the entries of `pinned`; those that name no label were not written by a swap."""
    if not isinstance(members, list | set | frozenset | tuple):
        return frozenset()
    split = (bytes(entry).decode(errors="replace").partition(":") for entry in members)
    return frozenset(
        (model, label) for model, _, label in split if is_model_name(model) and is_label(label)
    )
