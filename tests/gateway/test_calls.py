"""What is peculiar to a vendor's calls: its paths, its query, its names of parameters."""

import json
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from proxy.errors import InvalidJson
from proxy.gateway.calls import calls_of, list_url
from proxy.settings import Vendor
from proxy.settings_file import load_settings
from tests.wire.spelled import members

PAGE = (Path(__file__).parent.parent.parent / "docs" / "dialects.md").read_text()
SECTION = re.search(r"<!-- vendors -->\n(.*?)<!-- end -->", PAGE, re.DOTALL)[1]
BLOCKS = re.findall(r"Chat goes to\s+`(\S+)`:\n\n```toml\n(.*?)```", SECTION, re.DOTALL)

CHAT = b"/v1/chat/completions"
MODEL = "gpt-4o"
DEPLOYMENTS = "/openai/deployments/{model}/{call}"


def vendor(**fields):
    return Vendor(base_url="https://example.com/base", api_key_env="KEY", **fields)


def target(one, model=MODEL, query=b"", path=CHAT):
    calls = calls_of(one)
    if calls is None:
        return urlsplit(one.base_url).path.encode() + path + query
    return calls.target(path, model, query)


def named(pieces):
    return b"".join(pieces).decode()


# --- the page

NAMES = [url for url, _ in BLOCKS]


def test_every_block_of_the_page_is_looked_at():
    assert len(BLOCKS) == SECTION.count("```toml") == 9


@pytest.mark.parametrize(("url", "block"), BLOCKS, ids=NAMES)
def test_a_block_of_the_page_calls_what_the_page_says(url, block):
    (one,) = load_settings(block, "proxy.toml", {}, {}).vendors.values()

    origin = urlsplit(one.base_url)
    assert f"{origin.scheme}://{origin.netloc}" + target(one).decode() == url


# --- paths and queries


def test_a_vendor_without_peculiarities_has_none():
    assert calls_of(vendor(auth="api-key", lists_models=False)) is None


@pytest.mark.parametrize(
    ("path", "model", "expected"),
    [
        (DEPLOYMENTS, "gpt-4o", b"/base/openai/deployments/gpt-4o/chat/completions"),
        (DEPLOYMENTS, "a/b c?{call}", b"/base/openai/deployments/a%2Fb%20c%3F%7Bcall%7D/chat/comp"),
        ("/{call}", "gpt-4o", b"/base/chat/completions"),
        ("/v2/{call}", "gpt-4o", b"/base/v2/chat/completions"),
        (None, "gpt-4o", b"/base/v1/chat/completions"),
    ],
)
def test_path_of_a_call_is_put_together_from_the_vendors(path, model, expected):
    one = vendor(path=path, rename={"seed": "random_seed"})

    assert target(one, model).startswith(expected)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", b"?api-version=2025-04-01"),
        (b"?a=b&c", b"?a=b&c&api-version=2025-04-01"),
        (b"?api-version=1", b"?api-version=2025-04-01"),
        (b"?%61pi-version=1&a=b&&api-version", b"?a=b&api-version=2025-04-01"),
    ],
)
def test_query_of_the_vendor_is_added_and_wins(sent, expected):
    one = vendor(query={"api-version": "2025-04-01"})

    assert target(one, query=sent) == b"/base/v1/chat/completions" + expected


def test_query_of_the_vendor_is_quoted():
    assert target(vendor(query={"a b": "c&d"})).endswith(b"?a+b=c%26d")


@pytest.mark.parametrize(
    ("fields", "url"),
    [
        ({}, "https://example.com/base/v1/models"),
        ({"path": "/{call}"}, "https://example.com/base/models"),
        ({"query": {"v": "1"}}, "https://example.com/base/v1/models?v=1"),
        ({"lists_models": False}, None),
        ({"path": DEPLOYMENTS}, None),
    ],
)
def test_list_of_models_is_where_the_other_calls_are(fields, url):
    assert list_url(vendor(**fields), "/v1/models") == url


# --- names of parameters

RENAME = {"max_completion_tokens": "max_tokens", "seed": "random_seed"}


def renamed(body):
    text = json.dumps(body) if isinstance(body, dict) else body
    return named(calls_of(vendor(rename=RENAME)).body([text.encode()]))


def test_parameters_get_the_vendors_names_and_keep_their_spelling():
    text = renamed('{"model":"m", "max_completion_tokens": 3.0e2 ,"n":1 }')

    assert members(text) == [("model", '"m"'), ("n", "1"), ("max_tokens", "3.0e2")]


def test_only_the_top_level_has_parameters():
    body = {"a": '"seed":1,"max_completion_tokens":2', "b": {"seed": 1}}

    assert json.loads(renamed(body)) == body


@pytest.mark.parametrize("turned", [False, True])
def test_of_two_names_the_one_goes_out_that_a_policy_is_about(turned):
    pairs = [("seed", 7), ("random_seed", 3)]

    text = renamed(dict(reversed(pairs) if turned else pairs))

    assert members(text) == [("random_seed", "7")]


def test_vendors_own_name_passes_where_nothing_else_is_there():
    assert json.loads(renamed({"random_seed": 3})) == {"random_seed": 3}
    assert renamed({}) == "{}"


def test_body_is_not_touched_where_nothing_is_renamed():
    pieces = [b'{"a":', b"1}"]

    assert calls_of(vendor(path="/{call}")).body(pieces) is pieces


def test_what_nests_too_deeply_to_be_looked_at_again_is_refused():
    with pytest.raises(InvalidJson):
        renamed('{"a":' + "[" * 5000 + "]" * 5000 + "}")


values = st.sampled_from(["1", "null", '"seed"', '{ "seed":1}', "[ ]", "-0.0e1"])
names = st.sampled_from([*RENAME, *RENAME.values(), "seed2", 'a"b', ""])


@given(st.dictionaries(names, values), st.lists(st.integers(0, 80), max_size=4))
def test_a_renamed_body_has_every_other_field_as_it_was_and_no_name_twice(fields, cuts):
    text = "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in fields.items()) + "}"
    edges = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b].encode() for a, b in pairwise(edges)]

    came = members(named(calls_of(vendor(rename=RENAME)).body(pieces)))

    expected = {n: v for n, v in fields.items() if n not in RENAME}
    expected |= {new: fields[old] for old, new in RENAME.items() if old in fields}
    assert len(came) == len(expected)
    assert dict(came) == {name: value.strip() for name, value in expected.items()}


# --- what cannot be configured


@pytest.mark.parametrize(
    "fields",
    [
        {"path": "openai/{call}"},
        {"path": "/openai"},
        {"path": "/{call}/x"},
        {"path": "/a b/{call}"},
        {"path": "/a?b/{call}"},
        {"path": "/x{model}/{call}"},
        {"rename": {"model": "engine"}},
        {"rename": {"a": "messages"}},
        {"rename": {"a": "b", "b": "c"}},
        {"rename": {"a": "c", "b": "c"}},
        {"rename": {"a\r\n": "c"}},
        {"rename": {"": "c"}},
    ],
    ids=str,
)
def test_what_would_be_ambiguous_is_refused(fields):
    with pytest.raises(ValidationError):
        vendor(**fields)
