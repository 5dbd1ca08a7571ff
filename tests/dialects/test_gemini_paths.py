"""Paths of Gemini's API: what is a model's name in them, and where a call goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.dialects.gemini_paths import join_path, list_path, split_path
from tests.dialects.composing import GEMINI, read

STREAM, COUNT, EMBED, BATCH = GEMINI.others
VERTEX = "/v1beta1/projects/p/locations/us-central1/publishers/google/models"
SAYS = '{"contents":[]}'


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/models/recommender:generateContent", "recommender"),
        ("/v1beta/models/recommender:generateContent", "recommender"),
        ("/v1alpha/models/recommender@staging:generateContent", "recommender@staging"),
        ("/v1beta/models/recommender%40v7:generateContent", "recommender@v7"),
        ("/v1beta/models/team/recommender:generateContent", "team/recommender"),
        ("/v1beta/models/team%2Frecommender:generateContent", "team/recommender"),
        ("/v1/models/a:b:generateContent", "a:b"),
        ("/v1/tunedModels/abc:generateContent", "tunedModels/abc"),
        (f"{VERTEX}/recommender:generateContent", "recommender"),
        ("/v1beta1/publishers/google/models/recommender:generateContent", "recommender"),
        ("/v1/projects/p/locations/l/models/recommender:generateContent", "recommender"),
    ],
)
def test_the_model_is_in_the_path_before_the_last_colon(path, name):
    assert GEMINI.serves(path.encode())
    assert read(GEMINI, SAYS, target=f"{path}?a=:b").address == name


@pytest.mark.parametrize(
    "path",
    [
        *("/v1beta/models/:generateContent", "/models/x:generateContent", "/v1/models/x"),
        *("/v1/models/x:GenerateContent", "/v1/models/x:generateContent/", "/v1/models/x:new"),
        *("//v1/models/x:generateContent", "/v1/x/models/y:generateContent"),
        *("/v1/models/../x:generateContent", "/v1/models/..:generateContent"),
        *("/v1/models/%2e%2e/x:generateContent", "/v1/models/a%2F..%2Fb:generateContent"),
        *("/v1/models/./x:generateContent", "/v1/models//x:generateContent"),
        *("/v1/models/x%2F:generateContent", "/V1/models/x:generateContent"),
        "/v1/projects/p/models/x:generateContent",
    ],
)
def test_what_only_looks_like_it_is_nobodys(path):
    assert not any(one.serves(path.encode()) for one in (GEMINI, *GEMINI.others))


@pytest.mark.parametrize(
    ("endpoint", "method"),
    [
        (GEMINI, "generateContent"),
        (STREAM, "streamGenerateContent"),
        (COUNT, "countTokens"),
        (EMBED, "embedContent"),
        (BATCH, "batchEmbedContents"),
    ],
)
def test_every_method_is_served_by_one_endpoint(endpoint, method):
    path = f"/v1beta/models/x:{method}".encode()

    assert [one for one in (GEMINI, *GEMINI.others) if one.serves(path)] == [endpoint]


def test_the_way_of_answering_is_the_methods():
    path = "/v1beta/models/x:{}?alt=sse"
    body = '{"contents":[],"stream":true}'

    assert read(STREAM, body, target=path.format("streamGenerateContent")).stream is True
    assert read(GEMINI, body, target=path.format("generateContent")).stream is False


@pytest.mark.parametrize(
    ("prefix", "sent", "upstream"),
    [
        ("", "/v1/models/x", "/v1/models/gemini-9"),
        ("", "/v1alpha/models/x%40v7", "/v1alpha/models/gemini-9"),
        ("", f"{VERTEX}/x", f"{VERTEX}/gemini-9"),
        ("/gateway", "/v1beta/models/x", "/gateway/v1beta/models/gemini-9"),
        # A base URL with a version is all that comes before the model, whatever the app speaks.
        ("/v1beta", "/v1/models/x", "/v1beta/models/gemini-9"),
        (
            "/v1/projects/ours/locations/eu/publishers/google",
            f"{VERTEX}/x",
            "/v1/projects/ours/locations/eu/publishers/google/models/gemini-9",
        ),
        (
            "/v1/projects/ours/locations/eu/publishers/google",
            "/v1beta/models/x",
            "/v1/projects/ours/locations/eu/publishers/google/models/gemini-9",
        ),
    ],
)
def test_a_call_goes_where_the_base_url_says(prefix, sent, upstream):
    target = f"{sent}:streamGenerateContent?alt=sse".encode()

    path = STREAM.upstream_path(target, "gemini-9", prefix.encode())

    assert path.decode() == f"{upstream}:streamGenerateContent"


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("gemini-9", "models/gemini-9"),
        ("models/gemini-9", "models/gemini-9"),
        ("tunedModels/abc", "tunedModels/abc"),
        ("team/x", "models/team/x"),
        ("x@001", "models/x@001"),
        ("a?b#c%d e", "models/a%3Fb%23c%25d%20e"),
    ],
)
def test_a_vendors_model_stands_in_its_collection_and_ends_no_path(model, named):
    target = b"/v1/models/x:generateContent"

    assert GEMINI.upstream_path(target, model).decode() == f"/v1/{named}:generateContent"


@given(name=st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_any_name_that_is_served_leads_back_to_itself(name):
    """No name becomes another path: it is taken apart again as what it was."""
    path = f"/v1/models/{name}:generateContent".encode()
    place = split_path(path.partition(b"?")[0])
    if place is None:
        return

    again = split_path(join_path(b"", place, place.name))

    assert again == place
    assert {"", ".", ".."}.isdisjoint(place.name.split("/"))


@pytest.mark.parametrize(
    ("prefix", "path"),
    [("", "/v1beta/models"), ("/gateway", "/v1beta/models"), ("/v1/publishers/google", "/models")],
)
def test_models_are_listed_where_calls_go(prefix, path):
    assert list_path(prefix, "/v1beta") == path
    assert GEMINI.models_path(prefix) == path
