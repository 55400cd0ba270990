"""The run directory, which holds all files of one run."""

from __future__ import annotations

import datetime
import secrets
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from packhorse.model.errors import RunError, UsageError
from packhorse.model.plan import Plan
from packhorse.model.space import ParameterSpace
from packhorse.rundir.files import write_file, write_once

FORMAT = "packhorse-run"
VERSION = 1
FOLDERS = ("journal", "logs", "waves", "artifacts", "library/packhorse")


class About(Struct, frozen=True, kw_only=True):
    """Content of `run.json`: the identity of a run directory."""

    format: str = FORMAT
    version: int = VERSION
    id: str
    name: str
    created: str
    study: str = ""
    trial: bool = False  # of a few tasks, as those of `packhorse pilot`


def now() -> str:
    """Return the local time with its offset, to the second."""
    return datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="seconds")


class RunDirectory:
    """One run on disk. Reading never writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        path: Path,
        name: str,
        study: str = "",
        folders: tuple[str, ...] = FOLDERS,
        *,
        trial: bool = False,
    ) -> RunDirectory:
        """Create a run directory, mode 700; of several concurrent calls, the first one defines its identity."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        if path.parent.name == "runs" and not (path.parent / ".gitignore").exists():
            # Without it, git reports the project as changed after every run.
            write_file(path.parent / ".gitignore", "*\n", 0o644)
        for folder in folders:
            (path / folder).mkdir(parents=True, exist_ok=True)
        about = About(id=secrets.token_hex(8), name=name, created=now(), study=study, trial=trial)
        write_once(path / "run.json", msgspec.json.encode(about))
        return cls(path)

    @property
    def argument(self) -> str:
        """The path as an argument of a command that a user types."""
        return shlex.quote(str(self.path))

    @property
    def exists(self) -> bool:
        """Whether this is a run directory."""
        return (self.path / "run.json").is_file()

    @property
    def is_foreign(self) -> bool:
        """Whether the path has files that belong neither to a run nor to a run directory that is being created."""
        if self.exists:
            return False
        files = (path for path in self.path.rglob("*") if not path.is_dir())
        foreign = self.path.is_file() or any(not path.name.startswith(".run.json.") for path in files)
        return foreign and not self.exists  # another process may have created the run meanwhile

    def about(self) -> About:
        """Return the content of run.json; raise RunError where it is missing, unreadable or of a newer format."""
        file = self.path / "run.json"
        try:
            about = msgspec.json.decode(file.read_bytes(), type=About)
        except FileNotFoundError:
            message = f"{self.path} is not a run directory (it has no run.json)"
            raise RunError(message, "packhorse runs") from None
        except (OSError, msgspec.MsgspecError) as error:
            raise RunError(f"{file} cannot be read: {error}", "packhorse doctor") from None
        if about.format != FORMAT or about.version > VERSION:
            message = (
                f"{file} has format {about.format} {about.version}; this Packhorse reads {FORMAT} {VERSION}"
            )
            raise RunError(message, "update Packhorse, or choose another directory with --run")
        return about

    def no_wave_error(self) -> RunError:
        """Return the error for a run without waves: not yet planned, or a script job instead of a study."""
        if (self.path / "job.json").exists():
            name = shlex.quote(self.path.name)
            message = f"{self.path.name} is a script job, not a study; it has no tasks"
            return RunError(message, f"packhorse status {name}, packhorse logs {name}")
        return RunError(f"{self.path} has no wave yet", "packhorse run study.yaml")

    def mark(self) -> str:
        """Return the mark of this run's processes: its id and inode, since a copied run has the same id."""
        return f"{self.about().id}-{(self.path / 'run.json').stat().st_ino}"

    # Waves

    def waves(self) -> list[int]:
        """Return the numbers of all planned waves, in order."""
        folder = self.path / "waves"
        if not folder.is_dir():
            return []
        numbers = [
            int(wave.name)
            for wave in folder.iterdir()
            if wave.name.isdigit() and (wave / "plan.json").is_file()
        ]
        return sorted(numbers)

    def claim_wave(self) -> int:
        """Create the next wave's folder and return its number; only the process that created it plans that wave."""
        folder = self.path / "waves"
        folder.mkdir(exist_ok=True)
        number = max((int(wave.name) for wave in folder.iterdir() if wave.name.isdigit()), default=0)
        while True:
            number += 1
            try:
                (folder / str(number)).mkdir()
                return number
            except FileExistsError:
                continue

    def plan(self, wave: int) -> Plan:
        """Return one wave's plan."""
        return msgspec.json.decode(self.plan_path(wave).read_bytes(), type=Plan)

    def plans(self) -> Iterator[Plan]:
        """Yield all plans in order."""
        return (self.plan(wave) for wave in self.waves())

    def latest(self) -> Plan | None:
        """Return the newest plan."""
        waves = self.waves()
        return self.plan(waves[-1]) if waves else None

    def plan_path(self, wave: int) -> Path:
        """Return the path of a wave's plan."""
        return self.path / "waves" / str(wave) / "plan.json"

    def work_path(self, wave: int) -> Path:
        """Return the path of a wave's work file."""
        return self.path / "waves" / str(wave) / "work.json"

    def work(self, wave: int) -> dict[str, Any]:
        """Return a wave's work file."""
        work: dict[str, Any] = msgspec.json.decode(self.work_path(wave).read_bytes())
        return work

    def write_wave(self, plan: Plan, work: dict[str, Any]) -> None:
        """Write the work file and the plan of a wave; the plan last, since a wave without a plan does not exist."""
        folder = self.path / "waves" / str(plan.wave)
        (folder / "leases").mkdir(parents=True, exist_ok=True)
        write_file(self.work_path(plan.wave), msgspec.json.encode(work))
        write_file(self.plan_path(plan.wave), msgspec.json.encode(plan))

    def marked_work(self, work: dict[str, Any]) -> dict[str, Any]:
        """Return a work file with the id and the process mark of this run."""
        return {**work, "run": self.about().id, "mark": self.mark()}

    def clear_leftovers(self) -> None:
        """Remove artifacts that a killed task left in its working folder. Only call this while no worker runs here."""
        folder = self.path / "artifacts"
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.is_dir() and not path.name.rpartition("-")[2].isdigit():  # INDEX.PID, not [PREFIX-]INDEX
                shutil.rmtree(path, ignore_errors=True)

    def discard_wave(self, wave: int) -> None:
        """Remove the folder of a wave that was never submitted."""
        shutil.rmtree(self.path / "waves" / str(wave), ignore_errors=True)

    # Spaces, snapshots, journals

    def write_space(self, space: ParameterSpace) -> str:
        """Write a parameter space under its digest; return the file's name."""
        name = f"space-{space.digest}.json"
        if not (self.path / name).exists():
            write_file(self.path / name, space.encode())
        return name

    def space(self, digest: str) -> ParameterSpace:
        """Return the parameter space of a digest."""
        return ParameterSpace(msgspec.json.decode((self.path / f"space-{digest}.json").read_bytes()))

    def journals(self, wave: int | None = None) -> list[Path]:
        """Return the journal files of one wave, or of all. The folder is listed at every call, as NFS needs."""
        prefix = "" if wave is None else f"{wave}-"
        return sorted(_journals(self.path / "journal", prefix).values())

    def ends(self, wave: int) -> list[Path]:
        """Return files to read the tails of a wave's journals: of a run on a site, only the tails may be here."""
        prefix = f"{wave}-"
        return sorted(
            {**_journals(self.path / "journal", prefix), **_journals(self.path / "ends", prefix)}.values()
        )


