"""What R's own parser says of a source file."""

from __future__ import annotations

from msgspec import Struct


class RSpan(Struct, frozen=True):
    """A piece of a file, both ends included. Lines and columns count from 1; a tab reaches the next multiple of 8."""

    line: int
    column: int
    last_line: int
    last_column: int


class RSyntax(Struct, frozen=True, kw_only=True):
    """The pieces of a file, or where R cannot read it."""

    version: tuple[int, int] = (0, 0)  # of R
    quoted: tuple[RSpan, ...] = ()  # comments and strings
    loops: tuple[RSpan, ...] = ()  # the bodies of for, while and repeat
    fault: str = ""  # R's message
    fault_line: int = 0
    fault_column: int = 0
