"""Tables as text, with commas, tabs, semicolons or blanks between cells.

One reader serves the worker, which accepts or refuses a table when its task ends, and the merge, which takes its cells.
The rule: what may be read in two ways is refused with the line to write, so that no cell becomes another number.
"""

import csv
import io
import itertools
import re
import sys

from packhorse.worker.results.cells import (
    DECIMALS,
    WHOLE_PART,
    WITH_COMMAS,
    WITH_POINTS,
    is_missing,
    is_number,
)
from packhorse.worker.results.refusal import EMPTY, NoResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Cells = list[str]

FORMATS = ("csv", "tsv", "dat", "txt")  # txt: a table if all its lines are numbers, see `is_table`
SEPARATORS = {"tab": "\t", "space": " ", "whitespace": " "}
CANDIDATES = (",", "\t", ";", "|")
SHOWN = 60  # characters of a line in a message
TEXT_WITH_COMMA = re.compile(r'^[^",\r\n]*, ', re.MULTILINE)  # "late, again" at the beginning of a line
UNNAMED = "unnamed"  # the column of row names, whose header is empty


def decode(data: bytes, setting: "dict[str, Any]") -> str:
    """Return the text of a file; `setting` may name its `encoding` (default: UTF-8)."""
    encoding = setting.get("encoding") or ""
    if not encoding and data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise NoResult("it is UTF-16; add encoding: utf-16 to result")
    try:
        return data.decode(encoding or "utf-8-sig")
    except UnicodeDecodeError as error:
        if encoding:
            raise NoResult("it is not %s at byte %d" % (encoding, error.start)) from None
        hint = "add its encoding to result, such as encoding: latin-1"
        raise NoResult("it is not UTF-8 at byte %d; %s" % (error.start, hint)) from None


