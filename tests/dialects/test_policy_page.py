"""docs/policy.md is played against the program, line by line."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects import (
    anthropic_generation,
    gemini_generation,
    openai_chat,
    openai_completions,
    openai_responses,
)
from proxy.dialects.policy import TRANSPORT
from proxy.dialects.registry import DIALECTS
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Generation, Policy
from tests.dialects.composing import (
    ALL,
    CHAT,
    COMPLETIONS,
    CONFIG,
    EMBEDDINGS,
    GEMINI,
    MESSAGES,
    RESPONSES,
    VENDOR_MODEL,
    compose,
    in_bare_dialects,
    in_every_dialect,
    says,
    version,
)
from tests.dialects.drawn import EXTRAS, GENERATION, bodies, parameters, versions

PAGE = (Path(__file__).parent.parent.parent / "docs" / "policy.md").read_text()
TABLES = dict(re.findall(r"<!-- policy: (\w+) -->\n(.*?)<!-- end -->", PAGE, re.DOTALL))
NONE = "–"
NOT_SENT = "not sent"


def rows(table):
    """Return the lines of a table of the page, without its head; code marks are left out."""
    lines = TABLES[table].replace("`", "").splitlines()[2:]
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines]


def by_row(table, names):
    found = [pytest.param(*row, id="-".join(filter(None, row))) for row in rows(table)]
    return pytest.mark.parametrize(names, found)


def rules(part):
    """Return the rules there are for a part of the policy."""
    return set(Policy.model_fields[part].annotation.__args__)


# --- the system prompt

SYSTEM = {
    "none": None,
    "the version's": "Ours.",
    "the app's": "Theirs.",
    "the version's, then the app's": "Ours.\n\nTheirs.",
}
SENDS_SYSTEM = {
    CHAT: {"messages": [{"role": "system", "content": "Theirs."}]},
    RESPONSES: {"instructions": "Theirs."},
    MESSAGES: {"system": [{"type": "text", "text": "Theirs."}]},
    GEMINI: {"systemInstruction": {"parts": [{"text": "Theirs."}]}},
}
SYSTEM_NAME = {
    CHAT: "messages.system",
    RESPONSES: "instructions",
    MESSAGES: "system",
    GEMINI: "systemInstruction",
}


def system_of(dialect, fields):
    if dialect is RESPONSES:
        return fields.get("instructions")
    if dialect is GEMINI:
        parts = fields.get("systemInstruction", {}).get("parts", [])
        return "\n\n".join(part["text"] for part in parts) or None
    if dialect is MESSAGES:
        found = fields.get("system")
        blocks = [] if isinstance(found, str | None) else [block["text"] for block in found]
        return "\n\n".join(blocks) if blocks else found
    return next((m["content"] for m in fields["messages"] if m["role"] == "system"), None)


@in_every_dialect
@by_row("system", ("rule", "has", "sends", "out", "dropped"))
def test_system_prompt_goes_out_as_the_page_says(dialect, rule, has, sends, out, dropped):
    content = version(system="Ours." if has == "yes" else "", policy={"system": rule})
    body = says(dialect) | (SENDS_SYSTEM[dialect] if sends == "yes" else {})
    if out == "refused":
        with pytest.raises(OverrideRejected, check=lambda error: error.hint == "a system prompt"):
            compose(dialect, content, body)
        return

    received = compose(dialect, content, body)

    assert system_of(dialect, received.fields) == SYSTEM[out]
    assert received.dropped == ((SYSTEM_NAME[dialect],) if dropped else ())


# --- generation fields

SCHEMA = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}


def test_every_field_is_on_the_page_with_its_names_in_every_dialect():
    names = {d.name: {p.field: ", ".join(p.names) for p in parameters(d)} for d in ALL}
    names[RESPONSES.name]["response_format"] = "text.format"
    names[EMBEDDINGS.name] = dict.fromkeys(Generation.model_fields, NOT_SENT)
    names[COMPLETIONS.name] = {p.field: p.wire for p in openai_completions.PARAMETERS}
    names[MESSAGES.name] |= {
        "response_format": "output_config.format, output_format",
        "tool_choice": "tool_choice",
        "parallel_tool_calls": "tool_choice.disable_parallel_tool_use",
    }
    gemini = {field: f"{CONFIG}.{name}" for field, name in names[GEMINI.name].items()}
    names[GEMINI.name] = {
        **gemini,
        "response_format": f"{CONFIG}.responseMimeType and its schemas",
        "tool_choice": "toolConfig.functionCallingConfig",
    }
    fields = [field for field in Generation.model_fields if field != "extra"]

    assert rows("fields") == [
        (field, *(names[dialect].get(field, NONE) for dialect in DIALECTS)) for field in fields
    ]


@pytest.mark.parametrize("row", rows("fields"), ids=lambda row: row[0])
def test_a_field_goes_out_where_the_page_says_or_the_version_is_not_served(row):
    field, *columns = row
    value = SCHEMA if field == "response_format" else GENERATION[field][0]
    content = version(generation={field: value}, tools=[{"name": "search"}])

    for dialect, names in zip(DIALECTS.values(), columns, strict=True):
        if names == NONE:
            with pytest.raises(WrongDialect):
                dialect.compile(content)
            continue
        found = compose(dialect, content, says(dialect)).fields
        if names == NOT_SENT:
            assert found == {**says(dialect), "model": VENDOR_MODEL}
            continue
        first = re.split(", | and ", names)[0].removeprefix(f"{CONFIG}.")
        for part in first.split("."):
            assert part in found
            found = found[part]


SENT = {"nothing": {}, "null": {"temperature": None}, "a value": {"temperature": 0.9}}
VALUE = {"nothing": None, "the version's": 0.5, "the app's": 0.9}


@in_every_dialect
@by_row("generation", ("rule", "is_set", "sends", "out", "dropped", "listed"))
def test_field_goes_out_as_the_page_says(dialect, rule, is_set, sends, out, dropped, listed):
    generation = {"temperature": 0.5} if is_set == "yes" else {}
    content = version(generation=generation, policy={"fields": {"temperature": rule}})
    body = says(dialect, **SENT[sends])
    if out == "refused":
        with pytest.raises(OverrideRejected, check=lambda error: error.hint == "temperature"):
            compose(dialect, content, body)
        return

    received = compose(dialect, content, body)

    assert received.fields.get("temperature") == VALUE[out]
    assert received.dropped == (("temperature",) if dropped else ())
    assert received.app_fields == (("temperature",) if listed else ())


@pytest.mark.parametrize(
    ("dialect", "name"), [(COMPLETIONS, "temperature"), (EMBEDDINGS, "dimensions")]
)
@by_row("generation", ("rule", "is_set", "sends", "out", "dropped", "listed"))
def test_field_of_a_bare_dialect_goes_out_as_the_page_says(
    dialect, name, rule, is_set, sends, out, dropped, listed
):
    """An extra that the version does not set is no field of its: there is no rule for it."""
    extra = dialect is EMBEDDINGS
    if extra and is_set == "no" and rule == "reject":
        return
    fields = {name: 0.5} if is_set == "yes" else {}
    generation = {"extra": {dialect.name: fields}} if extra else fields
    content = version(generation=generation, policy={"generation": rule})
    body = says(dialect) | ({name: SENT[sends]["temperature"]} if SENT[sends] else {})
    if out == "refused":
        with pytest.raises(OverrideRejected):
            compose(dialect, content, body)
        return

    received = compose(dialect, content, body)

    assert received.fields.get(name) == VALUE[out]
    assert received.dropped == ((name,) if dropped else ())
    assert received.app_fields == ((name,) if listed else ())


@in_bare_dialects
@by_row("system", ("rule", "has", "sends", "out", "dropped"))
def test_bare_dialects_have_no_system_prompt(dialect, rule, has, sends, out, dropped):
    content = version(system="Ours." if has == "yes" else "", policy={"system": rule})

    received = compose(dialect, content, says(dialect))

    assert received.fields == {**says(dialect), "model": VENDOR_MODEL}
    assert received.dropped == ()


# --- tools


def tool(dialect, name):
    definition = {"name": name, "parameters": {}}
    if dialect is MESSAGES:
        return {"name": name, "input_schema": {"type": "object"}}
    if dialect is GEMINI:
        return {"functionDeclarations": [{"name": name}]}
    nested = dialect is CHAT
    return {"type": "function", **({"function": definition} if nested else definition)}


TOOLS = {
    "nothing": [],
    "the version's": ["search"],
    "the app's": ["mine"],
    "the version's, then the app's": ["search", "mine"],
}
SENDS_TOOL = {"tools": "mine", "one of the same name": "search"}


@in_every_dialect
@by_row("tools", ("rule", "has", "sends", "out", "dropped", "listed"))
def test_tools_go_out_as_the_page_says(dialect, rule, has, sends, out, dropped, listed):
    content = version(tools=[{"name": "search"}] * (has == "yes"), policy={"tools": rule})
    sent = {} if sends == "nothing" else {"tools": [tool(dialect, SENDS_TOOL[sends])]}
    if out == "refused":
        with pytest.raises(OverrideRejected):
            compose(dialect, content, says(dialect, **sent))
        return

    received = compose(dialect, content, says(dialect, **sent))

    assert list(tool_names(received.fields.get("tools", []))) == TOOLS[out]
    assert received.dropped == ((dropped,) if dropped else ())
    assert received.app_fields == ((listed,) if listed else ())


def tool_names(tools):
    for one in tools:
        declared = one.get("functionDeclarations", [one.get("function", one)])
        yield from (definition["name"] for definition in declared)


@pytest.mark.parametrize(
    ("table", "part"), [("system", "system"), ("generation", "generation"), ("tools", "tools")]
)
def test_every_rule_is_on_the_page(table, part):
    assert {row[0] for row in rows(table)} == rules(part)


# --- fields that the proxy composes, and names that are listed


def test_fields_that_the_proxy_composes_are_on_the_page():
    own = {
        CHAT.name: {*openai_chat.OWN, "tools", "functions", "function_call"},
        RESPONSES.name: {*openai_responses.OWN, "tools"},
        EMBEDDINGS.name: {*EMBEDDINGS.own},
        COMPLETIONS.name: {*COMPLETIONS.own},
        MESSAGES.name: {*anthropic_generation.OWN, "tools"},
        GEMINI.name: {*gemini_generation.OWN, *gemini_generation.FORMAT},
    }
    named = {dialect: {row[1] for row in rows("own") if row[0] == dialect} for dialect in own}

    assert named == own


@by_row("own", ("dialect", "field", "becomes"))
def test_a_version_cannot_set_what_the_proxy_composes(dialect, field, becomes):
    content = version(generation={"extra": {dialect: {field: {}}}})

    if "extra" in becomes:
        DIALECTS[dialect].compile(content)
        return
    with pytest.raises(WrongDialect):
        DIALECTS[dialect].compile(content)


def test_fields_of_delivery_are_on_the_page():
    assert all(f"`{name}`" in PAGE for name in TRANSPORT)


def patterns(dialect):
    """Return patterns of the names that the page has for `dialect`; FIELD is any of the others."""
    found = [row[0] for row in rows("dropped") if row[1] == "all" or dialect.name in row[1]]
    return [re.compile(re.escape(name).replace("NAME", r"[\w-]+")) for name in found]


def busiest(dialect):
    """Return a version that takes everything, and a body that sends everything."""
    content = version(
        system="Ours.",
        tools=[{"name": "search"}],
        generation={
            "temperature": 0.5,
            "tool_choice": "auto",
            **({} if dialect is GEMINI else {"parallel_tool_calls": False}),
            "response_format": {"type": "text"},
            "extra": {dialect.name: {"reasoning_effort": "low"}},
        },
    )
    theirs = {"temperature": 1, "tool_choice": "none", "reasoning_effort": "high"}
    tools = {"tools": [tool(dialect, "mine")], "functions": [{"name": "x"}], "function_call": "x"}
    item = {"role": "system", "content": "Theirs."}
    said = {
        CHAT: {"messages": [item]},
        RESPONSES: {"input": [item], "instructions": "Theirs."},
        MESSAGES: {"messages": [item], "system": "Theirs."},
        GEMINI: {},
    }
    format_ = {"format": {"type": "json_object"}}
    if dialect is MESSAGES:
        theirs["tool_choice"] = {"type": "any", "disable_parallel_tool_use": True}
        theirs |= {"output_config": format_, "output_format": format_["format"]}
    if dialect is GEMINI:
        config = {**theirs, "responseMimeType": "application/json", "responseJsonSchema": {}}
        choice = {"toolConfig": {"functionCallingConfig": {"mode": "NONE"}}}
        system = SENDS_SYSTEM[GEMINI]
        return content, says(GEMINI, **config, **choice, **system, tools=tools["tools"])
    return content, {**said[dialect], **theirs, **tools, "text": format_}


@in_every_dialect
def test_every_name_on_the_page_can_be_listed(dialect):
    content, body = busiest(dialect)
    policy = content.policy.model_copy(update={"tools": "extend"})
    extending = content.model_copy(update={"policy": policy})
    same = {"tools": [tool(dialect, "search")]}

    listed = {
        *compose(dialect, content, body).dropped,
        *compose(dialect, extending, says(dialect, **same)).dropped,
    }

    missing = [
        pattern.pattern for pattern in patterns(dialect) if not any(map(pattern.fullmatch, listed))
    ]
    assert missing == ["FIELD"]
    assert {"temperature", "reasoning_effort"} <= listed


@in_every_dialect
@settings(max_examples=60)
@given(drawn=st.data())
def test_nothing_is_listed_that_is_not_on_the_page(dialect, drawn):
    content, body = drawn.draw(versions[dialect]), drawn.draw(bodies[dialect])
    fields = {name for parameter in parameters(dialect) for name in parameter.names} | {*EXTRAS}
    fields |= {*gemini_generation.FORMAT} if dialect is GEMINI else set()
    try:
        dropped = compose(dialect, content, body).dropped
    except OverrideRejected:
        return

    unknown = [
        name for name in dropped if not any(one.fullmatch(name) for one in patterns(dialect))
    ]
    assert set(unknown) <= fields
