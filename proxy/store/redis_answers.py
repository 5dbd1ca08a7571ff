"""What a Redis answers, and what its connections fail with, in our words.

No text of the other side travels further: an old server answers a refused login with the password
in the message.
"""

from __future__ import annotations

import re

from proxy.errors import OutcomeUnknown, ProxyError, StoreUnavailable, StoreUnsafe


class Refused(Exception):
    """An answer that is an error: the command did nothing. Its text may quote a password."""


class Elsewhere(Refused):
    """An answer that says: not here; another server may do it."""


class Nonsense(Exception):
    """What is no answer, by the protocol or by what was asked."""


# What one use of a connection can fail with; TimeoutError is our own deadline.
FAILURES = (TimeoutError, OSError, Refused, Nonsense)

_ELSEWHERE = re.compile(r"READONLY\b|MOVED [0-9]+ \S*:[0-9]+$")
# Redirections that lead nowhere: a server that says so did not read what it was sent.
_REDIRECTION = re.compile(r"(MOVED|ASK)\b(?! [0-9]+ \S*:[0-9]+$)")

_NODE = ("the store's server is one node of a cluster", "name the cluster: redis+cluster://")
_MOVING = ("the store's cluster is moving the keys to another node", "wait until it has")

# By the code in the answer, or by what TLS says; what stands first in the text counts, and here
# before what it is a part of. A script passes on what one of its commands was answered, and old
# servers put text of their own before it.
_ANSWERS = {
    "READONLY": ("the store's server is a read-only replica", "name the primary"),
    "OOM": ("the store's server is out of memory", "raise its maxmemory"),
    "NOREPLICAS": (
        "the store's server has too few replicas to accept writes",
        "bring replicas back, or lower min-replicas-to-write",
    ),
    "MISCONF": ("the store's server cannot write to its disk", "look at its log and its disk"),
    "LOADING": ("the store's server is still loading its data", "wait until it is ready"),
    "BUSY": ("the store's server is busy with a script", "look at its log"),
    "MASTERDOWN": ("the store's server lost its primary", "name the primary"),
    "CLUSTERDOWN": ("the store's cluster is down", "look at: redis-cli cluster info"),
    "MOVED": _NODE,
    "CROSSSLOT": _NODE,
    "ASK": _MOVING,
    "TRYAGAIN": _MOVING,
    "NOAUTH": (
        "the store asks for a password",
        "put user and password into the store's URL, or set password_file",
    ),
    "WRONGPASS|invalid password|no password is set|without any password configured": (
        "the store refused the user or password",
        "correct them in the store's URL or its password_file",
    ),
    "NOPERM": ("the store's user lacks a permission", "ACL LOG on the server says which"),
    "CERTIFICATE_VERIFY_FAILED.*expired": (
        "the certificate of the store's server has expired",
        "give the server a new one",
    ),
    "CERTIFICATE_VERIFY_FAILED.*mismatch": (
        "the certificate of the store's server is for another name",
        "name the server in the store's URL as its certificate does",
    ),
    "CERTIFICATE_VERIFY_FAILED": (
        "the store's server has a certificate that is not trusted",
        "name its authority with ?ssl_ca_certs= in the store's URL",
    ),
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": (
        "the store's server asks for a certificate of ours",
        "name it with ?ssl_certfile= and ?ssl_keyfile= in the store's URL",
    ),
    "WRONG_VERSION_NUMBER|RECORD_LAYER_FAILURE": (
        "the store's server does not speak TLS",
        "is it another port?",
    ),
    "Name or service not known|name resolution|No address associated": (
        "the name of the store's server leads nowhere",
        "look at the store's URL, and at DNS",
    ),
    "max number of clients": ("the store's server has no connection left", "raise its maxclients"),
}


def refused(text: str) -> Exception:
    """Return what an answer is that is an error, as the parser of answers wants it."""
    if _REDIRECTION.match(text):
        return Nonsense()
    return Elsewhere(text) if _ELSEWHERE.match(text) else Refused(text)


def refusal(error: BaseException) -> ProxyError | None:
    """Say what the server answered; None if the failure is not an answer of its own."""
    text = str(error)
    if "WRONGTYPE" in text:
        return foreign()
    if code := _first_code(text):
        return unavailable(code)
    if isinstance(error, Refused):
        return StoreUnsafe("the store's server refused a command", hint="is it Redis 6.2 or newer?")
    return None


def _first_code(text: str) -> str | None:
    found = {code: re.search(rf"\b(?:{code})\b", text) for code in _ANSWERS}
    starts = {code: match.start() for code, match in found.items() if match}
    return min(starts, key=starts.__getitem__, default=None)


def failure(error: BaseException) -> ProxyError:
    """Say why something that changes nothing did not work."""
    if isinstance(error, TimeoutError):
        return StoreUnavailable("the store did not answer in time")
    if isinstance(error, Nonsense):
        return StoreUnavailable(
            "the store's answer makes no sense", hint="is it a Redis that its URL names?"
        )
    return refusal(error) or StoreUnavailable(hint="is it running, and is its URL right?")


def foreign() -> StoreUnsafe:
    return StoreUnsafe(
        "a key of the store holds something that is not ours",
        hint="another program uses the same names; choose another namespace",
    )


def unavailable(code: str) -> StoreUnavailable:
    message, hint = _ANSWERS[code]
    return StoreUnavailable(message, hint=hint)


def lost(operation: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        "the store's answer was lost: all of the change was made, or nothing",
        operation=operation,
        hint=f"run it again with --op-id {operation}",
    )
