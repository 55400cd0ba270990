"""The usual way from records to columns: results of one shape, all decoded at once.

A result is usually one JSON object, and all of a study's results have the same names. Then no row needs to be
a dict: a type made for these names lets the decoder check the shape, and each column is one pass over
the records. Whatever is not of the shape is left to the general way (`payload`), which gives the same table.
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
    """Records whose results have the same names, and by name the results' values and the values' types."""

    records: Sequence[Record]
    values: dict[str, list[Any]]
    types: dict[str, set[type]]


def decode_uniform(block: bytes, count: int, first: int) -> Uniform | None:
    """Decode so many lines of records whose results have the shape of line `first`; None if one has another.

    The names keep the order of line `first`. An object within an object is another shape, since its names
    are joined with its parent's.
    """
    pattern = decode_line(block.split(b"\n", first + 1)[first], _any_record)
    if pattern is None or type(pattern.json) is not dict or "" in pattern.json:
        return None
    names = tuple(pattern.json)
    decoder = _decoder(names)
    records = _alike(block, count, decoder) if decoder else None
    if records is None:
        return None
    results = [record.json for record in records]
    values = {name: list(map(attrgetter(_field(at)), results)) for at, name in enumerate(names)}
    types = {name: set(map(type, column)) for name, column in values.items()}
    return None if any(dict in found for found in types.values()) else Uniform(records, values, types)


_any_record = msgspec.json.Decoder(Record)


def _field(at: int) -> str:
    return f"value_{at}"


@lru_cache(maxsize=64)
def _decoder(names: tuple[str, ...]) -> msgspec.json.Decoder[Record] | None:
    """Return a decoder of records whose results have just these names; None where no type can have them."""
    members = [(_field(at), Any, msgspec.field(name=name)) for at, name in enumerate(names)]
    try:
        result = msgspec.defstruct("Result", members, forbid_unknown_fields=True, gc=False)
    except ValueError:  # a name with quotes, or with half a character
        return None
    return msgspec.json.Decoder(
        msgspec.defstruct("Like", [("json", result)], bases=(Record,), kw_only=True, gc=False)
    )


def _alike(block: bytes, count: int, decoder: msgspec.json.Decoder[Record]) -> Sequence[Record] | None:
    """Decode lines that all have the decoder's shape, or return None at the first that has not."""
    found: Sequence[Record]
    try:
        found = decoder.decode_lines(block)
    except msgspec.ValidationError:
        return None
    except (ValueError, RecursionError):  # such as a bare NaN
        found = ()
    if len(found) == count:
        return found
    one_by_one = []
    for line in block.split(b"\n")[:count]:
        record = decode_line(line, decoder)
        if record is None:
            return None
        one_by_one.append(record)
    return one_by_one
