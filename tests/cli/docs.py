"""The parts of the documents that come from code. `python -m tests.cli.docs` writes them anew.

A part stands between `<!-- NAME -->` and `<!-- end -->`; the rest of a document is for people to
write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_origin

from click.testing import CliRunner
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from proxy.cli.main import VERBS, program
from proxy.settings import Settings
from proxy.settings_file import FLAGS, sections, variables

DOCS = Path(__file__).parent.parent.parent / "docs"
_PART = re.compile(r"(<!-- ([a-z: -]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def renewed(text: str, parts: dict[str, str]) -> str:
    """Return `text` with each part as it is now. Raises `KeyError` for one that is unknown."""
    return _PART.sub(lambda match: f"{match[1]}{parts[match[2]]}{match[4]}", text)


def cli_parts() -> dict[str, str]:
    """Return the help of the program and of every verb, by `help: VERB`."""
    verbs = {f"help: {name}": _help(name) for name in VERBS}
    return {"help": _help(), **verbs}


def _help(*arguments: str) -> str:
    ran = CliRunner().invoke(program, [*arguments, "--help"], terminal_width=80)
    return f"```text\n{ran.stdout.rstrip()}\n```\n"


def configuration_parts() -> dict[str, str]:
    """Return a table of every section's settings, by `settings: SECTION`."""
    fixed = {f"settings: {name}": _table(name, model) for name, model in sections()}
    return {**fixed, **{f"settings: {name}": _table(name, model) for name, model in named()}}


def named() -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the sections whose entries have names of their own: vendors and apps."""
    for name, field in Settings.model_fields.items():
        if get_origin(field.annotation) is dict:
            yield name, get_args(field.annotation)[1]


def _table(section: str, model: type[BaseModel]) -> str:
    names = variables()
    rows = ["| setting | default | variable, flag | what it is for |", "| --- | --- | --- | --- |"]
    for name, field in model.model_fields.items():
        outside = [names.get((section, name)), FLAGS.get((section, name))]
        shown = ", ".join(f"`{one}`" for one in outside if one)
        rows.append(f"| `{name}` | {_default(field)} | {shown} | {field.description} |")
    return "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, SecretStr):
        value = value.get_secret_value()
    if value is None or value in ("", (), {}):
        return "none"
    if isinstance(value, tuple):
        return ", ".join(f"`{one}`" for one in value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def main() -> None:
    for name, parts in (("cli.md", cli_parts()), ("configuration.md", configuration_parts())):
        file = DOCS / name
        file.write_text(renewed(file.read_text(), parts))


if __name__ == "__main__":
    main()
