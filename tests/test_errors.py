"""Errors are one page of code and one page of text, which say the same."""

import re
from pathlib import Path

import pytest

from proxy import errors
from proxy.cli.page import REFUSED, UNKNOWN
from proxy.errors import CommandError, OutcomeUnknown, ProxyError, RequestError

PAGE = (Path(__file__).parent.parent / "docs" / "errors.md").read_text()
TABLES = dict(re.findall(r"<!-- errors: (\w+) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL))

FAULTS = {"caller", "vendor", "operator"}
PASSING = {"yes": True, "no": False}

# The contract with apps: what the design promises, code by code.
PROMISED = {
    **dict.fromkeys(("unknown_model", "unknown_version", "not_found"), 404),
    **dict.fromkeys(("wrong_dialect", "invalid_json", "invalid_request", "bad_framing"), 400),
    **dict.fromkeys(("missing_variable", "unknown_variable", "override_rejected"), 400),
    **dict.fromkeys(("not_pinned", "store_unavailable", "version_corrupt"), 503),
    **dict.fromkeys(("overloaded", "circuit_open", "draining"), 503),
    **dict.fromkeys(("upstream_unreachable", "upstream_protocol", "upstream_auth"), 502),
    "upstream_timeout": 504,
    "body_too_large": 413,
    "headers_too_large": 431,
    "request_timeout": 408,
    "unauthorized": 401,
    "forbidden": 403,
    "method_not_allowed": 405,
}


def kinds(base):
    """Return all subclasses of `base`, and theirs."""
    found = base.__subclasses__()
    return [*found, *(one for kind in found for one in kinds(kind))]


REQUESTS, COMMANDS = kinds(RequestError), kinds(CommandError)


def rows(table):
    lines = TABLES[table].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def test_page_lists_every_error_of_a_request():
    documented = [
        (code, int(status), fault, PASSING[again])
        for code, status, fault, again, _, _ in rows("requests")
    ]

    assert documented == [(one.code, one.status, one.fault, one.passing) for one in REQUESTS]


def test_page_lists_every_error_of_a_command():
    documented = [(code, int(status)) for code, status, _, _ in rows("commands")]

    assert sorted(documented) == sorted(
        (one.code, UNKNOWN if one is OutcomeUnknown else REFUSED) for one in COMMANDS
    )


def test_codes_of_requests_are_those_that_were_promised():
    assert {one.code: one.status for one in REQUESTS} == PROMISED


@pytest.mark.parametrize("group", [REQUESTS, COMMANDS], ids=["requests", "commands"])
def test_no_code_means_two_things(group):
    codes = [one.code for one in group]

    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("kind", REQUESTS + COMMANDS, ids=lambda kind: kind.__name__)
def test_error_says_who_has_to_act(kind):
    assert kind.fault in FAULTS
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_error_of_a_request_has_words_of_its_own(kind):
    error = kind()

    assert error.message == str(error) == kind.text != ""


@pytest.mark.parametrize("kind", REQUESTS, ids=lambda kind: kind.__name__)
def test_status_fits_the_fault(kind):
    assert (400 <= kind.status < 500) == (kind.fault == "caller")
    assert not (kind.passing and kind.fault == "caller")


def test_every_error_is_of_a_request_or_of_a_command():
    listed = {value for value in vars(errors).values() if isinstance(value, type)}

    assert {one for one in listed if issubclass(one, ProxyError)} == {
        *REQUESTS,
        *COMMANDS,
        ProxyError,
        RequestError,
        CommandError,
    }
