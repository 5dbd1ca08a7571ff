"""A page as GitHub-flavoured Markdown: what a pipeline posts beside a change.

Stored text is other people's: whatever Markdown, HTML or a forge would act on is escaped, so that a
prompt cannot make headings, links, mentions of people or quick actions of somebody's comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from proxy.cli.clean import clean
from proxy.cli.page import Block, Cell, Diff, Line, Span, Table, Verbatim

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")
# A mention needs a character before it that is none of a word; a space of no width is no such one,
# and breaks the name off.
_MENTION = re.compile(r"(?<![A-Za-z0-9_`])@(?=[A-Za-z0-9])")
# What makes a list, a rule, a heading of the line above, or a quick action if a line begins so.
_OPENING = re.compile(r"\A([-+=:/]|[0-9]+[.)])")
# Forges make links of these by themselves.
_LINK = re.compile(r"(?i)\b(https?|ftp)://|\bwww\.")

_BOLD = frozenset({"strong", "bad", "warning"})


def markdown(page: Iterable[Block]) -> str:
    """Return the page as Markdown that ends in one line end; empty for an empty page."""
    paragraphs = [text for text in _paragraphs(page) if text]
    return "\n\n".join(paragraphs) + "\n" if paragraphs else ""


def _paragraphs(page: Iterable[Block]) -> Iterator[str]:
    """Yield the blocks; lines that follow one another are one paragraph, empty ones part them."""
    for kind, blocks in groupby(page, _kind):
        if kind == "line":
            yield "\\\n".join(_line(block) for block in blocks if isinstance(block, Line))
        else:
            yield from map(_block, blocks)


def _kind(block: Block) -> str:
    if not isinstance(block, Line):
        return "block"
    return "line" if _line(block) else "gap"


def _block(block: Block) -> str:
    match block:
        case Table():
            return _table(block)
        case Diff(text):
            return _fence(text, "diff")
        case Verbatim(text):
            return _fence(text)
    return ""


def _line(block: Line) -> str:
    text = "".join(map(_span, block.parts)).strip()
    return _OPENING.sub(lambda match: _safe_opening(match[0]), text)


def _safe_opening(mark: str) -> str:
    return f"{mark[:-1]}\\{mark[-1]}"


def _table(table: Table) -> str:
    rows = [table.headers, *table.rows]
    cells = [[" ".join(_span(cell).split()) for cell in row] for row in rows]
    rule = ["---"] * len(table.headers)
    return "\n".join(f"| {' | '.join(row)} |" for row in (cells[0], rule, *cells[1:]))


def _span(cell: Cell) -> str:
    span = cell if isinstance(cell, Span) else Span(cell)
    text = escaped(span.text)
    if span.style not in _BOLD or not text.strip():
        return text
    # Marks of emphasis stand at a word, never at a space.
    before = text[: len(text) - len(text.lstrip())]
    after = text[len(text.rstrip()) :]
    return f"{before}**{text.strip()}**{after}"


def escaped(text: str) -> str:
    """Return `text` such that Markdown shows it as it is, on one line."""
    line = " ".join(re.split(r"[\r\n]+", clean(text).replace("\t", " ")))
    line = _SPECIAL.sub(r"\\\1", line)
    line = _MENTION.sub("@\u200b", line)
    return _LINK.sub(lambda match: match[0].replace(":", "\\:").replace(".", "\\."), line)


def _fence(text: str, language: str = "") -> str:
    """Return a block of code; its fence is longer than any in it."""
    body = clean(text).rstrip("\n")
    longest = max((len(run) for run in re.findall(r"`{3,}", body)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"
