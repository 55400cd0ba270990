"""The results table: one or more rows per task, from the records that decide the tasks' outcomes.

The columns are described in docs/reference/files.md, "Table". Unreadable, clashing and missing results are not errors:
the report counts them, and the files are always written.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from packhorse.model.errors import RunError
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Result, Study
from packhorse.results.bookkeeping import BOOKKEEPING, Book
from packhorse.results.columns import (
    INT64,
    Clash,
    Column,
    Columns,
    escape_surrogates,
    free_names,
)
from packhorse.results.fold import Fold
from packhorse.results.formats.rows import Array, Row, UnreadableError
from packhorse.results.journal import OUTCOMES, Journal, Record
from packhorse.results.parameter_columns import parameter_columns
from packhorse.results.payload import Payloads, Readers, result_format
from packhorse.results.table_files import write_whole
from packhorse.results.uniform import decode_uniform
from packhorse.text.amounts import counted

if TYPE_CHECKING:
    import polars as pl

BATCH = 10_000  # rows to hold as Python objects at once
BYTES = 1 << 24  # of journal lines to decode at once
UNREADABLE = "UNREADABLE"
ENDED = ("TIMEOUT", "MEMORY", "UNFINISHED")  # outcomes of tasks that a limit ended


@dataclass(frozen=True)
class MergeReport:
    """Report of a merge: the table, and everything that its reader must know about it."""

    table: pl.DataFrame
    tasks: int  # tasks with at least one row
    counts: dict[str, int]  # by outcome, and MISSING; UNREADABLE tasks also count as OK
    unreadable: dict[
        int, tuple[str, Journal, Record]
    ]  # task -> the reason, and the record that has the result
    empty: list[int]  # OK tasks whose result has no rows
    without: list[int]  # OK tasks without a result, where others have one
    arrays: dict[str, int]  # results that are arrays, and so not in the table: how many
    missing_texts: dict[
        tuple[str, str], int
    ]  # (column, word) -> how often the word was read as missing or as a number
    partial: list[int]  # tasks that were ended, and whose result is in the table all the same
    clashes: list[Clash]
    renamed: dict[str, str]  # result column -> its name in the table
    duplicates: tuple[int, ...]  # tasks that succeeded more than once
    differing: tuple[int, ...]  # of the duplicates, those whose results differ
    bad: int  # journal lines with a wrong checksum
    foreign: int  # records of tasks that are no longer in the study
    notes: list[str]
    files: list[Path]

    @property
    def rows(self) -> int:
        """Number of rows in the table."""
        return self.table.height


@dataclass
class _Gathered:
    """The rows of all OK tasks, in the order of the journals."""

    columns: Columns
    book: Book = field(default_factory=Book)
    unreadable: dict[int, tuple[str, Journal, Record]] = field(default_factory=dict)
    empty: list[int] = field(default_factory=list)
    without: list[int] = field(default_factory=list)
    partial: list[int] = field(default_factory=list)
    missing_texts: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Reading:
    """How results are read: the default format, the study's settings, and the reader of R files."""

    form: str
    result: Result | None
    readers: Readers | None

    def payloads(self, journal: Journal) -> Payloads:
        """Return the reader of the results of one journal."""
        return Payloads(journal, self.form, self.result, self.readers)


def merge_results(
    space: ParameterSpace,
    fold: Fold,
    directory: Path,
    *,
    study: Study | None = None,
    latest: Plan | None = None,
    readers: Readers | None = None,
) -> MergeReport:
    """Write results.parquet, results.csv and failures.csv into a directory, each atomically.

    `latest` is the newest plan. The column ph_code is written if any task has other code than it, or than code that
    counts as the same. Where scripts set their own seeds, the column seed of the files is empty.
    """
    import packhorse.results.load_polars  # noqa: F401 - before polars is imported anywhere

    if space.size > INT64[1]:
        raise RunError(
            f"the space has {counted(space.size, 'task')}; a table can have at most {INT64[1]:,}",
            "make the space smaller in the study file",
        )
    result = study.result if study is not None else None
    default = result_format(result.format, result.file) if result is not None else "text"
    reading = _Reading(default, result, readers)
    gathered = _gather(fold, reading)
    clashes, numeric = gathered.columns.clashes, gathered.columns.numeric
    if clashes or numeric:  # read again, with these columns as text, or as numbers
        gathered = _gather(fold, reading, clashes, numeric)
    if not gathered.columns.columns:
        gathered.without.clear()  # no task has a result, so their records are the table
    codes = {latest.code, *latest.same_code} if latest is not None else set()
    table, renamed = _table(space, gathered, codes - {""})
    files = [directory / name for name in ("results.parquet", "results.csv", "failures.csv")]
    shown, failures = table, _failures(space, fold, gathered)
    if latest is not None and latest.own_seeds:
        shown, failures = _without_seeds(table), _without_seeds(failures)
    writers: tuple[Callable[[Any], Any], ...] = (shown.write_parquet, shown.write_csv, failures.write_csv)
    # One after another: together they would take more memory, and hardly less time.
    for file, write in zip(files, writers, strict=True):
        write_whole(file, write)
    return MergeReport(
        table=table,
        tasks=fold.counts["OK"] - sum(map(len, (gathered.unreadable, gathered.empty, gathered.without))),
        counts={**fold.counts, UNREADABLE: len(gathered.unreadable)},
        unreadable=dict(sorted(gathered.unreadable.items())),
        empty=sorted(gathered.empty),
        without=sorted(gathered.without),
        arrays=gathered.columns.arrays,
        missing_texts=_missing_texts(gathered),
        partial=sorted(gathered.partial),
        clashes=[gathered.columns.columns[name].describe_clash(escape_surrogates(name)) for name in clashes],
        renamed=renamed,
        duplicates=fold.duplicates.indices,
        differing=fold.duplicates.differing,
        bad=fold.bad,
        foreign=fold.foreign,
        notes=list(dict.fromkeys(note for journal in fold.journals for note in journal.notes)),
        files=files,
    )


