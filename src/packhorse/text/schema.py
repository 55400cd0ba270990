"""How a table of keys is said: each key with its JSON Schema (draft 2020-12), which serves readers and editors."""

from __future__ import annotations

from typing import Any

Table = dict[str, dict[str, Any]]


def said(description: str, *examples: Any, **schema: Any) -> dict[str, Any]:
    """Return the schema of a key, with what it is for and how it may look."""
    return {**schema, "description": description, "examples": list(examples)}


def text(description: str, *examples: str) -> dict[str, Any]:
    """Return the schema of a text."""
    return said(description, *examples, type="string")


def texts(description: str, *examples: Any) -> dict[str, Any]:
    """Return the schema of a text or a list of texts."""
    either: list[dict[str, Any]] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    return said(description, *examples, anyOf=either)


def whole(description: str, least: int, *examples: int) -> dict[str, Any]:
    """Return the schema of a whole number."""
    return said(description, *examples, type="integer", minimum=least)


def amount(description: str, least: float, *examples: float) -> dict[str, Any]:
    """Return the schema of a number, whole or not."""
    return said(description, *examples, type="number", minimum=least)


def flag(description: str, *, example: bool = True) -> dict[str, Any]:
    """Return the schema of true or false."""
    return said(description, example, type="boolean")


def choice(description: str, words: list[str], *examples: str) -> dict[str, Any]:
    """Return the schema of one word out of a few."""
    return said(description, *examples, enum=words)


def mapping(description: str, table: Table, *examples: Any) -> dict[str, Any]:
    """Return the schema of a mapping that has the keys of a table and no others."""
    return said(description, *examples, type="object", properties=table, additionalProperties=False)


def or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a key that null takes away."""
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