def is_table(text: str) -> bool:
    """Return whether a text file is a table of numbers, as numpy.savetxt and R's write.table write it.

    Either all of several lines or cells are numbers, or each line below the first has as many cells, numbers among them.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    rows = [line.replace(",", " ").replace(";", " ").split() for line in lines]
    numeric = [[is_number(cell) or is_missing(cell) for cell in row] for row in rows]
    if sum(map(len, rows)) > 1 and all(map(all, numeric)):
        return True
    widths = {len(row) for row in rows[1:]}
    if len(widths) != 1 or len(rows[0]) not in (max(widths), max(widths) - 1):
        return False
    return all(map(any if max(widths) > 1 else all, numeric[1:]))


class _Counts(object):
    """How many cells of a column are numbers, other texts, and numbers with commas."""

    __slots__ = ("commas", "example", "numbers", "others", "points")

    def __init__(self) -> None:
        self.numbers = self.others = self.commas = 0
        self.example = self.points = ""


class DelimitedTable(object):
    """A table: `names` of its columns, and `rows()` of as many texts each. Raises NoResult where it is refused."""

    def __init__(self, data: bytes, form: str, setting: "dict[str, Any]") -> None:
        """Check a table; `setting` may have header (names, or True), separator, decimal and encoding."""
        csv.field_size_limit(sys.maxsize)  # cells may be longer than 131,072 characters
        self.setting = setting
        text = decode(data, setting)
        if not text.strip():
            raise NoResult(EMPTY)
        comments, body = _split_comments(text)
        self._offset = text[: len(text) - len(body)].count("\n")  # lines before the table
        self._body = body.rstrip("\r\n ")
        self.line = 0
        if not self._body.strip():
            raise NoResult("it has comments only")
        self.separator = self._separator(form)
        self.decimal = setting.get("decimal") or "."
        try:
            self.names, self._skip = self._header(comments)
            self.row_names = False
            self._survey()
        except csv.Error as error:
            raise NoResult("it is not a table: %s" % error) from None

    def rows(self) -> "Iterator[Cells]":
        """Yield the cells of each row."""
        for cells in itertools.islice(self._lines(), self._skip, None):
            if len(cells) > 1 or cells[0] or len(self.names) == 1:  # a line of blanks is not a row
                yield cells

    def _lines(self) -> "Iterator[Cells]":
        """Yield the cells of each line that is not empty; `self.line` is the line's number in the file."""
        stream: "Any" = io.StringIO(self._body, newline="")
        if self.separator == " ":  # blanks at the ends separate nothing
            stream = (line.strip(" \t\r\n").replace("\t", " ") for line in stream)
        reader = csv.reader(stream, delimiter=self.separator, skipinitialspace=True, strict=True)
        for cells in reader:
            if cells:
                self.line = self._offset + reader.line_num
                yield cells

    def _separator(self, form: str) -> str:
        given = self.setting.get("separator") or ""
        if given:
            return SEPARATORS.get(given, given)
        if form == "tsv":
            return "\t"
        head = _without_quoted(self._body.lstrip("\r\n").partition("\n")[0])
        present = [char for char in CANDIDATES if char in head]
        if form in ("dat", "txt"):
            only = [char for char in present if " " not in head.strip().replace(char + " ", char)]
            return only[0] if only else " "
        return present[0] if present else " " if self._has_blanks() else ","

    def _has_blanks(self) -> bool:
        """Return whether blanks separate the cells, as numpy.savetxt writes them: as many in each line, numbers below."""
        lines = [line.split() for line in self._body.splitlines() if line.strip()]
        below = lines[1:] or lines
        return len(lines[0]) > 1 and all(
            len(cells) == len(lines[0]) and all(is_number(cell) or is_missing(cell) for cell in cells)
            for cells in below
        )

    # The header

    def _header(self, comments: "list[str]") -> "tuple[Cells, int]":
        """Return the names of the columns, and how many lines precede the first row."""
        given = self.setting.get("header")
        first = next(self._lines())
        if isinstance(given, (list, tuple)):
            return list(given), 0
        named = self._commented_header(comments, first)
        if named and given is not True:
            return distinct(named), 0
        if given is not True:
            self._require_names(first)
        return distinct(first), 1

    def _commented_header(self, comments: "list[str]", first: "Cells") -> "Cells | None":
        """Return the names in the last comment before the table, as numpy.savetxt writes them."""
        if not comments:
            return None
        separator = None if self.separator == " " else self.separator
        names = [name.strip() for name in comments[-1].split(separator)]
        if len(names) != len(first) or not any(map(self._is_number, first)):
            return None
        return names

    def _require_names(self, first: "Cells") -> None:
        cells = [cell.strip() for cell in first]
        if any(map(self._is_number, cells)) and all(
            self._is_number(cell) or is_missing(cell) for cell in cells
        ):
            names = ", ".join("abcdefgh"[at] for at in range(min(len(cells), 8)))
            raise NoResult(
                "its first line, %s, has numbers and no names; write their names in the study,"
                " result: {file: FILE, header: [%s%s]}"
                " (header: true if these numbers are the names)"
                % (self._shown(first), names, ", ..." if len(cells) > 8 else "")
            )

    # The rows

    def _survey(self) -> None:
        """Check every row: the number of cells, row names, and cells that may be meant otherwise."""
        width = len(self.names)
        longer: "list[Cells]" = []
        line = 0
        counts = [_Counts() for _ in range(width + 1)]
        for cells in self.rows():
            if len(cells) == width + 1:
                line = line or self.line
                longer.append(cells)
            elif longer:
                raise self._ragged(line, longer[0])
            elif len(cells) != width:
                raise self._ragged(self.line, cells)
            for count, cell in zip(counts, cells):
                self._count(count, cell.strip())
        if longer:
            self._require_row_names(line, longer)
            self.names = distinct([""] + self.names)
            self.row_names = True
        self._refuse_blank_lines()
        self._refuse_commas(counts)
        if self._skip and self.setting.get("header") is not True:
            self._refuse_data_as_header(counts)

    def _refuse_blank_lines(self) -> None:
        if len(self.names) == 1 and re.search(r"\n[ \t]*\r?\n", self._body):
            raise NoResult(
                "it has one column and blank lines, which may be missing values; write NA for these"
            )

    def _count(self, count: "_Counts", cell: str) -> None:
        if self._is_number(cell):
            count.numbers += 1
        elif not is_missing(cell):
            count.others += 1
            if WITH_POINTS.fullmatch(cell):
                count.points = count.points or cell
            if WITH_COMMAS.fullmatch(cell):
                count.commas += 1
                count.example = count.example or cell

    def _require_row_names(self, line: int, rows: "list[Cells]") -> None:
        """Refuse a table whose rows have one cell more than the header, unless that cell is a row name beyond doubt."""
        names = [cells[0] for cells in rows]
        numbered = names == [str(number) for number in range(1, len(rows) + 1)]
        given = isinstance(self.setting.get("header"), (list, tuple))
        if given or len(set(names)) < len(names) or not (numbered or not any(map(self._is_number, names))):
            raise self._ragged(line, rows[0])
        quoted = all(row.startswith('"') for row in self._body.splitlines()[1:] if row.strip())
        if self.separator != "," or (numbered and quoted):
            return
        if not quoted and (len(rows) == 1 or TEXT_WITH_COMMA.search(self._body)):
            raise self._ragged(line, rows[0])
        # A decimal comma also adds a cell to every row: 1,25 may be the row 1 with 25, or 1.25.
        for at in range(len(rows[0]) - 1):
            pairs = [(cells[at].strip(), cells[at + 1].strip()) for cells in rows]
            if all(WHOLE_PART.fullmatch(a) and DECIMALS.fullmatch(b) for a, b in pairs):
                raise self._ragged(line, rows[0])

    def _ragged(self, line: int, cells: "Cells") -> NoResult:
        """Return the refusal of a row that has another number of cells than the header, with the probable cause."""
        have = "%d cell%s (%s)" % (len(cells), "" if len(cells) == 1 else "s", self._shown(cells))
        want = "%d name%s (%s)" % (
            len(self.names),
            "" if len(self.names) == 1 else "s",
            self._shown(self.names),
        )
        text = "line %d has %s, but the header has %s" % (line, have, want)
        if len(cells) < len(self.names):
            return NoResult(text)
        if not cells[-1].strip():
            return NoResult(text + "; it ends with the separator")
        pairs = [(a.strip(), b.strip()) for a, b in zip(cells, cells[1:])]
        if self.separator == "," and any(WHOLE_PART.fullmatch(a) and DECIMALS.fullmatch(b) for a, b in pairs):
            return NoResult(
                text
                + "; if its numbers have decimal commas, as write.csv2 and some locales write them, separate"
                ' the cells by semicolons and add separator: ";" and decimal: "," to result; if the commas mark thousands,'
                " write the numbers without them; if the first cell is a row name, name its column"
            )
        return NoResult(text + "; a text that contains the separator needs quotes")

    def _refuse_commas(self, counts: "list[_Counts]") -> None:
        if self.decimal == ",":
            for name, count in zip(self.names, counts):
                if count.points:
                    raise NoResult(
                        "column %s has marks of thousands, such as %s; write it without"
                        % (name, count.points)
                    )
        if self.setting.get("decimal"):
            return
        for name, count in zip(self.names, counts):
            if count.commas and count.commas == count.others:
                raise NoResult(
                    'column %s has numbers with commas, such as %s; add decimal: "," to result if these are decimal commas;'
                    ' write them without commas if these mark thousands; decimal: "." keeps them as texts'
                    % (name, count.example)
                )

    def _refuse_data_as_header(self, counts: "list[_Counts]") -> None:
        """Refuse a first line that is like the rows below it: numbers above numbers, and texts above texts."""
        header = next(self._lines())
        below = counts[1:] if self.row_names else counts
        like = [self._is_number(name.strip()) for name in header]
        if any(like) and like == [count.numbers > 0 and not count.others for count in below[: len(header)]]:
            raise NoResult(
                "its first line, %s, is like the rows below it; if it has no header, write the names in"
                " the study, result: {file: FILE, header: [a, b]}; if it is the header, header: true"
                % self._shown(header)
            )

    def _is_number(self, cell: str) -> bool:
        return is_number(cell if self.decimal == "." else cell.replace(self.decimal, "."))

    def _shown(self, cells: "Cells") -> str:
        text = (" " if self.separator == " " else self.separator).join(cells)
        return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def _split_comments(text: str) -> "tuple[list[str], str]":
    """Return the comment lines before a table, without their sign, and the rest."""
    comments: "list[str]" = []
    while True:
        line, newline, rest = text.partition("\n")
        if line.strip() and not line.lstrip().startswith("#"):
            return comments, text
        if line.strip():
            comments.append(line.strip().lstrip("#").strip())
        if not newline:
            return comments, ""
        text = rest


def _without_quoted(line: str) -> str:
    return "".join(line.split('"')[::2])


def distinct(header: "list[str]") -> "list[str]":
    """Return names without blanks around them; an empty one is `unnamed`, and repeated ones get a number."""
    names: "dict[str, None]" = {}
    for name in [name.strip() or UNNAMED for name in header]:
        chosen, number = name, 1
        while chosen in names:
            number += 1
            chosen = "%s_%d" % (name, number)
        names[chosen] = None
    return list(names)
