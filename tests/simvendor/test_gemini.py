"""The answers of Gemini's API, as the vendor's chunks have them (captured in tests/wire)."""

import json

import pytest

from proxy.simvendor import gemini
from proxy.simvendor.answer import STREAM, WHOLE
from proxy.simvendor.server import SimulatedVendor
from proxy.simvendor.wrong import Wrong
from tests.raw_client import raw_app, request
from tests.wire.recordings import recording

USER = {"role": "user", "parts": [{"text": "Where is order A-1009?"}]}
CALL = {"role": "user", "parts": [{"text": "please call look_up and call look_up"}]}
SCHEMA = {"type": "OBJECT", "properties": {"id": {"type": "STRING"}}}
TOOLS = [{"functionDeclarations": [{"name": "look_up", "parameters": SCHEMA}]}]


def answer(method="generateContent", alt="", scope="", **fields):
    said = {"model": "gemini-x", "method": method, "scope": scope, "alt": alt}
    body = {**(fields if "Embed" in method or "embed" in method else {"contents": [USER]})}
    body |= {**fields, **said}
    gemini.check(body)
    return gemini.answer(body, gemini.asked(body, json.dumps(body).encode()))


def document(method="generateContent", **fields):
    found = answer(method, **fields)
    assert found.content_type == WHOLE
    return json.loads(b"".join(found.pieces))


def chunks(**fields):
    found = answer("streamGenerateContent", "sse", **fields)
    assert found.content_type == STREAM
    assert all(piece.startswith(b"data: {") for piece in found.pieces)
    assert all(piece.endswith(b"}\r\n\r\n") for piece in found.pieces)
    return [json.loads(piece[6:]) for piece in found.pieces]


def said(found):
    parts = found["candidates"][0]["content"]["parts"]
    return "".join(part.get("text", "") for part in parts)


def test_text_shows_what_the_vendor_was_given():
    text = said(
        document(
            systemInstruction={"parts": [{"text": "You are terse."}]},
            tools=TOOLS,
            generationConfig={"temperature": 0.2, "topK": 3, "maxOutputTokens": 100},
            contents=[USER, {"role": "model", "parts": [{"text": "Hm."}]}, USER],
        )
    )

    assert text == (
        "[gemini-x-2026-07-09 | temperature 0.2 | topK 3 | maxOutputTokens 100 | tools look_up"
        " | earlier messages 2 | system: You are terse.] You asked: Where is order A-1009?"
    )


def test_a_stream_has_the_text_of_the_document_and_ends_with_reason_and_usage():
    found = chunks()

    assert "".join(map(said, found)) == said(document())
    assert len(found) > 3
    reasons = [one["candidates"][0].get("finishReason") for one in found]
    assert reasons == [None] * (len(found) - 1) + ["STOP"]
    assert found[-1]["usageMetadata"]["candidatesTokenCount"] == len(said(document()).split())


def test_a_chunk_has_the_fields_of_a_recorded_one():
    recorded = recording("gemini-stream-text").answer.split(b"\r\n\r\n")
    first = json.loads(recorded[0][6:])

    assert chunks()[0].keys() == first.keys()
    assert chunks()[0]["usageMetadata"].keys() == first["usageMetadata"].keys()


def test_without_alt_the_chunks_are_one_list():
    found = answer("streamGenerateContent")

    assert found.content_type == WHOLE
    listed = json.loads(b"".join(found.pieces))
    assert [{**one, "responseId": None} for one in listed] == [
        {**one, "responseId": None} for one in chunks()
    ]


