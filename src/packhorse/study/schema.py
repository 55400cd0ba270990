"""The JSON Schema of study files, for editors, from the same table that the reader uses."""

from __future__ import annotations

from typing import Any

from packhorse.study.keys import GENERATORS, STUDY
from packhorse.text.schema import document


def json_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema, draft 2020-12)."""
    generator = {
        "type": "object",
        "properties": GENERATORS,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    return document(
        "Packhorse study",
        "What to run, at which parameters, with which resources.",
        STUDY,
        oneOf=[{"required": ["command"]}, {"required": ["function"]}],
        **{"$defs": {"generator": generator}},
    )
