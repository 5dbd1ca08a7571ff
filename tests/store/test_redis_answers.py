"""What servers answer and connections fail with, in our words and with what to do about it."""

import ssl

import pytest

from proxy.errors import OutcomeUnknown, StoreUnavailable, StoreUnsafe
from proxy.store.redis_answers import (
    Elsewhere,
    Nonsense,
    Refused,
    failure,
    lost,
    refusal,
    refused,
)

# As servers say it, and as OpenSSL does; a word of what a person is told.
SAID = [
    (refused("READONLY You can't write against a read only replica."), "read-only replica"),
    (refused("OOM command not allowed when used memory > 'maxmemory'."), "out of memory"),
    (refused("NOREPLICAS Not enough good replicas to write."), "too few replicas"),
    (refused("MISCONF Redis is configured to save RDB snapshots, but"), "its disk"),
    (refused("LOADING Redis is loading the dataset in memory"), "still loading"),
    (refused("BUSY Redis is busy running a script."), "busy with a script"),
    (refused("MASTERDOWN Link with MASTER is down"), "lost its primary"),
    (refused("CLUSTERDOWN The cluster is down"), "cluster is down"),
    (refused("MOVED 3999 127.0.0.1:6381"), "one node of a cluster"),
    (refused("ASK 3999 127.0.0.1:6381"), "moving the keys"),
    (refused("TRYAGAIN Multiple keys request during rehashing of slot"), "moving the keys"),
    (refused("CROSSSLOT Keys in request don't hash to the same slot"), "one node of a cluster"),
    (refused("NOAUTH Authentication required."), "asks for a password"),
    (refused("WRONGPASS invalid username-password pair"), "refused the user or password"),
    (refused("NOPERM this user has no permissions"), "lacks a permission"),
    (refused("ERR max number of clients reached"), "no connection left"),
    (refused("ERR Error running script: @user_script:7: OOM command not allowed"), "memory"),
    ((ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: self-signed")), "not trusted"),
    ((ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: has expired")), "has expired"),
    (
        (ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: Hostname mismatch, c")),
        "for another name",
    ),
    (
        (ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: IP address mismatch")),
        "for another name",
    ),
    (
        (ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert")),
        "a certificate of ours",
    ),
    ((ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version")), "not speak TLS"),
    ((OSError(-2, "Name or service not known")), "leads nowhere"),
    ((OSError(-3, "Temporary failure in name resolution")), "leads nowhere"),
    (refused("ERR invalid password"), "refused the user or password"),
]


@pytest.mark.parametrize(("error", "word"), SAID, ids=[str(error)[:40] for error, _ in SAID])
def test_what_is_said_is_told_with_what_to_do(error, word):
    told = refusal(error)

    assert isinstance(told, StoreUnavailable)
    assert word in told.message
    assert told.hint


@pytest.mark.parametrize("text", ["WRONGTYPE Operation against a key", "ERR WRONGTYPE in script"])
def test_a_key_of_another_type_is_not_ours(text):
    assert isinstance(refusal(refused(text)), StoreUnsafe)


def test_an_answer_that_is_not_known_is_a_refusal_all_the_same():
    assert isinstance(refusal(refused("ERR unknown command")), StoreUnsafe)


@pytest.mark.parametrize("error", [TimeoutError(), ConnectionResetError(), OSError(110, "x")])
def test_silence_is_no_refusal(error):
    assert refusal(error) is None
    assert isinstance(failure(error), StoreUnavailable)


def test_what_makes_no_sense_is_said():
    assert "makes no sense" in failure(Nonsense("\x00")).message


@pytest.mark.parametrize("text", ["READONLY You can't write", "MOVED 3999 127.0.0.1:6381"])
def test_another_server_may_do_what_this_one_may_not(text):
    assert isinstance(refused(text), Elsewhere)


@pytest.mark.parametrize("text", ["ERR x", "ASK 3999 127.0.0.1:6381", "READONLYX", "NOAUTH x", ""])
def test_other_refusals_are_final(text):
    assert type(refused(text)) is Refused


@pytest.mark.parametrize("text", ["MOVED", "MOVED 1", "MOVED nowhere", "ASK 1 host:port"])
def test_a_redirection_to_nowhere_makes_no_sense(text):
    assert isinstance(refused(text), Nonsense)


def test_nothing_of_what_was_said_is_repeated():
    told = refusal(refused("ERR unknown command `HELLO`, with args: `secret`"))

    assert "secret" not in told.message + told.hint


def test_a_lost_answer_says_how_to_repeat():
    told = lost("op-7")

    assert isinstance(told, OutcomeUnknown)
    assert (told.operation, "op-7" in told.hint) == ("op-7", True)
