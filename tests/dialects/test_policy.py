"""The rules on generation fields, as tables: who decides, what goes out, what is told."""

from itertools import product

import pytest

from proxy.dialects import (
    anthropic_generation,
    gemini_generation,
    openai_chat,
    openai_responses,
)
from proxy.dialects.policy import MAX_NAME, TRANSPORT
from proxy.dialects.tools import CHOICES
from proxy.errors import OverrideRejected, WrongDialect
from tests.dialects.composing import (
    CHAT,
    GEMINI,
    MESSAGES,
    RESPONSES,
    compose,
    in_every_dialect,
    says,
    version,
    with_field,
)

RULES = ("pinned", "default", "reject")

# --- one setting with two names, every rule, whatever an app may send of it

NEW, OLD = "max_completion_tokens", "max_tokens"
OURS = 300

SENT = {
    "nothing": {},
    "new": {NEW: 7},
    "old": {OLD: 8},
    "both": {OLD: 8, NEW: 7},
    "both, turned round": {NEW: 7, OLD: 8},
    "null": {NEW: None},
    "old null": {OLD: None},
    "nulls": {OLD: None, NEW: None},
    "old, new null": {NEW: None, OLD: 8},
    "new, old null": {OLD: None, NEW: 7},
}

NOTHING, VERSIONS, REFUSED = {}, {NEW: OURS}, None

# What goes out of the setting, and what is dropped, by (rule, whether the version sets it).
TABLE = {
    ("pinned", True): {
        "nothing": (VERSIONS, []),
        "new": (VERSIONS, [NEW]),
        "old": (VERSIONS, [OLD]),
        "both": (VERSIONS, [OLD, NEW]),
        "both, turned round": (VERSIONS, [NEW, OLD]),
        "null": (VERSIONS, []),
        "old null": (VERSIONS, []),
        "nulls": (VERSIONS, []),
        "old, new null": (VERSIONS, [OLD]),
        "new, old null": (VERSIONS, [NEW]),
    },
    ("default", True): {
        "nothing": (VERSIONS, []),
        "new": ({NEW: 7}, []),
        "old": ({OLD: 8}, []),
        "both": ({NEW: 7}, [OLD]),
        "both, turned round": ({NEW: 7}, [OLD]),
        "null": (VERSIONS, []),
        "old null": (VERSIONS, []),
        "nulls": (VERSIONS, []),
        "old, new null": ({OLD: 8}, []),
        "new, old null": ({NEW: 7}, []),
    },
    ("pinned", False): {
        "nothing": (NOTHING, []),
        "new": ({NEW: 7}, []),
        "old": ({OLD: 8}, []),
        "both": ({NEW: 7}, [OLD]),
        "both, turned round": ({NEW: 7}, [OLD]),
        "null": (NOTHING, []),
        "old null": (NOTHING, []),
        "nulls": (NOTHING, []),
        "old, new null": ({OLD: 8}, []),
        "new, old null": ({NEW: 7}, []),
    },
    ("reject", True): {
        **dict.fromkeys(SENT, (REFUSED, [])),
        **dict.fromkeys(["nothing", "null", "old null", "nulls"], (VERSIONS, [])),
    },
    ("reject", False): {
        **dict.fromkeys(SENT, (REFUSED, [])),
        **dict.fromkeys(["nothing", "null", "old null", "nulls"], (NOTHING, [])),
    },
}
TABLE["default", False] = TABLE["pinned", False]

CASES = [
    pytest.param(rule, is_set, sent, *TABLE[rule, is_set][sent], id=f"{rule}-{is_set}-{sent}")
    for rule, is_set, sent in product(RULES, (True, False), SENT)
]


def policies(rule, field):
    """Yield the ways to put a rule on a field: on all, and as an exception from another rule."""
    yield {"generation": rule}
    for other in RULES:
        yield {"generation": other, "fields": {field: rule}}


@pytest.mark.parametrize(("rule", "is_set", "sent", "out", "dropped"), CASES)
def test_a_setting_of_two_names_goes_out_once(rule, is_set, sent, out, dropped):
    generation = {"max_output_tokens": OURS} if is_set else {}

    for policy in policies(rule, "max_output_tokens"):
        content = version(generation=generation, policy=policy)
        if out is REFUSED:
            with pytest.raises(OverrideRejected):
                compose(CHAT, content, says(CHAT, **SENT[sent]))
            continue
        received = compose(CHAT, content, says(CHAT, **SENT[sent]))

        assert {k: v for k, v in received.fields.items() if k in (NEW, OLD)} == out
        assert received.dropped == tuple(dropped)
        assert received.app_fields == (() if out in (NOTHING, VERSIONS) else tuple(out))


# --- every field of the dialects in which it is a plain one

FORMAT = {"type": "json_schema", "name": "answer", "schema": {"type": "object"}, "strict": True}

