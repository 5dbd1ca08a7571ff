"""The page for the night says what the program says."""

import json
import re
import shlex

import pytest

from proxy import events
from proxy.admin.view import AdminView
from proxy.cli.main import VERBS
from proxy.errors import StoreUnsafe, UnknownVersionAsked, VersionCorrupt, WrongDialect
from proxy.fleet import last_known_good
from proxy.fleet.follow import UNREADABLE
from proxy.gateway.preflight import NOT_RENDERED, RETIRED_MODEL, UNKNOWN_VENDOR
from proxy.gateway.vendor_list import KEY_REFUSED, NO_KEY
from proxy.observe.log_sink import LogSink
from proxy.observe.request_line import Outcome, RequestLine, encode
from proxy.observe.stats import MOST_SERIES, Stats
from proxy.store.redis import RedisStore
from proxy.store.redis_url import source
from tests.contracts.places import MODEL, pin
from tests.fleet.following import Clock, following, registered
from tests.harness import LogFile


@pytest.fixture(scope="module")
def docs(repository):
    return repository / "docs"


@pytest.fixture(scope="module")
def operations(docs):
    return (docs / "operations.md").read_text()


@pytest.fixture(scope="module")
def logging(docs):
    return (docs / "logging.md").read_text()


def table(text, name):
    """Return the rows of the table between `<!-- name -->` and `<!-- end -->`, in cells."""
    part = re.search(rf"<!-- {name} -->\n(.*?)<!-- end -->", text, re.DOTALL)[1]
    rows = [line.strip("|").split("|") for line in part.splitlines()[2:]]
    return [[cell.strip().strip("`") for cell in row] for row in rows]


def first(rows):
    return [row[0] for row in rows]


@pytest.fixture
async def view(tmp_path, redis_server):
    store = RedisStore(source(redis_server.url), namespace="operations")
    sink = LogSink(LogFile(), most_lines=10)
    stats = Stats()
    stats.count(RequestLine("", ""))
    async with following(store, tmp_path) as proxy:
        yield AdminView(
            proxy.follower, stats, sink, draining=lambda: False, clock=Clock(), circuits=dict
        )
    sink.close()
    await store.close()


# --- what is shown


async def test_fields_of_readiness_and_status_are_documented(operations, view):
    rows = table(operations, "status")

    assert {row[0] for row in rows if "readyz" in row[1]} == view.readiness().keys()
    assert {row[0] for row in rows if "status" in row[1]} == view.status().keys()
    assert {row[1] for row in rows} == {"readyz, status", "status"}


async def test_metrics_are_documented_with_their_types(operations, view):
    typed = [line.split()[2:] for line in view.metrics() if line.startswith("# TYPE ")]

    assert [row[:2] for row in table(operations, "metrics")] == typed


def test_the_bound_of_the_metrics_is_documented(operations):
    assert f"After {MOST_SERIES:,} combinations" in operations


def test_reasons_why_a_pin_is_rejected_are_documented(operations):
    paragraph = re.search(r"Why a pin is rejected: (.*?)\n\n", operations, re.DOTALL)[1]
    errors = (UnknownVersionAsked, VersionCorrupt, WrongDialect, StoreUnsafe)

    reasons = {*(error.code for error in errors), UNREADABLE}
    assert set(re.findall(r"`(\w+)`", paragraph)) == reasons


def test_reasons_of_a_preflight_are_documented(operations):
    reasons = {UNKNOWN_VENDOR, RETIRED_MODEL, NOT_RENDERED, NO_KEY, KEY_REFUSED, WrongDialect.code}

    assert set(first(table(operations, "preflight"))) == reasons


def test_files_of_last_known_good_are_documented(operations):
    for name in (last_known_good.FILE, last_known_good.PREVIOUS, last_known_good.LOCK):
        assert f"`{name}`" in operations


# --- what is logged


def constants():
    return {name: value for name, value in vars(events).items() if name.isupper()}


def test_every_event_is_documented(operations):
    documented = first(table(operations, "events"))

    assert documented == list(constants().values())


def test_every_event_is_written_somewhere(repository):
    code = "".join(file.read_text() for file in (repository / "proxy").rglob("*.py"))

    assert [name for name in constants() if f"events.{name}" not in code] == []


def test_levels_of_events_are_documented(operations, repository):
    code = "".join(file.read_text() for file in (repository / "proxy").rglob("*.py"))
    written = re.findall(r"\.(info|warning|error)\(\s*events\.([A-Z_]+)", code)
    levels = {constants()[name]: level for level, name in written}

    documented = {row[0]: row[1] for row in table(operations, "events")}
    assert {name: level for name, level in documented.items() if level} == levels


def test_every_event_that_is_named_exists(operations, logging):
    """Names with two words and a dot that are no file and no setting."""
    families = "pin|drill|store|lease|snapshot|proxy|log|request|settings|worker"
    named = set(re.findall(rf"`((?:{families})\.\w+)`", operations))
    named |= set(re.findall(r"`((?:request|log)\.\w+)`", logging))

    settings = {"log.requests", "store.namespace"}
    assert named - settings <= set(constants().values())


def test_fields_of_a_request_line_are_documented_in_their_order(logging):
    line = json.loads(encode(RequestLine("", "")))

    assert first(table(logging, "fields")) == list(line)


def test_outcomes_are_documented(logging):
    assert first(table(logging, "outcomes")) == [outcome.value for outcome in Outcome]


# --- what one does by hand


def commands(operations):
    """Return what follows `redis-cli` in each line of the page, as a shell reads it."""
    lines = re.findall(r"^redis-cli (.*)$", operations, re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


async def test_a_pin_by_hand_works_as_the_page_says(operations, start_redis, tmp_path):
    server = start_redis()
    store = RedisStore(source(server.url))
    infos = await registered(store, *(f"Version {number}." for number in range(1, 8)))
    await pin(store, infos[6])
    held, version, set_pin = commands(operations)
    async with following(store, tmp_path) as proxy:
        epoch = int(server.run(*held).split(b"|")[0]) + 1
        known = json.loads(server.run(*version))
        text = set_pin[2].replace("EPOCH", str(epoch))
        text = text.replace("ID", known["id"]).replace("DIGEST", known["digest"])
        server.run(*set_pin[:2], text)

        await proxy.until_serving(infos[5])
        line = (await proxy.lines("pin.changed", 2))[1]
        assert (line["model"], line["unrecorded"]) == (MODEL, True)
    await store.close()


def test_every_verb_that_is_named_exists(operations):
    named = set(re.findall(r"proxyctl ([a-z]+)", operations))
    assert named <= VERBS.keys()
