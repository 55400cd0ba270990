"""Damaged and unusual result files: refused with a reason, or read so that each number is one that was written."""

from __future__ import annotations

import json
import math
import random
import re
import struct
from typing import Any

import pytest

from packhorse.results.formats.rows import Array, UnreadableError
from packhorse.results.journal import Journal
from packhorse.results.payload import Payloads
from packhorse.worker.results.judgement import judge
from packhorse.worker.results.refusal import NoResult

SAMPLE, CAMPAIGN = 1500, 20_000
SEPARATORS = (",", ";", "\t", " ", "|")
TEXTS = ("a", "b c", "x,y", "007", "NA", "None", "", 'say "no"', "1,5", "é", "TRUE", "-", "nan", "1e5x")
ODD = (
    b"\x00",
    b"\xff",
    b'"',
    b"\r",
    b"\n",
    b",",
    b";",
    b" ",
    b"\t",
    b"#",
    b"1",
    b"-",
    b"e",
    b"\xef\xbb\xbf",
    b"{",
    b"}",
)
FORMATS = ("csv", "tsv", "dat", "txt", "json", "ndjson", "yaml", "npy", "parquet", "csv.gz")


def number(draw: random.Random) -> float | int:
    kind = draw.randrange(4)
    if kind == 0:
        return draw.randrange(-1000, 1000)
    if kind == 1:
        return draw.uniform(-10, 10)
    if kind == 2:
        return 10.0 ** draw.randrange(-300, 300)
    return struct.unpack("<d", draw.randbytes(8))[0]


def cell(draw: random.Random) -> str:
    return repr(number(draw)) if draw.random() < 0.7 else draw.choice(TEXTS)


def table(draw: random.Random) -> tuple[bytes, dict[str, Any]]:
    """Return a table as some program may write it, and settings that may or may not fit."""
    separator, decimal = draw.choice(SEPARATORS), draw.choice(".....,")
    width = draw.randrange(1, 5)
    rows = [[cell(draw) for _ in range(width)] for _ in range(draw.randrange(0, 5))]
    if draw.random() < 0.8:
        rows.insert(0, [f"c{at}" for at in range(width)])
    if draw.random() < 0.1:
        rows = [[str(at), *row] if at else row for at, row in enumerate(rows)]
    quote = draw.random() < 0.5
    lines = []
    for row in rows:
        cells = [text.replace(".", decimal) for text in row]
        shown = [
            '"' + text.replace('"', '""') + '"' if quote and not text[:1].isdigit() else text
            for text in cells
        ]
        lines.append(separator.join(shown))
    setting: dict[str, Any] = {}
    if draw.random() < 0.3:
        setting["decimal"] = decimal
    if draw.random() < 0.3:
        setting["separator"] = separator
    if draw.random() < 0.1:
        setting["header"] = [f"h{at}" for at in range(draw.randrange(1, 5))]
    encoding = draw.choice(["utf-8", "utf-8", "utf-8", "latin-1", "utf-16"])
    if draw.random() < 0.3:
        setting["encoding"] = encoding
    text = draw.choice(["\n", "\r\n"]).join(lines) + draw.choice(["", "\n"])
    return text.encode(encoding, "replace"), setting


def content(draw: random.Random, form: str) -> tuple[bytes, dict[str, Any]]:
    if form in ("json", "ndjson", "yaml"):
        rows = [{name: number(draw) for name in "ab"} for _ in range(draw.randrange(1, 4))]
        if form == "ndjson":
            return "".join(json.dumps(row) + "\n" for row in rows).encode(), {}
        return json.dumps(rows).encode(), {}
    if form == "npy":
        import io

        import numpy as np

        stream = io.BytesIO()
        np.save(stream, np.array([number(draw) for _ in range(draw.randrange(1, 30))], dtype=float))
        return stream.getvalue(), {}
    if form == "parquet":
        import io

        import polars as pl

        stream = io.BytesIO()
        pl.DataFrame({"a": [float(number(draw))]}).write_parquet(stream)
        return stream.getvalue(), {}
    if form == "csv.gz":
        import gzip

        data, setting = table(draw)
        return gzip.compress(data), setting
    return table(draw)


def mutated(draw: random.Random, data: bytes) -> bytes:
    for _ in range(draw.randrange(0, 3)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(4):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + draw.choice(ODD) + data[at:]
            case 2:
                data = data[:at] + data[at + draw.randrange(4) :]
            case _:
                data = data[:at] + draw.randbytes(1) + data[at + 1 :]
    return data


def written_numbers(text: str) -> set[float]:
    """Return every number that is written in a text, with a decimal point or comma."""
    found = {float("nan")}
    for match in re.finditer(r"(?=([-+]?[0-9.,]+(?:[eE][-+]?[0-9]+)?))", text):
        for word in (match[1], match[1].replace(",", "."), match[1].strip(",.")):
            for length in range(1, len(word) + 1):
                try:
                    found.add(float(word[:length]))
                except ValueError:
                    continue
    return found


def check(seed: int) -> str:
    draw = random.Random(seed)
    form = draw.choice(FORMATS)
    data, setting = content(draw, form)
    data = mutated(draw, data)
    try:
        judge(data, form, setting)
        payloads = Payloads(Journal.__new__(Journal), form)
        payloads.setting = setting
        rows = payloads._read(form, data)  # noqa: SLF001 - a record on a disk for each would take minutes
    except (NoResult, UnreadableError):
        return "refused"
    if form in ("csv", "tsv", "dat", "txt"):
        numbers = [v for row in rows for v in row.values() if type(v) in (int, float) and math.isfinite(v)]
        known = written_numbers(data.decode(setting.get("encoding") or "utf-8-sig", "replace"))
        strange = [value for value in numbers if float(value) not in known]
        assert not strange, (seed, form, setting, data, strange)
    assert all(
        (type(name) is str and type(value) is not Array) or name
        for row in rows
        for name, value in row.items()
    )
    return "read"


def test_no_damage_makes_another_number_or_an_unexpected_error() -> None:
    outcomes = [check(seed) for seed in range(SAMPLE)]
    assert min(outcomes.count("read"), outcomes.count("refused")) > SAMPLE / 10


@pytest.mark.campaign
def test_no_damage_in_a_long_campaign() -> None:
    for seed in range(SAMPLE, SAMPLE + CAMPAIGN):
        check(seed)
