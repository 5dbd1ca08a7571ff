"""Gemini as a whole: what a version becomes, both spellings, caches, counts and embeddings."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.dialects.gemini_names import snake
from proxy.errors import (
    InvalidRequest,
    OverrideRejected,
    RequestError,
    UnknownVariable,
    WrongDialect,
)
from tests.dialects.composing import GEMINI, compose, read, says, version
from tests.dialects.drawn import bodies, versions
from tests.wire.spelled import elements, members

STREAM, COUNT, EMBED, BATCH = GEMINI.others
VERTEX = "/v1/projects/p/locations/l/publishers/google/models/recommender:"

SHOTS = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A {{tone}}"}]
FULL = {
    "system": "Ours, {{tone}}.",
    "messages": SHOTS,
    "tools": [{"name": "search", "description": "Search.", "parameters": {"type": "object"}}],
    "variables": {"tone": {"default": "kind"}},
    "generation": {
        "max_output_tokens": 300,
        "stop": ["END"],
        "tool_choice": "required",
        "response_format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}},
        "extra": {
            GEMINI.name: {
                "thinkingConfig": {"thinkingLevel": "low"},
                "safetySettings": [{"category": "C", "threshold": "OFF"}],
                "outputDimensionality": 256,
            }
        },
    },
}
SEEN = {
    "systemInstruction": {"parts": [{"text": "Ours, kind."}]},
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "search",
                    "description": "Search.",
                    "parametersJsonSchema": {"type": "object"},
                }
            ]
        }
    ],
    "contents": [
        {"role": "user", "parts": [{"text": "Q"}]},
        {"role": "model", "parts": [{"text": "A kind"}]},
        {"role": "user", "parts": [{"text": "hi"}]},
    ],
    "generationConfig": {
        "maxOutputTokens": 300,
        "stopSequences": ["END"],
        "thinkingConfig": {"thinkingLevel": "low"},
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object"},
    },
    "toolConfig": {"functionCallingConfig": {"mode": "ANY"}},
    "safetySettings": [{"category": "C", "threshold": "OFF"}],
}


def sent(endpoint, content, body, target=""):
    """Return the whole body that the vendor receives, and what is told of it."""
    received = compose(endpoint, content, body, target=target)
    return json.loads(received.body), received


@pytest.mark.parametrize("endpoint", [GEMINI, STREAM])
def test_a_version_goes_out_in_the_shapes_of_this_api(endpoint):
    body, received = sent(endpoint, version(**FULL), says(GEMINI, maxOutputTokens=7, topP=0.5))

    assert body == {**SEEN, "generationConfig": {**SEEN["generationConfig"], "topP": 0.5}}
    assert (received.dropped, received.app_fields) == (("maxOutputTokens",), ("topP",))


def test_members_of_the_config_are_told_by_their_whole_name():
    content = version(generation={"temperature": 0.5})
    body = json.dumps(says(GEMINI, temperature=1, topK=3, x=1)).encode()

    composed = GEMINI.compile(content).compose(read(GEMINI, body))

    assert composed.dropped == ("generationConfig.temperature",)
    assert composed.app_fields == ("generationConfig.topK", "generationConfig.x")


def test_variables_of_the_app_reach_prompt_and_messages_and_go_no_further():
    body, _ = sent(GEMINI, version(**FULL), says(GEMINI, proxy_variables={"tone": '"dry"'}))

    assert body["systemInstruction"] == {"parts": [{"text": 'Ours, "dry".'}]}
    assert body["contents"][1]["parts"] == [{"text": 'A "dry"'}]
    assert "proxy_variables" not in body


@pytest.mark.parametrize("body", ["{}", '{"contents":null}', '{"contents":"hi"}'])
def test_contents_are_required_and_a_list(body):
    with pytest.raises(InvalidRequest):
        compose(GEMINI, version(messages=SHOTS, variables={"tone": {}}), body)


def test_one_content_is_a_list_of_one_as_google_takes_it():
    said = '{"role":"user","parts":{"text":"hi"}}'

    alone = compose(GEMINI, version(), f'{{"contents":{said}}}')
    after = compose(GEMINI, version(messages=SHOTS[:1]), f'{{"contents":{said}}}')

    assert alone.spelled["contents"] == said
    assert elements(after.spelled["contents"])[1] == said


def test_a_body_that_names_a_model_does_not_choose_one():
    body, received = sent(GEMINI, version(), {**says(GEMINI), "model": "models/other"})

    assert "model" not in body
    assert read(GEMINI, {**says(GEMINI), "model": "models/other"}).address == "recommender"
    assert received.path == "/v1beta/models/gpt-4o-2024-08-06:generateContent"


def test_values_keep_their_spelling_inside_of_the_config_too():
    config = '{ "temperature" : 1.0e0, "thinking_config":{"include_thoughts":true} }'
    body = f'{{"contents":[],"generationConfig":{config}}}'

    received = compose(GEMINI, version(system="Ours."), body)

    inner = dict(members(received.body.decode()))["generationConfig"]
    assert members(inner) == members(config)


def test_a_name_twice_in_the_config_is_one_field():
    body = '{"contents":[],"generationConfig":{"topK":1,"candidateCount":2,"topK":3}}'

    received = compose(GEMINI, version(), body)

    inner = dict(members(received.body.decode()))["generationConfig"]
    assert sorted(members(inner)) == [("candidateCount", "2"), ("topK", "3")]


@pytest.mark.parametrize("config", ["{}", "null", "{ }"])
def test_an_empty_config_is_no_reason_for_another(config):
    body = f'{{"contents":[],"generationConfig":{config}}}'

    alone = dict(members(compose(GEMINI, version(), body).body.decode()))
    ours = version(generation={"temperature": 0.5})

    assert alone["generationConfig"] == config
    assert sent(GEMINI, ours, body)[0]["generationConfig"] == {"temperature": 0.5}


# --- the system prompt

OURS = {"text": "Ours."}


@pytest.mark.parametrize(
    ("theirs", "out"),
    [
        ('{"parts":[{"text":"Theirs."}],"role":"user"}', [OURS, {"text": "Theirs."}]),
        ('{"parts":[{"text":"A"},{"text":"B"}]}', [OURS, {"text": "A"}, {"text": "B"}]),
        ('{"parts":{"text":"Theirs."}}', [OURS, {"text": "Theirs."}]),
        ('{"parts":[ ]}', [OURS]),
        ('{"parts":null}', [OURS]),
        ("{}", [OURS]),
        ("null", [OURS]),
    ],
)
@pytest.mark.parametrize("name", ["systemInstruction", "system_instruction"])
def test_appended_parts_stand_behind_the_versions(name, theirs, out):
    content = version(system="Ours.", policy={"system": "append"})

    body, received = sent(GEMINI, content, f'{{"contents":[],"{name}":{theirs}}}')

    assert body["systemInstruction"]["parts"] == out
    assert received.dropped == ()


@pytest.mark.parametrize("theirs", ['"Theirs."', "[]", "1"])
@pytest.mark.parametrize("rule", ["append", "replace"])
def test_a_system_prompt_is_an_object(rule, theirs):
    content = version(system="Ours.", policy={"system": rule})

    with pytest.raises(InvalidRequest):
        compose(GEMINI, content, f'{{"contents":[],"systemInstruction":{theirs}}}')


@pytest.mark.parametrize("theirs", ['{"parts":"T"}', '{"parts":7}'])
def test_parts_are_a_list_where_they_are_joined(theirs):
    content = version(system="Ours.", policy={"system": "append"})

    with pytest.raises(InvalidRequest):
        compose(GEMINI, content, f'{{"contents":[],"systemInstruction":{theirs}}}')


# --- both spellings are one field, and none smuggles anything

TRICKS = {
    "snake": '"system_instruction":T,"generation_config":{"temperature":9,"top_p":9},"tools":T',
    "escaped": '"system\\u0049nstruction":T,"generation\\u0043onfig":{"temperatur\\u0065":9}',
    "escaped snake": '"system\\u005finstruction":T,"generation_config":{"top\\u005fp":9}',
    "twice": '"generationConfig":{"temperature":8},"generationConfig":{"temperature":9,"topP":9}',
    "twice inside": '"generationConfig":{"temperature":8,"temperature":9,"top_p":9,"top_p":8}',
    "null and snake": '"generationConfig":null,"generation_config":{"temperature":9}',
    "other spelling of an extra": '"generationConfig":{"thinking_config":9},"safety_settings":9',
    "choice": '"tool_config":{"function_calling_config":{"mode":"NONE"}}',
    "format": '"generation_config":{"response_mime_type":"text/x.enum","response_schema":{}}',
    "model": '"model":"other","mod\\u0065l":"another"',
}


@pytest.mark.parametrize("trick", TRICKS)
def test_no_spelling_smuggles_anything_past_the_policy(trick):
    generation = {**FULL["generation"], "temperature": 0.5, "top_p": 0.25}
    content = version(**{**FULL, "generation": generation})
    ours, _ = sent(GEMINI, content, says(GEMINI))
    text = TRICKS[trick].replace("T", '{"parts":[{"text":"theirs"}]}')

    body, received = sent(GEMINI, content, f"{json.dumps(says(GEMINI))[:-1]},{text}}}")

    assert body == ours
    assert "theirs" not in received.body.decode()


SNAKES = {
    name: snake(name)
    for name in (
        *("systemInstruction", "generationConfig", "toolConfig", "safetySettings"),
        *("topP", "topK", "maxOutputTokens", "stopSequences", "presencePenalty"),
        *("frequencyPenalty", "responseMimeType", "responseSchema", "responseJsonSchema"),
        *("functionDeclarations", "functionCallingConfig", "allowedFunctionNames"),
    )
}


def in_snake_case(value):
    """Return JSON whose names of fields that the proxy looks at are in the other spelling."""
    if isinstance(value, list):
        return [in_snake_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {SNAKES.get(name, name): in_snake_case(item) for name, item in value.items()}


def outcome(content, body):
    """Return the vendor's body and what is told of it, or why there is none."""
    try:
        received = compose(GEMINI, content, json.dumps(body))
    except RequestError as error:
        return error.code
    return [json.loads(received.body), sorted(received.dropped), sorted(received.app_fields)]


