"""Which version a request asks for. Pure.

The `model` field is `recommender` (what `prod` holds), `recommender@staging`, `recommender@v6`,
or a full id. OpenAI's `prompt` object names the model by `prompt.id`, before `model`, and the
version by `prompt.version` (`1` or `v1`), unless the operator says what the two of them mean.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from proxy.errors import Forbidden, UnknownModel, UnknownVersionAsked
from proxy.versions.names import (
    ByLabel,
    Reference,
    is_model_name,
    parse_reference,
    split_id,
)
from proxy.versions.record import PROD


@dataclass(frozen=True, slots=True)
class Address:
    model: str
    reference: Reference


@dataclass(frozen=True, slots=True)
class Grant:
    """What an app may ask for; an empty collection of models means all of them."""

    app: str
    models: Collection[str]
    labels: Collection[str]
    explicit_versions: bool


def parse_address(text: str) -> Address:
    """Read the `model` field. Raises `UnknownModel`, or `UnknownVersionAsked` after an `@`."""
    if full := split_id(text):
        return Address(*full)
    model, at, version = text.partition("@")
    if not text:
        raise UnknownModel(hint="the request names no model")
    if not is_model_name(model):
        raise UnknownModel()
    if not at:
        return Address(model, ByLabel(PROD))
    return Address(model, _reference(version, model))


def prompt_address(prompt_id: str, version: str, aliases: Mapping[str, str]) -> Address:
    """Read a `prompt` object; `aliases` maps the vendor's prompt ids to our models.

    The vendor's numbers of versions are not ours: an alias `ID@VERSION` stands for an app that
    goes on sending one, and leads to what `prod` holds. Raises `UnknownModel` or
    `UnknownVersionAsked`.
    """
    exact = aliases.get(f"{prompt_id}@{version}") if version else None
    model = exact or aliases.get(prompt_id, prompt_id)
    if not is_model_name(model):
        raise UnknownModel(hint="models.prompts in proxy.toml has no such prompt")
    if exact or not version:
        return Address(model, ByLabel(PROD))
    return Address(model, _reference(f"v{version}" if version.isdigit() else version, model))


def _reference(text: str, model: str) -> Reference:
    reference = parse_reference(text, model)
    if reference is None:
        raise UnknownVersionAsked()
    return reference


def may_ask(grant: Grant, model: str, label: str) -> bool:
    """Say whether the app may ask for what `label` of `model` holds."""
    return (not grant.models or model in grant.models) and (
        not grant.labels or label in grant.labels
    )


def check_grant(grant: Grant, address: Address) -> None:
    """Raise `Forbidden` if the app may not ask for this."""
    if isinstance(address.reference, ByLabel):
        granted = may_ask(grant, address.model, address.reference.label)
    else:
        granted = grant.explicit_versions and (not grant.models or address.model in grant.models)
    if not granted:
        raise Forbidden()
