"""Kinds of keys in a site's file: what stands there, how it is read, and its JSON Schema."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from packhorse.text import schema
from packhorse.text.node import (
    Node,
    as_choice,
    as_flag,
    as_integer,
    as_text,
    as_texts,
    as_word,
    found,
    refuse,
)
from packhorse.text.units import as_memory, as_time, duration_text, memory_text

Read = Callable[[Node, str], Any]


def plainly(value: Any) -> Any:
    """Return a value as it stands in a file: as it is."""
    return list(value) if isinstance(value, tuple) else value


class Key(Struct, frozen=True):
    """A key: its schema, the function that reads a node, given what to call it in messages, and the one that writes.

    A key with `part` holds keys of its own. One that has neither needs more than its node; parse.py reads it.
    """

    schema: dict[str, Any]
    read: Read | None = None
    part: Part | None = None
    write: Callable[[Any], Any] = plainly


class Part(Struct, frozen=True):
    """What stands under a key that holds keys: their table, what they make, and whether each has a name of its own."""

    table: dict[str, Key]
    makes: type[Struct]
    called: str  # what one of them is, in messages
    named: bool = False


def schema_of(table: dict[str, Key]) -> schema.Table:
    """Return a table's schemas."""
    return {name: key.schema for name, key in table.items()}


def text(description: str, *examples: str) -> Key:
    """Return a key for a text."""
    return Key(schema.text(description, *examples), as_text)


def texts(description: str, *examples: Any) -> Key:
    """Return a key for one text or several."""
    return Key(schema.texts(description, *examples), as_texts)


def word(description: str, *examples: str) -> Key:
    """Return a key for a text that stands as one word in a command."""
    return Key(schema.text(description, *examples), as_word)


def words(description: str, *examples: Any) -> Key:
    """Return a key for one word or several."""
    return Key(schema.texts(description, *examples), _read_words)


def count(description: str, least: int, *examples: int) -> Key:
    """Return a key for a whole number."""
    return Key(
        schema.whole(description, least, *examples), lambda node, what: as_integer(node, what, least, 10**9)
    )


def memory(description: str, *examples: str) -> Key:
    """Return a key for an amount of memory or disk, in MiB."""
    return Key(schema.text(description, *examples), as_memory, write=memory_text)


def time(description: str, *examples: str) -> Key:
    """Return a key for a time in whole seconds."""
    return Key(
        schema.text(description, *examples),
        lambda node, what: math.ceil(as_time(node, what)),
        write=duration_text,
    )


def moment(description: str, *examples: str) -> Key:
    """Return a key for a time in seconds with a fraction."""
    return Key(
        schema.text(description, *examples),
        lambda node, what: float(as_time(node, what)),
        write=duration_text,
    )


def flag(description: str, *, example: bool) -> Key:
    """Return a key for true or false."""
    return Key(schema.flag(description, example=example), as_flag)


def choice(description: str, known: tuple[str, ...], *examples: str) -> Key:
    """Return a key for one word of a few."""
    return Key(
        schema.choice(description, list(known), *examples), lambda node, what: as_choice(node, what, known)
    )


def choices(description: str, known: tuple[str, ...], *examples: Any) -> Key:
    """Return a key for one or several words of a few."""
    one = {"enum": list(known)}
    said = schema.said(description, *examples, anyOf=[one, {"type": "array", "items": one}])

    def read(node: Node, what: str) -> tuple[str, ...]:
        given = node.value if isinstance(node.value, list) else [node]
        return tuple(dict.fromkeys(as_choice(child, what, known) for child in given))

    return Key(said, read)


def matching(description: str, form: tuple[str, str, str], *examples: str) -> Key:
    """Return a key for a text of some form: its pattern, what that is, and how to write it."""
    pattern, called, hint = form

    def read(node: Node, what: str) -> str:
        if isinstance(node.value, dict | list) or not re.fullmatch(pattern, node.text, re.ASCII):
            refuse(node, f"{what} must be {called}, but is {found(node)}.", hint)
        return node.text

    # A year alone is a number to YAML.
    return Key(schema.said(description, *examples, type=["string", "integer"]), read)


def commands(description: str, *examples: Any) -> Key:
    """Return a key for programs with their arguments, of which a shell only fills in variables."""

    def read(node: Node, what: str) -> tuple[str, ...]:
        for child in node.value if isinstance(node.value, list) else [node]:
            try:
                argv = shlex.split(as_text(child, what))
            except ValueError as error:
                refuse(child, f"{what} cannot be {found(child)}: {error}.", "Close the quotation.")
            if not argv or re.search(r"[|&;<>`\n]|\$\(", child.text):
                hint = "Write its name and its arguments: lfs quota -h -u $USER /scratch."
                refuse(child, f"{what} must be one program each, but is {found(child)}.", hint)
        return as_texts(node, what)

    return Key(schema.texts(description, *examples), read)


def part(description: str, made: Part, *examples: Any) -> Key:
    """Return a key that holds keys of its own, or, where they have names, parts by their names."""
    table = {name: schema.or_null(one) for name, one in schema_of(made.table).items()}
    if not made.named:
        return Key(schema.mapping(description, table, *examples), part=made)
    one = {"type": "object", "properties": table, "additionalProperties": False}
    several = {"type": "object", "additionalProperties": {"anyOf": [one, {"type": "null"}]}}
    return Key(schema.said(description, *examples, **several), part=made)


def _read_words(node: Node, what: str) -> tuple[str, ...]:
    given = node.value if isinstance(node.value, list) else [node]
    return tuple(as_word(child, f"each of {what}") for child in given)
