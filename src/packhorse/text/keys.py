"""Keys of a file: for each the JSON Schema, the function that reads its value, and the one that writes it.

Bounds and choices are given once; the reader and the schema both take them from here.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from packhorse.text import schema
from packhorse.text.node import (
    MOST_INTEGER,
    Node,
    as_choice,
    as_flag,
    as_integer,
    as_number,
    as_text,
    as_texts,
    as_word,
    describe,
    items,
    refuse,
)
from packhorse.text.units import as_memory, as_time, duration_text, memory_text

Read = Callable[[Node, str], Any]


def unchanged(value: Any) -> Any:
    """Return a value as it is written to a file; a tuple becomes a list."""
    return list(value) if isinstance(value, tuple) else value


class Key(Struct, frozen=True):
    """A key of a file.

    `read` takes a node and the name of the value in messages. A key with `part` holds keys of its own. A key with
    neither needs more than its node; the module that parses the file reads it.
    """

    schema: dict[str, Any]
    read: Read | None = None
    part: Part | None = None
    write: Callable[[Any], Any] = unchanged

    def value(self, node: Node, what: str) -> Any:
        """Return the value of a node, for a key that has a reader."""
        assert self.read is not None, what
        return self.read(node, what)


class Part(Struct, frozen=True):
    """The content of a key that holds keys: their table, and the struct that they fill.

    With `named`, the key holds several such parts by name; `called` is the word for one of them in messages.
    """

    table: dict[str, Key]
    makes: type[Struct]
    called: str
    named: bool = False


def schema_of(table: Mapping[str, Key]) -> schema.Table:
    """Return the schemas of a table of keys."""
    return {name: key.schema for name, key in table.items()}


def read_keys(given: Mapping[str, Node], table: Mapping[str, Key]) -> dict[str, Any]:
    """Return the values of all given keys whose table entry has a reader."""
    return {name: read(node, name) for name, node in given.items() if (read := table[name].read) is not None}


def text(description: str, *examples: str) -> Key:
    """Return a key for a text."""
    return Key(schema.text(description, *examples), as_text)


def texts(description: str, *examples: Any) -> Key:
    """Return a key for a text or a list of texts."""
    return Key(schema.texts(description, *examples), as_texts)


def word(description: str, *examples: str) -> Key:
    """Return a key for a text without spaces, as a command and a job script need it."""
    return Key(schema.text(description, *examples), as_word)


def word_list(description: str, *examples: Any) -> Key:
    """Return a key for a word or a list of words."""
    return Key(schema.texts(description, *examples), _read_words)


def integer(description: str, least: int, *examples: int, most: int = MOST_INTEGER) -> Key:
    """Return a key for an integer from `least` to `most`."""
    return Key(
        schema.described(description, *examples, type="integer", minimum=least, maximum=most),
        lambda node, what: as_integer(node, what, least, most),
    )


def number(description: str, *examples: float, least: float | None = None, most: float | None = None) -> Key:
    """Return a key for a finite number from `least` to `most`."""
    bounds = {"minimum": least, "maximum": most}
    return Key(
        schema.described(
            description,
            *examples,
            type="number",
            **{name: bound for name, bound in bounds.items() if bound is not None},
        ),
        lambda node, what: as_number(node, what, least=least, most=most),
    )


def positive_number(description: str, *examples: float) -> Key:
    """Return a key for a finite number above 0."""
    return Key(
        schema.described(description, *examples, type="number", exclusiveMinimum=0),
        lambda node, what: as_number(node, what, above=0),
    )


def memory(description: str, *examples: str) -> Key:
    """Return a key for an amount of memory or storage, read as MiB."""
    return Key(schema.text(description, *examples), as_memory, write=memory_text)


def whole_seconds(description: str, *examples: str) -> Key:
    """Return a key for a duration, read as seconds and rounded up to a whole number."""
    return Key(
        schema.text(description, *examples),
        lambda node, what: math.ceil(as_time(node, what)),
        write=duration_text,
    )


def seconds(description: str, *examples: str) -> Key:
    """Return a key for a duration, read as seconds with a fraction."""
    return Key(
        schema.text(description, *examples),
        lambda node, what: float(as_time(node, what)),
        write=duration_text,
    )


def flag(description: str, *, example: bool = True) -> Key:
    """Return a key for true or false."""
    return Key(schema.flag(description, example=example), as_flag)


def choice(description: str, known: Iterable[str], *examples: str) -> Key:
    """Return a key for one of several words."""
    allowed = list(known)
    return Key(
        schema.described(description, *examples, enum=allowed),
        lambda node, what: as_choice(node, what, allowed),
    )


def choices(description: str, known: Iterable[str], *examples: Any) -> Key:
    """Return a key for one or more of several words; repeated words count once."""
    allowed = list(known)
    one = {"enum": allowed}

    def read(node: Node, what: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(as_choice(item, what, allowed) for item in items(node)))

    return Key(schema.described(description, *examples, anyOf=[one, {"type": "array", "items": one}]), read)


def matching(description: str, form: tuple[str, str, str], *examples: str) -> Key:
    """Return a key for a text of a certain form: its regular expression, its name in messages, and a hint."""
    pattern, called, hint = form

    def read(node: Node, what: str) -> str:
        if isinstance(node.value, dict | list) or not re.fullmatch(pattern, node.text, re.ASCII):
            refuse(node, f"{what} must be {called}, but is {describe(node)}.", hint)
        return node.text

    # In YAML a year alone is a number.
    return Key(schema.described(description, *examples, type=["string", "integer"]), read)


def programs(description: str, *examples: Any) -> Key:
    """Return a key for programs with arguments. A shell expands variables in them, but nothing else."""

    def read(node: Node, what: str) -> tuple[str, ...]:
        for item in items(node):
            try:
                argv = shlex.split(as_text(item, what))
            except ValueError as error:
                refuse(item, f"{what} cannot be parsed: {error} in {describe(item)}.", "Close the quotation.")
            if not argv or re.search(r"[|&;<>`\n]|\$\(", item.text):
                hint = "Write its name and its arguments: lfs quota -h -u $USER /scratch"
                refuse(item, f"{what} must be one program each, but is {describe(item)}.", hint)
        return as_texts(node, what)

    return Key(schema.texts(description, *examples), read)


def part(description: str, made: Part, *examples: Any) -> Key:
    """Return a key that holds keys of its own, each of which may be null, or named parts that hold them."""
    table = {name: schema.or_null(entry) for name, entry in schema_of(made.table).items()}
    if not made.named:
        return Key(schema.mapping(description, table, *examples), part=made)
    one = {"type": "object", "properties": table, "additionalProperties": False}
    several = {"type": "object", "additionalProperties": {"anyOf": [one, {"type": "null"}]}}
    return Key(schema.described(description, *examples, **several), part=made)


def _read_words(node: Node, what: str) -> tuple[str, ...]:
    return tuple(as_word(item, f"each item of {what}") for item in items(node))
