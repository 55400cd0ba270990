"""Fast path from records to columns: results of one shape, decoded in blocks.

A result is usually one JSON object, and all results of a study have the same names. Rows then need not be dicts:
a type made for these names lets the decoder check the shape, and each column is one pass over the records.
Other results take the slow path (`payload`), which gives the same table.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.results.journal import Record, decode_line


class Uniform(Struct):
    """Records whose results have the same names, with the values of each name and their types."""

    records: Sequence[Record]
    values: dict[str, list[Any]]
    types: dict[str, set[type]]


def decode_uniform(block: bytes, count: int, first: int) -> Uniform | None:
    """Decode `count` lines of records whose results have the shape of line `first`; return None if one differs.

    Names keep the order of line `first`. A nested object is another shape, since its names are joined with its
    parent's.
    """
    pattern = decode_line(block.split(b"\n", first + 1)[first], _any_record)
    if pattern is None or type(pattern.json) is not dict or "" in pattern.json:
        return None
    names = tuple(pattern.json)
    decoder = _decoder(names)
    records = _decode_same_shape(block, count, decoder) if decoder else None
    if records is None:
        return None
    results = [record.json for record in records]
    values = {name: list(map(attrgetter(_field(at)), results)) for at, name in enumerate(names)}
    types = {name: set(map(type, column)) for name, column in values.items()}
    return None if any(dict in kinds for kinds in types.values()) else Uniform(records, values, types)


_any_record = msgspec.json.Decoder(Record)


def _field(at: int) -> str:
    return f"value_{at}"


@lru_cache(maxsize=64)
def _decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[Record] | None:
    """Return a decoder of records whose results have exactly these names; None where no type can have them."""
    members = [(_field(at), Any, msgspec.field(name=name)) for at, name in enumerate(names)]
    try:
        result = msgspec.defstruct("Result", members, forbid_unknown_fields=True, gc=False)
    except ValueError:  # a name with quotes, or with a lone surrogate
        return None
    return msgspec.json.Decoder(
        msgspec.defstruct("Like", [("json", result)], bases=(Record,), kw_only=True, gc=False)
    )


def _decode_same_shape(
    block: bytes, count: int, decoder: msgspec.json.Decoder[Record]
) -> Sequence[Record] | None:
    """Decode lines that all have the decoder's shape; return None if one differs."""
    records: Sequence[Record]
    try:
        records = decoder.decode_lines(block)
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError):  # such as a bare NaN
        records = ()
    if len(records) == count:
        return records
    one_by_one = []
    for line in block.split(b"\n")[:count]:
        record = decode_line(line, decoder)
        if record is None:
            return None
        one_by_one.append(record)
    return one_by_one
