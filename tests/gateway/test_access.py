"""Apps with tokens: who may call, and what each may ask for."""

import hashlib

import pytest
import pytest_asyncio

from tests.e2e.models import HATS, JACKETS
from tests.harness import CANARY, KEY_VARIABLE
from tests.http.scene import ANSWER, BODY, LIST, refused, scene_of
from tests.raw_client import raw_app, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

WEB, STAFF, ALL = "tok-web-0001", "tok-staff-0002", "tok-all-0003"


def app(token, **granted):
    return {"token_sha256": hashlib.sha256(token.encode()).hexdigest(), **granted}


APPS = {
    "apps": {
        "web": app(WEB, models=["recommender"]),
        "staff": app(STAFF, models=["recommender"], labels=["prod", "staging"]),
        "all": app(ALL, labels=["prod", "staging"], explicit_versions=True),
    }
}

UNAUTHORIZED = (401, "unauthorized")
FORBIDDEN = (403, "forbidden")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    models = {"recommender": JACKETS, "ranker": JACKETS}
    async with scene_of(tmp_path_factory.mktemp("access"), overrides=APPS, models=models) as scene:
        await scene.proxy.register("recommender", HATS)
        await scene.proxy.pin("recommender", 2, "staging")
        yield scene


def asking(model="recommender", *, token=None, headers=()):
    given = [("Authorization", f"Bearer {token}")] if token is not None else []
    raw = request({**BODY, "model": model}, headers=[*given, *headers])
    return raw.replace(b"Authorization: Bearer sk-app-0000\r\n", b"", 1)


async def answer_to(shared, raw):
    async with raw_app(shared.proxy.address) as client:
        await client.send(raw)
        return await client.answer()


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", f"Bearer {WEB}")],
        [("Authorization", f"bearer {WEB}")],
        [("Authorization", f"BEARER  {WEB}")],
        [("X-Api-Key", WEB)],
        [("Api-Key", WEB)],
        [("X-Goog-Api-Key", WEB)],
        [("Authorization", "Basic abc"), ("X-Api-Key", WEB)],
    ],
    ids=range(7),
)
async def test_app_with_its_token_is_served(shared, headers):
    answer = await answer_to(shared, asking(headers=headers))

    assert (answer.status, answer.body) == (200, ANSWER)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("Authorization", "")],
        [("Authorization", "Bearer")],
        [("Authorization", "Bearer ")],
        [("Authorization", f"Bearer {WEB}x")],
        [("Authorization", f"Bearer {WEB[:-1]}")],
        [("Authorization", f"Bearer Bearer {WEB}")],
        [("Authorization", f"Basic {WEB}")],
        [("Authorization", WEB)],
        [("Authorization", f"Bearer {WEB.upper()}")],
        [("Authorization", f"Bearer {WEB},{STAFF}")],
        [("Authorization", "Bearer t\xf6k\xe9n")],
        [("Authorization", "Bearer " + "x" * 20_000)],
        [("Authorization", f"Bearer {hashlib.sha256(WEB.encode()).hexdigest()}")],
        [("Authorization", f"Bearer {CANARY}")],
        [("X_Api_Key", WEB)],
        [("Cookie", f"token={WEB}")],
        [("Proxy-Authorization", f"Bearer {WEB}")],
        [("User-Agent", "kube-probe/1.30")],
        [("X-Forwarded-For", "127.0.0.1")],
    ],
    ids=range(20),
)
async def test_app_without_a_known_token_is_refused(shared, headers):
    answer = await answer_to(shared, asking(headers=headers))

    assert refused(answer) == UNAUTHORIZED
    assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize("path", ["/nothing", "/v1/models", "/v1/models/recommender"])
async def test_nothing_is_told_without_a_token(shared, path):
    raw = f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode()

    assert refused(await answer_to(shared, raw)) == UNAUTHORIZED


async def test_token_in_the_query_does_not_count(shared):
    raw = asking().replace(b"completions HTTP", f"completions?api_key={WEB} HTTP".encode())

    assert refused(await answer_to(shared, raw)) == UNAUTHORIZED


async def test_two_credentials_are_ambiguous(shared):
    twice = [("Authorization", f"Bearer {WEB}"), ("Authorization", f"Bearer {WEB}")]

    assert refused(await answer_to(shared, asking(headers=twice))) == (400, "bad_framing")