def _missing_texts(gathered: _Gathered) -> dict[tuple[str, str], int]:
    """Return how often each word in each column was read as missing or as a number, in its file or among others."""
    found = dict(gathered.missing_texts)
    for name, column in gathered.columns.named():
        for word, count in column.missing_texts.items():
            found[name, word] = found.get((name, word), 0) + count
    return {(escape_surrogates(name), word): count for (name, word), count in found.items()}


def _gather(
    fold: Fold, reading: _Reading, as_text: Sequence[str] = (), as_numbers: Sequence[str] = ()
) -> _Gathered:
    gathered = _Gathered(Columns(as_text, as_numbers))
    for journal, indices, lines in fold.winners("OK"):
        with reading.payloads(journal) as payloads, _no_cycles():
            at = 0
            for rows, block in journal.blocks(lines, journal.within(BYTES, BATCH)):
                tasks = indices[at : at + len(rows)]
                at += len(rows)
                if not _add_uniform(block, tasks, journal, gathered):
                    records = journal.decoded(rows, block)
                    payloads.prepare(records)
                    for batch in _batches(payloads, journal, tasks, records, gathered):
                        _add(batch, journal, gathered)
            for word, count in payloads.missing_texts.items():
                gathered.missing_texts[word] = gathered.missing_texts.get(word, 0) + count
    _gather_partial(fold, reading, gathered)
    return gathered


def _gather_partial(fold: Fold, reading: _Reading, gathered: _Gathered) -> None:
    """Add complete results of tasks that were ended, which the study accepts; one that cannot be read is left out."""
    for journal, indices, lines in fold.winners(*ENDED):
        pairs = zip(indices, journal.records(lines), strict=True)
        accepted = [(index, record) for index, record in pairs if record.text is not None or record.pack]
        if not accepted:
            continue
        rest = _Gathered(gathered.columns)  # unreadable ones are told as what they are: ended
        with reading.payloads(journal) as payloads:
            payloads.prepare(record for _, record in accepted)
            for batch in _batches(
                payloads, journal, [at for at, _ in accepted], [one for _, one in accepted], rest
            ):
                _add(batch, journal, gathered, partial=True)
                gathered.partial += batch.indices


def _add_uniform(block: bytes, tasks: Sequence[int], journal: Journal, gathered: _Gathered) -> bool:
    """Add records whose results have one shape, the usual case; return whether they have."""
    uniform = decode_uniform(block, len(tasks), tasks.index(min(tasks)))
    if uniform is None:
        return False
    gathered.book.add(tasks, uniform.records, journal)
    gathered.columns.add_values(uniform.values, uniform.types, tasks)
    return True


