"""Journals for tests, written with the worker's line format."""

from __future__ import annotations

from binascii import crc32
from pathlib import Path
from typing import Any

from packhorse.model.space import ParameterSpace
from packhorse.results.fold import Fold, fold
from packhorse.results.journal import read_journals
from packhorse.worker.journal import journal_line

LEVELS = {"n": [10, 20, 50]}


def space_of(
    parameters: dict[str, list[Any]] | None = None,
    replicates: int = 4,
    resample: tuple[str, ...] = (),
    seed: int = 7,
) -> ParameterSpace:
    """Return a space with one factor per parameter; names joined by a comma form one factor."""
    factors = []
    for names, values in (LEVELS if parameters is None else parameters).items():
        together = names.split(",")
        rows = values if len(together) > 1 else [[value] for value in values]
        factor: dict[str, Any] = {"names": together, "levels": rows}
        factors.append({**factor, "resample": True} if names in resample else factor)
    frozen = {"format": "packhorse-space", "version": 1, "seed": seed, "seeding": "independent"}
    return ParameterSpace({**frozen, "replicates": replicates, "factors": factors})


def header_of(space: ParameterSpace, name: str, **said: Any) -> dict[str, Any]:
    usual = {"format": "packhorse-journal", "version": 1, "run": "r", "wave": 1, "element": 0, "restart": 0}
    more = {"host": "node1", "pid": 1, "space": space.digest, "code": "c0de", "environment": "e"}
    return {**usual, **more, "pack": f"{name}.pack", "log": f"{name}.log", **said}


def write_journal(
    directory: Path, space: ParameterSpace, records: list[dict[str, Any]], name: str = "", **header: Any
) -> Path:
    """Write one journal; a record's `data` (bytes) goes to the pack, `at` is the time of its end."""
    end = {"end": "done", **({"at": header.pop("at")} if "at" in header else {})}
    folder = directory / "journal"
    folder.mkdir(exist_ok=True)
    name = name or f"{header.get('wave', 1)}-{header.get('element', 0)}-{header.get('restart', 0)}-h-1-ab"
    lines = [journal_line({"header": header_of(space, name, **header)})]
    pack = b""
    counts: dict[str, int] = {}
    for given in records:
        record = dict(given)
        data = record.pop("data", None)
        if data is not None:
            record["pack"] = [len(pack), len(data), crc32(data)]
            pack += data
        outcome = record.get("outcome", "OK")
        counts[outcome] = counts.get(outcome, 0) + 1
        lines.append(journal_line(record))
    lines += [
        journal_line({"totals": {**counts, "wall": 1.0, "cpu": 1.0, "longest": 1.0}}),
        journal_line(end),
    ]
    path = folder / f"{name}.ndjson"
    path.write_bytes(b"".join(lines))
    if pack:
        (folder / f"{name}.pack").write_bytes(pack)
    return path


def folded(directory: Path, space: ParameterSpace, **more: Any) -> Fold:
    return fold(space.size, read_journals(directory), space=space.digest, **more)
