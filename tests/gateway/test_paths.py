"""What is served under which path: exactly what is listed, nothing that looks like it."""

import pytest
import pytest_asyncio

from proxy.dialects.registry import DIALECTS
from tests.http.scene import ANSWER, ASK, BODY, LIST, refused, scene_of
from tests.raw_client import raw_app, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_FOUND = (404, "not_found")
BAD = (400, "bad_framing")

CHAT = "/v1/chat/completions"
PATHS = {
    "/": NOT_FOUND,
    "/v1": NOT_FOUND,
    "/v1/": NOT_FOUND,
    f"{CHAT}/": NOT_FOUND,
    f"/{CHAT}": NOT_FOUND,
    "/v1//chat/completions": NOT_FOUND,
    "/v1/./chat/completions": NOT_FOUND,
    "/v1/x/../chat/completions": NOT_FOUND,
    "/v1/../admin": NOT_FOUND,
    "/v1/%2e%2e%2fadmin": NOT_FOUND,
    "/v1/chat%2Fcompletions": NOT_FOUND,
    "/v1/chat/completion%73": NOT_FOUND,
    "/V1/chat/completions": NOT_FOUND,
    f"{CHAT};a=b": NOT_FOUND,
    "/v1/modelsx": NOT_FOUND,
    "/healthz": NOT_FOUND,
    "/readyz": NOT_FOUND,
    "/metrics": NOT_FOUND,
    "/status": NOT_FOUND,
    "/v1/%ff": NOT_FOUND,
    "/v1/%c0%af": NOT_FOUND,
    f"{CHAT}%00": BAD,
    f"{CHAT}%0d%0aX-Note:%20a": BAD,
    f"{CHAT}%7f": BAD,
    f"{CHAT}%zz": BAD,
    f"{CHAT}%": BAD,
    f"{CHAT}?a=%00": BAD,
    f"{CHAT}?a=%0A": BAD,
    f"{CHAT}#a": BAD,
    f"{CHAT}?a#b": BAD,
    "\\v1\\chat\\completions": BAD,
    "/v1\\chat": BAD,
    "v1/chat/completions": BAD,
    "http://proxy.test/v1/chat/completions": BAD,
    "//evil.test/v1/chat/completions": NOT_FOUND,
    f"{CHAT}\x7f": BAD,
    f"{CHAT}\xe9": BAD,
    "*": BAD,
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(tmp_path_factory):
    async with scene_of(tmp_path_factory.mktemp("paths")) as scene:
        yield scene


async def answer_to(shared, raw, **options):
    async with raw_app(shared.proxy.address) as app:
        await app.send(raw)
        return await app.answer(**options)


@pytest.mark.parametrize("path", PATHS)
async def test_no_other_path_is_served(shared, path):
    answer = await answer_to(shared, request(BODY, path=path))

    assert refused(answer) == PATHS[path]
    assert answer.header("x-should-retry") == "false"


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/models"])
async def test_path_without_its_prefix_is_refused_with_a_hint(shared, path):
    answer = await answer_to(shared, request(BODY, path=path))

    assert refused(answer) == NOT_FOUND
    assert "base_url must end in /v1" in answer.json["error"]["message"]


@pytest.mark.parametrize("path", ["/v1/v1/messages", "/v1/v1/messages/count_tokens"])
async def test_path_with_its_prefix_twice_is_refused_with_a_hint(shared, path):
    version = ("anthropic-version", "2023-06-01")

    answer = await answer_to(shared, request(BODY, path=path, headers=[version]))

    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")
    assert "base_url must not end in /v1" in answer.json["error"]["message"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/v1/v1/chat/completions", "without it"),
        ("/v1/openai/v1/chat/completions", "without it"),
        ("/v1/chat/completions/", "a slash too many"),
        ("/v1//chat/completions", "a slash too many"),
        ("//v1/messages", "a slash too many"),
        ("/v1beta/models/recommender:generateContnt", "no call of that name"),
    ],
)
async def test_a_path_that_is_nearly_right_is_refused_with_a_hint(shared, path, told):
    answer = await answer_to(shared, request(BODY, path=path))

    assert (answer.status, answer.header("x-proxy-error")) == (404, "not_found")
    assert told in answer.json["error"]["message"]


POSTED = [one.path for dialect in DIALECTS.values() for one in (dialect, *dialect.others)]
WRONG = [
    *((method, path, "POST") for path in POSTED for method in ("GET", "PUT", "PATCH", "DELETE")),
    *((method, CHAT, "POST") for method in ("OPTIONS", "TRACE")),
    *((method, "/v1/models", "GET") for method in ("POST", "PUT", "DELETE", "OPTIONS")),
    ("POST", "/v1/models/recommender", "GET"),
    ("TRACE", "/nothing", "GET, POST"),
]


@pytest.mark.parametrize(("method", "path", "allowed"), WRONG)
async def test_other_methods_are_told_which_are_allowed(shared, method, path, allowed):
    answer = await answer_to(shared, request(BODY, path=path, method=method))

    assert (answer.status, answer.header("x-proxy-error")) == (405, "method_not_allowed")
    assert answer.header("allow") == allowed


@pytest.mark.parametrize("path", [CHAT, "/v1/models"])
async def test_answer_to_head_has_no_body(shared, path):
    async with raw_app(shared.proxy.address) as app:
        await app.send(f"HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        answer = await app.answer(to_head=True)

        assert (answer.status, answer.header("x-proxy-error")) == (405, "method_not_allowed")
        assert await app.closed() == "cut"


async def test_query_goes_to_the_vendor_as_it_is(shared):
    before = len(shared.vendor.requests)
    path = f"{CHAT}?api-version=2024-10-21&a=%20b&a=%ff"

    answer = await answer_to(shared, request(BODY, path=path))

    assert answer.status == 200
    assert shared.vendor.requests[before].line == f"POST {path} HTTP/1.1"


@pytest.mark.parametrize("query", ["api_base", "base_url", "api_key", "url", "vendor"])
async def test_query_does_not_choose_where_a_request_goes(shared, query):
    before = len(shared.vendor.requests)

    await answer_to(shared, request(BODY, path=f"{CHAT}?{query}=http://127.0.0.1:1/"))

    assert shared.vendor.url.endswith(shared.vendor.requests[before].header("host"))


@pytest.mark.parametrize("name", ["Host", "X-Forwarded-Host", "X-Original-URL", "X-Upstream"])
async def test_no_header_chooses_where_a_request_goes(shared, name):
    before = len(shared.vendor.requests)
    raw = ASK.replace(b"Host: proxy.test", b"Host: evil.test")

    await answer_to(shared, raw if name == "Host" else request(BODY, headers=[(name, "evil.test")]))

    assert shared.vendor.url.endswith(shared.vendor.requests[before].header("host"))


async def test_base_url_may_have_a_path(tmp_path):
    async with scene_of(tmp_path) as first:
        vendors = {"vendors": {"openai": {"base_url": f"{first.vendor.url}/gateway/openai"}}}
        (tmp_path / "second").mkdir()
        async with scene_of(tmp_path / "second", overrides=vendors) as second:
            assert (await second.ask()).body == ANSWER

        assert first.vendor.requests[0].line == f"POST /gateway/openai{CHAT} HTTP/1.1"


async def test_models_are_listed_beside_everything_else(shared):
    assert (await answer_to(shared, LIST)).json["object"] == "list"
