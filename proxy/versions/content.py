"""What a version is: everything that can change behaviour, and nothing else.

The models are frozen and refuse unknown fields. Fields at their default are omitted from the
canonical form, so a later release may add a field without renumbering what is registered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from proxy.complaints import Complaint
from proxy.versions.routing import Routing, VendorModel, routing_complaints
from proxy.versions.template import IDENTIFIER, placeholders
from proxy.versions.values import Integer, JsonObject, Number, Part, Scalar, Text, ToolName
from proxy.versions.variables import VariableType, misfit

SCHEMA = 1

# A version travels through the store and into every proxy's memory; prompts of a megabyte are
# beyond what vendors accept.
MAX_CONTENT_BYTES = 1024 * 1024

SystemRule = Literal["replace", "append", "reject"]
FieldRule = Literal["pinned", "default", "reject"]
ToolsRule = Literal["pinned", "extend", "reject"]
MessagesRule = Literal["append", "prepend", "reject"]


class ResponseFormat(Part):
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


class NamedTool(Part):
    name: ToolName


class Generation(Part):
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


class Tool(Part):
    """A function that the vendor's model may call. `parameters` is a JSON Schema object."""

    name: ToolName
    description: Text = ""
    parameters: JsonObject = Field(default_factory=dict)
    strict: bool | None = None


class Message(Part):
    """A few-shot message, placed before the app's own."""

    role: Literal["user", "assistant"]
    content: Text


class Variable(Part):
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


class Policy(Part):
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


class Content(Part):
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


def complaints(content: Content) -> list[Complaint]:
    """List what no single field shows: names used but not declared, declared twice, unknown."""
    return [
        *_misnamed_variables(content),
        *_undeclared_variables(content),
        *_rule_for_nothing(content),
        *_repeated_tools(content),
        *_unknown_policy_fields(content),
        *routing_complaints(content.routing),
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
