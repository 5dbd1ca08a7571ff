"""What a proxy answers when a command asks the fleet, on each kind of store."""

import asyncio
import hashlib
import itertools
import json
from contextlib import aclosing

import pytest

from proxy.dialects.registry import DIALECTS
from proxy.fleet.fitness import ALWAYS_FIT, Fitness
from proxy.fleet.held import Held
from proxy.fleet.judge import Judge
from proxy.fleet.respond import Respondent
from proxy.fleet.snapshot import Snapshot
from proxy.store.base import MOST_QUESTIONS
from proxy.store.sqlite import SqliteStore
from proxy.versions.question import (
    CONTENT,
    HOLDINGS,
    LIVE,
    PREPARE,
    PROBE,
    Give,
    Given,
    Holdings,
    Live,
    Prepare,
    Prepared,
    Probe,
    Probed,
    Sample,
    Wanted,
    answered,
    question,
)
from proxy.versions.record import Question
from tests.contracts.places import MODEL, pin
from tests.fleet.following import (
    PATIENCE_S,
    Eyes,
    following,
    in_no_dialect,
    registered,
    registered_text,
    text_of,
)

_IDS = itertools.count(1)


def wanted(info, **changed):
    fields = {"number": info.number, "id": info.id, "digest": info.digest, **changed}
    return Wanted(info.model, **fields)


async def ask(store, kind, body=None):
    """Ask, and return what web-1 answers."""
    asked = question(f"question-{next(_IDS)}", kind, body)
    await store.ask(asked)
    return await answer_to(store, asked.id)


async def answer_to(store, id):
    async with asyncio.timeout(PATIENCE_S):
        while "web-1" not in (answers := await store.answers(id)):  # noqa: ASYNC110  # no event
            await asyncio.sleep(0.005)
    return answers["web-1"]


async def prepared(store, *versions):
    return answered(await ask(store, PREPARE, Prepare(versions)), Prepared).rejected


async def test_a_version_that_can_be_served_is_prepared(proxy, store, infos):
    assert await prepared(store, wanted(infos[1])) == {}


async def test_what_apps_ask_for_is_told_by_whoever_answers_them(proxy, store):
    assert answered(await ask(store, LIVE), Live) == Live()

    proxy.follower.live = lambda: Live((), most=7)

    assert answered(await ask(store, LIVE), Live).most == 7


async def test_preparing_changes_nothing_that_is_served(proxy, store, infos):
    await prepared(store, wanted(infos[1]))

    assert proxy.serving() == infos[0].id


class Counting(SqliteStore):
    """A store that remembers which versions were fetched."""

    def __init__(self, path):
        super().__init__(path)
        self.fetched = []

    async def version(self, model, number):
        self.fetched.append(number)
        return await super().version(model, number)


async def test_what_was_prepared_is_pinned_without_another_fetch(tmp_path):
    store = Counting(tmp_path / "store.db")
    infos = await registered(store, "Jackets.", "Hats.")
    await pin(store, infos[0])
    async with following(store, tmp_path / "kept") as proxy:
        await prepared(store, wanted(infos[1]))
        await pin(store, infos[1])
        await proxy.until_serving(infos[1])
    await store.close()

    assert store.fetched == [1, 2]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"id": f"{MODEL}-v9-ffffff", "number": 9}, "unknown_version"),
        ({"id": f"{MODEL}-v2-ffffff"}, "unknown_version"),
        ({"digest": "sha256:" + "f" * 64}, "version_corrupt"),
        ({"id": "another-v2-ffffff"}, "unknown_version"),
        ({"id": "nonsense"}, "unknown_version"),
    ],
)
async def test_a_version_that_is_not_what_was_named_is_rejected(
    proxy, store, infos, changed, reason
):
    version = wanted(infos[1], **changed)

    assert await prepared(store, version) == {version.id: reason}


async def test_a_version_that_no_dialect_carries_is_rejected(proxy, store):
    info = await registered_text(store, in_no_dialect())

    assert await prepared(store, wanted(info)) == {info.id: "wrong_dialect"}


async def test_a_version_that_this_proxy_cannot_send_anywhere_is_rejected(
    place, store, infos, tmp_path
):
    own = place.open()
    unfit = Fitness("unknown_vendor", "vendor openai is not configured", ("it is late",))
    async with following(own, tmp_path / "kept", fit=Eyes(unfit)):
        body = await ask(store, PREPARE, Prepare((wanted(infos[1]),)))
    await own.close()

    id = infos[1].id
    assert answered(body, Prepared) == Prepared(
        {id: "unknown_vendor"}, {id: "vendor openai is not configured"}, {id: ("it is late",)}
    )


