"""Compare a table with a reference: another program's results, or a golden table in a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from msgspec import Struct

from packhorse.check.finding import Finding, Verdict, number
from packhorse.check.tables import is_number, read_table
from packhorse.model.errors import UsageError
from packhorse.text.amounts import counted

SHOWN = 3  # columns in a sentence


class Tolerance(Struct, frozen=True, kw_only=True):
    """Limits of a difference: within `atol` + `rtol` |reference|, or within `ulp` units in the last place."""

    rtol: float = 0.0
    atol: float = 0.0
    ulp: int = 0


def compare_tables(
    table: Any,
    reference: Any,
    *,
    keys: Sequence[str] = (),
    rtol: float = 0.0,
    atol: float = 0.0,
    ulp: int = 0,
    columns: Mapping[str, Tolerance] | None = None,
) -> Finding:
    """Compare all columns of a table with those of a reference; rows belong together by `keys`, else by their order.

    `columns` are tolerances of single columns, in place of `rtol`, `atol` and `ulp`. Two missing values are equal, as
    are two NaNs; a missing value and NaN differ. Integers, texts and truth values must be equal, except integers with
    a tolerance of their own or for all. Missing rows and columns fail, as do further ones. Raises UsageError for a
    key that is not a column or not unique.
    """
    first, second = read_table(table), read_table(reference)
    lost = [name for name in second.columns if name not in first.columns]
    new = [name for name in first.columns if name not in second.columns]
    first, second, rows = _aligned(first, second, list(keys))
    faults = (
        [f"without column {name}" for name in lost] + [f"with a further column {name}" for name in new] + rows
    )
    details = []
    general = Tolerance(rtol=rtol, atol=atol, ulp=ulp)
    for name in second.columns:
        if name not in first.columns or name in keys:
            continue
        allowed = (columns or {}).get(name, general)
        found = _compared(first[name], second[name], allowed)
        if found:
            at = int(found.pop("row"))
            where = ", ".join(f"{key}={second[key][at]}" for key in keys) or f"row {at}"
            details.append({"column": name, "where": where, **found})
    texts = [_described(one, second.height) for one in details]
    wrong = faults + texts
    sentence = "; ".join(wrong[:SHOWN]) + (f"; and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
    compared = len([name for name in second.columns if name in first.columns])
    limits = [f"{kind} {limit:g}" for kind, limit in (("rtol", rtol), ("atol", atol), ("ulp", ulp)) if limit]
    return Finding(
        check="reference",
        compared=f"{counted(compared, 'column')} with those of the reference",
        verdict=Verdict.FAIL if wrong else Verdict.PASS if second.height else Verdict.UNDECIDED,
        sentence=sentence or f"{counted(second.height, 'row')} agree in {counted(compared, 'column')}",
        statistic=float(sum(one["count"] for one in details)),
        threshold=0.0,
        source=", ".join(limits) or "bitwise equality",
        details=tuple(details),
    )


def _described(one: Mapping[str, Any], rows: int) -> str:
    first = f"the first at {one['where']} ({one['found']}, reference {one['reference']})"
    text = f"{one['column']}: {one['count']:,} of {rows:,} differ, {first}"
    if one["absolute"] is None:
        return text
    return f"{text}, at most by {number(one['absolute'], 3)} or {number(one['relative'], 3)} of the value"


def _aligned(
    first: pl.DataFrame, second: pl.DataFrame, keys: list[str]
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Return both tables with the rows that they share, in the same order, and what only one of them has."""
    if not keys:
        shared = min(first.height, second.height)
        rows = (
            [] if first.height == second.height else [f"{first.height:,} rows, reference {second.height:,}"]
        )
        return first[:shared], second[:shared], rows
    for frame in (first, second):
        absent = [key for key in keys if key not in frame.columns]
        if absent:
            raise UsageError(f"no key column {absent[0]!r}", f"columns: {', '.join(frame.columns)}")
        if frame.select(keys).is_duplicated().any():
            raise UsageError(f"the keys {', '.join(keys)} do not identify a row", "name more columns")
    first = first.with_columns(pl.col(key).cast(second.schema[key]) for key in keys)
    if first.height == second.height and first.select(keys).equals(second.select(keys)):
        return first, second, []
    numbered = second.with_row_index("ph_second").select(*keys, "ph_second")
    joined = (
        first.with_row_index("ph_first")
        .select(*keys, "ph_first")
        .join(numbered, on=keys, how="full", nulls_equal=True)
    )
    extra, lost = int(joined["ph_second"].null_count()), int(joined["ph_first"].null_count())
    both = joined.drop_nulls(["ph_first", "ph_second"]).sort("ph_second")
    rows = [f"without {counted(lost, 'row')} of the reference"] if lost else []
    rows += [f"with {counted(extra, 'further row')}"] if extra else []
    return first[both["ph_first"]], second[both["ph_second"]], rows


