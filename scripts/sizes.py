"""Measure the sources, print it, and fail where something has grown too large.

python scripts/sizes.py
"""

from __future__ import annotations

import ast
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent

# Beyond these a second noun is hiding in the first.
MOST_LINES_FILE = 400
MOST_LINES_FUNCTION = 60


@dataclass(frozen=True, slots=True)
class Size:
    """`place` is a path, and a line and a name for a function."""

    place: str
    lines: int


def files(folder: Path) -> list[Size]:
    return [
        Size(str(path.relative_to(ROOT)), len(path.read_text().splitlines()))
        for path in sorted(folder.rglob("*.py"))
    ]


def functions(folder: Path) -> list[Size]:
    return [
        Size(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", length(node))
        for path in sorted(folder.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def too_large(folder: Path) -> list[Size]:
    return [
        *(size for size in files(folder) if size.lines > MOST_LINES_FILE),
        *(size for size in functions(folder) if size.lines > MOST_LINES_FUNCTION),
    ]


def summary(folder: Path) -> str:
    all_files, all_functions = files(folder), functions(folder)
    lines = sorted(size.lines for size in all_functions)
    return (
        f"{folder.name}/: {len(all_files)} files, {sum(size.lines for size in all_files)} lines, "
        f"the largest {max(size.lines for size in all_files)}; {len(lines)} functions, "
        f"median {statistics.median(lines):.0f} lines, 90 % within {lines[len(lines) * 9 // 10]}, "
        f"the largest {lines[-1]}"
    )


def main() -> int:
    folder = ROOT / "proxy"
    print(summary(folder))  # noqa: T201
    found = too_large(folder)
    for size in found:
        print(f"{size.place}: {size.lines} lines", file=sys.stderr)  # noqa: T201
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