@pytest.mark.parametrize(("asked", "given"), [(0.25, 0.25), (-1.0, 0.0), (3600.0, 2.0)])
async def test_vendors_are_waited_for_as_long_as_was_asked_and_no_longer_than_is_sane(
    place, store, infos, tmp_path, asked, given
):
    own, eyes = place.open(), Eyes()
    async with following(own, tmp_path / "kept", fit=eyes):
        await ask(store, PREPARE, Prepare((wanted(infos[1]),), asked))
    await own.close()

    assert eyes.limits == [given]


def test_an_answer_of_an_older_release_is_read():
    assert answered(b'{"rejected": {"a": "b"}}', Prepared) == Prepared({"a": "b"})


# --- probes

HELLO = Sample((("user", "Hello"),))


async def probed(store, *samples, label="prod", dialect="", model=MODEL):
    probe = Probe(model, label, samples or (HELLO,), dialect)
    return answered(await ask(store, PROBE, probe), Probed)


async def test_a_probe_says_which_version_would_answer_and_what_the_vendor_would_be_sent(
    proxy, store, infos
):
    answer = await probed(store)

    served = proxy.follower.snapshot.by_text[MODEL].served
    messages = {"messages": [{"role": "user", "content": "Hello"}]}
    otherwise = {
        "openai.responses": {"input": messages["messages"]},
        "openai.embeddings": {"input": ["Hello"]},
        "openai.completions": {"prompt": "Hello"},
        "gemini.generate": {"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]},
    }
    bodies = {}
    for name, dialect in DIALECTS.items():
        asked, path = {"model": MODEL, **otherwise.get(name, messages)}, b""
        if name == "gemini.generate":
            path = b"/v1beta/models/gpt-4o-2024-08-06:generateContent"
        read = dialect.read(json.dumps(asked).encode(), depth=64, target=path)
        body = path + b"".join(served.compiled(name).compose(read).body(b'"gpt-4o-2024-08-06"'))
        bodies[name] = (hashlib.sha256(body).hexdigest(),)
    assert (answer.version, answer.digest) == (infos[0].id, infos[0].digest)
    assert {name: answer.bodies[name] for name in bodies} == bodies


async def test_a_probe_follows_the_label(proxy, store, infos):
    before = await probed(store)
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])
    after = await probed(store)
    await pin(store, infos[0])
    await proxy.until_serving(infos[0])

    assert after.version == infos[1].id
    changed = {name for name, sent in after.bodies.items() if sent != before.bodies[name]}
    # The two differ in the system prompt, for which there is no place in others.
    assert changed == DIALECTS.keys() - {"openai.embeddings", "openai.completions"}
    assert await probed(store) == before


async def test_each_sample_has_a_body_of_its_own(proxy, store):
    answer = await probed(store, HELLO, Sample((("user", "Bye"),)), HELLO)

    first, second, third = answer.bodies["openai.chat"]
    assert first == third != second


async def test_a_probe_names_its_dialect_or_gets_what_the_vendor_speaks(
    place, store, infos, tmp_path
):
    own = place.open()
    async with following(own, tmp_path / "kept", fit=Eyes(spoken=("openai.responses",))):
        assert list((await probed(store)).bodies) == ["openai.responses"]
        assert list((await probed(store, dialect="openai.chat")).bodies) == ["openai.chat"]
    await own.close()


async def test_a_sample_that_cannot_be_composed_gets_a_code(proxy, store):
    answer = await probed(store, dialect="nobody.speaks")

    assert answer.bodies == {"nobody.speaks": ("error:wrong_dialect",)}


@pytest.mark.parametrize(
    ("model", "label", "code"),
    [
        ("nobody", "prod", "unknown_model"),
        (MODEL, "staging", "unknown_version"),
        (MODEL, "drill", "unknown_version"),
    ],
)
async def test_a_probe_of_what_is_not_there_gets_a_code(proxy, store, model, label, code):
    assert await probed(store, model=model, label=label) == Probed(error=code)


