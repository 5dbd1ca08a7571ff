"""Where in a JSON value something is: `$.items[0].price`. Names and numbers only, so that a path
means one place or none."""

from __future__ import annotations

import re
from typing import Any

_STEP = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[(0|[1-9][0-9]{0,8})\]", re.ASCII)
_PATH = re.compile(rf"\$(?:{_STEP.pattern})*", re.ASCII)


def is_json_path(text: str) -> bool:
    return _PATH.fullmatch(text) is not None


def look_up(path: str, value: Any) -> tuple[bool, Any]:
    """Return whether there is something at `path`, and what."""
    for name, index in _STEP.findall(path[1:]):
        if name and isinstance(value, dict) and name in value:
            value = value[name]
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        else:
            return False, None
    return True, value
