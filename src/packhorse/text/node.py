"""Values with their positions in a file, and the checks that every reader of a key makes.

Both YAML text and Python values become Nodes, so the same code checks a study from either. Nodes of Python values
have no position.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from math import isfinite
from typing import Any, NoReturn

from msgspec import Struct

from packhorse.model.errors import StudyError

MOST_INTEGER = 2**62  # the limit of an integer that has no other; the table has signed 64-bit integers
INT64 = 2**63
# Words of schedulers and of other tools for our keys.
SYNONYMS = {
    **dict.fromkeys(("ncpus", "ppn", "cpus_per_task", "threads", "processors"), "cpus"),
    **dict.fromkeys(("mem", "ram", "mem_per_cpu"), "memory"),
    **dict.fromkeys(("walltime", "hours", "duration"), "time"),
    **dict.fromkeys(("timeout", "limit"), "time_limit"),
    **dict.fromkeys(("queue", "p"), "partition"),
    **dict.fromkeys(("params", "factors", "sweep", "grid"), "parameters"),
    **dict.fromkeys(("cmd", "script", "program", "run"), "command"),
    **dict.fromkeys(("reps", "repeats", "repetitions", "nrep", "n_rep"), "replicates"),
    **dict.fromkeys(("output", "outputs", "results"), "result"),
    **dict.fromkeys(("workdir", "cwd", "chdir", "folder"), "directory"),
    **dict.fromkeys(("step", "stride"), "by"),
    **dict.fromkeys(("start", "first"), "from"),
    **dict.fromkeys(("stop", "end", "last"), "to"),
    **dict.fromkeys(("module",), "modules"),
}


class Node(Struct, frozen=True):
    """A scalar, a list of Nodes, or a dict of Nodes; `where` and `key` are positions, file:line:column.

    `key` is the position of the value's key in a mapping. `text` is a scalar as written; `quoted` is true if it
    was in quotes, so that it is a text whatever it looks like.
    """

    value: Any
    where: str = ""
    key: str = ""
    text: str = ""
    quoted: bool = False


def refuse(where: Node | str, message: str, hint: str) -> NoReturn:
    """Raise StudyError at the position of a node, or at a position."""
    raise StudyError(message, hint, where.where if isinstance(where, Node) else where)


def describe(node: Node) -> str:
    """Return a short description of a node's value for messages: the number 5, a mapping."""
    value = node.value
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if value is None:
        return f"the empty value {node.text}" if node.text else "empty"
    shown = node.text if len(node.text) <= 60 else node.text[:57] + "..."
    if isinstance(value, str):
        return f"the text {shown!r}"
    return f"the {'truth value' if isinstance(value, bool) else 'number'} {shown}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint that suggests the known word most similar to `word`, and lists all of them."""
    allowed = list(known)
    meant = SYNONYMS.get(word.lower().replace("-", "_"))
    if meant in allowed:
        return f"Did you mean '{meant}'? Allowed: {', '.join(allowed)}."
    close = difflib.get_close_matches(word.lower(), allowed, n=1, cutoff=0.5)
    listed = f"Allowed: {', '.join(allowed)}."
    return f"Did you mean '{close[0]}'? {listed}" if close else listed


def entries(node: Node, table: Iterable[str], what: str) -> dict[str, Node]:
    """Return the entries of a mapping; refuse a key that is not in `table`."""
    given = mapping(node, what)
    known = list(table)
    for name, child in given.items():
        if name not in known:
            refuse(child.key, f"{what} has no key '{name}'.", nearest(name, known))
    return given


def mapping(node: Node, what: str) -> dict[str, Node]:
    """Return the entries of a mapping with any keys."""
    if not isinstance(node.value, dict):
        refuse(
            node,
            f"{what} must be a mapping of 'key: value' lines, but is {describe(node)}.",
            "Write it as key: value.",
        )
    return dict(node.value)


def items(node: Node) -> list[Node]:
    """Return the items of a list, or the node itself as the only item."""
    return list(node.value) if isinstance(node.value, list) else [node]


