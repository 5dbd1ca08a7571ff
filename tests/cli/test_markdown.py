"""Pages as Markdown: what a pipeline posts, and nothing in it that a forge would act on."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.cli.markdown import escaped, markdown
from proxy.cli.page import Diff, Table, Verbatim, bad, dim, good, line, strong


def test_a_page_is_paragraphs_tables_and_fences():
    page = (
        line(strong("recommender"), "  v1 → v2"),
        line(dim("the same")),
        line(),
        Table(("case", "score"), (("rain", bad("0.50")), ("snow", good("1.00")))),
        Diff("@@ -1 +1 @@\n-old\n+new\n"),
        Verbatim("You are kind."),
    )

    assert markdown(page) == (
        "**recommender**  v1 → v2\\\nthe same\n\n"
        "| case | score |\n| --- | --- |\n| rain | **0.50** |\n| snow | 1.00 |\n\n"
        "```diff\n@@ -1 +1 @@\n-old\n+new\n```\n\n"
        "```\nYou are kind.\n```\n"
    )


def test_an_empty_page_is_nothing():
    assert markdown([]) == markdown([line()]) == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a*b*_c_", "a\\*b\\*\\_c\\_"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("[x](javascript:y)", "\\[x\\](javascript:y)"),
        ("see #12 and a|b", "see \\#12 and a\\|b"),
        ("thanks @ada", "thanks @\u200bada"),
        ("by ada@host", "by ada@host"),
        ("https://evil.example", "https\\://evil.example"),
        ("www.evil.example", "www\\.evil.example"),
        ("two\nlines", "two lines"),
        ("\x1b[31mred", "\ufffd\\[31mred"),
    ],
)
def test_text_of_other_people_is_shown_and_not_acted_upon(text, shown):
    assert escaped(text) == shown


@pytest.mark.parametrize("text", ["# a", "- a", "+ a", "1. a", "1) a", "=== ", "/close", "> a"])
def test_no_line_begins_something_else(text):
    assert "\\" in markdown([line(text)])[:3]


def test_an_indented_line_is_no_code():
    assert markdown([line("        gate")]) == "gate\n"


def test_a_row_stays_one_row():
    table = markdown([Table(("why",), (("two\nlines | and a pipe",),))])

    assert table.splitlines()[2] == "| two lines \\| and a pipe |"


def test_a_fence_inside_a_text_does_not_end_it():
    text = markdown([Verbatim("```\ncode\n````\nmore")])

    assert text == "`````\n```\ncode\n````\nmore\n`````\n"


@given(st.text())
def test_whatever_a_text_holds_it_stays_in_its_cell_and_its_fence(text):
    page = markdown([Table(("x",), ((text,),)), Verbatim(text), line("end")])

    table, _, rest = page.partition("\n\n")
    assert len(table.split("\n")) == 3
    fence = re.match(r"`+", rest)[0]
    assert rest.count(f"\n{fence}\n") == 1
    assert page.endswith(f"{fence}\n\nend\n")


def test_every_verb_answers_in_markdown(ctl):
    ctl.change("one")

    ran = ctl("versions", "recommender", "--markdown")

    assert ran.status == 0
    assert ran.out.startswith("| version | labels | eval |")
    assert ctl("--markdown", "versions", "recommender").out == ran.out


def test_a_failure_is_posted_too(ctl):
    ran = ctl("show", "recommender", "v1", "--markdown")

    assert ran.status == 1
    assert ran.out.startswith("**proxyctl: no version of recommender is registered")
    assert "[unknown_model]" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [["versions", "--json", "--markdown"], ["--markdown", "versions", "--json"]],
)
def test_json_and_markdown_together_are_wrong_usage(ctl, arguments):
    ran = ctl(*arguments)

    assert ran.status == 2
    assert "--json does not go with --markdown" in ran.err
