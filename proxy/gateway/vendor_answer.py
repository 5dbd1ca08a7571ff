"""What a vendor's answer means: whether it can be passed on, and what is written down of it."""

from __future__ import annotations

from proxy.dialects.base import Headers, Observer, Seen
from proxy.errors import RequestError, UpstreamAuth, UpstreamProtocol
from proxy.gateway.headers import is_offered
from proxy.http.upstream import AnswerHead
from proxy.observe.request_line import Outcome, RequestLine


def problem(head: AnswerHead, asked: Headers, *, own_credential: bool) -> RequestError | None:
    """Return why an answer cannot be passed on to an app that asked with these headers, if so."""
    if 300 <= head.status < 400:
        return UpstreamProtocol("the vendor redirected the request; redirects are not followed")
    if head.status in (401, 403) and own_credential:
        # Its text may repeat a part of the key.
        return UpstreamAuth(hint="run: proxyctl check")
    if (coding := head.fields.get(b"content-encoding")) is None:
        return None
    offered = asked.get(b"accept-encoding", b"")
    if coding.lower() != b"identity" and not is_offered(coding, offered):
        return UpstreamProtocol("the vendor compressed its answer in a way the app cannot read")
    return None


def outcome(status: int, seen: Seen) -> Outcome:
    """Say how a request ended whose answer came to a tidy end."""
    if status >= 400 or seen.failed:
        return Outcome.VENDOR_ERROR
    return Outcome.OK if seen.ended or seen.lost_sight else Outcome.INCOMPLETE


def note(line: RequestLine, observer: Observer | None) -> Seen:
    """Put what the observer saw into the line, and return it."""
    seen = observer.finish() if observer is not None else Seen()
    line.served_model, line.finish_reason = seen.served_model, seen.finish_reason
    line.input_tokens, line.output_tokens = seen.input_tokens, seen.output_tokens
    line.cached_tokens = seen.cached_tokens
    return seen
