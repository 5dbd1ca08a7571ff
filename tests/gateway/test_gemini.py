"""Gemini's calls through the gateway: model and label in the path, keys in the query, base URLs."""

import hashlib
import json

import pytest
import pytest_asyncio

from tests.harness import CANARY, running_proxy
from tests.http.scene import scene_of
from tests.raw_client import raw_app, request
from tests.vendor_script import LAST_CHUNK, Cut, Say, ScriptedVendor, chunk, stream_head, whole

pytestmark = pytest.mark.asyncio(loop_scope="module")

MODEL = "gemini-3.5-pro"
FILES = {
    "version.toml": f'[model]\nvendor = "gemini"\nid = "{MODEL}"\n',
    "system.md": "You recommend jackets.\n",
}
OTHER = {**FILES, "system.md": "You recommend hats.\n"}
MODELS = {"recommender": FILES, "ranker": FILES}

BODY = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
LAST = {
    "candidates": [{"content": {"parts": [{"text": "A"}]}, "finishReason": "STOP"}],
    "usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1},
    "modelVersion": f"{MODEL}-001",
}
ANSWER = json.dumps(LAST).encode()
EVENT = b"data: %b\r\n\r\n" % ANSWER

PATH = "/v1beta/models/recommender:generateContent"
STREAM = "/v1beta/models/recommender:streamGenerateContent"
VERTEX = "/v1/projects/ours/locations/eu/publishers/google"

TOKEN, APP_KEY = "tok-web-0001", "AIza-of-the-app"
APPS = {"web": {"token_sha256": hashlib.sha256(TOKEN.encode()).hexdigest(), "models": ["ranker"]}}


def settings(**entry):
    return {"vendors": {"gemini": {"dialects": ["gemini.generate"], **entry}}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    directory = tmp_path_factory.mktemp("gemini")
    answers = Say(whole(ANSWER))
    async with scene_of(directory, answers, overrides=settings(), models=MODELS) as scene:
        await scene.proxy.register("recommender", OTHER)
        await scene.proxy.pin("recommender", 2, "staging")
        yield scene


def bare(path, body=BODY, method="POST", headers=()):
    """Return a request without a credential of the app's."""
    raw = request(body, path=path, method=method, headers=list(headers))
    return raw.replace(b"Authorization: Bearer sk-app-0000\r\n", b"", 1)


async def ask(scene, raw):
    """Return the answer, and what the vendor received for it, None if it was not called."""
    before = len(scene.vendor.requests)
    async with raw_app(scene.proxy.address) as app:
        await app.send(raw)
        answer = await app.answer()
    received = scene.vendor.requests[before:]
    return answer, received[0] if received else None


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("recommender", 1),
        ("recommender@staging", 2),
        ("recommender%40staging", 2),
        ("recommender@v2", 2),
        ("models/recommender", None),
    ],
)
async def test_labels_and_versions_are_asked_for_in_the_path(shared, name, version):
    answer, received = await ask(shared, bare(f"/v1beta/models/{name}:generateContent"))

    if version is None:
        assert (answer.status, received) == (404, None)
        return
    assert answer.header("x-proxy-version") == shared.proxy.version("recommender", version).id
    assert received.line == f"POST /v1beta/models/{MODEL}:generateContent HTTP/1.1"
    wanted = (FILES, OTHER)[version - 1]["system.md"].strip()
    assert json.loads(received.body)["systemInstruction"] == {"parts": [{"text": wanted}]}


async def test_a_full_id_is_a_name_too(shared):
    version = shared.proxy.version("recommender", 2).id

    answer, _ = await ask(shared, bare(f"/v1/models/{version}:generateContent"))

    assert (answer.status, answer.header("x-proxy-version")) == (200, version)


async def test_a_key_in_the_query_goes_no_further(shared):
    raw = bare(f"{STREAM}?%6Bey={APP_KEY}&alt=sse&access_token=a&x=%20")

    answer, received = await ask(shared, raw)

    assert answer.status == 200
    path = f"/v1beta/models/{MODEL}:streamGenerateContent?alt=sse&x=%20"
    assert received.line == f"POST {path} HTTP/1.1"
    assert received.header("x-goog-api-key") == CANARY
    assert received.header("authorization") is None
    assert APP_KEY.encode() not in bytes(shared.proxy.log.written)


async def test_a_key_alone_leaves_no_query(shared):
    _, received = await ask(shared, bare(f"{PATH}?key={APP_KEY}"))

    assert received.line == f"POST /v1beta/models/{MODEL}:generateContent HTTP/1.1"


async def test_in_other_dialects_a_query_goes_on_as_it_is(shared):
    raw = bare(f"/v1/chat/completions?key={APP_KEY}", {"model": "recommender", "messages": []})

    answer, received = await ask(shared, raw)

    assert (answer.header("x-proxy-error"), received) == ("wrong_dialect", None)


