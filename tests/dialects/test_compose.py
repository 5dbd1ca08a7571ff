"""What holds of every request that is composed, whatever the version and whatever the app sends."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from proxy.dialects import anthropic_generation, gemini_generation
from proxy.dialects.policy import MAX_NAME, TRANSPORT
from proxy.dialects.tools import CHOICES
from proxy.errors import InvalidJson, OverrideRejected, WrongDialect
from proxy.versions.content import Tool
from proxy.versions.variables import fitting
from tests.dialects.composing import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    VENDOR_MODEL,
    compose,
    flat,
    in_every_dialect,
    list_name,
    read,
    says,
    version,
    with_members,
)
from tests.dialects.drawn import EXTRAS, bodies, messages, parameters, versions
from tests.versions.contents import contents
from tests.wire.spelled import elements, members

EXAMPLES = settings(max_examples=50)

# What a dialect composes itself; all else is under a rule or is the app's.
OWNED = {
    CHAT: {"model", "messages", "proxy_variables", "tools", "functions", "function_call"},
    RESPONSES: {"model", "input", "instructions", "prompt", "proxy_variables", "text", "tools"},
    MESSAGES: {*anthropic_generation.OWN, "tools"},
    GEMINI: {*gemini_generation.OWN, *gemini_generation.FORMAT},
}
SYSTEM_ROLES = ("system", "developer")

# What may stand in a list in a header.
NAME = re.compile(r"[A-Za-z0-9_.-]{1,80}", re.ASCII)


def composed(dialect, content, body):
    """Compose, or give up on a body that the policy rejects."""
    try:
        return compose(dialect, content, body)
    except OverrideRejected:
        assume(False)


def ruled(dialect):
    return {name for parameter in parameters(dialect) for name in parameter.names} | {*EXTRAS}


def system_text(dialect, fields):
    """Return the leading system prompt, whose first text is the version's."""
    if dialect is CHAT:
        return fields["messages"][0]["content"]
    if dialect is GEMINI:
        return fields["systemInstruction"]["parts"][0]["text"]
    found = fields["instructions" if dialect is RESPONSES else "system"]
    return found if isinstance(found, str) else found[0]["text"]


