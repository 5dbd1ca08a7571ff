"""What a version is: everything that can change behaviour, and nothing else.

The models are frozen and refuse unknown fields. Fields at their default are omitted from the
canonical form, so a later release may add a field without renumbering what is registered.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from proxy.versions.names import is_model_name
from proxy.versions.template import IDENTIFIER, placeholders
from proxy.versions.variables import VariableType, misfit

SCHEMA = 1

# A version travels through the store and into every proxy's memory; prompts of a megabyte are
# beyond what vendors accept.
MAX_CONTENT_BYTES = 1024 * 1024

# RFC 8785 numbers are IEEE doubles: a larger integer would not survive the canonical form.
MAX_SAFE_INTEGER = 2**53 - 1


def unfit(value: Any) -> str:
    """Say why a scalar cannot be kept (TOML has dates, infinities, 64-bit integers); "" if it can.

    The canonical form writes a double from 2^53 up to 1e21 as an integer, which a reader could
    not tell from one that lost digits: neither is kept.
    """
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return "is not valid Unicode" if has_surrogates(value) else ""
    if isinstance(value, float) and not math.isfinite(value):
        return "numbers must be finite"
    if isinstance(value, int | float):
        lost = abs(value) > MAX_SAFE_INTEGER and (isinstance(value, int) or abs(value) < 1e21)
        return "integers must lie within 2^53 - 1" if lost else ""
    return "must be a string, number, boolean, array or table; a date or time is none"


def has_surrogates(text: str) -> bool:
    """Say whether `text` holds lone surrogates: they are no Unicode and cannot be sent."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False


def _plain_json(value: Any) -> Any:
    """Refuse what JSON or RFC 8785 cannot hold."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError("keys must be strings")
        return {_whole_text(key): _plain_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_json(item) for item in value]
    if complaint := unfit(value):
        raise ValueError(complaint)
    return value


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, Mapping | list | tuple):
        raise ValueError("must be a string, a number or a boolean")
    return _plain_json(value)


def _whole_text(text: str) -> str:
    if has_surrogates(text):
        raise ValueError("is not valid Unicode")
    return text


def _model_name(text: str) -> str:
    if not is_model_name(text):
        raise ValueError("must match [a-z0-9]([a-z0-9-]{0,61}[a-z0-9])? and not end like an id")
    return text


Text = Annotated[str, AfterValidator(_whole_text)]
Json = Annotated[Any, AfterValidator(_plain_json)]
Scalar = Annotated[Any, AfterValidator(_scalar)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_plain_json)]
VendorName = Annotated[str, AfterValidator(_model_name)]
Wait = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Integer = Annotated[int, Field(strict=True, ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
Pause = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Weight = Annotated[int, Field(strict=True, ge=1, le=1000)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}\z")]

_PARAMETER = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)

_RETRIED = re.compile(r"status:(?:4[0-9]{2}|5[0-9]{2}|5xx)|first_byte_timeout|reset")

# By these a vendor refuses a request, unworked and unbilled. Two that say that a server waited in
# vain are no refusals: the vendor's own servers may have gone on meanwhile.
_REFUSED = re.compile(r"status:(?:4(?!08|99)[0-9]{2}|529)")


def _retried_failure(text: str) -> str:
    if _RETRIED.fullmatch(text) is None:
        raise ValueError(
            "must be status:NNN (400 and up), status:5xx, first_byte_timeout or reset; what was "
            "not sent is repeated without being named"
        )
    return text


def _as_set(names: tuple[str, ...]) -> tuple[str, ...]:
    """Order does not matter here, so it must not make another version."""
    return tuple(sorted(set(names)))


RetriedFailure = Annotated[str, AfterValidator(_retried_failure)]

SystemRule = Literal["replace", "append", "reject"]
FieldRule = Literal["pinned", "default", "reject"]
ToolsRule = Literal["pinned", "extend", "reject"]
MessagesRule = Literal["append", "prepend", "reject"]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )


class VendorModel(_Part):
    """Where a request goes: a key of `[vendors]` in proxy.toml, and the vendor's own model id."""

    vendor: VendorName
    id: Text = Field(min_length=1, max_length=256)


class SharedTarget(VendorModel):
    """A target that gets a share of the requests: `weight` out of the sum of all weights."""

    weight: Weight = 1