@contextlib.contextmanager
def _no_cycles() -> Iterator[None]:
    """Pause the garbage collector: decoded rows have no cycles, and visiting them takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@dataclass
class _Batch:
    """Records and rows of some tasks; `counts` is the number of rows of each task."""

    indices: list[int] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)


def _batches(
    payloads: Payloads, journal: Journal, indices: Sequence[int], records: list[Record], gathered: _Gathered
) -> Iterator[_Batch]:
    batch = _Batch()
    for index, record in zip(indices, records, strict=True):
        try:
            rows = payloads.rows(record)
        except UnreadableError as error:
            gathered.unreadable[index] = (str(error), journal, record)
            continue
        if rows is None:
            gathered.without.append(index)
            rows = [{}]
        elif not rows:
            gathered.empty.append(index)
            continue
        batch.indices.append(index)
        batch.records.append(record)
        batch.rows += map(_without_values, rows)
        batch.counts.append(len(rows))
        if len(batch.rows) >= BATCH:
            yield batch
            batch = _Batch()
    if batch.rows:
        yield batch


def _without_values(row: Row) -> Row:
    """Return a row whose arrays are empty: they are not in the table, and many of them would fill the memory."""
    if Array not in map(type, row.values()):
        return row
    return {
        name: replace(value, values=value.values[:0]) if type(value) is Array else value
        for name, value in row.items()
    }


def _add(batch: _Batch, journal: Journal, gathered: _Gathered, *, partial: bool = False) -> None:
    gathered.book.add(batch.indices, batch.records, journal, counts=batch.counts, partial=partial)
    owners = zip(batch.indices, batch.counts, strict=True)
    gathered.columns.add(batch.rows, [index for index, count in owners for _ in range(count)])


def _table(
    space: ParameterSpace, gathered: _Gathered, codes: set[str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """Return the table of parameters, results and bookkeeping, sorted by index, and the renamed columns."""
    import polars as pl

    book = gathered.book
    index = book.take("ph_index")
    order = _order(gathered, index)
    needed = book.names(codes)

    def sorted_(column: pl.Series) -> pl.Series:
        return column if order is None else column[order]

    index = sorted_(index)
    left = _parameters(space, index, sorted_(book.take("seed")))
    named = gathered.columns.named()
    chosen = free_names([name for name, _ in named], {column.name for column in left})
    results = [sorted_(column) for column in _series(named, gathered.columns.rows, chosen)]
    columns = [*left, *results, index]
    names, literals = [column.name for column in columns], []
    if space.replicates == 1:  # a column of one value takes no memory
        del columns[len(left) - 2]
        literals.append(pl.lit(0, dtype=pl.Int64).alias("replicate"))
    del left
    for name in needed:
        names.append(name)
        if book.constant(name):
            literals.append(book.literal(name))
        else:
            column = sorted_(book.take(name))
            # A task with one row among tasks with several is their row 0.
            columns.append(column.fill_null(0) if name == "ph_row" else column)
    table = pl.DataFrame(columns).with_columns(literals).select(names)
    return table, {
        escape_surrogates(old): new for old, new in chosen.items() if escape_surrogates(old) != new
    }


def _without_seeds(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.with_columns(pl.lit(None, pl.Int64).alias("seed")) if "seed" in frame.columns else frame


def _order(gathered: _Gathered, index: pl.Series) -> pl.Series | None:
    """Return the order of the table's rows, by task and row; None where they are in order."""
    import polars as pl

    book = gathered.book
    if index.is_sorted() and book.constant("ph_row") and not gathered.without:
        return None
    low: Any = index.min()
    high: Any = index.max()
    rows = index.len()
    if book.constant("ph_row") and not gathered.without and high - low + 1 == rows:
        # Every task has one row: put each in its place, which takes a tenth of the memory of sorting.
        order = pl.zeros(rows, dtype=pl.UInt32, eager=True)
        return order.scatter(index - low, pl.arange(rows, dtype=pl.UInt32, eager=True))
    keys = pl.DataFrame([index] if book.constant("ph_row") else [index, book.series("ph_row")])
    order = keys.select(pl.arg_sort_by(keys.columns, nulls_last=True)).to_series()
    if gathered.without:
        order = order.filter(~index.is_in(gathered.without)[order])
    return order


def _series(named: list[tuple[str, Column]], rows: int, chosen: Mapping[str, str]) -> Iterator[pl.Series]:
    """Yield the result columns; free the pieces of each one once it is joined."""
    for name, column in named:
        joined = column.series(chosen[name], rows)
        column.pieces.clear()
        yield joined


def _parameters(space: ParameterSpace, index: pl.Series, seed: pl.Series) -> list[pl.Series]:
    """Return the columns of parameters, replicate and seed of the tasks with these indices."""
    columns = parameter_columns(space, index)
    replicate = (index % space.replicates).alias("replicate")
    return [*columns, replicate, seed]


def _failures(space: ParameterSpace, fold: Fold, gathered: _Gathered) -> pl.DataFrame:
    """Return a row for each failed or unreadable task: outcome, exit status, signal and cause."""
    import polars as pl

    book = Book()
    causes: list[tuple[str, int | None, int | None, str]] = []
    for journal, indices, lines in fold.winners(*OUTCOMES[1:]):
        records = list(journal.records(lines))
        if records:
            book.add(indices, records, journal)
        causes.extend((record.outcome, record.exit, record.signal, record.cause) for record in records)
    for index, (reason, journal, record) in gathered.unreadable.items():
        book.add([index], [record], journal)
        causes.append((UNREADABLE, record.exit, record.signal, reason))
    types = {"outcome": pl.String(), "exit": pl.Int64(), "signal": pl.Int64(), "cause": pl.String()}
    cause_columns = pl.DataFrame(causes, schema=types, orient="row")
    index_column = book.series("ph_index")
    frame = pl.DataFrame(
        [
            *_parameters(space, index_column, book.series("seed")),
            *cause_columns,
            index_column,
            *(book.series(f"ph_{name}") for name in BOOKKEEPING),
        ]
    )
    return frame.sort("ph_index")
