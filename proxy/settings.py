"""All configuration, as one frozen value. Units are in the names; every field says what it is for.

Read from files, environment and flags by `settings_file.py`; nothing else in the package does.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from proxy.versions.names import is_label
from proxy.versions.record import DRILL
from proxy.versions.values import Name

DialectName = Literal[
    "openai.chat",
    "openai.responses",
    "openai.embeddings",
    "openai.completions",
    "anthropic.messages",
    "gemini.generate",
]

DIALECTS: tuple[DialectName, ...] = get_args(DialectName)

# What a vendor speaks whose entry does not say: the wire formats that most of them share.
USUAL_DIALECTS: tuple[DialectName, ...] = ("openai.chat", "openai.responses", "openai.embeddings")

Auth = Literal["bearer", "x-api-key", "x-goog-api-key", "api-key"]

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def _label(text: str) -> str:
    if not is_label(text):
        raise ValueError("is not a label")
    return text


def _granted(text: str) -> str:
    if text == DRILL:
        raise ValueError("is what rollbacks are rehearsed on, and never served to apps")
    return _label(text)


def _address(text: str) -> str:
    host, _ = split_address(text)
    if not _is_host(host):
        raise ValueError("must begin with an address or the name of a host")
    return text


# RFC 1123, section 2.1, with the underscore that private names have; RFC 3986, section 3.3.
_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_URL_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*", re.ASCII)


def _base_url(text: str) -> str:
    """Check what requests are sent to: a closed table, so no credentials and nothing ambiguous."""
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("must be http://HOST or https://HOST, with an optional port and path")
    if "@" in url.netloc or "?" in text or "#" in text:
        raise ValueError("must not carry a user, a password, a query or a fragment")
    if url.scheme == "http" and url.hostname not in LOOPBACK:
        raise ValueError("plain http is for loopback only: credentials would be readable")
    if re.search(r"[^\x21-\x7e]", text):
        raise ValueError("must be plain ASCII")
    if not _is_host(url.hostname) or not _has_usable_port(url):
        raise ValueError("must have a host name or address, and a port from 1 to 65535 or none")
    if _URL_PATH.fullmatch(url.path) is None:
        raise ValueError("has a path with characters that a URL must escape")
    return text.rstrip("/")


def _is_host(name: str) -> bool:
    """Say whether a resolver takes the name; others end in `UnicodeError`."""
    if ":" in name:  # an address of IPv6: it stood in brackets, which `urlsplit` checks
        return True
    labels = name.removesuffix(".").split(".")
    return len(name) <= 253 and all(map(_HOST_LABEL.fullmatch, labels))


def _has_usable_port(url: SplitResult) -> bool:
    try:
        return url.port is None or url.port > 0
    except ValueError:
        return False


CALL, MODEL = "{call}", "{model}"
"""In a vendor's path: where the dialect's own call goes, and the vendor model."""

_PATH = re.compile(r"(/([A-Za-z0-9._~:@-]+|\{model\}))*/\{call\}", re.ASCII)

# Names of a body that are no parameters: what they hold is not a vendor's to call otherwise.
_FIXED = frozenset({"model", "messages", "input", "prompt", "stream", "contents"})
_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)


def _call_path(text: str) -> str:
    if _PATH.fullmatch(text) is None:
        raise ValueError(
            f"must begin with / and end in /{CALL}, with {MODEL} as a part or not at all"
        )
    return text


def _rename(names: dict[str, str]) -> dict[str, str]:
    every = [*names, *names.values()]
    if not all(map(_PARAMETER.fullmatch, every)) or not _FIXED.isdisjoint(every):
        raise ValueError("must map names of parameters to names of parameters")
    if len(set(every)) != len(every):
        raise ValueError("must not name a parameter twice")
    return names


def split_address(text: str) -> tuple[str, int]:
    """Return host and port of `127.0.0.1:8080` or `[::1]:8080`. Raises `ValueError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be HOST:PORT, for example 127.0.0.1:8080")
    return host, int(port)


GrantedLabel = Annotated[str, AfterValidator(_granted)]
Address = Annotated[str, AfterValidator(_address)]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
CallPath = Annotated[str, AfterValidator(_call_path)]
Rename = Annotated[dict[str, str], AfterValidator(_rename)]
VendorModelId = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,256}\z")]
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
# As long as the store remembers what labels held.
KeptSeconds = Annotated[float, Field(ge=0, le=86400, allow_inf_nan=False)]
ByteCount = Annotated[int, Field(gt=0, le=2**40)]
Count = Annotated[int, Field(gt=0, le=2**31)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Listen(_Section):
    data: Address = Field("127.0.0.1:8080", description="Where apps call. Port 0 picks a free one.")
    admin: Address = Field("127.0.0.1:8081", description="Health, status and metrics.")
    workers: Annotated[int, Field(ge=1, le=256)] = Field(
        1, description="Processes that serve; with several, a supervisor beside them."
    )


class StoreSettings(_Section):
    """The URL may hold a password, so it is a secret; `namespace` is the hash tag of the keys."""

    url: SecretStr = Field(
        SecretStr("sqlite:///.proxy/store.db"), description="Where versions and pins are kept."
    )
    namespace: Name = Field("proxy", description="Hash tag of all keys in Redis.")
    password_file: Path | None = Field(
        None, description="File with the password of the URL's user; read at each connection."
    )


class Fleet(_Section):
    name: str = Field(
        "", max_length=128, description="This proxy's name; default host name and a random part."
    )


class State(_Section):
    dir: Path = Field(Path(".proxy"), description="Where last known good is kept.")


class Models(_Section):
    dir: Path = Field(Path("models"), description="Sources, relative to the configuration file.")
    unmanaged: Literal["reject", "passthrough"] = Field(
        "reject", description="What happens to models and paths that are not ours."
    )
    observe: dict[VendorModelId, Name] = Field(
        default_factory=dict,
        description="By what apps call it: the model that is only compared, and not injected.",
    )
    capture: Annotated[int, Field(ge=0, le=64)] = Field(
        0, description="How many ways of asking without a version are remembered to adopt; 0: none."
    )
    keep_s: KeptSeconds = Field(
        1800, description="How long conversations may stay on a version after a pin; 0: not at all."
    )
    keep: dict[Name, KeptSeconds] = Field(
        default_factory=dict, description="By model: `keep_s` where it is another for that one."
    )
    prompts: dict[str, Name] = Field(
        default_factory=dict,
        description="By OpenAI prompt id (pmpt_…, or pmpt_…@7): the model that replaced it.",
    )


class Vendor(_Section):
    """A vendor's base URL and credential. Neither file nor env: the app's own passes through."""

    base_url: BaseUrl = Field(description="The dialect's path is appended.")
    api_key_file: Path | None = Field(None, description="File with the key; read again on change.")
    api_key_env: str | None = Field(None, description="Environment variable with the key.")
    dialects: tuple[DialectName, ...] = Field(
        USUAL_DIALECTS, min_length=1, description="Wire formats that the vendor speaks."
    )
    auth: Auth | None = Field(
        None, description="How it wants its key: bearer, or a header's name. Default: by dialect."
    )
    ca_file: Path | None = Field(None, description="CA certificates (PEM) instead of the system's.")
    path: CallPath | None = Field(
        None, description="Path of a call behind the base URL, in place of /v1/{call}."
    )
    query: dict[str, str] = Field(
        default_factory=dict, description="Parameters of the query that every call gets."
    )
    rename: Rename = Field(
        default_factory=dict, description="By a parameter's name in the dialect: the vendor's own."
    )
    lists_models: bool = Field(
        True, description="Whether its list of models says which ones can be called."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Vendor:
        if self.api_key_file is not None and self.api_key_env is not None:
            raise ValueError("give api_key_file or api_key_env, not both")
        return self


class App(_Section):
    """A caller that proves itself by a bearer token, kept as its SHA-256."""

    token_sha256: str = Field(pattern=r"^[0-9a-f]{64}\z", description="SHA-256 of the token, hex.")
    models: tuple[Name, ...] = Field((), description="Models the app may call; empty: all.")
    labels: tuple[GrantedLabel, ...] = Field(("prod",), description="Labels the app may ask for.")
    explicit_versions: bool = Field(False, description="Whether name@vN and full ids are allowed.")


class Limits(_Section):
    """Every buffer's bound. The defaults suit a sidecar with up to a thousand streams."""

    body_bytes: ByteCount = Field(32 * 2**20, description="Largest request body.")
    head_bytes: ByteCount = Field(
        64 * 2**10, description="Largest request line and headers in all."
    )
    headers: Count = Field(128, description="Most headers of a request.")
    depth: Count = Field(64, description="Deepest nesting of a JSON body.")
    connections: Count = Field(4096, description="Most connections from apps at once.")
    in_flight: Count = Field(2048, description="Most requests at once; above: 503 overloaded.")
    pipelined: Count = Field(16, description="Most requests read ahead on one connection.")
    upstream_connections: Count = Field(2048, description="Most connections to one vendor.")
    upstream_idle: Count = Field(256, description="Most idle connections kept for one vendor.")
    buffer_bytes: ByteCount = Field(
        64 * 2**10, description="Held for a slow reader before the other side is paused."
    )
    upstream_head_bytes: ByteCount = Field(
        64 * 2**10, description="Largest head of a vendor's answer."
    )
    explicit_versions: Count = Field(128, description="Versions held that no label points to.")
    log_lines: Count = Field(
        16384, description="Lines waiting for a slow log sink; above: dropped, counted."
    )


class Timeouts(_Section):
    """Every wait's limit, in seconds."""

    head_s: Seconds = Field(
        10, description="From a request's first byte to the end of its headers."
    )
    body_s: Seconds = Field(60, description="For a request's whole body.")
    keepalive_s: Seconds = Field(75, description="An app's connection without a request.")
    connect_s: Seconds = Field(5, description="Open a connection to a vendor, TLS included.")
    first_byte_s: Seconds = Field(
        300, description="From the request sent to the head of the answer."
    )
    idle_s: Seconds = Field(120, description="Between two reads of an answer.")
    write_s: Seconds = Field(60, description="An app or a vendor that takes no byte.")
    upstream_keepalive_s: Seconds = Field(
        30, description="An idle connection to a vendor; stay below the vendor's own."
    )
    drain_delay_s: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = Field(
        0.5, description="After SIGTERM, for apps to move on: all is still accepted and answered."
    )
    drain_s: Seconds = Field(30, description="After that, for requests in flight.")
    store_s: Seconds = Field(1, description="Fetch an explicit version that is not held.")


class Log(_Section):
    requests: bool = Field(True, description="Write one line a request.")


class Drills(_Section):
    max_age_days: Annotated[float, Field(ge=0, le=3650, allow_inf_nan=False)] = Field(
        30, description="A model whose last drill is older is flagged; 0: none is."
    )


class Settings(_Section):
    listen: Listen = Listen()
    store: StoreSettings = StoreSettings()
    fleet: Fleet = Fleet()
    state: State = State()
    models: Models = Models()
    vendors: dict[Name, Vendor] = Field(default_factory=dict)
    apps: dict[Name, App] = Field(default_factory=dict)
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    log: Log = Log()
    drills: Drills = Drills()

    @model_validator(mode="after")
    def _safe(self) -> Settings:
        for path, complaint in complaints(self):
            raise ValueError(f"{'.'.join(path)}: {complaint}")
        return self


def complaints(settings: Settings) -> list[tuple[tuple[str, ...], str]]:
    """List what would be unsafe to start with: where, and why."""
    found: list[tuple[tuple[str, ...], str]] = []
    host, _ = split_address(settings.listen.data)
    if not settings.apps and host not in LOOPBACK:
        found.append((("listen", "data"), "is not on loopback, so [apps] with tokens are required"))
    for name, vendor in settings.vendors.items():
        if settings.apps and vendor.api_key_file is None and vendor.api_key_env is None:
            found.append(
                (("vendors", name), "needs an api_key_file or api_key_env, because [apps] exist")
            )
    return found