def as_text(node: Node, what: str) -> str:
    """Return a text that is not empty."""
    if not isinstance(node.value, str):
        scalar = node.text and not isinstance(node.value, dict | list)
        hint = f"Write it in quotes: '{node.text}'" if scalar else "Write one text."
        refuse(node, f"{what} must be a text, but is {describe(node)}.", hint)
    if not node.value.strip():
        refuse(node, f"{what} is empty.", "Write a text, or leave the key out.")
    return node.value


def as_word(node: Node, what: str) -> str:
    """Return a text without spaces that does not begin with '-', as a command and a job script need it."""
    word = as_text(node, what)
    if word.split() != [word] or not word.isprintable() or word.startswith("-"):
        hint = "Write it without spaces, and without '-' at the beginning."
        refuse(node, f"{what} must be one word, but is {describe(node)}.", hint)
    return word


def as_texts(node: Node, what: str) -> tuple[str, ...]:
    """Return a text or a list of texts as a tuple."""
    if isinstance(node.value, list):
        return tuple(as_text(item, f"each item of {what}") for item in node.value)
    return (as_text(node, what),)


def as_integer(node: Node, what: str, least: int, most: int = MOST_INTEGER) -> int:
    """Return an integer from `least` to `most`."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int):
        hint = "Write a whole number, such as 100."
        if isinstance(value, float) and abs(value) < 1e18 and value.is_integer():
            hint = f"Write {int(value)}"
        refuse(node, f"{what} must be a whole number, but is {describe(node)}.", hint)
    if not least <= value <= most:
        bound = f"at least {least}" if value < least else f"at most {most}"
        refuse(node, f"{what} must be {bound}, but is {value}.", f"Write a whole number that is {bound}.")
    return value


def as_number(
    node: Node,
    what: str,
    *,
    least: float | None = None,
    most: float | None = None,
    above: float | None = None,
) -> int | float:
    """Return a finite number: from `least` to `most`, or greater than `above`. Integers have 64 bits at most."""
    value = node.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        hint = "Write a number, without quotes."
        refuse(node, f"{what} must be a finite number, but is {describe(node)}.", hint)
    if isinstance(value, int) and not -INT64 <= value < INT64:
        refuse(node, f"{what} must be between -2^63 and 2^63, but is {node.text}.", "Write a smaller number.")
    bound = ""
    if least is not None and value < least:
        bound = f"at least {least:g}"
    elif most is not None and value > most:
        bound = f"at most {most:g}"
    elif above is not None and value <= above:
        bound = f"greater than {above:g}"
    if bound:
        refuse(node, f"{what} must be {bound}, but is {node.text}.", f"Write a number that is {bound}.")
    return value


def as_flag(node: Node, what: str) -> bool:
    """Return true or false."""
    if not isinstance(node.value, bool):
        hint = "Write true or false, without quotes."
        refuse(node, f"{what} must be true or false, but is {describe(node)}.", hint)
    return node.value


def as_choice(node: Node, what: str, allowed: Iterable[str]) -> str:
    """Return one of several words."""
    known = list(allowed)
    if node.value not in known or not isinstance(node.value, str):
        message = f"{what} must be one of {', '.join(known)}, but is {describe(node)}."
        refuse(node, message, nearest(node.text, known))
    return node.value


def as_list(node: Node, what: str) -> list[Node]:
    """Return the items of a list."""
    if not isinstance(node.value, list):
        refuse(node, f"{what} must be a list, but is {describe(node)}.", "Write it in brackets: [a, b, c]")
    return list(node.value)


def plain(node: Node) -> Any:
    """Return the value without positions."""
    if isinstance(node.value, dict):
        return {name: plain(child) for name, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def check_text(text: str, where: str) -> str:
    """Return a text; refuse NUL and lone surrogates, which cannot be passed to a program."""
    if "\0" in text:
        refuse(where, "The text contains a NUL character, which cannot be passed to a program.", "Remove it.")
    try:
        text.encode()
    except UnicodeEncodeError:
        hint = "Write the whole character."
        refuse(where, "The text contains half of a character (a lone surrogate).", hint)
    return text
