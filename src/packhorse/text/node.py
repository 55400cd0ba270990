"""A file as positioned values, and the questions every reader of a key asks of them.

YAML text and Python values both become Nodes, so that a study is checked by the same lines wherever it
comes from; only the positions differ (Python values have none).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, NoReturn

from msgspec import Struct

from packhorse.model.errors import StudyError


class Node(Struct, frozen=True):
    """A scalar, a list of Nodes or a dict of Nodes; `where` and `key` read file:line:column.

    `text` is a scalar as it was written; `quoted` says that it stood in quotes, so is a word.
    """

    value: Any
    where: str = ""
    key: str = ""
    text: str = ""
    quoted: bool = False


def refuse(where: Node | str, message: str, hint: str) -> NoReturn:
    """Raise the StudyError that stands at a position."""
    raise StudyError(message, hint, where.where if isinstance(where, Node) else where)


def found(node: Node) -> str:
    """Say in a few words what stands at a node."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return "nothing" if not node.text else f"the empty value {node.text}"
    shown = node.text if len(node.text) <= 60 else node.text[:57] + "..."
    if isinstance(value, str):
        return f"the text {shown!r}"
    return f"the {'truth value' if isinstance(value, bool) else 'number'} {shown}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that looks most like `word`, and list the others."""
    words = list(known)
    close = difflib.get_close_matches(word.lower(), words, n=1, cutoff=0.5)
    listed = f"Known here: {', '.join(words)}."
    return f"Did you mean '{close[0]}'? {listed}" if close else listed


def entries(node: Node, table: Iterable[str], what: str) -> dict[str, Node]:
    """Return a mapping's entries, after refusing every key that `table` does not know."""
    given = mapping(node, what)
    known = list(table)
    for name, child in given.items():
        if name not in known:
            refuse(child.key, f"{what} has no key '{name}'.", nearest(name, known))
    return given


def mapping(node: Node, what: str) -> dict[str, Node]:
    """Return the entries of a mapping whose keys are free."""
    if not isinstance(node.value, dict):
        refuse(
            node,
            f"{what} must be a mapping of 'key: value' lines, but is {found(node)}.",
            "Write it as key: value.",
        )
    return dict(node.value)


def as_text(node: Node, what: str) -> str:
    """Return a text that is not empty."""
    if not isinstance(node.value, str):
        hint = (
            f"Write it in quotes: '{node.text}'."
            if node.text and not isinstance(node.value, dict | list)
            else ""
        )
        refuse(node, f"{what} must be a text, but is {found(node)}.", hint or "Write one text.")
    if not node.value.strip():
        refuse(node, f"{what} is empty.", "Write a text, or leave the key out.")
    return node.value


def as_word(node: Node, what: str) -> str:
    """Return a text that stands as one word in a job script and in a command."""
    said = as_text(node, what)
    if said.split() != [said] or not said.isprintable() or said.startswith("-"):
        hint = "Write it without spaces, and without '-' at its beginning."
        refuse(node, f"{what} must be one word, but is {found(node)}.", hint)
    return said


def as_texts(node: Node, what: str) -> tuple[str, ...]:
    """Return a text or a list of texts as a tuple."""
    if isinstance(node.value, list):
        return tuple(as_text(child, f"each of {what}") for child in node.value)
    return (as_text(node, what),)


def as_integer(node: Node, what: str, least: int, most: int = 2**62) -> int:
    """Return an integer within bounds."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int):
        hint = "Write a whole number, such as 100."
        if isinstance(value, float) and abs(value) < 1e18 and value.is_integer():
            hint = f"Write {int(value)}."
        refuse(node, f"{what} must be a whole number, but is {found(node)}.", hint)
    if not least <= value <= most:
        bound = f"at least {least}" if value < least else f"at most {most}"
        refuse(node, f"{what} must be {bound}, but is {value}.", f"Write a whole number that is {bound}.")
    return value


def as_flag(node: Node, what: str) -> bool:
    """Return true or false."""
    if not isinstance(node.value, bool):
        refuse(
            node,
            f"{what} must be true or false, but is {found(node)}.",
            "Write true or false, without quotes.",
        )
    return node.value


def as_choice(node: Node, what: str, words: Iterable[str]) -> str:
    """Return one of a few words."""
    known = list(words)
    if node.value not in known or not isinstance(node.value, str):
        refuse(
            node,
            f"{what} must be one of {', '.join(known)}, but is {found(node)}.",
            nearest(node.text, known),
        )
    return node.value


def as_list(node: Node, what: str) -> list[Node]:
    """Return a list's elements."""
    if not isinstance(node.value, list):
        refuse(node, f"{what} must be a list, but is {found(node)}.", "Write it in brackets: [a, b, c].")
    return list(node.value)


def plain(node: Node) -> Any:
    """Return the value without its positions."""
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def check_text(text: str, where: str) -> str:
    """Refuse what no argument of a program can hold: the NUL character and halves of characters."""
    if "\0" in text:
        refuse(where, "A text holds the character NUL, which no program can be given.", "Take it out.")
    try:
        text.encode()
    except UnicodeEncodeError:
        refuse(where, "A text holds half of a character (a lone surrogate).", "Write the whole character.")
    return text
