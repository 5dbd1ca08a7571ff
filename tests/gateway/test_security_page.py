"""docs/security.md is compared with the program."""

import re
from pathlib import Path

import pytest

from proxy.dialects.registry import DIALECTS
from proxy.errors import RequestError
from proxy.gateway import headers
from proxy.settings import Settings

PAGE = (Path(__file__).parent.parent.parent / "docs" / "security.md").read_text()
TABLES = dict(re.findall(r"<!-- ([a-z: ]+) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL))


def rows(table):
    lines = TABLES[table].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def listed(table, when):
    """Return the names whose row says `when`; prefixes without their dots."""
    return {name.rstrip("…").encode() for name, said in rows(table) if said.startswith(when)}


def test_headers_to_the_vendor_are_those_that_pass():
    prefixes = {prefix for dialect in DIALECTS.values() for prefix in dialect.forwarded_prefixes}

    assert listed("headers: to the vendor", "always") == headers.FORWARDED
    assert listed("headers: to the vendor", "by prefix") == prefixes
    assert listed("headers: to the vendor", "passed through") == headers.ALSO_FORWARDED
    assert listed("headers: to the vendor", "only where") == headers.WITH_CREDENTIAL


def test_headers_to_the_app_are_those_that_pass():
    assert listed("headers: to the app", "always") == headers._RETURNED
    assert listed("headers: to the app", "passed through") == headers._RETURNED_THROUGH
    assert listed("headers: to the app", "by prefix") == set(headers._RETURNED_PREFIXES)


@pytest.mark.parametrize("section", ["limits", "timeouts"])
def test_limits_and_their_defaults_are_those_of_the_program(section):
    documented = {name: float(default) for name, default, _ in rows("limits")}
    model = Settings.model_fields[section].default

    assert {name: value for name, value in documented.items() if name.startswith(section)} == {
        f"{section}.{name}": value for name, value in model
    }


def test_errors_that_the_page_names_exist():
    codes = {kind.code for kind in RequestError.__subclasses__()}
    cells = [cell for *_, cell in rows("limits")]
    named = {code for cell in cells for code in re.findall(r"[a-z]+(?:_[a-z]+)+", cell)}

    assert named <= codes
    assert len(named) > 5
