"""Fragments of JSON Schema (draft 2020-12) for the keys of a file, with descriptions and examples for editors."""

from __future__ import annotations

from typing import Any

Table = dict[str, dict[str, Any]]


def described(description: str, *examples: Any, **schema: Any) -> dict[str, Any]:
    """Return a schema with a description and examples."""
    return {**schema, "description": description, "examples": list(examples)}


def text(description: str, *examples: str) -> dict[str, Any]:
    """Return the schema of a text."""
    return described(description, *examples, type="string")


def texts(description: str, *examples: Any) -> dict[str, Any]:
    """Return the schema of a text or a list of texts."""
    either: list[dict[str, Any]] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    return described(description, *examples, anyOf=either)


def flag(description: str, *, example: bool = True) -> dict[str, Any]:
    """Return the schema of true or false."""
    return described(description, example, type="boolean")


def mapping(description: str, table: Table, *examples: Any, **more: Any) -> dict[str, Any]:
    """Return the schema of a mapping that takes the keys of a table and no others."""
    return described(
        description, *examples, type="object", properties=table, additionalProperties=False, **more
    )


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key whose value may also be null."""
    about: dict[str, Any] = {name: schema[name] for name in ("description", "examples")}
    return {"anyOf": [schema, {"type": "null"}], **about}


def document(title: str, description: str, table: Table, **more: Any) -> dict[str, Any]:
    """Return the schema of a whole file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "description": description,
        "type": "object",
        "properties": table,
        "additionalProperties": False,
        **more,
    }
