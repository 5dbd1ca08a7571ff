"""Every dialect is found by its name, and is whole."""

import json

import pytest

from proxy.dialects.registry import DEFAULT, DIALECTS
from proxy.dialects.samples import sample, sample_fields
from proxy.errors import RequestError, UnknownVariable, WrongDialect
from tests.dialects.composing import VENDOR_MODEL, version


def kinds(error):
    """Return an error class and all below it that can be raised."""
    return [error, *(below for direct in error.__subclasses__() for below in kinds(direct))]


in_every_dialect = pytest.mark.parametrize("dialect", DIALECTS.values(), ids=DIALECTS)


def test_dialects_are_found_by_name():
    assert {name: dialect.name for name, dialect in DIALECTS.items()} == {n: n for n in DIALECTS}
    assert DIALECTS[DEFAULT.name] is DEFAULT


def test_no_two_dialects_share_a_path():
    assert len({dialect.path for dialect in DIALECTS.values()}) == len(DIALECTS)


@in_every_dialect
def test_a_sample_is_what_an_app_would_send(dialect):
    content = version(system="{{tone}}", variables={"tone": {"required": True}})

    asked = sample(dialect, "recommender", "hi", {"tone": "kind"})
    composed = dialect.compile(content).compose(asked)

    body = json.loads(b"".join(composed.body(json.dumps(VENDOR_MODEL).encode())))
    assert asked.address == "recommender"
    assert (body["model"], composed.dropped, composed.app_fields) == (VENDOR_MODEL, (), ())
    assert "kind" in json.dumps(body)
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

    assert body["error"]["code"] == error.code
    assert body["error"]["message"] == f"proxy: {error.text}"
    assert body["error"]["type"] == (
        "invalid_request_error" if error.fault == "caller" else "proxy_error"
    )
    assert body["error"]["request_id"] == "req_1"


@in_every_dialect
def test_an_error_event_is_one_whole_event(dialect):
    event = dialect.error_event(WrongDialect(hint='"quoted"\n'), "req_1")

    assert event.endswith(b"\n\n")
    assert event.count(b"\n\n") == 1
    data = [line for line in event.split(b"\n") if line.startswith(b"data: ")]
    assert json.loads(data[0][6:])["error"]["code"] == "wrong_dialect"


@in_every_dialect
def test_streams_and_documents_are_watched_each_in_its_way(dialect):
    stream, document = (dialect.observer(stream=stream) for stream in (True, False))

    for observer in (stream, document):
        observer.feed(b'{"model":"m"}')

    assert (stream.finish().served_model, document.finish().served_model) == (None, "m")


@in_every_dialect
def test_headers_that_go_to_the_vendor_are_no_credentials(dialect):
    credentials = (b"authorization", b"api-key", b"x-api-key", b"cookie", b"x-proxy-version")

    assert all(prefix == prefix.lower() for prefix in dialect.forwarded_prefixes)
    assert not [name for name in credentials if name.startswith(dialect.forwarded_prefixes)]