@given(drawn=st.data())
def test_either_spelling_is_composed_to_the_same(drawn):
    content = drawn.draw(versions[GEMINI])
    body = json.loads(drawn.draw(bodies[GEMINI]))
    # What passes unread keeps its spelling, so what is unread is left out.
    body.pop("safetySettings", None)
    rewritten = in_snake_case(body)

    camel, snaked = outcome(content, body), outcome(content, rewritten)

    assert in_snake_case(camel) == in_snake_case(snaked)


DOUBLES = {
    "systemInstruction": '"systemInstruction":{},"system_instruction":{}',
    "generationConfig": '"generation_config":{},"generationConfig":{}',
    "topP": '"generationConfig":{"topP":1,"top_p":2}',
    "thinkingConfig": '"generationConfig":{"thinkingConfig":1,"thinking_config":2}',
    "responseMimeType": '"generationConfig":{"responseMimeType":1,"response_mime_type":2}',
    "safetySettings": '"safetySettings":[],"safety_settings":[]',
    "proxy_variables": '"proxy_variables":{},"proxyVariables":{}',
}


@pytest.mark.parametrize("name", DOUBLES)
@pytest.mark.parametrize("rule", ["pinned", "default", "reject"])
def test_a_field_under_both_spellings_is_refused(name, rule):
    content = version(**{**FULL, "policy": {"generation": rule, "system": "append"}})

    with pytest.raises((InvalidRequest, OverrideRejected)):
        compose(GEMINI, content, f"{json.dumps(says(GEMINI))[:-1]},{DOUBLES[name]}}}")


