"""docs/routing.md says what the program does."""

import re
from pathlib import Path

import pytest

from proxy.dialects.registry import DIALECTS
from proxy.routing.retry import MAX_BACKOFF_S, MAX_WAIT_S, SAME_TARGET_DELAY_S
from proxy.versions.content import Content, complaints
from proxy.versions.routing import BreakerRules, Routing
from proxy.versions.sources import read

PAGE = (Path(__file__).parent.parent.parent / "docs" / "routing.md").read_text()
TABLES = dict(re.findall(r"<!-- routing: (\w+) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL))


def rows(table):
    lines = TABLES[table].splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def defaults_of(part):
    """Return the fields of a table in the file with their defaults, as the page writes them."""
    shown = {None: "none", (): "none"}
    waits = {f"{name}_timeout_s" for name in ("connect", "first_byte", "idle")}
    return {
        f"`{name}`": "the operator's"
        if name in waits
        else shown.get(field.default, f"`{str(field.default).lower().removesuffix('.0')}`")
        for name, field in part.model_fields.items()
    }


@pytest.mark.parametrize(("table", "part"), [("fields", Routing), ("breaker", BreakerRules)])
def test_every_field_is_on_the_page_with_its_default(table, part):
    assert {row[0]: row[1] for row in rows(table)} == defaults_of(part)


def test_the_user_is_where_the_page_says():
    said = {
        name: tuple(re.findall("`([^`]+)`", users))
        for name, users in ((row[0].strip("`"), row[1]) for row in rows("users"))
    }

    assert said == {name: dialect.users for name, dialect in DIALECTS.items()}


def test_the_examples_are_versions():
    first, *others = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    model = first[: first.index("[routing]")]

    contents = [
        read({"version.toml": text.encode()}) for text in (first, *map(model.__add__, others))
    ]

    assert contents[0].routing.attempts == 3
    assert all(content.routing != Routing() for content in contents)


def names_in(cell):
    """Return failures that a cell of the table names, with an example for each of its ranges."""
    texts = re.findall(r"`([^`]+)`", cell)
    examples = {"status:NNN": ("status:400", "status:429"), "status:5NN": ("status:500",)}
    return [name for text in texts for name in examples.get(text, (text,))]


@pytest.mark.parametrize("row", rows("failures"), ids=lambda row: row[0])
def test_what_may_be_billed_twice_has_to_be_said(row):
    names, risky = names_in(row[1]), row[2].startswith("yes")
    plain = {"model": {"vendor": "openai", "id": "gpt-4o"}}

    for name in names:
        content = Content.model_construct(
            **(Content.model_validate(plain).__dict__ | {"routing": Routing(retry_on=(name,))})
        )

        assert bool(complaints(content)) == risky, name
    assert names or row[1] in ("always", "never")


def test_the_waits_are_those_of_the_program():
    assert (
        f"left alone for {SAME_TARGET_DELAY_S} s, then 0.2 s, up to {MAX_BACKOFF_S:.0f} s" in PAGE
    )
    assert f"more than {MAX_WAIT_S:.0f} s" in PAGE