@in_every_dialect
class TestEveryRequest:
    @EXAMPLES
    @given(drawn=st.data())
    def test_is_one_json_object_without_a_repeated_name(self, dialect, drawn):
        received = composed(dialect, drawn.draw(versions[dialect]), drawn.draw(bodies[dialect]))

        names = [name for name, _ in members(received.body.decode())]
        assert len(set(names)) == len(names)
        assert received.fields["model"] == VENDOR_MODEL

    @EXAMPLES
    @given(drawn=st.data())
    def test_carries_what_is_the_apps_as_it_was_spelled(self, dialect, drawn):
        body = drawn.draw(bodies[dialect])
        sent = dict(flat(dialect, body))

        received = composed(dialect, drawn.draw(versions[dialect]), body)

        free = sent.keys() - OWNED[dialect] - ruled(dialect)
        assert {name: received.spelled.get(name) for name in free} == {n: sent[n] for n in free}
        listed = {name[:MAX_NAME] for name in free - TRANSPORT}
        assert listed <= set(received.app_fields)

    @EXAMPLES
    @given(drawn=st.data())
    def test_accounts_for_every_field_that_is_ruled(self, dialect, drawn):
        """A field goes out as it was sent, or it is told that it was dropped."""
        body = drawn.draw(bodies[dialect])
        sent = dict(flat(dialect, body))

        received = composed(dialect, drawn.draw(versions[dialect]), body)

        for name in sent.keys() & ruled(dialect):
            if name in received.dropped:
                assert name not in received.app_fields
                assert sent[name] != "null"
            elif sent[name] != "null":
                assert received.spelled[name] == sent[name]
                assert name in received.app_fields

    @EXAMPLES
    @given(drawn=st.data())
    def test_carries_what_the_version_pins(self, dialect, drawn):
        content, body = drawn.draw(versions[dialect]), drawn.draw(bodies[dialect])
        equipped = content.model_copy(update={"tools": (Tool(name="search"),)})
        alone = compose(dialect, equipped, says(dialect)).spelled

        received = composed(dialect, content, body)

        has_tools = any(received.fields.get(name) for name in ("tools", "functions"))
        for parameter in parameters(dialect):
            rule = content.policy.fields.get(parameter.field, content.policy.generation)
            is_set = getattr(content.generation, parameter.field) not in (None, ())
            if rule == "default" or not is_set:
                continue
            if parameter.wire in CHOICES and not has_tools:
                assert parameter.wire not in received.fields
            else:
                assert received.spelled[parameter.wire] == alone[parameter.wire]
                assert received.fields.keys().isdisjoint(parameter.aliases)

    @EXAMPLES
    @given(drawn=st.data())
    def test_never_carries_two_names_of_a_setting(self, dialect, drawn):
        received = composed(dialect, drawn.draw(versions[dialect]), drawn.draw(bodies[dialect]))

        for parameter in parameters(dialect):
            assert len(received.fields.keys() & set(parameter.names)) <= 1

    @EXAMPLES
    @given(drawn=st.data())
    def test_carries_nothing_that_was_meant_for_the_proxy(self, dialect, drawn):
        received = composed(dialect, drawn.draw(versions[dialect]), drawn.draw(bodies[dialect]))

        assert "proxy_variables" not in received.fields
        assert dialect is not RESPONSES or "prompt" not in received.fields

    @EXAMPLES
    @given(drawn=st.data())
    def test_has_at_most_one_system_prompt_in_its_place(self, dialect, drawn):
        content = drawn.draw(versions[dialect])

        received = composed(dialect, content, drawn.draw(bodies[dialect]))

        said = received.fields.get(list_name(dialect)) or []
        roles = [item["role"] for item in said] if isinstance(said, list) else []
        later = roles[1:] if dialect is CHAT else roles
        exact = content.policy.system == "replace"
        # Anthropic's API has system messages in mid-conversation; kept ones stay where they are.
        assert set(later).isdisjoint(SYSTEM_ROLES) or (dialect is MESSAGES and not exact)
        if content.system and "{{" not in content.system:
            system = system_text(dialect, received.fields)
            assert system == content.system or (not exact and system.startswith(content.system))

    @EXAMPLES
    @given(drawn=st.data())
    def test_passes_the_other_messages_as_they_were_spelled(self, dialect, drawn):
        sent = drawn.draw(messages[dialect])
        name, content = list_name(dialect), drawn.draw(versions[dialect])
        body = f'{drawn.draw(bodies[dialect])[:-1]},"{name}":{sent}}}'

        received = composed(dialect, content, body)

        stay = dialect is GEMINI or (dialect is MESSAGES and content.policy.system == "append")
        theirs = [i for i in elements(sent) if stay or json.loads(i)["role"] not in SYSTEM_ROLES]
        came = elements(received.spelled[name])
        assert came[len(came) - len(theirs) :] == theirs

    @EXAMPLES
    @given(drawn=st.data())
    def test_is_told_of_in_names_that_fit_into_a_header(self, dialect, drawn):
        received = composed(dialect, drawn.draw(versions[dialect]), drawn.draw(bodies[dialect]))

        assert all(NAME.fullmatch(name) for name in received.dropped)
        assert len(set(received.dropped)) == len(received.dropped)

    @EXAMPLES
    @given(drawn=st.data())
    def test_begins_as_every_other_request_of_its_version(self, dialect, drawn):
        """Vendors cache prompts by their beginning: up to the app's first word it is the same."""
        content = drawn.draw(versions[dialect])

        first, second = (compose(dialect, content, says(dialect, f"{n} said")) for n in "ab")

        beginning, said, _ = first.body.partition(b'"a said"')
        assert said
        assert second.body.startswith(beginning + b'"b said"')