# --- a response format is one setting of several members


@pytest.mark.parametrize(
    ("ours", "out"),
    [
        ({"type": "text"}, {"responseMimeType": "text/plain"}),
        ({"type": "json_object"}, {"responseMimeType": "application/json"}),
        (
            {"type": "json_schema", "name": "a", "description": "d", "schema": {"x": 1}},
            {"responseMimeType": "application/json", "responseJsonSchema": {"x": 1}},
        ),
    ],
)
def test_a_format_of_the_versions_is_a_type_and_a_schema(ours, out):
    content = version(generation={"response_format": ours})

    assert sent(GEMINI, content, says(GEMINI))[0]["generationConfig"] == out


THEIRS = {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}}


@pytest.mark.parametrize(
    ("rule", "is_set", "out", "dropped"),
    [
        ("pinned", True, {"responseMimeType": "text/plain"}, tuple(THEIRS)),
        ("default", True, THEIRS, ()),
        ("pinned", False, THEIRS, ()),
        ("default", False, THEIRS, ()),
        ("reject", True, None, ()),
        ("reject", False, None, ()),
    ],
)
def test_a_format_is_all_of_one_side(rule, is_set, out, dropped):
    generation = {"response_format": {"type": "text"}} if is_set else {}
    content = version(generation=generation, policy={"fields": {"response_format": rule}})
    if out is None:
        with pytest.raises(OverrideRejected):
            compose(GEMINI, content, says(GEMINI, **THEIRS))
        return

    body, received = sent(GEMINI, content, says(GEMINI, **THEIRS))

    assert body["generationConfig"] == out
    assert received.dropped == dropped
    assert received.app_fields == (() if dropped else tuple(THEIRS))


