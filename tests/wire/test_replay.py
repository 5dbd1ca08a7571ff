"""Recorded exchanges through the proxy: what the vendor is sent, and what the app gets back.

Two versions: a thin one that sets nothing but the vendor's model and keeps the app's system prompt,
and a full one that sets all it can. The vendor is a raw socket that says the recorded bytes.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proxy.dialects.registry import DIALECTS
from tests.harness import Proxy, running_proxy
from tests.raw_client import RawAnswer, raw_app
from tests.vendor_script import LAST_CHUNK, Received, Say, ScriptedVendor, Step, chunk, stream_head
from tests.wire import injection, injection_anthropic, injection_gemini
from tests.wire.injection import differences
from tests.wire.recordings import Recording, recording, recordings

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = list(recordings())

# Read by SDKs, so they must come back as the vendor wrote them.
KEPT = (
    *("content-type", "x-request-id", "request-id", "retry-after", "retry-after-ms"),
    "x-should-retry",
)
KEPT_PREFIXES = ("x-ratelimit-", "openai-", "anthropic-", "x-gemini-")

# Spoken by apps of some dialects only, and for the vendor to read.
PASSED_ON = (
    *("anthropic-version", "x-stainless-helper", "x-stainless-retry-count", "openai-beta"),
    "x-goog-api-client",
)

# About the vendor's host or connection, which the app does not talk to.
NOT_KEPT = {"strict-transport-security", "alt-svc", "set-cookie", "server", "via"}

# What the recorded apps call the model.
ALIASES = (
    *("recommender", "o3-recommender", "gpt-5-recommender"),
    *("recommender-embed", "gemini-embedding-001"),
)
DEPLOYMENTS = ("rec-dep", "rec-embed", "nope")

# The recorded stored prompt, the model that replaces it, and the version that was asked for.
PROMPT = "pmpt_68f0000000000000000000000000000000000000000000"
PROMPT_MODEL, PROMPT_VERSION = "order-answers", 2
PROMPT_VARIABLE = "[variables.order]\nrequired = true\n"

VERSIONS = {
    "openai-thin": (injection.THIN_FILES, injection.thin),
    "openai-full": (injection.FULL_FILES, injection.full),
    "anthropic-thin": (injection_anthropic.THIN_FILES, injection_anthropic.thin),
    "anthropic-full": (injection_anthropic.FULL_FILES, injection_anthropic.full),
    "gemini-thin": (injection_gemini.THIN_FILES, injection_gemini.thin),
    "gemini-full": (injection_gemini.FULL_FILES, injection_gemini.full),
}
VENDORS = {
    "openai": {"dialects": [name for name in DIALECTS if name.startswith("openai.")]},
    "anthropic": {"dialects": ["anthropic.messages"]},
    "gemini": {"dialects": ["gemini.generate"]},
}

# The proxy answers these itself: the vendor refused the proxy's own key, or pointed elsewhere.
INSTEAD = {401: "upstream_auth", 403: "upstream_auth", 307: "upstream_protocol"}

# Recorded of apps that ask for what nobody registered, or for what is not served, and the code of
# the proxy's own answer.
UNKNOWN = {
    "gemini-generate-model-with-at": "unknown_version",
    "gemini-generate-model-with-slash": "unknown_model",
    "gemini-generate-tuned-model": "unknown_model",
    "gemini-caches-create": "not_found",
    "gemini-interactions-create": "not_found",
    "gemini-interactions-previous": "not_found",
    "gemini-interactions-stream": "not_found",
}
# What is cached at the vendor has a system prompt of its own.
OVERRIDDEN = {"gemini-full": {"gemini-cached-content": "override_rejected"}}
LISTS = [found for found in ALL if found.method == "GET" and "/models" in found.path]
# About what a vendor keeps, by an id: no version has a say in them.
KEPT_THERE = [found for found in ALL if "/responses/resp_" in found.path]

COMPRESSED = recording("http-request-body-gzip")
UNSERVED = {COMPRESSED.name, *UNKNOWN, *(found.name for found in (*LISTS, *KEPT_THERE))}
SERVED = [found for found in ALL if found.name not in UNSERVED]
PASSED = [found for found in SERVED if found.status not in INSTEAD]
REPLACED = [found for found in SERVED if found.status in INSTEAD]
WHOLE = [found for found in PASSED if not found.aborted]
ABORTED = [found for found in PASSED if found.aborted]


def of_each_kind(test):
    """Run the test once for each version of each family."""
    return pytest.mark.parametrize("stage", VERSIONS, indirect=True)(test)


@dataclass(frozen=True, slots=True)
class Replayed:
    """One recording, what the vendor received and what the app was answered."""

    found: Recording
    received: Received
    answer: RawAnswer


@dataclass
class Stage:
    """One proxy and one vendor for all recordings; each is replayed once."""

    kind: str
    proxy: Proxy
    vendor: ScriptedVendor
    _done: dict[str, Replayed] = field(default_factory=dict)

    async def replay(self, those: list[Recording]) -> list[Replayed]:
        """Replay those of this stage's family that were not yet; return what came of each."""
        refused = OVERRIDDEN.get(self.kind, {})
        mine = [
            found
            for found in those
            if self.kind.startswith(found.family) and found.name not in refused
        ]
        for found in mine:
            if found.name not in self._done:
                self._done[found.name] = await self._replayed(found)
        assert mine
        return [self._done[found.name] for found in mine]

    async def _replayed(self, found: Recording) -> Replayed:
        try:
            return Replayed(found, *await self.play(found, found.script()))
        except Exception as error:
            error.add_note(f"while {found.name} was replayed")
            raise

    async def play(self, found: Recording, script: list[Step]) -> tuple[Received, RawAnswer]:
        before = len(self.vendor.requests)
        self.vendor.forget()
        self.vendor.play(*script)
        async with raw_app(self.proxy.address) as app:
            await app.send(found.request())
            answer = await app.answer()
        (received,) = self.vendor.requests[before:]
        return received, answer