class ResponseFormat(_Part):
    """Structured output, dialect-neutral. `json_schema` needs `name` and `schema`."""

    type: Literal["text", "json_object", "json_schema"]
    name: ToolName | None = None
    description: Text | None = None
    json_schema: JsonObject | None = Field(None, alias="schema")
    strict: bool | None = None

    @model_validator(mode="after")
    def _complete(self) -> ResponseFormat:
        wanted = self.type == "json_schema"
        if wanted != (self.name is not None and self.json_schema is not None):
            raise ValueError("name and schema go with type json_schema, and only with it")
        return self


class NamedTool(_Part):
    name: ToolName


class Generation(_Part):
    """Generation parameters under dialect-neutral names. Unset fields are left to the vendor."""

    temperature: Number | None = Field(None, ge=0, le=2)
    top_p: Number | None = Field(None, ge=0, le=1)
    top_k: Integer | None = Field(None, ge=0)
    max_output_tokens: Integer | None = Field(None, ge=1)
    stop: tuple[Text, ...] = ()
    seed: Integer | None = None
    presence_penalty: Number | None = Field(None, ge=-2, le=2)
    frequency_penalty: Number | None = Field(None, ge=-2, le=2)
    response_format: ResponseFormat | None = None
    tool_choice: Literal["auto", "none", "required"] | NamedTool | None = None
    parallel_tool_calls: bool | None = None
    extra: dict[str, JsonObject] = Field(
        default_factory=dict, description="By dialect: parameters passed through as they are."
    )


class Tool(_Part):
    """A function that the vendor's model may call. `parameters` is a JSON Schema object."""

    name: ToolName
    description: Text = ""
    parameters: JsonObject = Field(default_factory=dict)
    strict: bool | None = None


class Message(_Part):
    """A few-shot message, placed before the app's own."""

    role: Literal["user", "assistant"]
    content: Text


class Variable(_Part):
    """A placeholder that the app fills in, per request.

    Without a `type` it takes any string, number or boolean. `values` are those of an enum;
    `max_length` counts the characters of a text.
    """

    type: VariableType | None = None
    required: bool = False
    default: Scalar | None = None
    values: tuple[Text, ...] = ()
    max_length: Integer | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _declared_well(self) -> Variable:
        for complaint in _ill_declared(self):
            raise ValueError(complaint)
        return self


def _ill_declared(variable: Variable) -> Iterator[str]:
    if variable.required and variable.default is not None:
        yield "a required variable has no default"
    if (variable.type == "enum") != bool(variable.values):
        yield "values go with type enum, and only with it"
    if len(set(variable.values)) < len(variable.values):
        yield "a value is there twice"
    if variable.max_length is not None and variable.type not in (None, "string"):
        yield "max_length goes with a string"
    if variable.default is not None:
        if complaint := misfit(variable, variable.default):
            yield f"the default does not fit: {complaint}"
    elif variable.type not in (None, "string") and not variable.required:
        yield "needs a default, or required = true: only a text can be empty"


class Policy(_Part):
    """What the app may still decide."""

    system: SystemRule = "replace"
    generation: FieldRule = "pinned"
    tools: ToolsRule = "pinned"
    messages: MessagesRule = Field(
        "append", description="The app's messages, where the version has a user's message."
    )
    fields: dict[str, FieldRule] = Field(
        default_factory=dict, description="By generation field: an exception from `generation`."
    )


class BreakerRules(_Part):
    """When a target that keeps failing is left alone for a while."""

    failures: Integer = Field(5, ge=1, le=100)
    window_s: Pause = 30.0
    failure_rate: Share | None = None
    min_requests: Integer = Field(20, ge=1, le=10000)
    open_s: Pause = 15.0
    all_open: Literal["try", "refuse"] = "try"


class Routing(_Part):
    """Where a request goes, how long that may take, and what another attempt follows.

    `[model]` gets `weight` of the requests, `targets` theirs; `fallback` is asked where those fail.
    Attempts count the first. Only what cannot have been served is followed by another, and what
    `retry_on` names. Waits that are not set are the operator's, whose limits are never exceeded.
    """

    timeout_s: Wait = 600.0
    connect_timeout_s: Wait | None = None
    first_byte_timeout_s: Wait | None = None
    idle_timeout_s: Wait | None = None
    attempts: Integer = Field(1, ge=1, le=10)
    retry_on: Annotated[tuple[RetriedFailure, ...], AfterValidator(_as_set)] = ()
    may_bill_twice: bool = False
    weight: Weight = 1
    targets: tuple[SharedTarget, ...] = Field((), max_length=16)
    fallback: tuple[VendorModel, ...] = ()
    breaker: BreakerRules | None = None