OK = (200, None)
UNKNOWN = (404, "unknown_model")
NO_VERSION = (404, "unknown_version")
GRANTS = {
    WEB: {
        "recommender": OK,
        "recommender@prod": OK,
        "recommender@staging": FORBIDDEN,
        "recommender@nothing": FORBIDDEN,
        "recommender@v1": FORBIDDEN,
        "recommender@v7": FORBIDDEN,
        "ranker": FORBIDDEN,
        "nobody": FORBIDDEN,
        "gpt-4o": FORBIDDEN,
    },
    STAFF: {
        "recommender": OK,
        "recommender@staging": OK,
        "recommender@v1": FORBIDDEN,
        "ranker@staging": FORBIDDEN,
    },
    ALL: {
        "recommender": OK,
        "ranker": OK,
        "recommender@staging": OK,
        "recommender@v1": OK,
        "recommender@v2": OK,
        "recommender@v7": NO_VERSION,
        "recommender@drill": FORBIDDEN,
        "nobody": UNKNOWN,
    },
}
CASES = [(token, model) for token, models in GRANTS.items() for model in models]


@pytest.mark.parametrize(("token", "model"), CASES)
async def test_app_gets_what_it_was_granted_and_no_more(shared, token, model):
    answer = await answer_to(shared, asking(model, token=token))

    assert (answer.status, answer.header("x-proxy-error")) == GRANTS[token][model]


async def test_full_id_is_an_explicit_version(shared):
    version = shared.proxy.version("recommender", 1).id

    refusal = await answer_to(shared, asking(version, token=STAFF))
    answer = await answer_to(shared, asking(version, token=ALL))

    assert refused(refusal) == FORBIDDEN
    assert (answer.status, answer.header("x-proxy-version")) == (200, version)


@pytest.mark.parametrize(
    ("token", "models"), [(WEB, ["recommender"]), (ALL, ["ranker", "recommender"])]
)
async def test_app_is_listed_what_it_was_granted(shared, token, models):
    raw = LIST.replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode())

    answer = await answer_to(shared, raw)

    assert [row["id"] for row in answer.json["data"]] == models


async def test_model_that_was_not_granted_is_not_described(shared):
    raw = f"GET /v1/models/ranker HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {WEB}\r\n\r\n"

    assert refused(await answer_to(shared, raw.encode())) == UNKNOWN


async def test_token_goes_neither_to_the_vendor_nor_into_the_log(shared):
    before = len(shared.vendor.requests)

    await answer_to(shared, asking(token=WEB, headers=[("X-Api-Key", STAFF)]))

    sent = shared.vendor.requests[before]
    assert sent.header("authorization") == f"Bearer {CANARY}"
    assert WEB.encode() not in sent.head + sent.body
    assert STAFF.encode() not in sent.head + sent.body
    assert b"tok-" not in bytes(shared.proxy.log.written)


async def test_line_of_a_request_names_the_app(shared):
    await answer_to(shared, asking(token=STAFF, headers=[("X-Request-Id", "named-1")]))

    assert (await shared.line_of("named-1"))["app"] == "staff"


async def test_caller_without_apps_is_local(tmp_path):
    async with scene_of(tmp_path) as scene:
        await scene.ask()

        assert (await scene.line())["app"] == "local"


async def test_credential_of_the_app_passes_where_the_operator_has_none(tmp_path):
    vendors = {"vendors": {"openai": {"api_key_env": None}}}
    headers = [("OpenAI-Organization", "org-app"), ("OpenAI-Project", "proj-app")]

    async with scene_of(tmp_path, overrides=vendors) as scene:
        await scene.ask(request(BODY, headers=headers))

        sent = scene.vendor.requests[0]
        assert sent.header("authorization") == "Bearer sk-app-0000"
        assert sent.header("openai-organization") == "org-app"
        assert sent.header("openai-project") == "proj-app"


async def test_key_that_is_not_there_is_the_operators_mistake(tmp_path):
    vendors = {"vendors": {"openai": {"api_key_env": KEY_VARIABLE + "_ABSENT"}}}

    async with scene_of(tmp_path, overrides=vendors) as scene:
        assert refused(await scene.ask()) == (502, "upstream_auth")
        assert scene.vendor.connections == []
