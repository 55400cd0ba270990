"""JSON, tables as text, YAML and plain text."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec

from packhorse.results.formats.rows import RESULT, File, MissingTexts, Row
from packhorse.worker.results.cells import BLANK, FALSE, FLOAT, INTEGER, MISSING, NUMBERS, TRUE
from packhorse.worker.results.delimited import DelimitedTable, decode, is_table
from packhorse.worker.results.judgement import flat


def decode_json(data: bytes) -> Any:
    """Decode JSON exactly, including NaN, Infinity and -Infinity; raise ValueError for other text."""
    try:
        return msgspec.json.decode(data)
    except ValueError:
        return json.loads(data.decode("utf-8-sig", "surrogateescape"))


def json_rows(value: Any) -> list[Row]:
    """Return the rows of a JSON value: an object, a list of objects, or one value without a name."""
    if type(value) is dict:
        return [flat(value)]
    if type(value) is list and all(type(row) is dict for row in value):
        return [flat(row) for row in value]
    return [{RESULT: value}]


def read_json(file: File) -> list[Row]:
    """Return the rows of a JSON file."""
    return json_rows(decode_json(file.data))


def read_ndjson(file: File) -> list[Row]:
    """Return the rows of a file with one JSON value a line."""
    return [row for line in file.data.split(b"\n") if line.strip() for row in json_rows(decode_json(line))]


def read_yaml(file: File) -> list[Row]:
    """Return the rows of a YAML file: a mapping, a list of mappings, or one value."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        value = YAML(typ="safe", pure=True).load(decode(file.data, file.setting))
    except YAMLError as error:
        raise ValueError(getattr(error, "problem", None) or str(error).partition("\n")[0]) from error
    return json_rows(msgspec.to_builtins(value, str_keys=True))


def read_text(file: File) -> list[Row]:
    """Return one row with the text, or with the number that it is."""
    text = decode(file.data, file.setting).strip("\r\n")
    value = cell(text.strip())
    return [{RESULT: text if isinstance(value, str) else value}]


def read_txt(file: File) -> list[Row]:
    """Return the rows of a table of numbers, as numpy.savetxt writes it, or one row with the text."""
    if file.setting.get("header") or is_table(decode(file.data, file.setting)):
        return _table(DelimitedTable(file.data, "txt", file.setting), file.missing_texts)
    return read_text(file)


def delimited(form: str) -> Callable[[File], list[Row]]:
    """Return the reader of tables with a separator: csv, tsv or dat."""
    return lambda file: _table(DelimitedTable(file.data, form, file.setting), file.missing_texts)


def _table(table: DelimitedTable, missing_texts: MissingTexts) -> list[Row]:
    texts = list(table.rows())
    names = table.names
    columns = [
        _column([row[at] for row in texts], table.decimal, name, missing_texts)
        for at, name in enumerate(names)
    ]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _column(texts: list[str], decimal: str, name: str, missing_texts: MissingTexts) -> list[Any]:
    """Return the values of one file's column with one type: all numbers, all true or false, or all text.

    MissingTexts such as None are missing among numbers, and texts among texts.
    """
    values = [cell(text.strip(), decimal) for text in texts]
    kinds = {type(value) for value in values} - {type(None)}
    if str in kinds and len(kinds) > 1 and all(value in MISSING for value in values if type(value) is str):
        for value in values:
            if type(value) is str:
                missing_texts[name, value] = missing_texts.get((name, value), 0) + 1
        values = [None if type(value) is str else value for value in values]
        kinds.discard(str)
    if kinds <= {int, float} or kinds == {bool}:
        return values
    return [None if value is None else text for text, value in zip(texts, values, strict=True)]


def cell(text: str, decimal: str = ".") -> Any:
    """Return the value of one cell: None, bool, int, float or the text itself."""
    if text in BLANK:
        return None
    if text in NUMBERS:
        return NUMBERS[text]
    if text in TRUE or text in FALSE:
        return text in TRUE
    number = text if decimal == "." else text.replace(decimal, ".")
    if INTEGER.fullmatch(number):
        return -0.0 if number == "-0" else _integer(number)
    if FLOAT.fullmatch(number):
        value = float(number.replace("D", "e").replace("d", "e"))
        return text if value in (float("inf"), float("-inf")) else value  # beyond doubles: kept as a text
    return text


def _integer(text: str) -> Any:
    """Return an integer; one with thousands of digits, which Python refuses to convert, stays a text."""
    try:
        return int(text)
    except ValueError:
        return text
