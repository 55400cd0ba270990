"""The JSON Schema of study files, for editors."""

from __future__ import annotations

from typing import Any

from packhorse.study.keys import GENERATORS, STUDY
from packhorse.text.keys import schema_of
from packhorse.text.schema import document


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of study files (draft 2020-12)."""
    generator = {
        "type": "object",
        "properties": schema_of(GENERATORS),
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return document(
        "Packhorse study",
        "The program to run, its parameters and its resources.",
        schema_of(STUDY),
        oneOf=[{"required": ["command"]}, {"required": ["function"]}],
        **{"$defs": {"generator": generator}},
    )
