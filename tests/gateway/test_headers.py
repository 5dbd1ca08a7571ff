"""Which headers cross the proxy, in each direction: those on the list, and no others."""

import pytest

from proxy.dialects.anthropic_messages import AnthropicMessages
from proxy.dialects.openai_chat import OpenAIChat
from proxy.gateway import headers
from tests.harness import CANARY
from tests.http.scene import ANSWER, ASK_STREAM, BODY, STREAMS, refused
from tests.raw_client import request
from tests.vendor_script import Say, head, whole

PASSED = [
    ("Accept", "text/event-stream"),
    ("User-Agent", "OpenAI/Python 1.2.3"),
    ("Idempotency-Key", "stainless-python-retry-1"),
    ("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("Tracestate", "a=b"),
    ("X-Client-Request-Id", "abc"),
    ("OpenAI-Beta", "assistants=v2"),
    ("X-Stainless-Retry-Count", "1"),
    ("X-Stainless-Arch", "x64"),
]
HELD = [
    ("X-Api-Key", "sk-app-0000"),
    ("Api-Key", "sk-app-0000"),
    ("X-Goog-Api-Key", "sk-app-0000"),
    ("Proxy-Authorization", "Basic sk-app-0000"),
    ("OpenAI-Organization", "org-app"),
    ("OpenAI-Project", "proj-app"),
    ("Cookie", "session=sk-app-0000"),
    ("X-Forwarded-For", "203.0.113.7"),
    ("X-Forwarded-Host", "evil.test"),
    ("Forwarded", "for=203.0.113.7"),
    ("X-Real-Ip", "203.0.113.7"),
    ("Referer", "http://intranet.test/"),
    ("Origin", "http://intranet.test"),
    ("Via", "1.1 a"),
    ("Te", "trailers"),
    ("Trailer", "x-note"),
    ("Keep-Alive", "timeout=5"),
    ("Proxy-Connection", "keep-alive"),
    ("Accept-Encoding", "gzip, br"),
    ("Content-Encoding", "identity"),
    ("Range", "bytes=0-1"),
    ("X-Request-Id", "abc"),
    ("X-Proxy-Version", "recommender-v1-abcdef"),
    ("X_Api_Key", "sk-app-0000"),
    ("X-Note", "a"),
]


async def test_headers_of_the_app_that_are_listed_go_to_the_vendor(scene):
    await scene.ask(request(BODY, headers=PASSED))

    sent = scene.vendor.requests[0]
    assert [(name, sent.header(name.lower())) for name, _ in PASSED] == PASSED


async def test_no_other_header_of_the_app_goes_to_the_vendor(scene):
    await scene.ask(request(BODY, headers=[*PASSED, *HELD]))

    sent = scene.vendor.requests[0]
    ours = {"host", "authorization", "content-type", "accept-encoding", "content-length"}
    assert {name for name, _ in sent.headers} == ours | {name.lower() for name, _ in PASSED}
    assert b"sk-app-0000" not in sent.head
    assert sent.header("authorization") == f"Bearer {CANARY}"
    assert sent.header("accept-encoding") == "identity"


@pytest.mark.parametrize("name", ["accept", "X-Stainless-Lang", "Host", "Authorization"])
async def test_connection_header_takes_nothing_away(scene, name):
    """RFC 9110 7.6.1 lets a sender name what belongs to a hop; here that is no way to hide it."""
    await scene.ask(
        request(BODY, headers=[("Connection", name), ("Accept", "a/b"), ("X-Stainless-Lang", "c")])
    )

    sent = scene.vendor.requests[0]
    assert (sent.header("accept"), sent.header("x-stainless-lang")) == ("a/b", "c")
    assert sent.header("authorization") == f"Bearer {CANARY}"


async def test_length_sent_to_the_vendor_is_that_of_what_is_sent(scene):
    await scene.ask()

    sent = scene.vendor.requests[0]
    assert sent.header("content-length") == str(len(sent.body))
    assert sent.header("transfer-encoding") is None


RETURNED = [
    ("x-request-id", "req_vendor"),
    ("openai-processing-ms", "7"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-remaining-requests", "9"),
    ("retry-after", "3"),
    ("retry-after-ms", "3000"),
    ("x-should-retry", "true"),
    ("date", "Mon, 23 Nov 2026 14:18:00 GMT"),
    ("cf-ray", "8f1"),
    ("x-ms-region", "West"),
]
KEPT_BACK = [
    ("set-cookie", "__cf_bm=1"),
    ("server", "cloudflare"),
    ("location", "http://127.0.0.1:1/"),
    ("alt-svc", 'h3=":443"'),
    ("strict-transport-security", "max-age=1"),
    ("via", "1.1 vendor"),
    ("keep-alive", "timeout=5"),
    ("trailer", "x-note"),
    ("access-control-allow-origin", "*"),
    ("www-authenticate", "Bearer"),
    ("x-proxy-version", "evil-v1-abcdef"),
    ("x-proxy-digest", "sha256:0"),
    ("x-proxy-request-id", "evil"),
    ("x-proxy-upstream", "evil"),
    ("x-proxy-error", "evil"),
    ("x-proxy-dropped", "evil"),
    ("x-powered-by", "a"),
]


@pytest.mark.vendor(Say(whole(ANSWER, *RETURNED, *KEPT_BACK)))
async def test_headers_of_the_vendor_that_are_listed_go_to_the_app(scene):
    answer = await scene.ask()

    assert [(name, answer.header(name)) for name, _ in RETURNED] == RETURNED


@pytest.mark.vendor(Say(whole(ANSWER, *RETURNED, *KEPT_BACK)))
async def test_no_other_header_of_the_vendor_goes_to_the_app(scene):
    answer = await scene.ask()

    ours = {"x-proxy-version", "x-proxy-digest", "x-proxy-request-id", "x-proxy-upstream"}
    assert {name for name, _ in answer.headers} == {
        *ours,
        *(name for name, _ in RETURNED),
        "content-type",
        "content-length",
    }
    assert "evil" not in repr(answer.headers)


@pytest.mark.vendor(Say(whole(ANSWER, ("x-request-id", "a"), ("x-request-id", "b"))))
async def test_header_that_the_vendor_repeats_is_repeated(scene):
    answer = await scene.ask()

    assert [value for name, value in answer.headers if name == "x-request-id"] == ["a", "b"]


GZIP = b"\x1f\x8b\x08\x00not really"


@pytest.mark.parametrize("offered", ["gzip", "GZIP", "br, gzip;q=0.5, *;q=0"])
@pytest.mark.vendor(Say(whole(GZIP, ("content-encoding", "gzip"))))
async def test_compressed_answer_that_the_app_offered_to_read_is_passed_on_as_it_is(scene, offered):
    answer = await scene.ask(request(BODY, headers=[("Accept-Encoding", offered)]))

    assert (answer.status, answer.body) == (200, GZIP)
    assert answer.header("content-encoding") == "gzip"


@pytest.mark.parametrize("offered", ["identity", "br", "gzipped", "", "x-gzip, deflate"])
@pytest.mark.vendor(Say(whole(GZIP, ("content-encoding", "gzip"))))
async def test_compressed_answer_that_the_app_cannot_read_is_a_protocol_error(scene, offered):
    answer = await scene.ask(request(BODY, headers=[("Accept-Encoding", offered)]))

    assert refused(answer) == (502, "upstream_protocol")
    assert answer.header("content-encoding") is None


@pytest.mark.vendor(Say(whole(ANSWER, ("content-encoding", "identity"))))
async def test_identity_is_no_compression(scene):
    assert (await scene.ask()).body == ANSWER


IDS = ["a", "0", "req_1", "A.b-c_9", "x" * 64]
BAD_IDS = ["", "a b", "x" * 65, "a\u00e9", "a/b", 'a"b', "a\tb", "{a}", "a,b"]


@pytest.mark.parametrize("given", IDS)
async def test_request_id_of_the_app_is_kept(scene, given):
    answer = await scene.ask(request(BODY, headers=[("X-Request-Id", given)]))

    assert answer.header("x-proxy-request-id") == given
    assert (await scene.line())["request_id"] == given


@pytest.mark.parametrize("given", BAD_IDS)
async def test_request_id_that_is_not_well_formed_is_replaced(scene, given):
    answer = await scene.ask(request(BODY, headers=[("X-Request-Id", given)]))

    assert answer.header("x-proxy-request-id").startswith("req_")
    assert (await scene.line())["request_id"] == answer.header("x-proxy-request-id")


@pytest.mark.parametrize(
    "raw",
    [
        request(BODY, path="/nothing", headers=[("X-Request-Id", "given-1")]),
        request("{", headers=[("X-Request-Id", "given-1")]),
        request("", path="/v1/models", method="GET", headers=[("X-Request-Id", "given-1")]),
        request(BODY, headers=[("X-Request-Id", "given-1"), ("Upgrade", "h2c")]),
    ],
    ids=["path", "body", "models", "framing"],
)
async def test_request_id_of_the_app_is_kept_whatever_is_answered(scene, raw):
    answer = await scene.ask(raw)

    assert answer.header("x-proxy-request-id") == "given-1"
    assert (await scene.line())["request_id"] == "given-1"


async def test_request_ids_of_the_proxy_are_all_different(scene):
    answers = [await scene.ask() for _ in range(20)]

    assert len({answer.header("x-proxy-request-id") for answer in answers}) == 20


@pytest.mark.vendor(*STREAMS)
async def test_stream_carries_its_headers(scene):
    answer = await scene.ask(ASK_STREAM)

    assert answer.header("content-type") == "text/event-stream; charset=utf-8"
    assert answer.header("x-proxy-version") == scene.proxy.version("recommender", 1).id


@pytest.mark.vendor(Say(head(200, ("content-type", "a/b"), ("content-length", "0"))))
async def test_answer_without_a_byte_is_an_answer(scene):
    answer = await scene.ask()

    assert (answer.status, answer.body) == (200, b"")


# Pure.

CROSSINGS = headers.Crossings()


def test_what_is_remembered_of_names_is_bounded_and_changes_nothing():
    crossing = headers.Crossing({b"kept"}, (b"x-",))
    many = [
        (b"%b%d" % (begin, n), b"v") for n in range(headers.MOST_NAMES) for begin in (b"x-", b"y")
    ]
    long = [(b"x-" + b"a" * headers.MOST_NAME_BYTES, b"v")]
    given = [(b"kept", b"1"), *long, *many, (b"kept", b"2"), (b"other", b"3")]
    expected = [b"%b: %b" % one for one in given if one[0] == b"kept" or one[0].startswith(b"x-")]

    assert crossing.lines(given) == expected
    assert crossing.lines(given) == expected
    assert len(crossing._begins) == headers.MOST_NAMES


def test_head_for_a_vendor_is_built_from_nothing_that_was_not_looked_at():
    lines = headers.upstream_head(
        b"/v1/x",
        b"vendor.test",
        [(b"accept", b"a"), (b"cookie", b"b")],
        OpenAIChat(),
        b"key: c\r\n",
        7,
        CROSSINGS,
    )

    assert lines == (
        b"POST /v1/x HTTP/1.1\r\nhost: vendor.test\r\nkey: c\r\naccept: a\r\n"
        b"content-type: application/json\r\naccept-encoding: identity\r\ncontent-length: 7\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("coding", "offered", "expected"),
    [
        (b"gzip", b"gzip", True),
        (b" GZIP ", b"br , gzip ; q=1", True),
        (b"gzip", b"", False),
        (b"gzip", b"xgzip", False),
        (b"gzip, br", b"gzip, br", False),
    ],
)
def test_coding_is_offered_by_its_whole_name(coding, offered, expected):
    assert headers.is_offered(coding, offered) is expected


def sent_head(dialect, *fields, credential=b"key: c\r\n"):
    return headers.upstream_head(
        b"/v1/x", b"vendor.test", list(fields), dialect, credential, 0, CROSSINGS
    )


def test_what_a_vendor_must_have_is_added_where_the_app_sent_none():
    assert b"anthropic-version: 2023-06-01\r\n" in sent_head(AnthropicMessages())
    own = sent_head(AnthropicMessages(), (b"anthropic-version", b"2026-10-21"))
    assert own.count(b"anthropic-version") == 1
    assert b"anthropic-version: 2026-10-21\r\n" in own
    assert b"anthropic" not in sent_head(OpenAIChat(), (b"anthropic-version", b"2026-10-21"))


KEYS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")


@pytest.mark.parametrize("name", [*KEYS, b"anthropic-workspace-id"])
@pytest.mark.parametrize("dialect", [OpenAIChat(), AnthropicMessages()], ids=lambda one: one.name)
def test_the_apps_own_key_passes_where_the_operator_has_none(dialect, name):
    assert b"%b: mine\r\n" % name in sent_head(dialect, (name, b"mine"), credential=None)
    assert b"mine" not in sent_head(dialect, (name, b"mine"))


@pytest.mark.parametrize(
    ("sent", "out"),
    [
        ([], b"a,b"),
        ([b"c"], b"c,a,b"),
        ([b" b , c,"], b"b,c,a"),
        ([b"c", b"d"], b"c,d,a,b"),
        ([b""], b"a,b"),
    ],
)
def test_a_versions_list_is_added_to_the_apps(sent, out):
    given = [(b"accept", b"x"), *((b"anthropic-beta", value) for value in sent)]

    merged = headers.with_lists(given, ((b"anthropic-beta", b"a,b"),))

    assert merged == [(b"accept", b"x"), (b"anthropic-beta", out)]


def test_without_a_list_of_the_versions_headers_stay_as_they_are():
    given = [(b"anthropic-beta", b"b"), (b"anthropic-beta", b"a")]

    assert headers.with_lists(given, ()) is given