def test_a_limit_cuts_the_answer():
    found = document(generationConfig={"maxOutputTokens": 2})

    assert found["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert len(said(found).split()) == 2


def test_functions_are_called_with_arguments_that_fit():
    found = document(contents=[CALL], tools=TOOLS)

    parts = found["candidates"][0]["content"]["parts"]
    assert [part["functionCall"]["name"] for part in parts] == ["look_up", "look_up"]
    assert parts[0]["functionCall"]["args"] == {"id": "simulated"}
    assert "thoughtSignature" in parts[0]


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ({"mode": "ANY"}, True),
        ({"mode": "ANY", "allowedFunctionNames": ["look_up"]}, True),
        ({"mode": "AUTO"}, False),
        ({"mode": "NONE"}, False),
    ],
)
def test_a_choice_forces_a_call_or_does_not(choice, called):
    found = document(tools=TOOLS, toolConfig={"functionCallingConfig": choice})

    (part,) = found["candidates"][0]["content"]["parts"]
    assert ("functionCall" in part) is called


def test_what_a_function_answered_is_repeated():
    made = {"role": "model", "parts": [{"functionCall": {"name": "look_up", "args": {}}}]}
    told = {"functionResponse": {"name": "look_up", "response": {"state": "sent"}}}

    found = document(contents=[CALL, made, {"role": "user", "parts": [told]}], tools=TOOLS)

    assert said(found).endswith('The tool said: {"state":"sent"}')


@pytest.mark.parametrize("name", ["responseSchema", "responseJsonSchema"])
def test_json_fits_the_schema_in_either_spelling_of_types(name):
    config = {"responseMimeType": "application/json", name: SCHEMA}

    assert json.loads(said(document(generationConfig=config))).keys() == {"id"}


def test_json_without_a_schema_is_an_object():
    config = {"responseMimeType": "application/json"}

    assert json.loads(said(document(generationConfig=config))).keys() == {"answer"}


# --- counts and embeddings


def test_a_count_is_that_of_the_call():
    system = {"parts": [{"text": "You are terse."}]}
    call = document(systemInstruction=system)["usageMetadata"]["promptTokenCount"]
    wrapped = {"model": "models/gemini-x", "contents": [USER], "systemInstruction": system}
    body = {
        "model": "gemini-x",
        "method": "countTokens",
        "scope": "",
        "alt": "",
        "generateContentRequest": wrapped,
    }
    gemini.check(body)

    found = gemini.answer(body, gemini.asked(body, b""))

    assert json.loads(b"".join(found.pieces)) == {"totalTokens": call}
    on_vertex = document("countTokens", scope="/publishers/google", systemInstruction=system)
    assert on_vertex == {"totalTokens": call}


CONTENT = {"parts": [{"text": "a b"}]}
REQUEST = {"model": "models/gemini-x", "content": CONTENT}


def test_a_batch_of_embeddings_has_one_for_each_request():
    small = {**REQUEST, "outputDimensionality": 4}

    found = document("batchEmbedContents", requests=[small, small, REQUEST])

    sizes = [len(one["values"]) for one in found["embeddings"]]
    assert sizes == [4, 4, gemini.DIMENSIONS]
    assert found["embeddings"][0] == found["embeddings"][1]
    assert found["usageMetadata"] == {"promptTokenCount": 6}


def test_a_single_embedding_is_that_of_the_batch():
    small = {"content": CONTENT, "outputDimensionality": 4}

    found = document("embedContent", **small)

    (first,) = document("batchEmbedContents", requests=[{**REQUEST, **small}])["embeddings"]
    assert found["embedding"] == first


# --- what is refused