@asynccontextmanager
async def staged(kind: str, directory: Path) -> AsyncIterator[Stage]:
    files, _ = VERSIONS[kind]
    async with ScriptedVendor() as vendor:
        vendors = {name: {"base_url": vendor.url, **entry} for name, entry in VENDORS.items()}
        overrides = {"models": {"prompts": {PROMPT: PROMPT_MODEL}}, "vendors": vendors}
        models = dict.fromkeys((*ALIASES, *DEPLOYMENTS, PROMPT_MODEL), files)
        async with running_proxy(directory, vendor.url, models, overrides) as proxy:
            with_variable = {"version.toml": files["version.toml"] + PROMPT_VARIABLE}
            await proxy.register(PROMPT_MODEL, {**files, **with_variable})
            yield Stage(kind, proxy, vendor)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(tmp_path_factory):
    """Give each kind its stage when it is first asked for."""
    opened: dict[str, Stage] = {}
    async with AsyncExitStack() as stack:

        async def open_stage(kind: str) -> Stage:
            if kind not in opened:
                directory = tmp_path_factory.mktemp(kind)
                opened[kind] = await stack.enter_async_context(staged(kind, directory))
            return opened[kind]

        yield open_stage


@pytest_asyncio.fixture(loop_scope="module")
async def stage(request, stages):
    return await stages(request.param)


@of_each_kind
async def test_vendor_is_sent_what_the_app_sent_but_for_what_is_injected(stage):
    _, rules = VERSIONS[stage.kind]

    replayed = await stage.replay(SERVED)

    wrong = {}
    for one in replayed:
        expected = rules(one.found.call, one.found.body.decode())
        wrong[one.found.name] = differences(expected, one.received.body.decode())
    assert {name: what for name, what in wrong.items() if what} == {}


