"""What servers answer and connections fail with, in our words and with what to do about it."""

import ssl

import pytest
from redis import exceptions as redis_errors

from proxy.errors import OutcomeUnknown, StoreUnavailable, StoreUnsafe
from proxy.store.redis_answers import failure, lost, refusal


def answered(text):
    """Return the error that an answer becomes."""
    code, _, rest = text.partition(" ")
    return redis_errors.ResponseError(rest, status_code=code)


def broken(error):
    """Return what redis-py makes of an error of the socket."""
    return redis_errors.ConnectionError(f"Error {error.args[0]} connecting. {error.args[-1]}.")


# As servers say it, and as OpenSSL does; a word of what a person is told.
SAID = [
    (answered("READONLY You can't write against a read only replica."), "read-only replica"),
    (answered("OOM command not allowed when used memory > 'maxmemory'."), "out of memory"),
    (answered("NOREPLICAS Not enough good replicas to write."), "too few replicas"),
    (answered("MISCONF Redis is configured to save RDB snapshots, but"), "its disk"),
    (answered("LOADING Redis is loading the dataset in memory"), "still loading"),
    (answered("BUSY Redis is busy running a script."), "busy with a script"),
    (answered("MASTERDOWN Link with MASTER is down"), "lost its primary"),
    (answered("CLUSTERDOWN The cluster is down"), "cluster is down"),
    (answered("MOVED 3999 127.0.0.1:6381"), "one node of a cluster"),
    (answered("ASK 3999 127.0.0.1:6381"), "moving the keys"),
    (answered("TRYAGAIN Multiple keys request during rehashing of slot"), "moving the keys"),
    (answered("CROSSSLOT Keys in request don't hash to the same slot"), "one node of a cluster"),
    (answered("NOAUTH Authentication required."), "asks for a password"),
    (answered("WRONGPASS invalid username-password pair"), "refused the user or password"),
    (answered("NOPERM this user has no permissions"), "lacks a permission"),
    (answered("ERR max number of clients reached"), "no connection left"),
    (answered("ERR Error running script: @user_script:7: OOM command not allowed"), "memory"),
    (broken(ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: self-signed")), "not trusted"),
    (broken(ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: has expired")), "has expired"),
    (
        broken(ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: Hostname mismatch, c")),
        "for another name",
    ),
    (
        broken(ssl.SSLError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] x: IP address mismatch")),
        "for another name",
    ),
    (
        broken(ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert")),
        "a certificate of ours",
    ),
    (broken(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version")), "not speak TLS"),
    (broken(OSError(-2, "Name or service not known")), "leads nowhere"),
    (broken(OSError(-3, "Temporary failure in name resolution")), "leads nowhere"),
    (redis_errors.AuthenticationError("invalid password"), "refused the user or password"),
]


@pytest.mark.parametrize(("error", "word"), SAID, ids=[str(error)[:40] for error, _ in SAID])
def test_what_is_said_is_told_with_what_to_do(error, word):
    told = refusal(error)

    assert isinstance(told, StoreUnavailable)
    assert word in told.message
    assert told.hint


@pytest.mark.parametrize("text", ["WRONGTYPE Operation against a key", "ERR WRONGTYPE in script"])
def test_a_key_of_another_type_is_not_ours(text):
    assert isinstance(refusal(answered(text)), StoreUnsafe)


def test_an_answer_that_is_not_known_is_a_refusal_all_the_same():
    assert isinstance(refusal(answered("ERR unknown command")), StoreUnsafe)


@pytest.mark.parametrize("error", [TimeoutError(), redis_errors.TimeoutError(), OSError(110, "x")])
def test_silence_is_no_refusal(error):
    assert refusal(error) is None
    assert isinstance(failure(error), StoreUnavailable)


def test_what_makes_no_sense_is_said():
    assert "makes no sense" in failure(redis_errors.InvalidResponse("\x00")).message


def test_a_reason_of_ours_that_came_through_redis_py_is_kept():
    ours = StoreUnavailable("ours")
    wrapped = redis_errors.ConnectionError(ours)
    wrapped.__cause__ = ours

    assert refusal(wrapped) is ours


def test_nothing_of_what_was_said_is_repeated():
    told = refusal(answered("ERR unknown command `HELLO`, with args: `secret`"))

    assert "secret" not in told.message + told.hint


def test_a_lost_answer_says_how_to_repeat():
    told = lost("op-7")

    assert isinstance(told, OutcomeUnknown)
    assert (told.operation, "op-7" in told.hint) == ("op-7", True)