def _compared(value: pl.Series, reference: pl.Series, allowed: Tolerance) -> dict[str, Any] | None:
    """Return how many values differ, the first of them and the largest differences; None where all agree."""
    absolute = relative = None
    if is_number(value.dtype) and is_number(reference.dtype):
        missing = (value.is_null() != reference.is_null()).to_numpy()
        if value.dtype.is_integer() and reference.dtype.is_integer() and allowed == Tolerance():
            wrong = missing | (value != reference).fill_null(value=False).to_numpy()
        else:
            x, y = (one.cast(pl.Float64).to_numpy() for one in (value, reference))
            with np.errstate(all="ignore"):
                away = np.abs(x - y)
                close = (x == y) | (away <= allowed.atol + allowed.rtol * np.abs(y))
                if allowed.ulp:
                    close |= away <= allowed.ulp * np.spacing(np.abs(y))
                close &= np.isfinite(x) | (x == y)
                # Nulls are NaN here; `missing` tells a null from a NaN.
                wrong = missing | ~(close | (np.isnan(x) & np.isnan(y)))
                known = away[wrong & np.isfinite(away)]
                absolute = float(known.max()) if known.size else None
                shares = (away / np.abs(y))[wrong]
                shares = shares[np.isfinite(shares)]
                relative = float(shares.max()) if shares.size else None
    else:
        x_text, y_text = value.cast(pl.String), reference.cast(pl.String)
        wrong = (~x_text.eq_missing(y_text)).to_numpy()
    if not wrong.any():
        return None
    row = int(np.argmax(wrong))
    shown = {"found": repr(value[row]), "reference": repr(reference[row])}
    return {"row": row, "count": int(wrong.sum()), **shown, "absolute": absolute, "relative": relative}


def same_as_reference(
    table: Any,
    path: str | Path,
    *,
    keys: Sequence[str] = (),
    update: bool = False,
    rtol: float = 0.0,
    atol: float = 0.0,
    ulp: int = 0,
    columns: Mapping[str, Tolerance] | None = None,
) -> Finding:
    """Compare a table with the golden table in a file (CSV or Parquet), as `compare_tables` does.

    With `update`, the table is written to the file, and the sentence says what differed. Nothing else writes it.
    Raises UsageError for a file with another suffix.
    """
    path, frame = Path(path), read_table(table)
    if path.suffix not in (".csv", ".parquet"):
        raise UsageError(f"a golden table is a .csv or .parquet file, not {path}")
    if not path.exists():
        finding = _about(path, Verdict.FAIL, "there is no golden table yet; write it with update (--update)")
    else:
        finding = compare_tables(frame, path, keys=keys, rtol=rtol, atol=atol, ulp=ulp, columns=columns)
    if not update or (path.exists() and finding.passed):
        return finding
    before = finding.sentence if path.exists() else "there was none"
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{os.getpid()}.{path.name}")
    write = frame.write_parquet if path.suffix == ".parquet" else frame.write_csv
    write(partial)
    partial.replace(path)
    return _about(path, Verdict.PASS, f"{path} was updated; before: {before}")


def _about(path: Path, verdict: Verdict, sentence: str) -> Finding:
    return Finding(check="reference", compared=f"the table with {path}", verdict=verdict, sentence=sentence)
