"""The keys of a result: its file and format, and how a table is written that does not say it."""

from __future__ import annotations

import codecs

from packhorse.text import schema
from packhorse.text.keys import Key, choice
from packhorse.text.node import Node, as_text, as_texts, items, refuse
from packhorse.worker.results.suffixes import COMPRESSIBLE, SUFFIXES

RESULT_WORDS = ("auto", "json", "none", "return")
FORMAT_NAMES = sorted({*SUFFIXES.values(), "text", *(f"{name}.gz" for name in COMPRESSIBLE)})


def _read_header(node: Node, what: str) -> tuple[str, ...] | bool:
    if node.value is True:
        return True
    names = as_texts(node, what)
    if len(set(names)) < len(names) or not all(names):
        refuse(node, f"{what} has an empty name, or one twice.", "Write a name for each column: [a, b]")
    return names


def _read_separator(node: Node, what: str) -> str:
    text = as_text(node, what)
    if text not in ("tab", "space") and (len(text) != 1 or text in '"\r\n'):
        hint = 'Write one character in quotes, such as ";", or tab or space (any number of blanks).'
        refuse(node, f"{what} must be one character, but is {text!r}.", hint)
    return text


def _read_encoding(node: Node, what: str) -> str:
    text = as_text(node, what)
    try:
        codecs.lookup(text)
    except LookupError:
        refuse(node, f"{what}: Python does not know the encoding {text!r}.", "Write one such as latin-1.")
    return text


def _read_files(node: Node, what: str) -> tuple[str, ...]:
    return tuple(as_text(item, f"each item of {what}") for item in items(node))


RESULT: dict[str, Key] = {
    "file": Key(
        schema.texts(
            "The file that a task writes, or a pattern that one new file matches, relative to the study's folder; "
            "or a list of files, joined by row.",
            "results/{index}.csv",
            "{output}",
            ["fit.csv", "diagnostics.json"],
        ),
        _read_files,
    ),
    "format": choice("The format of the file, if its suffix does not tell.", FORMAT_NAMES, "csv"),
    "header": Key(
        schema.described(
            "The names of the columns of a table without them; true if its first line has the names, although they are "
            "numbers.",
            ["a", "b"],
            anyOf=[{"type": "array", "items": {"type": "string"}, "minItems": 1}, {"const": True}],
        ),
        _read_header,
    ),
    "separator": Key(
        schema.text("What separates the cells of a table: a character, tab or space.", ";"), _read_separator
    ),
    "decimal": choice("The decimal mark of a table.", [",", "."], ","),
    "encoding": Key(schema.text("The encoding of a text file (default: UTF-8).", "latin-1"), _read_encoding),
    "convert": Key(
        schema.texts(
            "A command that makes the file of what the task wrote, in the task's folder, after its success.",
            "Rscript to_csv.R fit.rds out.csv",
        )
    ),
}
