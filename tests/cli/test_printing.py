"""What people see: plain when piped, and nothing that acts on a terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.clean import clean
from proxy.cli.page import Diff, Table, Verbatim, bad, good, line
from proxy.cli.printing import print_error, render
from proxy.errors import Conflict, OutcomeUnknown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


PAGE = (
    line("a ", good("b")),
    Table(("one", "two"), (("x", bad("y")), ("long cell", "[red]markup[/red]"))),
    Diff("@@ -1 +1 @@\n-old\n+new"),
    Verbatim("first\nsecond"),
)


def test_piped_output_is_plain_columns():
    assert render(PAGE, io.StringIO()) == (
        "a b\n"
        "one        two\n"
        "x          y\n"
        "long cell  [red]markup[/red]\n"
        "@@ -1 +1 @@\n-old\n+new\n"
        "  first\n  second\n"
    )


def test_a_terminal_gets_colours(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)

    assert "\x1b[32mb\x1b[0m" in render(PAGE, Terminal())


def test_no_color_is_respected(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")

    assert "\x1b[3" not in render(PAGE, Terminal())


def test_long_lines_are_not_cut_when_piped():
    text = "word " * 100

    assert render([line(text)], io.StringIO()) == text.rstrip() + "\n"
    assert text.strip() in render([Table(("x",), ((text,),))], io.StringIO())


def test_a_cell_stays_on_its_line():
    assert render([Table(("why",), (("two\nlines",),))], io.StringIO()) == "why\ntwo lines\n"


@pytest.mark.parametrize("terminal", [True, False])
@given(text=st.text())
def test_stored_text_cannot_act_on_a_terminal(terminal, text):
    page = (line(text), Table((text,), ((text,),)), Diff(text), Verbatim(text))

    seen = render(page, Terminal() if terminal else io.StringIO())

    for mark in "\x07\x08\r\x9b\u202e":
        assert mark not in seen
    if not terminal:
        assert "\x1b" not in seen


def test_escape_sequences_of_stored_text_are_made_visible():
    assert clean("a\x1b]0;title\x07b\u202ec\td\n") == "a\ufffd]0;title\ufffdb\ufffdc\td\n"


def test_an_error_tells_scripts_what_they_need(capsys):
    print_error(Conflict("no", current="x-v1-aaaaaa", hint="look"), "json")

    out, err = capsys.readouterr()
    assert err == "proxyctl: no [conflict]\nhint: look\n"
    assert out == (
        '{"error": {"code": "conflict", "message": "no", "hint": "look", '
        '"current": "x-v1-aaaaaa"}}\n'
    )


def test_an_unknown_outcome_names_its_operation(capsys):
    print_error(OutcomeUnknown("lost", operation="op-7"), "json")

    assert '"operation": "op-7"' in capsys.readouterr().out
