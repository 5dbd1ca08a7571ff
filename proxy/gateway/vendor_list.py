"""Ask a vendor which models it has, with the key that requests would carry.

Only a well-formed list that lacks an id speaks against a vendor model, and only a 401 against a
key: a vendor that is away now, or has no such list, may well answer requests.
"""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import msgspec

from proxy.dialects.registry import DIALECTS
from proxy.errors import UpstreamAuth
from proxy.gateway.calls import list_url
from proxy.gateway.credential import Credential, credential_of
from proxy.settings import Vendor

if TYPE_CHECKING:
    import aiohttp

DEADLINE_S = 5.0
# A list does not change often, and a fleet that is asked about many versions is many callers.
KEPT_S = 60.0
# OpenAI's list has some hundred entries of about a hundred bytes.
MAX_LIST_BYTES = 4 * 2**20
# As many as Anthropic and Google give on one page; where a list has no pages, nothing is asked.
LIST_QUERIES: Mapping[str, str] = MappingProxyType(
    {"anthropic.messages": "?limit=1000", "gemini.generate": "?pageSize=1000"}
)

_L = TypeVar("_L", bound=msgspec.Struct)

NO_KEY = "no_key"
KEY_REFUSED = "key_refused"


@dataclass(frozen=True, slots=True)
class VendorModels:
    """What a vendor said. `ids` is None where it gave no list, and `complaint` says why; `code`
    is there where requests could not be paid for either."""

    ids: frozenset[str] | None
    complaint: str = ""
    code: str = ""


class _Entry(msgspec.Struct):
    id: str


class _Named(msgspec.Struct):
    name: str


class _Listing(msgspec.Struct):
    """`has_more` is what vendors say that give their list in pages."""

    data: list[_Entry]
    has_more: bool = False

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(entry.id for entry in self.data)


class _Google(msgspec.Struct):
    models: list[_Named]
    next_page: str = msgspec.field(default="", name="nextPageToken")

    @property
    def has_more(self) -> bool:
        return bool(self.next_page)

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(entry.name.removeprefix("models/") for entry in self.models)


@dataclass(frozen=True, slots=True)
class _Kept:
    models: VendorModels
    key: bytes
    until_s: float


class VendorLists:
    """The lists of all vendors of a table, each asked for once in `kept_s` at most."""

    def __init__(
        self,
        vendors: Mapping[str, Vendor],
        env: Mapping[str, str],
        clock: Callable[[], float],
        *,
        kept_s: float = KEPT_S,
    ) -> None:
        self._vendors = vendors
        self._credentials = {name: credential_of(one, env) for name, one in vendors.items()}
        self._clock = clock
        self._kept_s = kept_s
        self._kept: dict[str, _Kept] = {}
        self._asking = {name: asyncio.Lock() for name in vendors}
        # Read now, a key is there later too, when no file can be opened.
        for credential in self._credentials.values():
            if credential is not None:
                usable(credential, clock())

    async def models(self, name: str, limit_s: float = DEADLINE_S) -> VendorModels | None:
        """Return what the vendor `name` says within `limit_s`, or said a moment ago to the same
        key; None: apps bring their own keys, so there is none to ask with, or it has no list. Never
        raises for what the vendor, the network or a file does."""
        credential = self._credentials[name]
        if credential is None or _url(self._vendors[name]) is None:
            return None
        if not usable(credential, self._clock()):
            return VendorModels(
                None, f"has no usable key in {_source(self._vendors[name])}", NO_KEY
            )
        # A new key is tried at once; the old one's answer says nothing about it.
        key = hashlib.sha256(credential.line(self._clock())).digest()
        async with self._asking[name]:
            kept = self._kept.get(name)
            if kept is None or kept.key != key or self._clock() >= kept.until_s:
                models = await vendor_models(self._vendors[name], credential, limit_s)
                kept = _Kept(models, key, self._clock() + self._kept_s)
                self._kept[name] = kept
        return kept.models


def _source(vendor: Vendor) -> str:
    return vendor.api_key_env or f"file {vendor.api_key_file}"


def usable(credential: Credential, now: float = 0.0) -> bool:
    """Say whether there is a key that can be sent."""
    try:
        credential.line(now)
    except UpstreamAuth:
        return False
    return True


async def vendor_models(
    vendor: Vendor, credential: Credential, limit_s: float = DEADLINE_S
) -> VendorModels:
    """Fetch the vendor's list of models. Never raises for what the vendor or the network does."""
    import aiohttp  # takes a fifth of the time that a verb takes to start

    try:
        async with asyncio.timeout(limit_s):
            status, body = await _fetch(vendor, credential)
    except TimeoutError:
        return VendorModels(None, f"did not answer in {limit_s:g} s")
    except (aiohttp.ClientError, OSError) as error:
        return VendorModels(None, f"cannot be reached ({type(error).__name__})")
    return judged(status, body)


def judged(status: int, body: bytes) -> VendorModels:
    """Read a vendor's answer to a request for its models."""
    if status == 401:
        return VendorModels(None, "refuses the key (HTTP 401)", KEY_REFUSED)
    if status == 403:  # a key may be good for answers and not for this
        return VendorModels(None, "does not show its models to this key (HTTP 403)")
    if status != 200:
        return VendorModels(None, f"gives no list of models (HTTP {status})")
    listing = _read(body, _Listing) or _read(body, _Google)
    if listing is None:
        return VendorModels(None, "gives a list of models that cannot be read")
    if listing.has_more:
        return VendorModels(None, "gives its list of models in pages, of which one was read")
    return VendorModels(listing.ids)


def _read(body: bytes, kind: type[_L]) -> _L | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _url(vendor: Vendor) -> str | None:
    """Return where the vendor lists its models in the first of its dialects, if it does."""
    dialect = vendor.dialects[0]
    path = DIALECTS[dialect].models_path(urlsplit(vendor.base_url).path)
    return list_url(vendor, path, LIST_QUERIES.get(dialect, ""))


async def _fetch(vendor: Vendor, credential: Credential) -> tuple[int, bytes]:
    import aiohttp

    name, _, value = credential.line(0.0).decode().strip().partition(": ")
    url = _url(vendor)
    assert url is not None  # `models` asks only who has a list
    # No redirects: the key would follow them to wherever they point.
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            url,
            headers={**_added_headers(vendor), name: value},
            allow_redirects=False,
            ssl=await _tls(vendor),
        ) as answer,
    ):
        return answer.status, await _content(answer)


def _added_headers(vendor: Vendor) -> dict[str, str]:
    """Return what the dialects of the vendor cannot be spoken to without."""
    return {
        name.decode(): value.decode()
        for dialect in vendor.dialects
        for name, value in DIALECTS[dialect].added_headers
    }


async def _tls(vendor: Vendor) -> ssl.SSLContext | bool:
    """Read the certificates in a thread: a proxy has requests to answer meanwhile."""
    if urlsplit(vendor.base_url).scheme == "http":
        return True
    return await asyncio.to_thread(ssl.create_default_context, cafile=vendor.ca_file)


async def _content(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in answer.content.iter_any():
        body += chunk
        if len(body) > MAX_LIST_BYTES:
            break
    return bytes(body)
