"""Calls about what a vendor keeps of an answer: a response that is made in the background, its
items, a conversation.

They name an id and no model, so no version has a say in them, and no state of ours knows whose id
it is. They go to the vendor that the app names by sending back the `x-proxy-upstream` of the answer
that the id is from, else to the first one that speaks the dialect. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from proxy.dialects.openai_responses import OpenAIResponses
from proxy.http.head import Head

DIALECT: Final = OpenAIResponses.name

UPSTREAM: Final = b"x-proxy-upstream"
"""What an app sends back to say which vendor it means."""

# As long as no vendor's ids are; none has a character that a path would have to escape.
_ID = rb"[A-Za-z0-9_-]{1,256}"

# Kinds of calls that have a model stand under the same path; they are no ids.
_RESPONSE = rb"/responses/(?!(?:input_tokens|compact)$)" + _ID

_FORMS: Final[Mapping[re.Pattern[bytes], frozenset[bytes]]] = MappingProxyType(
    {
        re.compile(_RESPONSE): frozenset({b"GET", b"DELETE"}),
        re.compile(_RESPONSE + rb"/cancel"): frozenset({b"POST"}),
        re.compile(_RESPONSE + rb"/input_items"): frozenset({b"GET"}),
        re.compile(rb"/conversations"): frozenset({b"POST"}),
        re.compile(rb"/conversations/" + _ID): frozenset({b"GET", b"POST", b"DELETE"}),
        re.compile(rb"/conversations/" + _ID + rb"/items"): frozenset({b"GET", b"POST"}),
        re.compile(rb"/conversations/" + _ID + rb"/items/" + _ID): frozenset({b"GET", b"DELETE"}),
    }
)

# What OpenAI's, Azure's and Groq's SDKs put in front.
_FRONT: Final = re.compile(rb"/v1(?=/)|/openai/v1(?=/)|/openai(?=/(?!v1/|deployments/))")


def kept_path(head: Head) -> bytes | None:
    """Return the path that the dialect has for what `head` asks, None if it is no such call."""
    front = _FRONT.match(head.path)
    if front is None:
        return None
    path = head.path[front.end() :]
    forms = (methods for form, methods in _FORMS.items() if form.fullmatch(path))
    return b"/v1" + path if head.method in next(forms, ()) else None


def named_vendor(head: Head) -> str:
    """Return the vendor that the app sends back (`openai/gpt-4o;attempt=1`), empty if none."""
    sent = head.fields.get(UPSTREAM, b"").partition(b";")[0].partition(b"/")[0]
    return sent.decode("latin-1").strip()
