"""What `up` says once it serves: what is live, a call to paste, and what to try next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.cli.page import Block, Line, dim, good, line, short, strong, warning
from proxy.control.first_run import Prepared
from proxy.dialects.base import NAME, path_for
from proxy.dialects.registry import DIALECTS
from proxy.dialects.samples import sample_fields, sample_values
from proxy.settings import Settings
from proxy.versions.record import PROD

SAYS = "What should I wear in the rain?"


@dataclass(frozen=True, slots=True)
class Welcome:
    """`played` are the vendors that the simulated one stands in for. `elsewhere` says that a
    store or a configuration was named, which further commands must name too."""

    prepared: Sequence[Prepared]
    played: Sequence[str]
    settings: Settings
    elsewhere: bool


def facts(welcome: Welcome, data: str, admin: str) -> dict[str, Any]:
    """Return what scripts are told."""
    return {
        "data": data,
        "admin": admin,
        "models": [
            {**one.registered.json(), "pinned": one.held or None} for one in welcome.prepared
        ],
        "simulated": list(welcome.played),
    }


def page(welcome: Welcome, data: str, admin: str) -> Iterator[Block]:
    """Return what people are told."""
    for one in welcome.prepared:
        yield _model(one)
    if not welcome.prepared:
        yield line(warning(f"there is no model in {welcome.settings.models.dir}"))
    for name in welcome.played:
        vendor = f"vendor {name} is played by the simulated vendor: its key is not set"
        yield line(warning(vendor))
    yield line()
    yield line("apps call   ", strong(f"http://{data}"))
    yield line("health      ", f"http://{admin}/readyz")
    for one in welcome.prepared[:1]:
        yield from _try(one, welcome, data)


def _model(one: Prepared) -> Line:
    info = one.registered.info
    if one.up_to_date:
        return line(strong(info.model), "  ", good(f"{short(info.id, info.model)} in {PROD}"))
    held = short(one.held, info.model) if one.held else "a pin that cannot be read"
    return line(
        strong(info.model),
        "  ",
        warning(f"{held} in {PROD}, while the files say {short(info.id, info.model)}"),
        dim(f"  (proxyctl pin {info.model} v{info.number} changes that)"),
    )


def _try(one: Prepared, welcome: Welcome, data: str) -> Iterator[Block]:
    model = one.registered.info.model
    where = "  (with the same --store and --config)" if welcome.elsewhere else ""
    yield line()
    yield line("try it:")
    for text in _curl(one, welcome, data):
        yield line("  ", text)
    yield line()
    yield line(
        f"then change {welcome.settings.models.dir / model / 'system.md'} and, elsewhere,{where}"
    )
    yield line(f"  proxyctl register {model}")
    if one.gated:
        simulate = " --simulate" if one.content.model.vendor in welcome.played else ""
        yield line(f"  proxyctl eval {model} v{one.newest + 1}{simulate}")
    yield line(f"  proxyctl pin {model} v{one.newest + 1}")
    yield line(f"  proxyctl rollback {model}")


def _curl(one: Prepared, welcome: Welcome, data: str) -> Iterator[str]:
    vendor = welcome.settings.vendors.get(one.content.model.vendor)
    dialect = DIALECTS[vendor.dialects[0] if vendor is not None else next(iter(DIALECTS))]
    model = one.registered.info.model
    body: dict[str, Any] = {} if NAME in dialect.path else {"model": model}
    if values := sample_values(one.content.variables):
        body["proxy_variables"] = values
    if not one.content.user:
        body |= sample_fields(dialect.name, SAYS)
    yield f"curl -si http://{data}{path_for(dialect, model)} \\"
    yield "  -H 'content-type: application/json' \\"
    if welcome.settings.apps:
        yield "  -H 'authorization: Bearer TOKEN-OF-AN-APP' \\"
    elif _needs_key(one, welcome):
        yield "  -H 'authorization: Bearer YOUR-KEY' \\"
    yield f"  -d {shlex.quote(json.dumps(body, ensure_ascii=False))}"


def _needs_key(one: Prepared, welcome: Welcome) -> bool:
    """Say whether the app's own key goes to the vendor."""
    name = one.content.model.vendor
    vendor = welcome.settings.vendors.get(name)
    if vendor is None or name in welcome.played:
        return False
    return vendor.api_key_env is None and vendor.api_key_file is None
