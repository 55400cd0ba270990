"""The lines of a file, read without loss, and edits of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from msgspec import Meta, Struct


class Line(Struct, frozen=True):
    """One line: its number from 1, its text, and its end (LF, CRLF, or none on the last line)."""

    number: int
    text: str
    end: str


class Edit(Struct, frozen=True, order=True):
    """Text to put in place of columns `start` to `end` of a line; columns count from 0.

    With `whole`, `text` takes the place of the line and its end, so that lines can be removed and added.
    """

    line: Annotated[int, Meta(description="The line, from 1.")]
    start: Annotated[int, Meta(description="The first column to replace, from 0.")]
    end: Annotated[int, Meta(description="The column after the last.")]
    text: Annotated[str, Meta(description="The new text.")]
    whole: Annotated[bool, Meta(description="Whether it takes the place of the line and its end.")] = False


def decode(data: bytes) -> str:
    """Return the text of a file; bytes that are not UTF-8 become surrogates, which `encode` turns back."""
    return data.decode("utf-8", "surrogateescape")


def encode(text: str) -> bytes:
    """Return the bytes of a text that `decode` made."""
    return text.encode("utf-8", "surrogateescape")


def split_lines(text: str) -> tuple[Line, ...]:
    """Return the lines of a text. Only LF ends a line, as for schedulers and shells; a CR before it is part of the end."""
    lines = []
    for number, row in enumerate(text.split("\n"), 1):
        end = "\r\n" if row.endswith("\r") else "\n"
        lines.append(Line(number, row.removesuffix("\r"), end))
    last = lines.pop()
    if last.text or last.end == "\r\n":
        lines.append(Line(last.number, last.text + ("\r" if last.end == "\r\n" else ""), ""))
    return tuple(lines)


def join_lines(lines: Iterable[Line]) -> str:
    """Return the text of lines: the inverse of `split_lines`."""
    return "".join(line.text + line.end for line in lines)


def apply_edits(lines: Iterable[Line], edits: Iterable[Edit]) -> str:
    """Return the text with the edits made; of edits that overlap only the first is made."""
    by_line: dict[int, list[Edit]] = {}
    for edit in sorted(set(edits)):
        by_line.setdefault(edit.line, []).append(edit)
    rows = []
    for line in lines:
        here = by_line.get(line.number, [])
        whole = next((edit for edit in here if edit.whole), None)
        rows.append(whole.text if whole is not None else _edited(line.text, here) + line.end)
    return "".join(rows)


def _edited(text: str, edits: list[Edit]) -> str:
    done, parts = 0, []
    for edit in edits:
        if edit.start >= done:
            parts += [text[done : edit.start], edit.text]
            done = edit.end
    return "".join([*parts, text[done:]])