@pytest.mark.parametrize("rule", ["pinned", "default", "reject"])
def test_null_is_no_format(rule):
    format_ = {"response_format": {"type": "json_object"}}
    content = version(generation=format_, policy={"generation": rule})

    body, received = sent(GEMINI, content, says(GEMINI, responseSchema=None))

    assert body["generationConfig"] == {"responseMimeType": "application/json"}
    assert (received.dropped, received.app_fields) == ((), ())


# --- extras


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("safety_settings", "safetySettings"),
        ("stop_sequences", "stopSequences"),
        ("response_schema", "responseSchema"),
        ("output_dimensionality", "outputDimensionality"),
    ],
)
def test_an_extra_has_the_name_that_is_looked_for(name, told):
    with pytest.raises(WrongDialect) as caught:
        GEMINI.compile(version(generation={"extra": {GEMINI.name: {name: 1}}}))

    assert told in caught.value.hint


@pytest.mark.parametrize(
    ("name", "most", "above"),
    [
        ("stop", ["a"] * 5, ["a"] * 6),
        ("seed", -(2**31 - 1), 2**31),
        ("top_k", 2**31 - 1, 2**31),
        ("max_output_tokens", 2**31 - 1, 2**31),
    ],
)
def test_what_the_api_would_refuse_is_refused_before(name, most, above):
    GEMINI.compile(version(generation={name: most}))

    with pytest.raises(WrongDialect):
        GEMINI.compile(version(generation={name: above}))


# --- what is cached at the vendor

CACHED = {**says(GEMINI), "cachedContent": "cachedContents/abc"}
APPENDS = {"policy": {"system": "append"}}


@pytest.mark.parametrize("name", ["cachedContent", "cached_content"])
def test_a_cache_passes_where_the_version_has_nothing_that_clashes(name):
    content = version(generation={"temperature": 0.5}, **APPENDS)

    body, received = sent(GEMINI, content, {**says(GEMINI), name: "cachedContents/abc"})

    assert body["cachedContent"] == "cachedContents/abc"
    assert received.app_fields == ("cachedContent",)


@pytest.mark.parametrize(
    "parts",
    [
        {"system": "Ours.", **APPENDS},
        {"tools": [{"name": "search"}], **APPENDS},
        {"messages": SHOTS[:1], **APPENDS},
        {"generation": {"tool_choice": "none"}, **APPENDS},
        {"policy": {"system": "replace"}},
        {"policy": {"system": "reject"}},
        {"policy": {"system": "append", "tools": "reject"}},
    ],
)
def test_a_cache_that_would_replace_what_the_version_says_is_refused(parts):
    with pytest.raises(OverrideRejected):
        compose(GEMINI, version(**parts), CACHED)


def test_no_cache_is_none():
    body, _ = sent(GEMINI, version(system="Ours."), {**says(GEMINI), "cachedContent": None})

    assert "cachedContent" not in body


# --- counting tokens


def test_a_count_has_the_whole_call_in_a_wrapper():
    body, received = sent(COUNT, version(**FULL), says(GEMINI, maxOutputTokens=7))

    assert body == {"generateContentRequest": {"model": "models/gpt-4o-2024-08-06", **SEEN}}
    assert received.dropped == ("maxOutputTokens",)
    assert received.path.endswith(":countTokens")


def test_a_count_of_what_is_said_alone_needs_no_wrapper():
    content = version(messages=[{"role": "user", "content": "Q"}])

    body, _ = sent(COUNT, content, says(GEMINI))

    assert list(body) == ["contents"]
    assert len(body["contents"]) == 2


@pytest.mark.parametrize("name", ["generateContentRequest", "generate_content_request"])
def test_a_call_that_the_app_wrapped_is_composed_inside(name):
    wrapped = {**says(GEMINI, temperature=1), "model": "models/recommender"}
    body = {name: wrapped, "proxy_variables": {"tone": "dry"}}

    counted, received = sent(COUNT, version(**FULL), body)

    inner = counted.pop("generateContentRequest")
    assert counted == {}
    assert inner["model"] == "models/gpt-4o-2024-08-06"
    assert inner["systemInstruction"] == {"parts": [{"text": "Ours, dry."}]}
    assert inner["generationConfig"]["temperature"] == 1
    assert received.app_fields == ("temperature",)


