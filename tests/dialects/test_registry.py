"""Every dialect is found by its name, and is whole."""

import json

import pytest

from proxy import settings
from proxy.dialects.base import path_for
from proxy.dialects.registry import DEFAULT, DIALECTS
from proxy.dialects.samples import sample, sample_fields
from proxy.errors import RequestError, UnknownVariable, WrongDialect
from tests.dialects.composing import VENDOR_MODEL, version


def kinds(error):
    """Return an error class and all below it that can be raised."""
    return [error, *(below for direct in error.__subclasses__() for below in kinds(direct))]


def code_of(dialect, body):
    """Return our code, where SDKs of the dialect look for one."""
    error = body["error"]
    if dialect.name == "gemini.generate":
        return error["details"][0]["reason"]
    return error["details"]["error_code"] if dialect.name == "anthropic.messages" else error["code"]


def kind_of(dialect, body):
    """Return the type of an error, for people to read."""
    return body["error"]["status" if dialect.name == "gemini.generate" else "type"]


def request_ids(body):
    """Return where an error may say which request it is about."""
    details = body["error"].get("details", [])
    told = details[0]["metadata"]["request_id"] if isinstance(details, list) and details else None
    return body["error"].get("request_id"), body.get("request_id"), told


def kinds_of(dialect, error):
    """Return what the type of an error may be."""
    if dialect.name == "gemini.generate":
        return [GOOGLE.get(error.status, "INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT")]
    if dialect.name != "anthropic.messages":
        return ["invalid_request_error" if error.fault == "caller" else "proxy_error"]
    return [_KINDS.get(error.status, "api_error" if error.status >= 500 else USUAL)]


# Anthropic's types (wire.md, 6.1): SDKs tell kinds of errors by the status, people by the type.
USUAL = "invalid_request_error"
_KINDS = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    504: "timeout_error",
}

# The codes that Google's APIs have for a status (google.rpc.Code).
GOOGLE = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

in_every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def test_dialects_are_found_by_name():
    assert {name: dialect.name for name, dialect in DIALECTS.items()} == {n: n for n in DIALECTS}
    assert DIALECTS[DEFAULT.name] is DEFAULT


ENDPOINTS = [one for dialect in DIALECTS.values() for one in (dialect, *dialect.others)]
in_every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda one: one.path)


def test_no_two_endpoints_share_a_path():
    paths = [path for one in ENDPOINTS for path in (one.path, *one.spellings)]

    assert len(set(paths)) == len(paths)


@in_every_endpoint
def test_every_endpoint_belongs_to_a_dialect_and_serves_its_path(endpoint):
    path = path_for(endpoint, "recommender").encode()

    assert DIALECTS[endpoint.dialect.name] is endpoint.dialect
    assert endpoint.serves(path)
    assert not endpoint.serves(path + b"/")
    # What Azure's apps call goes where the dialect's other apps' calls go.
    called = endpoint.dialect if b"/deployments/" in path else endpoint
    upstream = path_for(called, "some-model").encode()
    assert endpoint.upstream_path(path + b"?a=b", "some-model") == upstream
    assert endpoint.upstream_path(path, "some-model", b"/under") == b"/under" + upstream


def test_settings_know_every_dialect():
    assert set(settings.DIALECTS) == set(DIALECTS)


@in_every_dialect
def test_a_list_of_models_names_each_and_its_version(dialect):
    row = {"id": "recommender", "version": "recommender-v1-abcdef"}

    listing = dialect.listed([row])

    (field,) = {"data", "models"} & listing.keys()
    assert listing[field] == [dialect.described(row)]
    named = {"name": f"models/{row['id']}", "version": row["version"]}
    told = named if field == "models" else row
    assert told.items() <= dialect.described(row).items()
    assert dialect.listed([])[field] == []


@in_every_dialect
def test_a_sample_is_what_an_app_would_send(dialect):
    content = version(system="{{tone}}", variables={"tone": {"required": True}})
    has_prompts = dialect.name not in ("openai.embeddings", "openai.completions")

    asked = sample(dialect, "recommender", "hi", {"tone": "kind"})
    composed = dialect.compile(content).compose(asked)

    body = json.loads(b"".join(composed.body(json.dumps(VENDOR_MODEL).encode())))
    assert asked.address == "recommender"
    named = None if "NAME" in dialect.path else VENDOR_MODEL
    assert (body.get("model"), composed.dropped, composed.app_fields) == (named, (), ())
    assert ("kind" in json.dumps(body)) is has_prompts
    assert "hi" in json.dumps(body)


@in_every_dialect
def test_a_sample_without_variables_gives_none(dialect):
    assert sample(dialect, "recommender", "hi", {}).variables == {}

    with pytest.raises(UnknownVariable):
        dialect.compile(version()).compose(sample(dialect, "recommender", "hi", {"x": "1"}))


def test_there_is_no_sample_for_an_unknown_dialect():
    with pytest.raises(KeyError):
        sample_fields("fax", "hi")


@in_every_dialect
@pytest.mark.parametrize(
    "error", [kind for kind in kinds(RequestError) if hasattr(kind, "code")], ids=lambda e: e.code
)
def test_every_error_has_the_shape_that_sdks_parse(dialect, error):
    body = json.loads(dialect.error_body(error(), "req_1"))

    assert code_of(dialect, body) == error.code
    assert body["error"]["message"] == f"proxy: {error.text}"
    assert kind_of(dialect, body) in kinds_of(dialect, error)
    assert "req_1" in request_ids(body)


@in_every_dialect
def test_an_error_event_is_one_whole_event(dialect):
    event = dialect.error_event(WrongDialect(hint='"quoted"\n'), "req_1")

    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1
    data = [line for line in event.split(b"\n") if line.startswith(b"data: ")]
    assert code_of(dialect, json.loads(data[0][6:])) == "wrong_dialect"


@in_every_dialect
def test_streams_and_documents_are_watched_each_in_its_way(dialect):
    stream, document = (dialect.observer(stream=stream) for stream in (True, False))

    named = "modelVersion" if dialect.name == "gemini.generate" else "model"
    for observer in (stream, document):
        observer.feed(json.dumps({named: "m"}).encode())

    assert (stream.finish().served_model, document.finish().served_model) == (None, "m")


@in_every_dialect
def test_headers_that_go_to_the_vendor_are_no_credentials(dialect):
    credentials = (b"authorization", b"api-key", b"x-api-key", b"cookie", b"x-proxy-version")

    assert all(prefix == prefix.lower() for prefix in dialect.forwarded_prefixes)
    assert not [name for name in credentials if name.startswith(dialect.forwarded_prefixes)]
