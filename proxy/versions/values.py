"""What the fields of a version can hold: values that JSON and RFC 8785 keep as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from proxy.complaints import MAX_SAFE_INTEGER, has_surrogates, unfit
from proxy.versions.names import is_model_name


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
Name = Annotated[str, AfterValidator(_model_name)]
Wait = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]
Integer = Annotated[int, Field(strict=True, ge=-MAX_SAFE_INTEGER, le=MAX_SAFE_INTEGER)]
Pause = Annotated[float, Field(gt=0, le=3600, allow_inf_nan=False)]
Weight = Annotated[int, Field(strict=True, ge=1, le=1000)]
Share = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
ToolName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}\z")]


class Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=()
    )