WRAPPED = {"generateContentRequest": {"model": "models/gemini-x", "contents": [USER]}}
REFUSED = {
    "no contents": ("generateContent", {"contents": []}),
    "a role": ("generateContent", {"contents": [{"role": "system", "parts": []}]}),
    "a field of the proxys": ("generateContent", {"proxy_variables": {}}),
    "an unknown parameter": ("generateContent", {"generationConfig": {"max_tokens": 3}}),
    "system as text": ("generateContent", {"systemInstruction": "hi"}),
    "too warm": ("generateContent", {"generationConfig": {"temperature": 3}}),
    "a schema without a type": (
        "generateContent",
        {"generationConfig": {"responseSchema": {"type": "STRING"}}},
    ),
    "two schemas": (
        "generateContent",
        {
            "generationConfig": {
                "responseMimeType": "application/json",
                "responseSchema": {"type": "STRING"},
                "responseJsonSchema": {"type": "string"},
            }
        },
    ),
    "a choice without functions": (
        "generateContent",
        {"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}},
    ),
    "a cache beside tools": ("generateContent", {"cachedContent": "c", "tools": TOOLS}),
    "a count with a system prompt": ("countTokens", {"systemInstruction": {}}),
    "a count of two kinds": ("countTokens", WRAPPED),
    "an embedding of another model": (
        "batchEmbedContents",
        {"requests": [{**REQUEST, "model": "models/other"}]},
    ),
    "an embedding of nothing": ("batchEmbedContents", {"requests": []}),
    "an embedding with a config": ("embedContent", {"content": CONTENT, "generationConfig": {}}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_vendor_does_not_take_is_refused(case):
    method, fields = REFUSED[case]

    with pytest.raises(Wrong) as caught:
        answer(method, **fields)

    assert caught.value.status == 400


# --- over a socket

BODY = {"contents": [USER]}
PATHS = {
    "v1": "/v1/models/gemini-x:generateContent",
    "v1beta": "/v1beta/models/gemini-x:generateContent",
    "express": "/v1beta1/publishers/google/models/gemini-x:generateContent",
    "vertex": "/v1/projects/p/locations/l/publishers/google/models/gemini-x:generateContent",
}


async def ask(vendor, body, **more):
    async with raw_app(("127.0.0.1", int(vendor.url.rpartition(":")[2]))) as app:
        await app.send(request(body, **more))
        return await app.answer()


@pytest.fixture
async def vendor():
    async with SimulatedVendor(record=10) as running:
        yield running


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
async def test_calls_are_answered_on_every_kind_of_path(vendor, path):
    answer = await ask(vendor, BODY, path=path)

    assert (answer.status, answer.header("x-gemini-service-tier")) == (200, "standard")
    assert answer.json["modelVersion"] == "gemini-x-2026-07-09"


async def test_both_spellings_are_taken_and_not_at_once(vendor):
    path = PATHS["v1beta"]
    one = {**BODY, "generation_config": {"max_output_tokens": 2}}
    two = {**one, "generationConfig": {}}

    cut, refused = [await ask(vendor, body, path=path) for body in (one, two)]

    assert cut.json["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert (refused.status, refused.json["error"]["status"]) == (400, "INVALID_ARGUMENT")


async def test_a_key_is_wanted_in_one_of_two_headers(vendor):
    raw = request(BODY, path=PATHS["v1beta"])
    without = raw.replace(b"Authorization: Bearer sk-app-0000", b"x-note: a")
    with_key = raw.replace(b"Authorization: Bearer ", b"x-goog-api-key: ")

    async with raw_app(("127.0.0.1", int(vendor.url.rpartition(":")[2]))) as app:
        statuses = []
        for one in (without, with_key, raw):
            await app.send(one)
            statuses.append((await app.answer()).status)

    assert statuses == [403, 200, 200]


async def test_a_question_may_ask_for_an_error(vendor):
    asks = {"contents": [{"parts": [{"text": "hi [[sim:status 429]]"}]}]}
    breaks = {"contents": [{"parts": [{"text": "hi [[sim:error after=2]]"}]}]}
    stream = PATHS["v1"].replace("generateContent", "streamGenerateContent?alt=sse")

    refused = await ask(vendor, asks, path=PATHS["v1"])
    broken = await ask(vendor, breaks, path=stream)

    assert (refused.status, refused.json["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
    *_, last = broken.body.strip().split(b"\r\n\r\n")
    assert json.loads(last[6:])["error"]["status"] == "UNAVAILABLE"


async def test_models_are_listed_in_googles_shape(vendor):
    answer = await ask(vendor, "", path="/v1beta/models?pageSize=1000", method="GET")

    assert {"name": "models/gemini-3.5-pro"} in answer.json["models"]