class Content(_Part):
    """One version's whole behaviour."""

    content_schema: Literal[1] = Field(1, alias="schema")
    model: VendorModel
    system: Text = ""
    messages: tuple[Message, ...] = ()
    user: Text = Field("", description="The user's message, made of the variables.")
    generation: Generation = Generation()
    tools: tuple[Tool, ...] = ()
    variables: dict[str, Variable] = Field(default_factory=dict)
    policy: Policy = Policy()
    routing: Routing = Routing()

    @model_validator(mode="after")
    def _consistent(self) -> Content:
        for path, complaint in complaints(self):
            raise ValueError(f"{'.'.join(map(str, path))}: {complaint}")
        return self


Complaint = tuple[tuple[str | int, ...], str]
"""Where in the content something is wrong, and what. Inside a text, the last part of the path is
the name of a placeholder."""


def complaints(content: Content) -> list[Complaint]:
    """List what no single field shows: names used but not declared, declared twice, unknown."""
    return [
        *_misnamed_variables(content),
        *_undeclared_variables(content),
        *_rule_for_nothing(content),
        *_repeated_tools(content),
        *_unknown_policy_fields(content),
        *_unsaid_risks(content.routing),
        *_weight_alone(content.routing),
        *_least_of_no_rate(content.routing.breaker),
    ]


def _misnamed_variables(content: Content) -> Iterator[Complaint]:
    for name in content.variables:
        if IDENTIFIER.fullmatch(name) is None:
            yield (
                ("variables", name),
                "a variable name is letters, digits and _, not starting with a digit",
            )


def _undeclared_variables(content: Content) -> Iterator[Complaint]:
    for path, text in _texts(content):
        for name in sorted(set(placeholders(text)) - content.variables.keys()):
            yield (*path, name), f"{{{{{name}}}}} is used but not declared under [variables.{name}]"


def unused_variables(content: Content) -> list[str]:
    """Return the variables that are declared and stand in no text, sorted."""
    used = {name for _, text in _texts(content) for name in placeholders(text)}
    return sorted(content.variables.keys() - used)


def _texts(content: Content) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text that may hold placeholders, and where it is."""
    yield ("system",), content.system
    for index, message in enumerate(content.messages):
        yield ("messages", index, "content"), message.content
    yield ("user",), content.user


def _rule_for_nothing(content: Content) -> Iterator[Complaint]:
    if content.policy.messages != "append" and not content.user:
        yield ("policy", "messages"), "goes with a user's message of the version, in user.md"


def _repeated_tools(content: Content) -> Iterator[Complaint]:
    names = [tool.name for tool in content.tools]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield ("tools", index, "name"), f"tool {name} is defined twice"


def _unknown_policy_fields(content: Content) -> Iterator[Complaint]:
    known = Generation.model_fields.keys() - {"extra"}
    extras = {key for fields in content.generation.extra.values() for key in fields}
    for name in sorted(content.policy.fields.keys() - known - extras):
        yield ("policy", "fields", name), "no generation field of this name"


def _unsaid_risks(routing: Routing) -> Iterator[Complaint]:
    """Money is spent twice only where the version says in so many words that it may be."""
    risky = [name for name in routing.retry_on if _REFUSED.fullmatch(name) is None]
    if risky and not routing.may_bill_twice:
        yield (
            ("routing", "retry_on"),
            f"{', '.join(risky)}: the vendor may have served and billed the request already; "
            "say may_bill_twice = true if that is worth it",
        )


def _least_of_no_rate(breaker: BreakerRules | None) -> Iterator[Complaint]:
    if breaker is not None and breaker.min_requests != 20 and breaker.failure_rate is None:
        yield ("routing", "breaker", "min_requests"), "goes with failure_rate"


def _weight_alone(routing: Routing) -> Iterator[Complaint]:
    if routing.weight != 1 and not routing.targets:
        yield ("routing", "weight"), "there are no [[routing.targets]] to share the requests with"