@of_each_kind
async def test_vendor_is_called_under_its_own_path_with_its_own_key(stage):
    key = stage.proxy.vendor_key
    keys = {
        "openai": [f"Bearer {key}", None, None],
        "anthropic": [None, key, None],
        "gemini": [None, None, key],
    }
    host = stage.vendor.url.removeprefix("http://")

    replayed = await stage.replay(SERVED)

    named = ("authorization", "x-api-key", "x-goog-api-key", "host")
    assert {
        one.found.name: (
            one.received.line.split("?")[0].split(" ")[:2],
            [one.received.header(name) for name in named],
        )
        for one in replayed
    } == {
        one.found.name: (["POST", path_of(one.found)], [*keys[one.found.family], host])
        for one in replayed
    }


def path_of(found):
    """Return the path at the vendor: where the app has a model in it, the vendor's stands there."""
    if found.family != "gemini":
        return found.call
    named = f"models/{injection_gemini.VENDOR_MODEL}:"
    return found.path.replace(f"models/{found.model}:", named)


@of_each_kind
async def test_vendor_is_told_what_the_app_speaks(stage):
    own = [injection_anthropic.BETA] if stage.kind == "anthropic-full" else []

    replayed = await stage.replay(SERVED)

    assert {
        one.found.name: [one.received.header(name) for name in (*PASSED_ON, "anthropic-beta")]
        for one in replayed
    } == {
        one.found.name: [
            *(one.found.header(name) for name in PASSED_ON),
            ",".join(filter(None, [one.found.header("anthropic-beta"), *own])) or None,
        ]
        for one in replayed
    }


@of_each_kind
async def test_answer_is_the_vendors_byte_for_byte(stage):
    replayed = await stage.replay(WHOLE)

    assert {
        one.found.name: (one.answer.status, one.answer.body, one.answer.ending) for one in replayed
    } == {one.found.name: (one.found.status, one.found.answer, "tidy") for one in replayed}


@of_each_kind
async def test_headers_that_sdks_read_come_back(stage):
    replayed = await stage.replay(PASSED)

    wanted = {
        one.found.name: [
            (name.lower(), value)
            for name, value in one.found.answer_headers
            if name.lower() in KEPT or name.lower().startswith(KEPT_PREFIXES)
        ]
        for one in replayed
    }
    came = {one.found.name: one.answer.headers for one in replayed}
    missing = {name: [p for p in pairs if p not in came[name]] for name, pairs in wanted.items()}
    stray = {name: NOT_KEPT & {known for known, _ in headers} for name, headers in came.items()}
    assert {name: pairs for name, pairs in missing.items() if pairs} == {}
    assert {name: names for name, names in stray.items() if names} == {}


@of_each_kind
async def test_answer_is_stamped(stage):
    def version_of(found):
        model, number = (found.model, 1) if found.model else (PROMPT_MODEL, PROMPT_VERSION)
        return stage.proxy.version(model, number)

    replayed = await stage.replay(SERVED)

    stamps = ("x-proxy-version", "x-proxy-digest")
    assert {one.found.name: [one.answer.header(name) for name in stamps] for one in replayed} == {
        one.found.name: [version_of(one.found).id, version_of(one.found).digest] for one in replayed
    }
    assert all(one.answer.header("x-proxy-request-id") for one in replayed)


@of_each_kind
async def test_answer_that_the_vendor_cut_is_cut_for_the_app(stage):
    replayed = await stage.replay(ABORTED)

    assert {
        one.found.name
        for one in replayed
        if one.answer.ending == "tidy"
        or not one.answer.body.startswith(one.found.answer)
        or b"[DONE]" in one.answer.body
    } == set()


def told_code(found, answer):
    """Return our code, where SDKs of the family look for one."""
    error = answer.json["error"]
    if found.family == "gemini":
        return error["details"][0]["reason"]
    return error["details"]["error_code"] if found.family == "anthropic" else error["code"]


async def answered_alone(stage, found):
    """Return the proxy's own answer; the vendor must not have been called."""
    before = len(stage.vendor.requests)
    async with raw_app(stage.proxy.address) as app:
        await app.send(found.request())
        answer = await app.answer()
    assert len(stage.vendor.requests) == before
    return answer


