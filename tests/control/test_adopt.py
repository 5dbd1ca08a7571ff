"""Candidates of several proxies and apps, put together and picked from."""

import pytest

from proxy.control.adopt import merged, picked
from proxy.errors import InvalidArgument, NothingCaptured
from proxy.versions import identity
from proxy.versions.content import Content
from proxy.versions.question import Candidate


def candidate(system="Be kind.", **changed):
    model = {"vendor": "openai", "id": "gpt-4o"}
    stored = identity.canonical(Content.model_validate({"model": model, "system": system}))
    fields = {
        "app": "web",
        "dialect": "openai.chat",
        "count": 1,
        "first_at": "2026-11-26T10:00:00.000Z",
        "last_at": "2026-11-26T11:00:00.000Z",
        "content": stored.decode(),
        "digest": identity.digest(stored),
    }
    return Candidate(**{**fields, **changed})


def test_the_same_content_is_one_candidate():
    early, late = "2026-11-26T09:00:00.000Z", "2026-11-26T12:00:00.000Z"
    seen = [
        candidate(count=2, differs=("stop",)),
        candidate(count=3, app="batch", first_at=early, last_at=late, left_out=("n",)),
    ]

    (one,) = merged(seen)

    assert (one.count, one.apps) == (5, ("batch", "web"))
    assert (one.first_at, one.last_at) == (early, late)
    assert (one.left_out, one.differs) == (("n",), ("stop",))


def test_what_came_last_is_first():
    later = candidate("Be brief.", last_at="2026-11-26T12:00:00.000Z")

    assert [one.content.system for one in merged([candidate(), later])] == ["Be brief.", "Be kind."]


@pytest.mark.parametrize("wrong", [{"digest": "sha256:" + "0" * 64}, {"content": "{}"}])
def test_what_is_not_what_its_digest_says_is_left_away(wrong):
    assert merged([candidate(**wrong)]) == []


def test_the_only_one_is_picked_and_of_several_none():
    one, other = merged([candidate()]), merged([candidate(), candidate("Be brief.")])

    assert picked(one, None) is one[0]
    assert picked(other, None) is None


def test_a_key_may_be_cut_short():
    found = merged([candidate(), candidate("Be brief.")])

    assert [picked(found, one.key[:6].upper()) for one in found] == found


@pytest.mark.parametrize("pick", ["", "zz", "0" * 12])
def test_a_key_that_none_has_picks_none(pick):
    with pytest.raises(NothingCaptured):
        picked(merged([candidate()]), pick)


def test_a_key_of_several_picks_none():
    many = merged(candidate(f"Prompt {number}.") for number in range(20))
    first = next(one.key[0] for one in many if sum(o.key[0] == one.key[0] for o in many) > 1)

    with pytest.raises(InvalidArgument):
        picked(many, first)