@in_every_dialect
def test_the_apps_fields_stand_behind_all_that_is_injected(dialect):
    content = version(
        system="Ours.",
        messages=[{"role": "user", "content": "Q"}],
        tools=[{"name": "search"}],
        generation={"temperature": 0.5, "top_p": 0.5},
    )
    many = {"user": "u", "metadata": {"a": "b"}, "stream": True, "temperature": 1}

    plain = compose(dialect, content, says(dialect)).body
    busy = compose(dialect, content, {**many, **says(dialect)}).body

    beginning, _, _ = plain.partition(b'"hi"')
    assert busy.startswith(beginning)
    assert beginning.count(b"search") == 1


@in_every_dialect
@settings(max_examples=60)
@given(content=contents())
def test_a_version_of_any_kind_is_carried_or_refused_as_the_wrong_dialect(dialect, content):
    given = {name: fitting(name, declared) for name, declared in content.variables.items()}
    try:
        said = says(dialect) if content.policy.messages != "reject" else {}
        received = compose(dialect, content, {**said, "proxy_variables": given})
    except WrongDialect:
        return

    assert received.fields["model"] == VENDOR_MODEL


TRICKS = {
    "model twice": ('"model":"a","model":"b"', "model"),
    "model escaped": ('"model":"a","mod\\u0065l":"b"', "model"),
    "temperature twice": ('"temperature":1,"temperature":2', "temperature"),
    "temperature escaped": ('"t\\u0065mperature":2', "temperature"),
    "temperature escaped, twice": ('"temperature":null,"temperatur\\u0065":2', "temperature"),
    "tools escaped": ('"tool\\u0073":[{"name":"mine"}]', "tools"),
}


@in_every_dialect
@pytest.mark.parametrize("trick", TRICKS)
def test_escapes_and_repetitions_smuggle_nothing_past_the_policy(dialect, trick):
    content = version(tools=[{"name": "search"}], generation={"temperature": 0.5})
    fields, name = TRICKS[trick]
    ours = compose(dialect, content, says(dialect)).spelled[name]

    beside = f"{json.dumps(says(dialect))[:-1]},{fields}}}"
    body = with_members(dialect, fields) if name == "temperature" else beside
    received = compose(dialect, content, body)

    assert [value for key, value in received.members if key == name] == [ours]


@pytest.mark.parametrize(
    ("dialect", "field"),
    [
        *((CHAT, "messages"), (RESPONSES, "input"), (RESPONSES, "instructions")),
        *((MESSAGES, "messages"), (MESSAGES, "system")),
    ],
)
def test_system_prompt_is_replaced_however_it_is_spelled(dialect, field):
    content = version(system="Ours.")
    flat = field in ("instructions", "system")
    theirs = '"Theirs."' if flat else '[{"r\\u006fle":"system","content":"T"}]'
    escaped = f"\\u{ord(field[0]):04x}{field[1:]}"
    required = "" if dialect is RESPONSES else '"messages":[],'

    received = compose(dialect, content, f'{{{required}"{escaped}":{theirs}}}')

    assert "T" not in received.body.decode().replace("Theirs", "T")


@in_every_dialect
def test_nesting_at_the_edge_of_the_parsers_guard_is_answered(dialect):
    """A large body may pass the first look and be too deep for a second one, from deeper code."""
    content = version(tools=[{"name": "search"}], policy={"tools": "extend", "system": "append"})
    padding = f'"padding":"{"x" * 70_000}"'
    compiled = dialect.compile(content)

    for depth in range(800, 1000):
        deep = "[" * depth + "]" * depth
        item = f'{{"role":"system","content":[{{"text":"a","x":{deep}}}]}}'
        name = list_name(dialect)
        body = f'{{"{name}":[{item}],"tools":[{{"name":"x","y":{deep}}}],{padding}}}'
        with suppress(InvalidJson):
            compiled.compose(read(dialect, body))