async def test_the_line_tells_what_the_vendor_did(shared):
    answer, _ = await ask(shared, bare(PATH))

    line = await shared.line_of(answer.header("x-proxy-request-id"))
    names = ("dialect", "model", "label", "vendor_model", "served_model", "finish_reason")
    assert [line[name] for name in names] == [
        *("gemini.generate", "recommender", "prod", MODEL, f"{MODEL}-001", "STOP")
    ]
    assert (line["input_tokens"], line["output_tokens"], line["outcome"]) == (3, 1, "ok")


@pytest.mark.parametrize("path", ["/v1beta/models", "/v1alpha/models"])
async def test_models_are_listed_in_googles_shape_under_its_versions(shared, path):
    answer, _ = await ask(shared, bare(f"{path}?pageSize=50", "", "GET"))

    assert [one["name"] for one in answer.json["models"]] == ["models/ranker", "models/recommender"]


@pytest.mark.parametrize("name", ["recommender", "recommender@prod", "recommender%40prod"])
async def test_one_model_is_described(shared, name):
    answer, _ = await ask(shared, bare(f"/v1beta/models/{name}", "", "GET"))

    told = (answer.json["name"], answer.json["version"])
    assert told == ("models/recommender", shared.proxy.version("recommender", 1).id)
    assert "generateContent" in answer.json["supportedGenerationMethods"]


@pytest.mark.parametrize("path", ["/v1beta/models/nobody", "/v1beta/corpora", "/v1beta/x:y"])
async def test_what_is_not_there_is_not_found_in_googles_shape(shared, path):
    answer, _ = await ask(shared, bare(path, "", "GET"))

    assert (answer.status, answer.json["error"]["status"]) == (404, "NOT_FOUND")


async def test_a_base_url_with_a_version_is_refused_with_a_hint(shared):
    answer, received = await ask(shared, bare("/v1beta/v1/models/recommender:generateContent"))

    assert (answer.status, received) == (404, None)
    assert "base_url must not end in a version" in answer.json["error"]["message"]


# --- apps


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory):
    overrides = {**settings(), "apps": APPS}
    directory = tmp_path_factory.mktemp("guarded")
    async with scene_of(directory, Say(whole(ANSWER)), overrides=overrides, models=MODELS) as scene:
        yield scene


RANKER = "/v1beta/models/ranker:generateContent"


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        (RANKER, [("x-goog-api-key", TOKEN)]),
        (RANKER, [("Authorization", f"Bearer {TOKEN}")]),
        (f"{RANKER}?key={TOKEN}", []),
        (f"{RANKER}?a=b&k%65y={TOKEN}", []),
        (f"{RANKER}?access_token={TOKEN}", []),
    ],
)
async def test_a_token_is_where_google_lets_a_key_be(guarded, path, headers):
    answer, received = await ask(guarded, bare(path, headers=headers))

    assert answer.status == 200
    assert TOKEN not in received.line
    assert received.header("x-goog-api-key") == CANARY


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        (RANKER, 401, "UNAUTHENTICATED"),
        (f"{RANKER}?key=", 401, "UNAUTHENTICATED"),
        (f"{RANKER}?key={TOKEN}0", 401, "UNAUTHENTICATED"),
        (f"{PATH}?key={TOKEN}", 403, "PERMISSION_DENIED"),
    ],
)
async def test_others_are_refused_in_googles_shape(guarded, path, status, told):
    answer, received = await ask(guarded, bare(path))

    assert (answer.status, answer.json["error"]["status"], received) == (status, told, None)


async def test_a_token_in_the_query_is_none_in_other_dialects(guarded):
    raw = bare(f"/v1/chat/completions?key={TOKEN}", {"model": "ranker", "messages": []})

    answer, _ = await ask(guarded, raw)

    assert answer.status == 401


# --- vendors


@pytest.mark.parametrize("sent", [PATH, f"/v1beta1/publishers/google{PATH[7:]}"])
async def test_a_base_url_that_names_a_project_is_where_calls_go(tmp_path, sent):
    async with (
        ScriptedVendor(Say(whole(ANSWER))) as vendor,
        running_proxy(tmp_path, vendor.url + VERTEX, MODELS, settings(auth="bearer")) as proxy,
        raw_app(proxy.address) as app,
    ):
        await app.send(bare(sent))
        answer = await app.answer()
        (received,) = vendor.requests

    assert answer.status == 200
    assert received.line.split(" ")[1] == f"{VERTEX}/models/{MODEL}:generateContent"
    assert received.header("authorization") == f"Bearer {CANARY}"


@pytest.mark.parametrize(
    ("query", "headers"),
    [(f"?key={APP_KEY}", []), ("", [("x-goog-api-key", APP_KEY)])],
)
async def test_a_key_of_the_apps_own_goes_on_as_a_header(tmp_path, query, headers):
    async with (
        ScriptedVendor(Say(whole(ANSWER))) as vendor,
        running_proxy(tmp_path, vendor.url, MODELS, settings(api_key_env=None)) as proxy,
        raw_app(proxy.address) as app,
    ):
        await app.send(bare(f"{PATH}{query}", headers=headers))
        await app.answer()
        (received,) = vendor.requests

    assert APP_KEY not in received.line
    assert received.header("x-goog-api-key") == APP_KEY


