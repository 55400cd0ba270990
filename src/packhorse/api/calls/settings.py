"""What an executor was made with, from which it makes its runs, and makes them again in another session."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.execution.calls.stream import CallStream
from packhorse.execution.run_model import RunOptions
from packhorse.model.errors import UsageError
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source, from_keywords
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file
from packhorse.worker.calls import CALL, FOLDER, MODULE

SETTINGS = "executor.json"  # in the folder of calls
LANE = "-lane"  # before the number of a further run directory of an executor


class CallSettings(Struct, frozen=True, kw_only=True):
    """How an executor runs its calls: `keys` are those of a study, `place` the options of a site."""

    folder: Path
    max_workers: int | None
    site: str | None
    here: bool  # on this machine, although it is a login node
    place: dict[str, Any]
    resources: dict[str, Any]
    reuse: bool
    kept: bool  # whether the run stays when the executor is closed
    keys: dict[str, Any]

    def source(self, resources: Mapping[str, Any], name: str, calls: int) -> Source:
        """Return the study of so many calls. Raises StudyError."""
        # Pickles need the Python that wrote them; on a site, the same version is looked for.
        keys: dict[str, Any] = {"environment": {"python": sys.executable}} if self.site is None else {}
        keys |= {
            "name": name,
            "function": f"{MODULE}:{CALL}",
            "parameters": {"call": range(calls)},
            "resources": dict(resources) or None,
            **self.keys,
        }
        return from_keywords(keys, self.folder, self.folder / "study.yaml", site=self.site)

    def options(self, name: str) -> RunOptions:
        """Return the options of a run of this name."""
        return RunOptions(
            run=self.folder / "runs" / name, jobs=self.max_workers, keep=True, here=self.here, failed="keep"
        )

    def stream(self, resources: dict[str, Any], name: str) -> CallStream:
        """Return a run on this machine whose worker stays up."""
        stream = CallStream(lambda calls: self.source(resources, name, calls), self.options(name), Reporter())
        self.write(stream.run, resources)
        return stream

    def write(self, run: RunDirectory, resources: dict[str, Any]) -> None:
        """Keep the settings in a run, for `Executor.attach`."""
        content = {
            "format": "packhorse-executor",
            "version": 1,
            "resources": resources,
            "executor": {
                "max_workers": self.max_workers,
                "site": "local" if self.here else self.site,
                "resources": self.resources,
                "reuse": self.reuse,
                **self.place,
                **self.keys,
            },
        }
        (run.path / FOLDER).mkdir(mode=0o700, exist_ok=True)
        try:
            write_file(run.path / FOLDER / SETTINGS, msgspec.json.encode(content))
        except TypeError as error:
            raise UsageError(f"Executor: a keyword cannot be kept for another session: {error}") from None


def read_settings(run: RunDirectory) -> dict[str, Any]:
    """Return the keywords of an executor (`executor`), and the resources of this run of it (`resources`)."""
    settings: dict[str, Any] = msgspec.json.decode((run.path / FOLDER / SETTINGS).read_bytes())
    return settings


class Names:
    """Names of the run directories of an executor: its own, then NAME-lane2, NAME-lane3."""

    def __init__(self, name: str) -> None:
        self.name, self.taken, self.lock = name, 0, threading.Lock()

    def take(self) -> str:
        """Return the next name."""
        with self.lock:
            self.taken += 1
            return self.name if self.taken == 1 else f"{self.name}{LANE}{self.taken}"


def lane_runs(folder: Path, name: str) -> list[RunDirectory]:
    """Return the run directories of an executor, the first one first."""
    pattern = re.compile(rf"{re.escape(name)}({LANE}(\d+))?")
    found = []
    for path in (folder / "runs").glob(f"{name}*"):
        match = pattern.fullmatch(path.name)
        if match and (path / FOLDER / SETTINGS).is_file():
            found.append((int(match[2] or 1), path))
    return [RunDirectory(path) for _, path in sorted(found)]
