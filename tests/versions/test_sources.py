"""Files to content: what is identity and what is not, and every way a file can be wrong."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import InvalidFiles
from proxy.versions import checkout, sources
from proxy.versions.content import MAX_CONTENT_BYTES
from proxy.versions.identity import canonical, digest, load
from tests.versions.contents import contents, prompts

VERSION = b"""\
[model]
vendor = "openai"
id = "gpt-4o"

[generation]
temperature = 1.0

[variables.shop]
"""
SYSTEM = b"You advise the customers of {{shop}}.\n"
TOOLS = b'[{"name": "find", "parameters": {"type": "object", "minProperties": 1}}]'
MESSAGES = b'[{"role": "user", "content": "Hello"}]'

FILES = {
    "version.toml": VERSION,
    "system.md": SYSTEM,
    "tools.json": TOOLS,
    "messages.json": MESSAGES,
}


def _digest(**changes: bytes | None) -> str:
    names = {"version": "version.toml", "system": "system.md", "tools": "tools.json"}
    files = dict(FILES)
    for name, raw in changes.items():
        if raw is None:
            del files[names[name]]
        else:
            files[names[name]] = raw
    return digest(canonical(sources.read(files)))


def _problems(**changes: bytes | None) -> list[tuple[str, int, str, str]]:
    with pytest.raises(InvalidFiles) as caught:
        _digest(**changes)
    return [(p.file, p.line, p.field, p.message) for p in caught.value.problems]


SPELLED_OUT = """
[policy]
system = "replace"
generation = "pinned"
tools = "pinned"
[policy.fields]
[routing]
attempts = 1
timeout_s = 600
fallback = []
[generation.extra."openai.chat"]
"""


@pytest.mark.parametrize(
    "version",
    [
        pytest.param(VERSION.replace(b"\n", b"\r\n"), id="crlf"),
        pytest.param(b"\xef\xbb\xbf" + VERSION, id="byte order mark"),
        pytest.param(b"# a comment\n\n" + VERSION, id="comment"),
        pytest.param(VERSION.replace(b" = ", b"="), id="blanks"),
        pytest.param(VERSION.replace(b"1.0", b"1"), id="spelling of a number"),
        pytest.param(VERSION + SPELLED_OUT.encode(), id="defaults spelled out"),
        pytest.param(VERSION + b"required = false\n", id="default of a variable"),
        pytest.param(
            b'[generation]\ntemperature=1e0\n[variables]\nshop={}\n[model]\nid="gpt-4o"\n'
            b"vendor = 'openai'",
            id="order and other notation",
        ),
    ],
)
def test_formatting_of_the_toml_changes_nothing(version):
    assert _digest(version=version) == _digest()


@pytest.mark.parametrize(
    "system",
    [SYSTEM.removesuffix(b"\n"), SYSTEM.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + SYSTEM],
)
def test_what_editors_add_to_a_prompt_changes_nothing(system):
    assert _digest(system=system) == _digest()


def test_formatting_and_key_order_of_json_change_nothing():
    tools = b'[\r\n {"parameters": {"minProperties": 1.0, "type": "object"}, "name": "find"}\n]'

    assert _digest(tools=tools) == _digest()


@settings(max_examples=60)
@given(contents(system=prompts), st.integers(1, 4), st.booleans())
def test_indentation_and_comments_change_nothing(content, indent, crlf):
    files = checkout.write(content)
    digest_before = digest(canonical(content))

    for name in ("tools.json", "messages.json"):
        if name in files:
            files[name] = json.dumps(json.loads(files[name]), indent=indent).encode()
    files["version.toml"] = b"# comment\n" + files["version.toml"] + b"\n# the end"
    if crlf:
        files = {name: raw.replace(b"\n", b"\r\n") for name, raw in files.items()}

    assert digest(canonical(sources.read(files, allow_secrets=True))) == digest_before


characters = st.characters(exclude_categories=("Cs",), exclude_characters="\r\n{}\ufeff")


@given(st.text(characters, min_size=1), st.integers(0), characters)
def test_one_changed_character_of_a_prompt_is_another_version(text, position, character):
    position %= len(text)
    changed = text[:position] + character + text[position + 1 :]

    before = sources.read({**FILES, "system.md": text.encode()}, allow_secrets=True)
    after = sources.read({**FILES, "system.md": changed.encode()}, allow_secrets=True)

    assert (canonical(before) == canonical(after)) == (text == changed)


@pytest.mark.parametrize(
    "changes",
    [
        {"system": SYSTEM + b"\n"},
        {"system": b" " + SYSTEM},
        {"tools": None},
        {"tools": TOOLS.replace(b"find", b"fund")},
        {"version": VERSION.replace(b"1.0", b"1.1")},
        {"version": VERSION.replace(b"temperature = 1.0", b"")},
        {"version": VERSION + b"required = true\n"},
        {"version": VERSION + b'default = ""\n'},
    ],
)
def test_a_difference_in_behaviour_is_another_version(changes):
    assert _digest(**changes) != _digest()


def test_evals_and_unknown_files_are_no_part_of_a_version():
    content = sources.read({**FILES, "evals.toml": b"[gate]", "notes.txt": b"\xff"})

    assert content == sources.read(FILES)


def test_unknown_files_are_named():
    assert sources.strangers([*FILES, "evals.toml", "sytem.md", "notes.txt"]) == [
        "notes.txt",
        "sytem.md",
    ]


def test_all_problems_of_all_files_are_listed_at_once():
    problems = _problems(
        version=VERSION.replace(b"1.0", b'"1.0"') + b"requird = true\n",
        system=b"Hello\n\n{{ ship }}\n",
        tools=b'[{"name": "a b"},\n {"nam": "x"}]',
    )

    assert problems == [
        ("tools.json", 1, "[0].name", "should match pattern '^[a-zA-Z0-9_-]{1,64}$'"),
        ("tools.json", 2, "[1].nam", 'unknown field; did you mean "name"?'),
        ("tools.json", 2, "[1].name", "is required"),
        ("version.toml", 6, "generation.temperature", "should be a valid number"),
        (
            "version.toml",
            9,
            "variables.shop.requird",
            'unknown field; did you mean "required"?',
        ),
    ]


def test_problems_name_the_folder():
    with pytest.raises(InvalidFiles, match=r"^config/models/x/version.toml: the file is missing$"):
        sources.read({}, "config/models/x")


@pytest.mark.parametrize(
    ("addition", "line", "field", "message"),
    [
        ("[policy]\nsystem = 'drop'", 10, "policy.system", "should be 'replace', 'append' or"),
        ("[polcy]", 9, "polcy", 'unknown field; did you mean "policy"?'),
        ("[generation.extra]\na.b = 2020-01-01", 10, "generation.extra.a.b", "a date or time"),
        ("[generation.extra.a]\nb = [inf]", 10, "generation.extra.a.b[0]", "must be finite"),
        ("[generation.extra.a]\nb = 9007199254740992", 10, "generation.extra.a.b", "2^53"),
        ("[routing]\nattempts = '2'", 10, "routing.attempts", "should be a valid integer"),
        ("[routing]\nattempts = true", 10, "routing.attempts", "should be a valid integer"),
        ("[routing]\nretry_on = ['429']", 10, "routing.retry_on[0]", "must be status:NNN"),
        ("[routing]\nretry_on = ['reset']", 10, "routing.retry_on", "say may_bill_twice = true"),
        ("[routing]\nweight = 2", 10, "routing.weight", "no [[routing.targets]]"),
        (
            "[[routing.targets]]\nvendor = 'a'\nid = 'b'\nweight = 0",
            12,
            "routing.targets[0].weight",
            "greater than or equal to 1",
        ),
        ("[routing]\nfallback = [{}]", 10, "routing.fallback[0].id", "is required"),
        ("[policy.fields]\ntempo = 'reject'", 10, "policy.fields.tempo", "no generation field"),
        ("required = 1", 9, "variables.shop.required", "should be a valid boolean"),
        ("[variables.9x]", 9, "variables.9x", "a variable name is letters"),
        ("required = true\ndefault = ''", 8, "variables.shop", "has no default"),
        (
            "type = 'integer'",
            9,
            "variables.shop.type",
            "should be 'string', 'number', 'boolean' or",
        ),
        ("type = 'enum'", 8, "variables.shop", "values go with type enum"),
        ("max_length = 0", 9, "variables.shop.max_length", "greater than or equal to 1"),
        ("[policy]\nmessages = 'prepend'", 10, "policy.messages", "in user.md"),
        ("[user]", 9, "user", "belongs in user.md"),
        ("[system]", 9, "system", "belongs in system.md"),
        ("required = yes", 9, "", "is not valid TOML: Invalid value"),
        ("[model]", 9, "", "is not valid TOML: Cannot declare"),
    ],
)
def test_a_wrong_line_of_the_toml_is_named(addition, line, field, message):
    problems = _problems(version=VERSION + addition.encode())

    assert problems[0][:3] == ("version.toml", line, field)
    assert message in problems[0][3]


def test_a_choice_that_fits_no_form_is_one_problem():
    problems = _problems(version=VERSION.replace(b"temperature = 1.0", b"tool_choice = 'perhaps'"))

    assert problems == [
        (
            "version.toml",
            6,
            "generation.tool_choice",
            "should be 'auto', 'none' or 'required', or should be an object",
        )
    ]


@pytest.mark.parametrize(
    ("tools", "line", "field", "message"),
    [
        (b'[\n{"name": "a",\n"name": "b"}]', 3, "[0].name", "the key is repeated"),
        (b'[\n{"name": "a"},\n{"name": "a"}]', 3, "[1].name", "tool a is defined twice"),
        (b"{}", 0, "", "should be a valid array"),
        (b"[1]", 1, "[0]", "should be an object"),
        (b"[{},]", 1, "", "is not valid JSON"),
        (b'[{\n"name": NaN}]', 2, "[0].name", "numbers must be finite"),
        (b'[{"name": "\\ud800"}]', 1, "[0].name", "is not valid Unicode"),
        (b'[{"name": "a", "\\ud800": 1}]', 1, "[0]", "a key that is not valid Unicode"),
        (b"[" * 3000 + b"]" * 3000, 0, "", "nested too deeply"),
        (b"[1" + b"0" * 5000 + b"]", 0, "", "too long a number"),
        (
            b'[{"name": "a", "parameters": {"a": 1' + b"0" * 400 + b"}}]",
            1,
            "[0].parameters.a",
            "2^53",
        ),
        (b"\n\xff", 2, "", "is not valid UTF-8"),
    ],
)
def test_a_wrong_tools_file_is_named(tools, line, field, message):
    problems = _problems(tools=tools)

    assert problems[0][:3] == ("tools.json", line, field)
    assert message in problems[0][3]


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"type": "array"}, "type"),
        ({"type": ["object", "null"]}, "type"),
        ({"properties": []}, "properties"),
        ({"required": "name"}, "required"),
        ({"required": [1]}, "required"),
    ],
)
def test_parameters_that_are_no_object_schema_are_refused(parameters, field):
    tools = json.dumps([{"name": "find", "parameters": parameters}]).encode()

    assert [problem[2] for problem in _problems(tools=tools)] == [f"[0].parameters.{field}"]


def test_deep_parameters_are_refused():
    schema = {"type": "object"}
    for _ in range(40):
        schema = {"properties": {"a": schema}}
    tools = json.dumps([{"name": "find", "parameters": schema}]).encode()

    assert "nested deeper than 64" in _problems(tools=tools)[0][3]


def test_an_undeclared_placeholder_is_found_in_the_prompt():
    problems = _problems(system=b"{{shop}}\n{{shop}} and\n{{ hall }}\n")

    assert problems == [
        ("system.md", 3, "", "{{hall}} is used but not declared under [variables.hall]")
    ]


@pytest.mark.parametrize(
    "secret",
    [
        "sk-proj-" + "a1" * 12,
        "sk-ant-" + "a1" * 12,
        "AIza" + "Sy" * 17,
        "ghp_" + "a1" * 18,
        "AKIA" + "A1" * 8,
        "-----BEGIN RSA PRIVATE KEY-----",
    ],
)
def test_what_looks_like_a_credential_is_refused_and_not_repeated(secret):
    with pytest.raises(InvalidFiles) as caught:
        sources.read({**FILES, "system.md": f"one\nkey: {secret}\n".encode()})

    assert [(p.file, p.line) for p in caught.value.problems] == [("system.md", 2)]
    assert secret not in str(caught.value)
    assert "--allow-secrets" in caught.value.hint


def test_what_looks_like_a_credential_can_be_allowed():
    secret = "sk-proj-" + "a1" * 12

    content = sources.read({**FILES, "system.md": secret.encode()}, allow_secrets=True)

    assert content.system == secret


@pytest.mark.parametrize("text", ["task-list-for-everybody-here-today", "sk-learn", "AIzawa"])
def test_ordinary_words_are_no_credentials(text):
    assert sources.read({**FILES, "system.md": text.encode()}).system == text


def test_values_are_not_repeated_in_complaints():
    problems = _problems(version=VERSION.replace(b"1.0", b'"canary-value"'))

    assert "canary-value" not in str(problems)


def test_a_version_has_a_limit():
    system = b"x" * MAX_CONTENT_BYTES

    assert "the limit is 1048576" in _problems(system=system)[0][3]


def test_a_file_has_a_limit_before_it_is_parsed():
    assert _problems(tools=b" " * (4 * MAX_CONTENT_BYTES) + b"[]") == [
        ("tools.json", 0, "", "is larger than 4194304 bytes")
    ]


@given(st.dictionaries(st.sampled_from(sorted(FILES)), st.binary() | st.text().map(str.encode)))
def test_no_bytes_raise_anything_but_problems(files):
    with contextlib.suppress(InvalidFiles):
        sources.read({**FILES, **files})


@pytest.mark.parametrize("number", [b"9007199254740992", b"9007199254740992.0", b"1e20", b"-1e20"])
def test_a_number_whose_canonical_form_cannot_be_read_again_is_refused(number):
    tools = b'[{"name": "find", "parameters": {"maximum": %s}}]' % number

    assert _problems(tools=tools)[0][2:] == (
        "[0].parameters.maximum",
        "integers must lie within 2^53 - 1",
    )


@pytest.mark.parametrize("number", [b"9007199254740991", b"1e21", b"-1.5e300", b"0.1"])
def test_other_numbers_are_read_again(number):
    tools = b'[{"name": "find", "parameters": {"maximum": %s}}]' % number
    content = sources.read({**FILES, "tools.json": tools})

    stored = canonical(content)

    assert canonical(load(stored, digest(stored))) == stored
