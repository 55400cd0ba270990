"""Whether the worker accepts the bytes of a result: JSON, and tables as text.

Formats that need a library (Parquet, NumPy, R) are read, and then judged, where the table is made.
"""

import json
import re

from packhorse.worker.results.refusal import EMPTY, NoResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

UNNAMED = "unnamed"
SHOWN = 80  # characters of a text in a message
HUGE = re.compile(rb"[eE]\+?[0-9]{3}")  # perhaps a number beyond doubles
MOST_EXPANDED = 1 << 30  # bytes of a compressed file
PICKLE = (
    "a pickle runs code when it is read; write JSON, CSV, .npy or .rds instead,"
    " or run with --trust-pickle if you trust everything that writes these files"
)
MAGIC = {"parquet": b"PAR1", "npy": b"\x93NUMPY", "npz": b"PK", "xlsx": b"PK"}


def judge(data: bytes, form: str, setting: "dict[str, Any]") -> None:
    """Raise NoResult, with the reason, for a result that cannot be read in its format."""
    if form.endswith(".gz"):
        data, form = expand(data), form[:-3]
    if not data:
        raise NoResult(EMPTY)
    if form in ("json", "ndjson"):
        for value in json_lines(data) if form == "ndjson" else [parse_json(data)]:
            check_rows(value)
    elif form in ("csv", "tsv", "dat", "txt", "text"):
        _judge_text(data, form, setting)
    elif form == "pickle" and not setting.get("trust_pickle"):
        raise NoResult(PICKLE)
    elif not data.startswith(MAGIC.get(form, b"")):
        raise NoResult("it is not a file of the format %s" % form)


def _judge_text(data: bytes, form: str, setting: "dict[str, Any]") -> None:
    from packhorse.worker.results import delimited  # csv would add 2 ms to the start of every slot

    text = delimited.decode(data, setting)
    if form not in ("text", "txt") or (form == "txt" and delimited.is_table(text)):
        delimited.DelimitedTable(data, form, setting)


def expand(data: bytes) -> bytes:
    """Return the content of a gzip file; raise NoResult where it is damaged or too large."""
    import gzip  # as csv above
    import io
    import zlib

    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            content = stream.read(MOST_EXPANDED + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise NoResult("it is not a whole gzip file: %s" % error) from None
    if len(content) > MOST_EXPANDED:
        raise NoResult("it is larger than 1 GiB without compression")
    return content


def parse_json(data: bytes) -> "Any":
    """Return the value of JSON, also with NaN and Infinity; raise NoResult, also for a name that occurs twice."""
    try:
        text = data.decode("utf-8-sig", "surrogateescape")
        value = json.loads(text, object_pairs_hook=_distinct)
    except NoResult:
        raise
    except RecursionError:
        raise NoResult("it is nested too deeply") from None
    except ValueError as error:
        hint = (
            "; several values, one a line, are .ndjson (format: ndjson)"
            if str(error).startswith("Extra data")
            else ""
        )
        raise NoResult("it is not JSON: %s%s" % (error, hint)) from None
    if HUGE.search(data):
        json.loads(text, parse_float=_finite)
    return value


def _distinct(pairs: "list[tuple[str, Any]]") -> "dict[str, Any]":
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NoResult("the name %s occurs twice in one object" % json.dumps(twice))
    return found


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise NoResult("the number %s is beyond double precision; write it as a text" % text)
    return value


def json_lines(data: bytes) -> "Iterator[Any]":
    """Yield the values of JSON lines; raise NoResult with the number of the first line that is none."""
    lines = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                value = parse_json(line)
            except NoResult as error:
                raise NoResult("line %d: %s" % (number, error)) from None
            yield value


def check_rows(value: "Any") -> None:
    """Raise NoResult where two values of one row would have the same name once nested names are joined by dots."""
    rows = value if type(value) is list else [value]
    for row in rows:
        if type(row) is dict and (dict in map(type, row.values()) or "" in row):
            flat(row)


def flat(row: "dict[str, Any]") -> "dict[str, Any]":
    """Return a row with the names of nested objects joined by dots."""
    found: "dict[str, Any]" = {}
    for name, value in _leaves(row, ""):
        if name in found:
            raise NoResult("two values of the result are named %r" % name)
        found[name] = value
    return found


def _leaves(row: "dict[str, Any]", prefix: str) -> "Iterator[tuple[str, Any]]":
    for key, value in row.items():
        name = prefix + (key or UNNAMED)
        if type(value) is dict and value:
            for leaf in _leaves(value, name + "."):
                yield leaf
        else:
            yield name, value
