"""What the checker found, with the facts that show it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Violation:
    """`rule` is a word to search for, `evidence` the facts, the one in question first."""

    rule: str
    text: str
    evidence: tuple[object, ...]

    def __str__(self) -> str:
        return "\n".join([f"{self.rule}: {self.text}", *(f"    {fact}" for fact in self.evidence)])