@pytest.mark.parametrize("stage", ["gemini-thin", "gemini-full"], indirect=True)
async def test_what_is_not_there_is_answered_in_the_shape_that_the_sdk_reads(stage):
    wanted = {**UNKNOWN, **OVERRIDDEN.get(stage.kind, {})}

    answers = {name: await answered_alone(stage, recording(name)) for name in wanted}

    assert {name: told_code(recording(name), one) for name, one in answers.items()} == wanted
    assert {one.status for one in answers.values()} <= {400, 404}


@pytest.mark.parametrize("stage", ["openai-full"], indirect=True)
@pytest.mark.parametrize("found", KEPT_THERE, ids=lambda one: one.name)
async def test_what_a_vendor_keeps_is_asked_for_and_answered_as_it_is(stage, found):
    received, answer = await stage.play(found, found.script())

    query = f"?{found.query}" if found.query else ""
    assert received.line == f"{found.method} {found.path}{query} HTTP/1.1"
    assert received.body == found.body
    assert received.header("authorization") == f"Bearer {stage.proxy.vendor_key}"
    assert (answer.status, answer.body, answer.ending) == (found.status, found.answer, "tidy")
    assert answer.header("x-proxy-version") == "unversioned"


OPENAI_LISTS = [found for found in LISTS if found.family == "openai"]


@pytest.mark.parametrize("stage", ["openai-thin"], indirect=True)
@pytest.mark.parametrize("found", OPENAI_LISTS, ids=lambda one: one.name)
async def test_lists_of_models_for_openais_apps_are_the_proxys_own(stage, found):
    answer = await answered_alone(stage, found)

    rows = {row["id"]: row["version"] for row in answer.json.get("data", [answer.json])}
    assert rows["recommender"] == stage.proxy.version("recommender", 1).id
    every = {*ALIASES, *DEPLOYMENTS, PROMPT_MODEL}
    assert rows.keys() == (every if found.path.endswith("/models") else {"recommender"})


GOOGLES_LISTS = [found for found in LISTS if found.family == "gemini"]


@pytest.mark.parametrize("stage", ["gemini-thin"], indirect=True)
@pytest.mark.parametrize("found", GOOGLES_LISTS, ids=lambda one: one.name)
async def test_lists_of_models_are_the_proxys_own(stage, found):
    answer = await answered_alone(stage, found)

    version = stage.proxy.version("recommender", 1).id
    rows = answer.json.get("models", [answer.json])
    assert {row["name"]: row["version"] for row in rows}["models/recommender"] == version
    every = len((*ALIASES, *DEPLOYMENTS, PROMPT_MODEL))
    assert len(rows) == (every if found.path == "/v1/models" else 1)


@of_each_kind
async def test_vendors_refusal_of_the_proxy_itself_is_not_passed_on(stage):
    replayed = await stage.replay(REPLACED)

    assert {
        one.found.name: (
            one.answer.status,
            one.answer.header("x-proxy-error"),
            told_code(one.found, one.answer),
        )
        for one in replayed
    } == {
        one.found.name: (502, INSTEAD[one.found.status], INSTEAD[one.found.status])
        for one in replayed
    }


@pytest.mark.parametrize("stage", ["openai-thin", "openai-full"], indirect=True)
async def test_compressed_request_is_refused_before_the_vendor_is_called(stage):
    assert (await answered_alone(stage, COMPRESSED)).status == 400


TORN = {
    "openai-thin": recording("openai-chat-stream-split-utf8"),
    "anthropic-full": recording("anthropic-stream-crlf-split"),
    "gemini-full": recording("gemini-stream-split"),
}


@pytest.mark.parametrize("stage", TORN, indirect=True)
@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(shares=st.lists(st.floats(0, 1), max_size=12))
async def test_stream_does_not_depend_on_how_it_was_cut(stage, shares):
    torn = TORN[stage.kind]
    cuts = {int(share * len(torn.answer)) for share in shares}
    edges = [0, *sorted(cuts), len(torn.answer)]
    pieces = [torn.answer[a:b] for a, b in pairwise(edges) if a < b]
    script = [Say(stream_head()), *(Say(chunk(piece)) for piece in pieces), Say(LAST_CHUNK)]

    _, answer = await stage.play(torn, script)

    assert (answer.body, answer.ending) == (torn.answer, "tidy")
