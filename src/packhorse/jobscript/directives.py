"""The lines of a job script that its scheduler reads, and their words with their columns.

Slurm: get_argument() of sbatch cuts a line at a # outside of quotes, also inside a word; quotes and a backslash protect it.
TORQUE and PBS: every word of the line is an argument, also after a #.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from msgspec import Struct

from packhorse.jobscript.lines import Line

Dialect = Literal["slurm", "pbs", ""]
Place = Literal[
    "head", "late", "quoted"
]  # quoted: in a here-document or text, so it belongs to another script

_SENTINEL = {"slurm": re.compile(r"#SBATCH|#SLURM"), "pbs": re.compile(r"[ \t]*#PBS")}
_HERE = re.compile(r"(?<!<)<<-?[ \t]*(?:\"(\w+)\"|'(\w+)'|\\?(\w+))")


BLANKS = " \t\n\v\f\r"  # isspace() of C; other blanks of Unicode are part of a word


class Word(Struct, frozen=True):
    """A word of a directive: its value without quotes, and the line and columns of what is written."""

    value: str
    line: int
    start: int
    end: int


class Directive(Struct, frozen=True, kw_only=True):
    """A line of directives, with its words, the comment at its end, and where it is in the script."""

    dialect: Dialect
    line: int
    last_line: int  # a \ at the end continues a line of PBS
    sentinel: str  # as written, with the blanks before it
    words: tuple[Word, ...]
    comment: str = ""  # from the # on
    comment_start: int = -1
    fault: str = ""  # why the scheduler refuses the line
    place: Place = "head"


def directives(lines: tuple[Line, ...], dialect: Dialect) -> tuple[Directive, ...]:
    """Return the directives of one scheduler, also those after the first command, which it ignores."""
    if not dialect:
        return ()
    return tuple(_directives(lines, dialect))


def _directives(lines: tuple[Line, ...], dialect: Dialect) -> Iterator[Directive]:
    begun, here, skip = False, "", 0
    for line in lines:
        if line.number <= skip:
            continue
        found = _SENTINEL[dialect].match(line.text)
        if found:
            place: Place = "quoted" if here else "late" if begun else "head"
            directive = _read(lines, line.number, found.end(), dialect, place)
            skip = directive.last_line
            yield directive
            continue
        if here:
            here = "" if line.text.strip("\t ") == here else here
            continue
        if not is_comment(line.text, dialect):
            begun = True
            tag = _HERE.search(line.text)
            here = (tag[1] or tag[2] or tag[3]) if tag else ""


def is_comment(text: str, dialect: Dialect) -> bool:
    """Return whether a line does not end the header: it is blank, a comment, or, for PBS, begins with a colon."""
    left = text.strip(BLANKS)
    return not left or left.startswith("#") or (dialect == "pbs" and left.startswith(":"))


def _read(lines: tuple[Line, ...], number: int, start: int, dialect: Dialect, place: Place) -> Directive:
    line = lines[number - 1]
    last = number
    if dialect == "slurm":
        tokens, comment, fault = _slurm_words(line, start)
    else:
        tokens, fault = _pbs_words(line, start)
        comment = -1
        while lines[last - 1].text.endswith("\\") and last < len(lines):
            following, fault = _pbs_words(lines[last], 0)
            tokens = (
                [*tokens[:-1], *following] if tokens and tokens[-1].value == "" else [*tokens, *following]
            )
            last += 1
    return Directive(
        dialect=dialect,
        line=number,
        last_line=last,
        sentinel=line.text[:start],
        words=tuple(tokens),
        comment=line.text[comment:] if comment >= 0 else "",
        comment_start=comment,
        fault=fault,
        place=place,
    )


def _slurm_words(line: Line, at: int) -> tuple[list[Word], int, str]:
    """Return the words of a line, the column of its comment or -1, and why sbatch refuses it."""
    text, tokens = line.text, list[Word]()
    while True:
        at = _skip_blanks(text, at)
        if at >= len(text):
            return tokens, -1, ""
        if text[at] == "#":
            return tokens, at, ""
        end, value, quote = _slurm_word(text, at)
        if quote:
            return tokens, -1, f"unmatched {quote}"
        if not value:  # sbatch takes an empty word for the end of the line
            return tokens, -1, ""
        tokens.append(Word(value, line.number, at, end))
        at = end


def _skip_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def _slurm_word(text: str, at: int) -> tuple[int, str, str]:
    """Return where a word ends, its value, and a quote that is not closed."""
    value, quote = list[str](), ""
    while at < len(text) and (quote or text[at] not in BLANKS):
        mark = text[at]
        if mark == "\\":
            at += 1
            value += text[at : at + 1]
        elif quote:
            quote = "" if mark == quote else quote
            value += [mark] if quote else []
        elif mark in "\"'":
            quote = mark
        elif mark == "#":
            break
        else:
            value.append(mark)
        at += 1
    return min(at, len(text)), "".join(value), quote


def _pbs_words(line: Line, at: int) -> tuple[list[Word], str]:
    """Return the words of a line, and why qsub refuses it."""
    text, tokens = line.text.removesuffix("\\"), list[Word]()
    while (at := _skip_blanks(text, at)) < len(text):
        start, value, quote = at, list[str](), ""
        while at < len(text) and (quote or text[at] not in BLANKS):
            mark = text[at]
            if quote:
                quote = "" if mark == quote else quote
                value += [mark] if quote else []
            elif mark in "\"'":
                quote = mark
            else:
                value.append(mark)
            at += 1
        if quote:
            return tokens, f"unmatched {quote}"
        tokens.append(Word("".join(value), line.number, start, at))
    return tokens, ""
