"""Results that tasks finished by hand: which files can be taken in, and what is wrong with the others."""

from __future__ import annotations

import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from packhorse.study.template import literal

DAY = 86400.0
_R_ERROR = re.compile(
    r"\bError (?:in|:)|^Error\b|Execution halted|try-error|simpleError|subscript out of bounds"
)
SHOWN = 5


class FinishedFile(Struct, frozen=True, kw_only=True):
    """The file of one task: its rows, or why it cannot be read; `modified` is in Unix seconds."""

    index: int
    path: str
    modified: float
    digest: str
    rows: tuple[Mapping[str, Any], ...] = ()
    problem: str = ""


def template_of(
    pattern: str, columns: Mapping[str, Sequence[str]], exists: Mapping[str, bool] | set[str]
) -> str:
    """Return the name of a result with a placeholder for a pattern such as out/sim_*.csv; empty if no parameter fits."""
    if "{" in pattern or "*" not in pattern:
        return pattern
    before, _, after = pattern.partition("*")
    best, most = "", 0
    for name, values in columns.items():
        widths = [0, *range(2, 9)] if all(value.isdigit() for value in values) else [0]
        for width in widths:
            count = sum(f"{before}{value.zfill(width)}{after}" in exists for value in set(values))
            if count > most:
                place = f"{{{name}:0{width}d}}" if width else f"{{{name}}}"
                best, most = literal(before) + place + literal(after), count
    return best


def error_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return a cell that holds the message of an error in R; empty if there is none."""
    cells = (value for row in rows for value in row.values() if isinstance(value, str))
    return next((cell for cell in cells if _R_ERROR.search(cell)), "")


def differs(file: FinishedFile, texts: Mapping[str, str]) -> str:
    """Return the value of a parameter that a file has otherwise, as a clause; empty if there is none."""
    for name, text in texts.items():
        values = {_same(row[name]) for row in file.rows if row.get(name) is not None}
        if values and values != {_same(text)}:
            return f"{file.path} has {name}={next(iter(sorted(map(str, values))))}, but task {file.index} has {name}={text}"
    return ""


def _same(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        return str(value)


def suspicious(files: Sequence[FinishedFile]) -> dict[int, str]:
    """Return, by index, why a readable file is not one of this array: fewer rows, other columns, or much older."""
    found: dict[int, str] = {}
    if len(files) < 3:
        return found
    usual_rows, often = Counter(len(one.rows) for one in files).most_common(1)[0]
    usual_names, alike = Counter(tuple(one.rows[0]) if one.rows else () for one in files).most_common(1)[0]
    typical = statistics.median(one.modified for one in files)
    spread = statistics.median(abs(one.modified - typical) for one in files)
    for one in files:
        if often * 5 >= len(files) * 4 and len(one.rows) < usual_rows:
            found[one.index] = f"has {len(one.rows)} rows where others have {usual_rows}, as if half written"
        elif alike * 5 >= len(files) * 4 and (tuple(one.rows[0]) if one.rows else ()) != usual_names:
            found[one.index] = "has other columns than the others"
        elif typical - one.modified > max(DAY, 20 * spread):
            found[one.index] = "is much older than the others, as if from an older run"
    return found


def repeated(files: Sequence[FinishedFile], columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Return sentences on seeds and files that several tasks share."""
    notes = []
    for name, values in columns.items():
        if "seed" in name.lower():
            twice = [value for value, count in Counter(values).items() if count > 1]
            if twice:
                notes.append(f"several tasks have the same {name}: {', '.join(twice[:SHOWN])}")
    by_digest: dict[str, list[str]] = {}
    for one in files:
        by_digest.setdefault(one.digest, []).append(one.path)
    for paths in by_digest.values():
        if len(paths) > 1:
            notes.append(f"{', '.join(paths[:SHOWN])} are identical, as if these tasks had the same seed")
    return notes
