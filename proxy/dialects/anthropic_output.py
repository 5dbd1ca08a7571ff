"""Structured output in the Messages API: `output_config.format`, and its older name."""

from __future__ import annotations

from collections.abc import Mapping

from proxy.dialects import neutral
from proxy.dialects.base import JsonValue
from proxy.dialects.members import FORMAT, OwnMembers, merge_members
from proxy.dialects.policy import Kept
from proxy.dialects.raw import Raw, is_null, read_nested
from proxy.errors import OverrideRejected, WrongDialect
from proxy.versions.content import Content

FIELD = "output_config"
# What beta SDKs sent before `output_config` was there; the vendor still takes it.
OLDER = "output_format"


def written(content: Content) -> JsonValue:
    """Return the version's response format as this API has it; None for text, which needs none.

    Its name and what is said of it have no place here. Raises `WrongDialect` for JSON without a
    schema, which there is no format for.
    """
    wanted = content.generation.response_format
    if wanted is None or wanted.type == "text":
        return None
    if wanted.type == "json_object":
        raise WrongDialect(hint="the version sets response_format json_object")
    return {"type": "json_schema", "schema": neutral.json_schema(wanted)["schema"]}


def merge_output(ours: OwnMembers, fields: Mapping[str, Raw], kept: Kept) -> bytes:
    """Return what goes out of both sides, under one of the two names. Raises `OverrideRejected`."""
    older = fields.get(OLDER)
    if older is None or is_null(older):
        return merge_members(ours, fields, kept)
    rule = ours.rules[FORMAT]
    if rule == "reject":
        raise OverrideRejected(hint=OLDER)
    if (rule == "pinned" and FORMAT in ours.members) or _has_format(fields):
        kept.dropped.append(OLDER)
        return merge_members(ours, fields, kept)
    kept.app_fields.append(OLDER)
    merged = merge_members(ours.without_format(), fields, kept)
    return b'%b,"output_format":%b' % (merged, bytes(older))


def _has_format(fields: Mapping[str, Raw]) -> bool:
    raw = fields.get(FIELD)
    theirs = {} if raw is None or is_null(raw) else read_nested(raw, FIELD)
    return FORMAT in theirs and not is_null(theirs[FORMAT])
