"""Which version a request means, and whether the app may have it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import Forbidden, UnknownModel, UnknownVersionAsked
from proxy.routing.address import (
    Address,
    Grant,
    check_grant,
    may_ask,
    parse_address,
    prompt_address,
)
from proxy.versions.names import ByLabel, ByNumber

PROD, STAGING = ByLabel("prod"), ByLabel("staging")
LONGEST = "a" * 63


@pytest.mark.parametrize(
    ("text", "model", "reference"),
    [
        ("recommender", "recommender", PROD),
        ("r", "r", PROD),
        (LONGEST, LONGEST, PROD),
        ("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", PROD),
        ("v7", "v7", PROD),
        ("recommender-v7", "recommender-v7", PROD),
        ("recommender@staging", "recommender", STAGING),
        ("recommender@prod", "recommender", PROD),
        ("recommender@v6", "recommender", ByNumber(6)),
        ("recommender@v6-a3f9c2", "recommender", ByNumber(6, "a3f9c2")),
        ("recommender@v999999999", "recommender", ByNumber(999_999_999)),
        ("recommender-v7-a3f9c2", "recommender", ByNumber(7, "a3f9c2")),
        ("recommender-v7-a3f9c2d4e5", "recommender", ByNumber(7, "a3f9c2d4e5")),
        ("recommender@recommender-v7-a3f9c2", "recommender", ByNumber(7, "a3f9c2")),
        ("recommender@6", "recommender", ByLabel("6")),
    ],
)
def test_every_way_to_name_a_version_is_read(text, model, reference):
    assert parse_address(text) == Address(model, reference)


@pytest.mark.parametrize(
    "text",
    [
        *("", "@", "@prod", "Recommender", "a_b", "-a", "a-", "a b", "größe", "a\n", " a"),
        *("a" * 64, "a/b", "ft:gpt-4o:org", "recommender-v7-A3F9C2!", "a\0"),
    ],
)
def test_what_names_no_model_is_an_unknown_model(text):
    with pytest.raises(UnknownModel):
        parse_address(text)


@pytest.mark.parametrize(
    "version",
    [
        *("", "v0", "v06", "v1000000000", "v6-A3F9C2", "V6", "@v6", "v6\n", " v6"),
        *("Prod", "a_b", "other-v7-a3f9c2", "v²", "-prod"),
    ],
)
def test_what_names_no_version_is_an_unknown_version(version):
    with pytest.raises(UnknownVersionAsked):
        parse_address(f"recommender@{version}")


ALIASES = {
    "pmpt_68f0": "recommender",
    "pmpt_68f0@7": "recommender",
    "pmpt_68f0@6": "ranker",
    "pmpt_only@7": "recommender",
    "ranker": "recommender",
    "pmpt_bad": "Bad Name",
}


@pytest.mark.parametrize(
    ("prompt_id", "version", "model", "reference"),
    [
        ("recommender", "", "recommender", PROD),
        ("recommender", "1", "recommender", ByNumber(1)),
        ("recommender", "v1", "recommender", ByNumber(1)),
        ("recommender", "v1-abcdef", "recommender", ByNumber(1, "abcdef")),
        ("recommender", "staging", "recommender", STAGING),
        ("recommender", "recommender-v3-abcdef", "recommender", ByNumber(3, "abcdef")),
        ("pmpt_68f0", "2", "recommender", ByNumber(2)),
        ("pmpt_68f0", "", "recommender", PROD),
        ("ranker", "", "recommender", PROD),
        ("pmpt_68f0", "7", "recommender", PROD),
        ("pmpt_68f0", "6", "ranker", PROD),
        ("pmpt_68f0", "v7", "recommender", ByNumber(7)),
        ("pmpt_only", "7", "recommender", PROD),
    ],
)
def test_a_prompt_object_names_model_and_version(prompt_id, version, model, reference):
    assert prompt_address(prompt_id, version, ALIASES) == Address(model, reference)


@pytest.mark.parametrize(
    "prompt_id", ["pmpt_other", "pmpt_bad", "", "recommender@v1", "recommender-v7-a3f9c2"]
)
def test_a_prompt_that_is_mapped_to_no_model_is_an_unknown_model(prompt_id):
    with pytest.raises(UnknownModel):
        prompt_address(prompt_id, "", ALIASES)


def test_an_alias_of_one_version_says_nothing_of_the_others():
    with pytest.raises(UnknownModel):
        prompt_address("pmpt_only", "6", ALIASES)


@pytest.mark.parametrize("version", ["0", "01", "-1", "1.0", "²", "٣", "V1", "ranker-v1-abcdef"])
def test_a_prompt_version_that_is_none_is_an_unknown_version(version):
    with pytest.raises(UnknownVersionAsked):
        prompt_address("pmpt_68f0", version, ALIASES)


@given(st.text(max_size=80) | st.from_regex(r"[a-z0-9@v-]{1,80}", fullmatch=True))
def test_any_text_is_an_address_or_refused(text):
    try:
        address = parse_address(text)
    except (UnknownModel, UnknownVersionAsked):
        return

    assert address.model
    assert text.startswith(address.model)


# --- grants, exhaustively: an empty collection grants all, a filled one what is in it

MODELS = {(): True, ("recommender",): True, ("ranker",): False, ("ranker", "recommender"): True}
LABELS = {(): True, ("prod",): True, ("staging",): False, ("prod", "staging"): True}


@pytest.mark.parametrize(
    ("models", "labels", "explicit", "reference"),
    list(product(MODELS, LABELS, (True, False), (PROD, ByNumber(7)))),
)
def test_an_app_may_ask_for_what_it_was_granted(models, labels, explicit, reference):
    grant = Grant("web", models, labels, explicit_versions=explicit)
    allowed = MODELS[models] and (LABELS[labels] if reference == PROD else explicit)
    address = Address("recommender", reference)

    assert may_ask(grant, "recommender", "prod") is (MODELS[models] and LABELS[labels])

    if allowed:
        check_grant(grant, address)
    else:
        with pytest.raises(Forbidden):
            check_grant(grant, address)
