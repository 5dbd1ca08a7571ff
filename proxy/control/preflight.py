"""Ask a vendor whether it has a vendor model, before an app does.

Only a well-formed list that lacks the id speaks against a version: a vendor that is away now, or
has no such list, may well answer later.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from proxy.errors import UpstreamAuth
from proxy.gateway.credential import Credential
from proxy.settings import Vendor

if TYPE_CHECKING:
    import aiohttp

DEADLINE_S = 5.0
# OpenAI's list has some hundred entries of about a hundred bytes.
MAX_LIST_BYTES = 4 * 2**20
LIST_PATH = "/v1/models"


@dataclass(frozen=True, slots=True)
class VendorModels:
    """What a vendor said. `ids` is None where it gave no list, and `complaint` says why."""

    ids: frozenset[str] | None
    complaint: str = ""


async def vendor_models(vendor: Vendor, credential: Credential | None) -> VendorModels:
    """Fetch the vendor's list of models. Never raises for what the vendor or the network does."""
    import aiohttp  # takes a fifth of the time that a verb takes to start

    try:
        async with asyncio.timeout(DEADLINE_S):
            status, body = await _fetch(vendor, credential)
    except TimeoutError:
        return VendorModels(None, f"did not answer in {DEADLINE_S:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return VendorModels(None, f"cannot be reached ({type(error).__name__})")
    return judged(status, body)


def judged(status: int, body: bytes) -> VendorModels:
    """Read a vendor's answer to a request for its models."""
    if status in (401, 403):  # a key may be good for answers and not for this
        return VendorModels(None, f"does not show its models to this key (HTTP {status})")
    if status != 200:
        return VendorModels(None, f"gives no list of models (HTTP {status})")
    try:
        entries = json.loads(body)["data"]
        return VendorModels(frozenset(str(entry["id"]) for entry in entries))
    except (ValueError, LookupError, TypeError, RecursionError):
        return VendorModels(None, "gives a list of models that cannot be read")


async def _fetch(vendor: Vendor, credential: Credential | None) -> tuple[int, bytes]:
    import aiohttp

    headers = {}
    if credential is not None:
        name, _, value = credential.line(0.0).decode().strip().partition(": ")
        headers[name] = value
    context = ssl.create_default_context(cafile=vendor.ca_file)
    # No redirects: the key would follow them to wherever they point.
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            vendor.base_url + LIST_PATH, headers=headers, allow_redirects=False, ssl=context
        ) as answer,
    ):
        return answer.status, await _read(answer)


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_LIST_BYTES:
            break
    return bytes(body)


def usable(credential: Credential) -> bool:
    """Say whether there is a key that can be sent."""
    try:
        credential.line(0.0)
    except UpstreamAuth:
        return False
    return True
