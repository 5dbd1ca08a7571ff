"""The documents say what the program says."""

import json
import re

import pytest

from proxy.cli.main import VERBS
from proxy.settings import Settings
from proxy.versions.record import Member
from tests.cli.docs import DOCS, cli_parts, configuration_parts, renewed

CLI = (DOCS / "cli.md").read_text()
CONFIGURATION = (DOCS / "configuration.md").read_text()
EXAMPLES = dict(re.findall(r"```json ([a-z-]+)\n(.*?)```", CLI, re.DOTALL))


def test_the_help_in_the_document_is_that_of_the_program():
    assert renewed(CLI, cli_parts()) == CLI


def test_every_verb_is_documented():
    assert re.findall(r"^## ([a-z-]+)$", CLI, re.MULTILINE) == [*VERBS]


def test_the_settings_in_the_document_are_those_of_the_program():
    assert renewed(CONFIGURATION, configuration_parts()) == CONFIGURATION


def test_every_section_is_documented():
    named = re.findall(r"^<!-- settings: ([a-z]+) -->$", CONFIGURATION, re.MULTILINE)

    assert sorted(named) == sorted(Settings.model_fields)


def shape(value):
    """Return the keys and the kinds of values; None and an empty list stand for anything."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else None
    return None if value is None else (float if isinstance(value, int | float) else type(value))


def agree(documented, real):
    if documented is None or real is None:
        return True
    if isinstance(documented, dict) and isinstance(real, dict):
        return documented.keys() == real.keys() and all(
            agree(documented[key], real[key]) for key in real
        )
    if isinstance(documented, list) and isinstance(real, list):
        return agree(documented[0], real[0])
    return documented == real


@pytest.fixture
def busy(ctl):
    """Return a proxyctl with a history of every kind, and a live proxy."""
    _, second = ctl.versions(2)
    serving = {"recommender@prod": second}
    member = Member("web-1", 9, serving, instance="0f3a9c21", store="following")
    ctl.with_store(lambda store: store.report(member))
    ctl.ok("freeze", "recommender")
    ctl.ok("unfreeze", "recommender")
    (ctl.directory / "report.json").write_text('{"cases": [{"name": "rain", "score": 0.5}]}')
    (ctl.directory / "prompt.json").write_text(PROMPT)
    for version in ("v1", "v2"):
        ctl.ok("attach", "recommender", version, "--file", "report.json")
    (ctl.model / "evals.toml").write_text(EVALS)
    return ctl


EVALS = """
[[case]]
name = "rain"
input = "Rain?"
expect = [{ contains = "rain" }]
"""


PROMPT = '{"id": "pmpt_1", "model": "gpt-5.1", "instructions": "Hi", "tools": [{"type": "mcp"}]}'

REAL = {
    "register": ["register", "recommender"],
    "import": ["import", "openai-prompt", "prompt.json", "--name", "support", "--partial"],
    "checkout": ["checkout", "recommender", "v1", "--force"],
    "versions": ["versions", "recommender"],
    "versions-of-all": ["versions"],
    "diff": ["diff", "recommender", "v1", "v2"],
    "render": ["render", "recommender", "v1"],
    "eval": ["eval", "recommender", "v1", "--simulate", "--no-store"],
    "attach": ["attach", "recommender", "v1", "--file", "report.json"],
    "compare": ["compare", "recommender", "v1", "v2"],
    "pin": ["pin", "recommender", "v1", "--no-wait"],
    "status": ["status"],
    "history": ["history", "recommender"],
    "at": ["at", "0s"],
    "repair": ["repair"],
    "freeze": ["freeze", "recommender"],
}
# What the example leaves out, because it is as large as a version is, or named by the operator.
OPEN = {"render": "dialects", "status": "models", "show": "content"}


@pytest.mark.parametrize("verb", REAL)
def test_an_answer_has_the_documented_shape(busy, verb):
    real, documented = busy.ok(*REAL[verb]), json.loads(EXAMPLES[verb])
    real.pop(OPEN.get(verb), None), documented.pop(OPEN.get(verb), None)

    assert agree(shape(documented), shape(real)), real


def test_status_of_a_model_has_the_documented_shape(busy):
    (real,), (documented,) = (
        one["models"] for one in (busy.ok("status"), json.loads(EXAMPLES["status"]))
    )
    real["revoked"] = documented["revoked"] = {}

    assert agree(shape(documented), shape(real)), real


def test_show_and_check_have_the_documented_shape(busy):
    shown, example = busy.ok("show", "recommender", "v1"), json.loads(EXAMPLES["show"])
    checked = busy("check", "--json").json

    assert shown.keys() == example.keys()
    assert agree(shape(json.loads(EXAMPLES["check"])), shape(checked))


def test_a_rendered_dialect_has_the_documented_shape(busy):
    real, documented = busy.ok(*REAL["render"]), json.loads(EXAMPLES["render"])

    assert {name: one.keys() for name, one in real["dialects"].items()} == {
        name: one.keys() for name, one in documented["dialects"].items()
    }