async def test_variables_are_filled_as_far_as_a_version_has_them(proxy, store):
    text = text_of("In {{shop}}, {{tone}}.", variables={"shop": {"required": True}, "tone": {}})
    info = await registered_text(store, text)
    await pin(store, info)
    await proxy.until_serving(info)

    own = await probed(store, Sample(HELLO.messages, {"shop": "shop", "colour": "red"}))
    other = await probed(store, Sample(HELLO.messages, {"shop": "Alpine"}))

    assert own == await probed(store)
    assert own.bodies["openai.chat"] != other.bodies["openai.chat"]


async def test_a_proxy_says_what_it_serves_and_holds(proxy, store, infos):
    await prepared(store, wanted(infos[1]))

    held = answered(await ask(store, HOLDINGS), Holdings)

    assert held.epoch == 1
    assert [(one.label, one.id) for one in held.pins] == [("prod", infos[0].id)]
    assert set(held.versions) == {wanted(info) for info in infos}


async def test_what_a_label_held_before_is_held_on(proxy, store, infos):
    await pin(store, infos[1])
    await proxy.until_serving(infos[1])

    held = answered(await ask(store, HOLDINGS), Holdings)

    assert set(held.versions) == {wanted(info) for info in infos}


async def test_a_version_is_given_by_whom_it_is_asked_of(proxy, store, infos):
    given = answered(await ask(store, CONTENT, Give("web-1", wanted(infos[0]))), Given)

    assert given.info == infos[0]
    assert given.content.encode() == (await store.version(MODEL, 1)).content


@pytest.mark.parametrize(
    "asked",
    [
        Question("unanswered-1", "weather", {}),
        Question("unanswered-2", PREPARE, {"versions": 7}),
        question("unanswered-3", CONTENT, Give("web-2", Wanted(MODEL, 1, "x", "y"))),
        question("unanswered-4", CONTENT, Give("web-1", Wanted(MODEL, 9, "x", "y"))),
    ],
    ids=["of-an-unknown-kind", "unreadable", "of-another-member", "for-what-is-not-held"],
)
async def test_a_question_that_cannot_be_answered_stays_without_answer(proxy, store, asked):
    await store.ask(asked)

    # Questions are answered in order: the next one's answer shows that this one was passed over.
    await ask(store, HOLDINGS)
    assert await store.answers(asked.id) == {}


class Notebook:
    """Takes answers and does nothing else of what a store does."""

    def __init__(self):
        self.answered = []

    async def answer(self, question, member, body):
        self.answered.append(question)


async def test_a_question_is_answered_once():
    notebook = Notebook()
    respondent = _respondent(notebook)
    respondent.noticed([question("q", HOLDINGS), question("q", HOLDINGS)])
    respondent.noticed([question("q", HOLDINGS), question("last", HOLDINGS)])

    await _run_until(respondent, lambda: "last" in notebook.answered)

    assert notebook.answered == ["q", "last"]


async def test_a_flood_of_questions_is_bounded():
    notebook = Notebook()
    respondent = _respondent(notebook)
    respondent.noticed(question(f"q{n}", HOLDINGS) for n in range(10 * MOST_QUESTIONS))

    await _run_until(respondent, lambda: len(notebook.answered) >= MOST_QUESTIONS)

    assert len(notebook.answered) == MOST_QUESTIONS


def _respondent(store):
    held = Held(store, 2)
    return Respondent(
        store,
        "web-1",
        judge=Judge(held, lambda: 0.0),
        held=held,
        snapshot=Snapshot,
        fit=ALWAYS_FIT,
    )


async def _run_until(respondent, right):
    running = asyncio.create_task(respondent.run())
    async with asyncio.timeout(PATIENCE_S):
        while not right():  # noqa: ASYNC110  # a turn of the loop is all that is waited for
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_question_asked_before_a_proxy_starts_is_answered_too(
    place, store, infos, tmp_path
):
    await store.ask(question("early", HOLDINGS))
    own = place.open()
    async with following(own, tmp_path / "kept"):
        body = await answer_to(store, "early")
    await own.close()

    assert answered(body, Holdings).versions == (wanted(infos[0]),)


async def test_questions_are_no_news_of_the_pins(proxy, store, infos):
    await prepared(store, wanted(infos[1]))

    async with aclosing(store.watch(())) as watched:
        pins = await anext(watched)

    assert pins.questions
    assert len(await proxy.logged("pin.changed")) == 1