def _journals(folder: Path, prefix: str) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {p.name: p for p in folder.iterdir() if p.suffix == ".ndjson" and p.name.startswith(prefix)}


def close_leases(folder: Path, positions: int) -> None:
    """Mark all positions of a finished wave as taken, and remove all leases but the first.

    A job that starts late then finds nothing to take.
    """
    names = sorted(folder.glob("*.json"), reverse=True)
    if not names:
        return
    first = folder / "000000.json"
    write_file(first, msgspec.json.encode({"start": positions, "stop": positions, "by": "over"}))
    for path in names:
        if path != first:
            path.unlink(missing_ok=True)


def find_run(where: Path, name: str | None) -> RunDirectory:
    """Return a run by its path or its name under runs/; raise UsageError where there is none.

    None means the newest; a trial is taken only where there is no other run.
    """
    if name is not None:
        for candidate in (Path(name), where / "runs" / name, where / name):
            if RunDirectory(candidate).exists:
                return RunDirectory(candidate.resolve())
        names = [run.path.name for run in list_runs(where)]
        known = f"; runs here: {', '.join(names)}" if names else "; there is no run under runs/ here"
        raise UsageError(f"no run {name!r}{known}", "packhorse runs")
    runs = list_runs(where)
    if not runs:
        message = f"no run in {where / 'runs'}"
        raise UsageError(message, "packhorse run study.yaml, or name the run's directory")
    return next((run for run in runs if not run.about().trial), runs[0])


def list_runs(where: Path) -> list[RunDirectory]:
    """Return the runs under runs/, the most recently planned first."""
    folder = where / "runs"
    if not folder.is_dir():
        return []
    runs = [RunDirectory(path.resolve()) for path in folder.iterdir() if (path / "run.json").is_file()]
    return sorted(runs, key=_planned_at, reverse=True)


def _planned_at(run: RunDirectory) -> float:
    waves = run.waves()
    path = run.plan_path(waves[-1]) if waves else run.path / "run.json"
    return path.stat().st_mtime
