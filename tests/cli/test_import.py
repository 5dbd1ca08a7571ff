"""`proxyctl import`: a stored prompt becomes files, and the page that walks through it is right."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest

from proxy.dialects.openai_responses import OpenAIResponses
from proxy.routing.address import prompt_address
from proxy.settings import Settings
from proxy.versions.names import ByLabel

PAGE = (Path(__file__).parent.parent.parent / "docs" / "migrate-openai-prompts.md").read_text()
BLOCKS = dict(re.findall(r"```\w+ (prompt\.json|proxy\.toml)\n(.*?)```", PAGE, re.DOTALL))
COMMANDS = re.findall(r"^\$ proxyctl (.*)$", PAGE, re.MULTILINE)
PROMPT = json.loads(BLOCKS["prompt.json"])


@pytest.fixture
def asked(ctl):
    """Return a proxyctl beside a file that holds the prompt of the page."""
    (ctl.directory / "prompt.json").write_text(BLOCKS["prompt.json"])
    return ctl


def importing(ctl, value, *arguments):
    (ctl.directory / "prompt.json").write_text(json.dumps(value, indent=1))
    return ctl("import", "openai-prompt", "prompt.json", *arguments, "--json")


def folder(ctl, name="support"):
    return {file.name: file.read_text() for file in (ctl.model.parent / name).iterdir()}


def test_the_page_can_be_followed_command_by_command(asked):
    answers = {}
    for command in COMMANDS:
        arguments = shlex.split(command)
        answers[arguments[0]] = asked.ok(*arguments)

    body = answers["render"]["dialects"]["openai.responses"]["body"]
    assert body == {
        "model": "gpt-5.1",
        "instructions": "You answer for Alpine. Be brief.",
        "input": [{"role": "user", "content": "Where is order A-1009?"}],
        "max_output_tokens": 300,
        "reasoning": {"effort": "low"},
        "tools": PROMPT["tools"],
    }
    assert answers["pin"]["to"] == answers["register"]["id"]


def test_the_alias_of_the_page_leads_to_the_model():
    given = Settings.model_validate({"models": tomllib.loads(BLOCKS["proxy.toml"])["models"]})
    body = b'{"prompt":{"id":"pmpt_68f0a1","variables":{}}}'

    asked = OpenAIResponses().read(body, depth=64)
    address = prompt_address(asked.prompt_id, asked.prompt_version, given.models.prompts)

    assert (address.model, address.reference) == ("support", ByLabel("prod"))


def test_the_answer_says_what_was_written_and_for_which_prompt(asked):
    answer = asked.ok("import", "openai-prompt", "prompt.json")

    assert answer["model"] == "support"
    assert answer["prompt_id"] == "pmpt_68f0a1"
    assert answer["written"] == ["version.toml", "system.md", "user.md", "tools.json"]
    assert answer["left_out"] == []
    assert folder(asked)["user.md"] == "Where is order {{order}}?\n"


def test_nothing_is_written_where_something_is_not_understood(ctl):
    ran = importing(ctl, {**PROMPT, "tools": [{"type": "web_search"}]})

    assert ran.status == 1
    assert "prompt.json:" in ran.err
    assert "tools[0]: only functions can be tools" in ran.err
    assert not (ctl.model.parent / "support").exists()


def test_partial_leaves_it_out_and_says_so(ctl):
    ran = importing(ctl, {**PROMPT, "tools": [{"type": "web_search"}]}, "--partial")

    assert ran.status == 0
    assert [one["field"] for one in ran.json["left_out"]] == ["tools[0]"]
    assert "tools.json" not in folder(ctl)


def test_a_model_is_not_overwritten_without_force(asked):
    asked.ok("import", "openai-prompt", "prompt.json")
    before = folder(asked)

    refused = importing(asked, {"model": "gpt-5.1", "instructions": "New."}, "--name", "support")
    kept = folder(asked)
    forced = importing(
        asked, {"model": "gpt-5.1", "instructions": "New."}, "--name", "support", "--force"
    )

    assert (refused.status, kept) == (1, before)
    assert "[unsaved_changes]" in refused.err
    assert forced.json["removed"] == ["tools.json", "user.md"]
    assert folder(asked)["system.md"] == "New.\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('{"model": "m",\n\n"temperature": 3}', 3),
        ('{"model": "m",\n"tools": [\n{"type": "mcp"}]}', 3),
        ('{"model": "m",\n"new": 1}', 2),
    ],
)
def test_what_is_wrong_is_found_by_its_line(ctl, text, line):
    (ctl.directory / "prompt.json").write_text(text)

    assert f"prompt.json:{line}:" in ctl("import", "openai-prompt", "prompt.json").err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is not valid JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "model.id"),
        ('{"model": "m",\n"model": "n"}', "prompt.json:2: model: the key is repeated"),
        ('{"model": "m"}', "the file does not name the prompt"),
        ('{"model": "m", "name": "Not A Name"}', "not a valid model name"),
        ("[" * 100_000, "nested too deeply"),
        ("\xff", "is not valid UTF-8"),
    ],
)
def test_what_is_no_prompt_is_refused(ctl, text, words):
    (ctl.directory / "prompt.json").write_bytes(text.encode("latin-1"))

    ran = ctl("import", "openai-prompt", "prompt.json")

    assert ran.status == 1
    assert words in ran.err


def test_a_file_that_is_not_there_is_refused(ctl):
    ran = ctl("import", "openai-prompt", "none.json")

    assert (ran.status, "cannot be read" in ran.err) == (1, True)


def test_the_vendor_and_its_model_can_be_named(ctl):
    importing(ctl, {"instructions": "a"}, "--name", "a", "--vendor", "azure", "--vendor-model", "g")

    assert folder(ctl, "a")["version.toml"] == '[model]\nvendor = "azure"\nid = "g"\n'


def test_people_are_told_what_comes_next(asked):
    ran = asked("import", "openai-prompt", "prompt.json")

    assert "proxyctl register support" in ran.out
    assert 'pmpt_68f0a1 = "support"' in ran.out
