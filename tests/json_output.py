"""Checking what commands print with --json against their JSON Schemas."""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence

import jsonschema

from packhorse.cli.json_schemas import json_schema
from packhorse.cli.json_types import JSON_TYPES


def check_json(arguments: Sequence[str], printed: str) -> None:
    """Hold the output of `packhorse ARGUMENTS` against the schema of its command, where it is JSON of that command.

    Nothing is printed where the command failed before its end.
    """
    if "--json" not in arguments or "--" in arguments or not printed.startswith("{"):
        return
    command = " ".join(arguments[:2]) if " ".join(arguments[:2]) in JSON_TYPES else arguments[0]
    found = json.loads(printed)
    assert next(iter(found)) == "format", printed
    _validator(command).validate(found)


@functools.cache
def _validator(command: str) -> jsonschema.Draft202012Validator:
    schema = json_schema(command)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)
