"""A researcher's folder: scripts, a study, and what the installed command makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars

from preloaded import run_command

PACKHORSE = str(Path(sys.executable).parent / "packhorse")
# What depends on the moment and the place; everything else in a table must repeat bit for bit.
BOOKKEEPING = "ph_"


class Project:
    """A folder with a study, on which the installed command works."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write(self, **files: str) -> Project:
        """Write files; `sim_py` is sim.py, `data__x_csv` is data/x.csv."""
        for said, content in files.items():
            stem, _, suffix = said.replace("__", "/").rpartition("_")
            self.file(f"{stem}.{suffix}" if stem else suffix, content)
        return self

    def file(self, name: str, content: str) -> Path:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content).lstrip("\n"), encoding="utf-8")
        return path

    def study(self, **keys: Any) -> Project:
        """Write study.yaml; JSON is YAML."""
        (self.path / "study.yaml").write_text(
            json.dumps({"name": "s", **keys}, ensure_ascii=False), encoding="utf-8"
        )
        return self

    def start(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Start the command in a session of its own."""
        keywords = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, **more}
        return subprocess.Popen([PACKHORSE, *arguments], cwd=self.path, start_new_session=True, **keywords)

    def command(self, *arguments: str | Path, code: int | None = 0, timeout: float = 90, **env: str) -> str:
        """Run the command; return all it printed, after checking its exit code."""
        done = run_command(
            [*map(str, arguments)], cwd=self.path, env={**os.environ, **env}, merged=True, timeout=timeout
        )
        said = done.stdout
        assert "Traceback (most recent call last)" not in said or "task" in said, said
        assert code is None or done.returncode == code, (done.returncode, said)
        return said

    def run(self, *arguments: str | Path, code: int | None = 0, **env: str) -> str:
        return self.command("run", "study.yaml", *arguments, code=code, **env)

    @property
    def directory(self) -> Path:
        return self.path / "runs" / "s"

    def table(self) -> polars.DataFrame:
        return polars.read_parquet(self.directory / "results.parquet")

    def rows(self, *columns: str) -> list[Any]:
        """Return a column's values, or tuples of several columns."""
        table = self.table()
        return table[columns[0]].to_list() if len(columns) == 1 else table.select(columns).rows()

    def failures(self) -> list[dict[str, Any]]:
        return polars.read_csv(self.directory / "failures.csv", infer_schema=False).to_dicts()

    def failure(self) -> dict[str, Any]:
        """Return the only task without a result."""
        (row,) = self.failures()
        return row

    def records(self) -> int:
        """Return how many records all journals hold: what was run, counted by starts that ended."""
        return sum(path.read_bytes().count(b'"index":') for path in self.directory.glob("journal/*.ndjson"))

    def indices(self) -> list[int]:
        """Return the task of each record of all journals."""
        lines = [
            line for path in self.directory.glob("journal/*.ndjson") for line in path.read_text().splitlines()
        ]
        return [line["index"] for line in map(json.loads, lines) if "index" in line]


def bits(table: polars.DataFrame) -> dict[str, Any]:
    """Return a table without its bookkeeping, every value in a form that shows each bit."""
    plain = table.sort("ph_index", *(["ph_row"] if "ph_row" in table.columns else []))
    plain = plain.drop([name for name in table.columns if name.startswith(BOOKKEEPING)])
    return {name: [_bits(value) for value in plain[name].to_list()] for name in plain.columns}


def _bits(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value


def marked(directory: Path) -> list[int]:
    """Return the processes that belong to a run, by the mark in their environment."""
    about = directory / "run.json"
    mark = f"PACKHORSE_RUN={json.loads(about.read_text())['id']}-{about.stat().st_ino}".encode()
    found = []
    for pid in _processes():
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.append(pid)
        except OSError:
            continue
    return found


def workers(directory: Path) -> list[int]:
    """Return the workers of a run, by their command line."""
    found = []
    for pid in _processes():
        try:
            argv = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if str(directory / "worker.pyz") in argv and "work" in argv:
            found.append(pid)
    return found


def _processes() -> Iterator[int]:
    return (int(one.name) for one in Path("/proc").iterdir() if one.name.isdigit())


def until(true: Any, seconds: float = 30.0) -> Any:
    """Wait for something that must come; return it."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        found = true()
        if found:
            return found
        time.sleep(0.01)
    raise AssertionError("it never came")
