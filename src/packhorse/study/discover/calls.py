"""Read calls in the text of a script by regular expressions: its language may not be installed to parse it."""

from __future__ import annotations

import re
from collections.abc import Iterator


def without_comments(source: str) -> str:
    """Remove comments, but not a # inside a text; lines keep their numbers."""
    piece = r'"(?:\\.|[^"\\])*"' + "|" + r"'(?:\\.|[^'\\])*'" + r"|#[^\n]*"
    return re.sub(piece, lambda m: "" if m[0].startswith("#") else m[0], source, flags=re.DOTALL)


def calls(text: str, names: str) -> Iterator[tuple[str, str]]:
    """Yield (name, text between the parentheses) of each call; `names` is a regular expression."""
    for match in re.finditer(rf"(?<![\w.])({names})\s*\(", text):
        yield match[1], inside(text, match.end())


def inside(text: str, start: int) -> str:
    """Return the text from `start` to the parenthesis that closes it."""
    end = next((at for at, letter, depth in _walk(text, start) if letter == ")" and depth < 0), len(text))
    return text[start:end]


def arguments(text: str) -> list[str]:
    """Return the arguments of a call, from the text between its parentheses."""
    ends = [at for at, letter, depth in _walk(text, 0) if letter == "," and depth == 0]
    starts = [0, *(end + 1 for end in ends)]
    pieces = [text[start:end].strip() for start, end in zip(starts, [*ends, len(text)], strict=True)]
    return [piece for piece in pieces if piece]


def argument(text: str, name: str = "", position: int = 0) -> str:
    """Return an argument by its name, else the one at a position among those without a name; empty if there is none."""
    given = arguments(text)
    named = re.compile(r"([A-Za-z_.][\w.]*)\s*=(?!=)\s*(.*)", re.DOTALL)
    by_name = {match[1]: match[2].strip() for piece in given if (match := named.fullmatch(piece))}
    if name in by_name:
        return by_name[name]
    plain = [piece for piece in given if not named.fullmatch(piece)]
    if len(plain) > position:
        return plain[position]
    return next(iter(by_name.values()), "") if not name else ""


def last_argument(text: str) -> str:
    """Return the last argument of a call, without its name."""
    given = arguments(text)
    return re.sub(r"^[\w.]+\s*=\s*", "", given[-1]) if given else ""


def _walk(text: str, start: int) -> Iterator[tuple[int, str, int]]:
    """Yield the position of each letter outside of quotes, and the depth of brackets after it, from 0 at `start`."""
    depth, quote, at = 0, "", start
    while at < len(text):
        letter = text[at]
        if quote:
            at += letter == "\\"
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        else:
            depth += (letter in "([{") - (letter in ")]}")
            yield at, letter, depth
            if depth < 0:
                return
        at += 1