# By neutral name: what a version sets, what goes out for it, and what an app sends.
VALUES = {
    "temperature": (0.5, 0.5, "0.90"),
    "top_p": (1, 1, "5e-1"),
    "top_k": (40, 40, "3"),
    "max_output_tokens": (300, 300, "20"),
    "stop": (["END"], ["END"], '"X"'),
    "seed": (7, 7, "12345678901234567890"),
    "presence_penalty": (-1.5, -1.5, "0.0"),
    "frequency_penalty": (0, 0, "-0"),
    "response_format": (
        FORMAT,
        {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
        '{ "type":"text" }',
    ),
    "tool_choice": ("required", "required", '"auto"'),
    "parallel_tool_calls": (False, False, "true"),
}
FIELDS = [
    pytest.param(dialect, parameter, id=f"{dialect.name}-{parameter.field}")
    for dialect, table in (
        (CHAT, openai_chat.PARAMETERS),
        (RESPONSES, openai_responses.PARAMETERS),
        (GEMINI, gemini_generation.PARAMETERS),
    )
    for parameter in table
]


TOOLS = [{"name": "find", "description": "Finds."}]


def setting(parameter, value, **policy):
    """Return a version that sets one field; how to call tools goes out only where there is one."""
    tools = TOOLS if parameter.field in CHOICES else []
    return version(generation={parameter.field: value}, policy=policy, tools=tools)


@pytest.mark.parametrize(("dialect", "parameter"), FIELDS)
class TestEveryField:
    def test_pinned_is_the_versions(self, dialect, parameter):
        ours, out, theirs = VALUES[parameter.field]
        content = setting(parameter, ours)

        for name in parameter.names:
            received = compose(dialect, content, with_field(dialect, name, theirs))

            assert received.fields[parameter.wire] == out
            assert (received.dropped, received.app_fields) == ((name,), ())

    def test_default_yields_to_the_apps(self, dialect, parameter):
        ours, out, theirs = VALUES[parameter.field]
        content = setting(parameter, ours, generation="default")

        for name in parameter.names:
            received = compose(dialect, content, with_field(dialect, name, theirs))

            assert received.spelled[name] == theirs
            assert (received.dropped, received.app_fields) == ((), (name,))
        assert compose(dialect, content, says(dialect)).fields[parameter.wire] == out

    def test_rejected_is_refused_and_left_out_is_the_versions(self, dialect, parameter):
        ours, out, theirs = VALUES[parameter.field]
        content = setting(parameter, ours, generation="reject")

        for name in parameter.names:
            with pytest.raises(OverrideRejected):
                compose(dialect, content, with_field(dialect, name, theirs))
        assert compose(dialect, content, says(dialect)).fields[parameter.wire] == out

    def test_null_is_not_sent(self, dialect, parameter):
        ours, out, _ = VALUES[parameter.field]

        for rule in RULES:
            content = setting(parameter, ours, generation=rule)
            for name in parameter.names:
                received = compose(dialect, content, with_field(dialect, name, "null"))

                assert received.fields[parameter.wire] == out
                assert (received.dropped, received.app_fields) == ((), ())

    def test_what_the_version_does_not_set_is_the_apps(self, dialect, parameter):
        _, _, theirs = VALUES[parameter.field]

        for rule in ("pinned", "default"):
            for name in parameter.names:
                content = version(policy={"generation": rule})
                received = compose(dialect, content, with_field(dialect, name, theirs))

                assert received.spelled[name] == theirs
                assert (received.dropped, received.app_fields) == ((), (name,))

    def test_rule_of_the_field_wins_over_the_rule_of_all(self, dialect, parameter):
        ours, out, theirs = VALUES[parameter.field]
        content = setting(parameter, ours, generation="reject", fields={parameter.field: "pinned"})

        received = compose(dialect, content, with_field(dialect, parameter.wire, theirs))

        assert received.fields[parameter.wire] == out


# --- fields that have no rule, and fields that only one dialect has


@in_every_dialect
@pytest.mark.parametrize("rule", RULES)
def test_other_fields_of_the_app_pass_and_are_listed(dialect, rule):
    generation = {"temperature": 0.5, "max_output_tokens": 300}
    content = version(generation=generation, policy={"generation": rule})

    received = compose(dialect, content, with_field(dialect, "logit_bias", '{ "1":1.0e1 }'))

    assert received.spelled["logit_bias"] == '{ "1":1.0e1 }'
    assert (received.dropped, received.app_fields) == ((), ("logit_bias",))


@in_every_dialect
@pytest.mark.parametrize("name", ["logit_bias", "temperature"])
@pytest.mark.parametrize("rule", ["pinned", "default"])
def test_null_without_a_rule_goes_out_as_it_came(dialect, name, rule):
    received = compose(
        dialect, version(policy={"generation": rule}), with_field(dialect, name, "null")
    )

    assert received.spelled[name] == "null"
    assert received.dropped == ()


@in_every_dialect
@pytest.mark.parametrize("name", sorted(TRANSPORT))
def test_how_an_app_wants_its_answer_delivered_decides_nothing(dialect, name):
    received = compose(dialect, version(), with_field(dialect, name, "true"))

    assert received.spelled[name] == "true"
    assert received.app_fields == ()


@in_every_dialect
def test_a_name_that_an_app_invented_is_not_listed_at_length(dialect):
    received = compose(dialect, version(), with_field(dialect, "x" * 1000, "1"))

    assert received.fields["x" * 1000] == 1
    assert received.app_fields == ("x" * MAX_NAME,)


@in_every_dialect
@pytest.mark.parametrize(
    ("rule", "sent", "out", "dropped", "app_fields"),
    [
        ("pinned", "absent", "low", (), ()),
        ("pinned", "null", "low", (), ()),
        ("pinned", '"high"', "low", ("reasoning_effort",), ()),
        ("default", "absent", "low", (), ()),
        ("default", "null", "low", (), ()),
        ("default", '"high"', "high", (), ("reasoning_effort",)),
        ("reject", "absent", "low", (), ()),
        ("reject", "null", "low", (), ()),
        ("reject", '"high"', REFUSED, (), ()),
    ],
)
def test_an_extra_is_under_the_same_rules(dialect, rule, sent, out, dropped, app_fields):
    body = says(dialect) if sent == "absent" else with_field(dialect, "reasoning_effort", sent)
    extra = {dialect.name: {"reasoning_effort": "low"}}

    for policy in policies(rule, "reasoning_effort"):
        content = version(generation={"max_output_tokens": 300, "extra": extra}, policy=policy)
        if out is REFUSED:
            with pytest.raises(OverrideRejected):
                compose(dialect, content, body)
            continue
        received = compose(dialect, content, body)

        assert received.fields["reasoning_effort"] == out
        assert (received.dropped, received.app_fields) == (dropped, app_fields)


@pytest.mark.parametrize(("mine", "other"), [(CHAT, RESPONSES), (RESPONSES, CHAT)])
def test_an_extra_of_another_dialect_is_none_here(mine, other):
    content = version(generation={"extra": {other.name: {"verbosity": "low"}}})

    assert "verbosity" not in compose(mine, content, says(mine)).fields


def test_values_go_out_in_the_vendors_plain_spelling():
    content = version(generation={"temperature": 1.0, "top_p": 0.25, "stop": ["a"], "seed": 0})

    spelled = compose(CHAT, content, says(CHAT)).spelled

    assert [spelled[name] for name in ("temperature", "top_p", "stop", "seed")] == [
        *("1", "0.25", '["a"]', "0")
    ]


# --- what a version may not set

SET_ELSEWHERE = {
    CHAT: (*openai_chat.OWN, "tools", "functions", "function_call"),
    RESPONSES: (*set(openai_responses.OWN) - {"text"}, "tools"),
    MESSAGES: (*set(anthropic_generation.OWN) - {"output_config"}, "tools", "thread"),
    GEMINI: (*gemini_generation.OWN, *gemini_generation.FORMAT, "system_instruction", "topP"),
}


@pytest.mark.parametrize(
    ("dialect", "name"),
    [
        pytest.param(dialect, name, id=f"{dialect.name}-{name}")
        for dialect, names in SET_ELSEWHERE.items()
        for name in sorted({*names, *TRANSPORT, "temperature", "max_output_tokens"})
    ],
)
def test_an_extra_cannot_set_what_has_its_own_place(dialect, name):
    content = version(generation={"extra": {dialect.name: {name: 1}}})

    with pytest.raises(WrongDialect):
        dialect.compile(content)


@pytest.mark.parametrize("name", [NEW, OLD])
def test_an_extra_cannot_be_another_name_of_a_setting(name):
    with pytest.raises(WrongDialect):
        CHAT.compile(version(generation={"extra": {CHAT.name: {name: 1}}}))


@in_every_dialect
@pytest.mark.parametrize("name", ["", "a b", "a,b", "a\r\nx-evil: 1", "größe", "x" * 65, 'a"'])
def test_an_extra_that_could_not_be_named_in_a_header_is_refused(dialect, name):
    with pytest.raises(WrongDialect):
        dialect.compile(version(generation={"extra": {dialect.name: {name: 1}}}))


@pytest.mark.parametrize(
    ("dialect", "generation"),
    [
        (CHAT, {"top_k": 3}),
        (RESPONSES, {"top_k": 3}),
        *((RESPONSES, {name: VALUES[name][0]}) for name in ("stop", "seed", "presence_penalty")),
        *((MESSAGES, {name: VALUES[name][0]}) for name in ("seed", "presence_penalty")),
        (GEMINI, {"parallel_tool_calls": False}),
    ],
)
def test_a_version_that_sets_what_a_dialect_lacks_is_not_served_in_it(dialect, generation):
    with pytest.raises(WrongDialect):
        dialect.compile(version(generation=generation))
