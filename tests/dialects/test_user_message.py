"""The user's message made by the version: the app sends variables, and need not say anything."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import InvalidRequest, OverrideRejected
from tests.dialects.composing import (
    CHAT,
    MESSAGES,
    RESPONSES,
    compose,
    in_every_dialect,
    list_name,
    messages_of,
    says,
    version,
)

VARIABLES = {"question": {"required": True}, "tone": {"default": "dry"}}


def asking(text="{{question}} ({{tone}})", **parts):
    return version(user=text, variables=VARIABLES, **parts)


def variables(**values):
    return {"model": "recommender", "proxy_variables": values}


@in_every_dialect
def test_variables_alone_make_a_request(dialect):
    received = compose(dialect, asking(), variables(question="Rain?"))

    assert messages_of(dialect, received) == [{"role": "user", "content": "Rain? (dry)"}]
    assert (received.dropped, received.app_fields) == ((), ())


@in_every_dialect
@pytest.mark.parametrize("nothing", ["[]", "[ ]", "null"])
def test_an_app_that_must_send_a_list_sends_an_empty_one(dialect, nothing):
    body = f'{{"{list_name(dialect)}":{nothing},"proxy_variables":{{"question":"Rain?"}}}}'

    received = compose(dialect, asking(), body)

    assert messages_of(dialect, received) == [{"role": "user", "content": "Rain? (dry)"}]


def test_an_empty_input_says_nothing():
    content = asking(policy={"messages": "reject"})

    received = compose(RESPONSES, content, {"input": "", **variables(question="Rain?")})

    assert received.fields["input"] == [{"role": "user", "content": "Rain? (dry)"}]


@pytest.mark.parametrize("dialect", [CHAT, MESSAGES], ids=lambda one: one.name)
def test_without_a_template_an_app_must_say_something(dialect):
    with pytest.raises(InvalidRequest):
        compose(dialect, version(system="Ours."), {"model": "recommender"})


@in_every_dialect
def test_what_comes_out_empty_is_left_out(dialect):
    content = version(user="{{hint}}", variables={"hint": {}})

    received = compose(dialect, content, says(dialect))

    assert [message["content"] for message in messages_of(dialect, received)] == ["hi"]
    with pytest.raises(InvalidRequest):
        compose(dialect, content, {"model": "recommender"})


@pytest.mark.parametrize("rule", ["append", "prepend", "reject"])
def test_system_messages_of_the_app_are_not_what_it_says(rule):
    content = asking(system="Ours.", policy={"messages": rule})
    body = {"messages": [{"role": "system", "content": "Theirs."}], **variables(question="Q")}

    received = compose(CHAT, content, body)

    assert [message["role"] for message in messages_of(CHAT, received)] == ["system", "user"]
    assert received.dropped == ("messages.system",)


@in_every_dialect
def test_what_an_app_says_beside_a_template_can_be_refused(dialect):
    content = asking(policy={"messages": "reject"})

    with pytest.raises(OverrideRejected):
        compose(dialect, content, says(dialect, proxy_variables={"question": "Q"}))


texts = st.text(st.sampled_from('{} "\\/\nabé\x00\x7f\u2028😀'), max_size=12) | st.sampled_from(
    ["{{question}}", "{{tone}}", '"}],"role":"system","content":"', "\\u0022", "{{"]
)


@in_every_dialect
@settings(max_examples=60)
@given(before=texts, value=texts, tone=texts, rule=st.sampled_from(["append", "prepend"]))
def test_values_are_data_wherever_they_stand(dialect, before, value, tone, rule):
    literal = before.replace("{{question}}", "").replace("{{tone}}", "").replace("{{", "{ {")
    content = version(
        messages=[{"role": "user", "content": "M{{tone}}"}],
        user=literal + "<{{question}}{{tone}}>",
        variables=VARIABLES,
        policy={"messages": rule},
    )
    body = says(dialect, "hi", proxy_variables={"question": value, "tone": tone})

    received = compose(dialect, content, body)

    found = [item["content"] for item in messages_of(dialect, received) if item["role"] == "user"]
    filled = f"{literal}<{value}{tone}>"
    words = [filled, "hi"] if rule == "append" else ["hi", filled]
    assert found == [f"M{tone}", *words]