async def test_a_stream_that_breaks_is_told_in_googles_shape(tmp_path):
    script = (Say(stream_head()), Say(chunk(EVENT)), Cut())
    async with scene_of(tmp_path, *script, models=MODELS, overrides=settings()) as scene:
        answer = await scene.ask(bare(f"{STREAM}?alt=sse"))

    head, _, event = answer.body.partition(EVENT)
    assert (head, answer.ending == "tidy") == (b"", False)
    assert event.startswith(b'data: {"error":{"code":502,')
    assert event.count(b"\n") == 2


async def test_a_stream_that_goes_well_gets_nothing_added(tmp_path):
    script = (Say(stream_head()), Say(chunk(EVENT)), Say(chunk(EVENT) + LAST_CHUNK))
    async with scene_of(tmp_path, *script, models=MODELS, overrides=settings()) as scene:
        answer = await scene.ask(bare(f"{STREAM}?alt=sse"))
        line = await scene.line()

    assert (answer.body, answer.ending) == (EVENT + EVENT, "tidy")
    assert (line["stream"], line["outcome"], line["finish_reason"]) == (True, "ok", "STOP")


async def test_a_stream_that_is_a_list_comes_as_it_is(tmp_path):
    """Without `alt=sse` the chunks are elements of one document, which comes bit by bit."""
    first = json.dumps({"candidates": [{"content": {"parts": [{"text": "A"}]}}]}).encode()
    pieces = (b"[" + first, b",\r\n" + ANSWER, b"]")
    script = [Say(stream_head(("content-type", "application/json; charset=UTF-8")))]
    script += [Say(chunk(piece)) for piece in pieces]
    async with scene_of(
        tmp_path, *script, Say(LAST_CHUNK), models=MODELS, overrides=settings()
    ) as scene:
        answer = await scene.ask(bare(STREAM))
        line = await scene.line()

    assert (answer.body, answer.ending) == (b"".join(pieces), "tidy")
    assert (line["stream"], line["outcome"]) == (True, "ok")
    assert (line["finish_reason"], line["output_tokens"]) == ("STOP", 1)


async def test_a_list_that_the_vendor_cut_is_cut_and_gets_no_event(tmp_path):
    head = Say(stream_head(("content-type", "application/json; charset=UTF-8")))
    script = (head, Say(chunk(b"[" + ANSWER)), Cut())
    async with scene_of(tmp_path, *script, models=MODELS, overrides=settings()) as scene:
        answer = await scene.ask(bare(STREAM))

    assert answer.body == b"[" + ANSWER
    assert answer.ending in ("cut", "reset")


async def test_a_fallback_changes_the_path_only(tmp_path):
    routing = '[routing]\nattempts = 2\n[[routing.fallback]]\nvendor = "other"\nid = "gemini-2"\n'
    files = {**FILES, "version.toml": FILES["version.toml"] + routing}
    async with ScriptedVendor(Say(whole(ANSWER))) as vendor:
        entries = {"gemini": {"dialects": ["gemini.generate"], "base_url": "http://127.0.0.1:1"}}
        entries["other"] = {"dialects": ["gemini.generate"]}
        async with (
            running_proxy(
                tmp_path, vendor.url, {"recommender": files}, {"vendors": entries}
            ) as proxy,
            raw_app(proxy.address) as app,
        ):
            await app.send(bare(PATH))
            answer = await app.answer()
        (received,) = vendor.requests

    assert answer.header("x-proxy-upstream") == "other/gemini-2;attempt=2"
    assert received.line.split(" ")[1] == "/v1beta/models/gemini-2:generateContent"
    assert b"gemini" not in received.body


@pytest.mark.parametrize(
    ("path", "upstream"),
    [
        ("/v1/models/gemini-9:generateContent", "/v1/models/gemini-9:generateContent"),
        ("/v1/tunedModels/abc:generateContent", "/v1/tunedModels/abc:generateContent"),
        ("/v1/models/a%2Fb%3Fc:generateContent", "/v1/models/a/b%3Fc:generateContent"),
    ],
)
async def test_what_is_not_ours_passes_through_where_it_may(tmp_path, path, upstream):
    overrides = {**settings(), "models": {"unmanaged": "passthrough"}}
    answers = Say(whole(ANSWER))
    async with scene_of(tmp_path, answers, models=MODELS, overrides=overrides) as scene:
        answer = await scene.ask(bare(path))
        (received,) = scene.vendor.requests

    assert answer.header("x-proxy-version") == "unversioned"
    assert received.line.split(" ")[1] == upstream
    assert json.loads(received.body) == BODY