def test_a_call_that_the_app_wrapped_stays_wrapped():
    body = {"generateContentRequest": {**says(GEMINI), "model": "models/recommender"}}

    counted, _ = sent(COUNT, version(), body)

    assert list(counted) == ["generateContentRequest"]


def test_a_count_on_vertex_is_the_call_without_what_it_does_not_know():
    body, _ = sent(COUNT, version(**FULL), says(GEMINI), f"{VERTEX}countTokens")

    gone = {"toolConfig", "safetySettings"}
    assert body == {name: value for name, value in SEEN.items() if name not in gone}


@settings(max_examples=60)
@given(drawn=st.data())
def test_a_count_never_differs_from_the_call(drawn):
    content, body = drawn.draw(versions[GEMINI]), drawn.draw(bodies[GEMINI])
    try:
        call, count = (sent(endpoint, content, body) for endpoint in (GEMINI, COUNT))
    except OverrideRejected:
        return

    counted = count[0].get("generateContentRequest", count[0])
    assert {name: value for name, value in counted.items() if name != "model"} == call[0]
    assert (count[1].dropped, count[1].app_fields) == (call[1].dropped, call[1].app_fields)


# --- embeddings

TEXT = '{ "parts":[{"text":"a\\u0021"}] }'


def test_a_batch_names_the_vendors_model_in_each_request():
    requests = [f'{{"content":{TEXT},"model":"models/recommender"}}'] * 2

    received = compose(BATCH, version(**FULL), f'{{"requests":[{",".join(requests)}]}}')

    (found,) = members(received.body.decode())
    assert found[0] == "requests"
    for request in elements(found[1]):
        spelled = dict(members(request))
        assert spelled.pop("model") == '"models/gpt-4o-2024-08-06"'
        assert spelled == {"content": TEXT, "outputDimensionality": "256"}


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ('"gemini-9"', "models/gemini-9"),
        ('"tunedModels/x"', "tunedModels/x"),
        ('"a/b"', "models/a/b"),
    ],
)
def test_a_fallback_changes_the_model_wherever_it_stands(model, named):
    asked = read(BATCH, f'{{"requests":[{{"content":{TEXT}}},{{"content":{TEXT}}}]}}')

    body = json.loads(b"".join(GEMINI.compile(version()).compose(asked).body(model.encode())))

    assert [one["model"] for one in body["requests"]] == [named, named]


@pytest.mark.parametrize("rule", ["pinned", "default", "reject"])
@pytest.mark.parametrize("name", ["outputDimensionality", "output_dimensionality"])
def test_parameters_of_embeddings_are_under_the_rules(rule, name):
    content = version(**{**FULL, "policy": {"generation": rule}})
    body = {"requests": [{"content": {}, name: 8, "title": "t"}, {"content": {}}]}
    if rule == "reject":
        with pytest.raises(OverrideRejected):
            compose(BATCH, content, body)
        return

    found, received = sent(BATCH, content, body)

    sizes = [one["outputDimensionality"] for one in found["requests"]]
    assert sizes == ([256, 256] if rule == "pinned" else [8, 256])
    assert received.dropped == (("outputDimensionality",) if rule == "pinned" else ())
    assert set(received.app_fields) == {"title"} | (
        set() if rule == "pinned" else {"outputDimensionality"}
    )


def test_a_single_request_names_a_model_where_the_app_did():
    alone, _ = sent(EMBED, version(), {"content": {}, "proxy_variables": {}})
    named, received = sent(EMBED, version(), {"content": {}, "model": "models/recommender"})

    assert alone == {"content": {}}
    assert named == {"content": {}, "model": "models/gpt-4o-2024-08-06"}
    assert received.path == "/v1beta/models/gpt-4o-2024-08-06:embedContent"


def test_embeddings_take_no_system_prompt_tools_or_generation_fields():
    body, _ = sent(EMBED, version(**FULL), {"content": {}})

    assert body == {"content": {}, "outputDimensionality": 256}


def test_variables_that_nobody_declared_are_refused_for_embeddings_too():
    with pytest.raises(UnknownVariable):
        compose(EMBED, version(), {"content": {}, "proxy_variables": {"x": "1"}})


@pytest.mark.parametrize("body", ["{}", '{"requests":{}}', '{"requests":[1]}'])
def test_a_batch_is_a_list_of_requests(body):
    with pytest.raises(InvalidRequest):
        compose(BATCH, version(), body)
