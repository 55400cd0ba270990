"""The run directory: where everything of one run lives, and how it is read and written."""

from __future__ import annotations

import datetime
import secrets
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
    """`run.json`: what a directory is."""

    format: str = FORMAT
    version: int = VERSION
    id: str
    name: str
    created: str
    study: str = ""


def now() -> str:
    """Return the local time with its offset, to the second."""
    return datetime.datetime.now(datetime.UTC).astimezone().isoformat(timespec="seconds")


class RunDirectory:
    """One run on disk. Reading never writes."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls, path: Path, name: str, study: str = "", folders: tuple[str, ...] = FOLDERS
    ) -> RunDirectory:
        """Make a run directory, mode 700; of several who make it at once, the first says what it is."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o700)
        if path.parent.name == "runs" and not (path.parent / ".gitignore").exists():
            # Otherwise git calls the project changed after every run.
            write_file(path.parent / ".gitignore", "*\n", 0o644)
        for folder in folders:
            (path / folder).mkdir(parents=True, exist_ok=True)
        about = About(id=secrets.token_hex(8), name=name, created=now(), study=study)
        write_once(path / "run.json", msgspec.json.encode(about))
        return cls(path)

    @property
    def exists(self) -> bool:
        """Whether this is a run directory."""
        return (self.path / "run.json").is_file()

    @property
    def is_foreign(self) -> bool:
        """Whether files are here that are no run's, nor the beginning of one that is being made."""
        if self.exists:
            return False
        files = (one for one in self.path.rglob("*") if not one.is_dir())
        found = self.path.is_file() or any(not one.name.startswith(".run.json.") for one in files)
        return found and not self.exists  # somebody may have made it meanwhile

    def about(self) -> About:
        """Return what the directory says of itself; refuse a newer format."""
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
                f"{file} has format {about.format} {about.version}; this Packhorse knows {FORMAT} {VERSION}"
            )
            raise RunError(message, "update Packhorse, or choose another directory with --run")
        return about

    def unplanned(self) -> RunError:
        """Return what it means that a run has no wave: it is young, or no study."""
        if (self.path / "job.json").exists():
            name = self.path.name
            message = f"{name} is a script of your own and no study, so it has no tasks"
            return RunError(message, f"packhorse status {name}, packhorse logs {name}")
        return RunError(f"{self.path} has no wave yet", "packhorse run study.yaml")

    def mark(self) -> str:
        """Return what tells this run's processes: its id and inode, since a copied run has the same id."""
        return f"{self.about().id}-{(self.path / 'run.json').stat().st_ino}"

    # Waves

    def waves(self) -> list[int]:
        """Return the numbers of all planned waves, in order."""
        folder = self.path / "waves"
        if not folder.is_dir():
            return []
        numbers = [
            int(one.name) for one in folder.iterdir() if one.name.isdigit() and (one / "plan.json").is_file()
        ]
        return sorted(numbers)

    def claim_wave(self) -> int:
        """Make the next wave's folder and return its number; whoever makes it plans that wave, and nobody else."""
        folder = self.path / "waves"
        folder.mkdir(exist_ok=True)
        number = max((int(one.name) for one in folder.iterdir() if one.name.isdigit()), default=0)
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
        """Return where a wave's plan stands."""
        return self.path / "waves" / str(wave) / "plan.json"

    def work_path(self, wave: int) -> Path:
        """Return where a wave's work file stands."""
        return self.path / "waves" / str(wave) / "work.json"

    def work(self, wave: int) -> dict[str, Any]:
        """Return a wave's work file."""
        found: dict[str, Any] = msgspec.json.decode(self.work_path(wave).read_bytes())
        return found

    def write_wave(self, plan: Plan, work: dict[str, Any]) -> None:
        """Write a wave; the plan last, since a wave without plan does not exist."""
        folder = self.path / "waves" / str(plan.wave)
        (folder / "leases").mkdir(parents=True, exist_ok=True)
        write_file(self.work_path(plan.wave), msgspec.json.encode(work))
        write_file(self.plan_path(plan.wave), msgspec.json.encode(plan))

    def owned(self, work: dict[str, Any]) -> dict[str, Any]:
        """Return a work file that says which run its processes belong to."""
        return {**work, "run": self.about().id, "mark": self.mark()}

    def clear_leftovers(self) -> None:
        """Remove artifacts that a killed task had not moved to their place; only while nothing works here."""
        folder = self.path / "artifacts"
        for one in folder.iterdir() if folder.is_dir() else ():
            if not one.name.isdigit():
                shutil.rmtree(one, ignore_errors=True)

    # Spaces, snapshots, journals

    def write_space(self, space: ParameterSpace) -> str:
        """Keep a parameter space under its digest; return the file's name."""
        name = f"space-{space.digest}.json"
        if not (self.path / name).exists():
            write_file(self.path / name, space.encode())
        return name

    def space(self, digest: str) -> ParameterSpace:
        """Return the parameter space of a digest."""
        return ParameterSpace(msgspec.json.decode((self.path / f"space-{digest}.json").read_bytes()))

    def journals(self, wave: int | None = None) -> list[Path]:
        """Return the journal files, of one wave or of all; listed afresh, as network file systems need."""
        prefix = "" if wave is None else f"{wave}-"
        return sorted(_journals(self.path / "journal", prefix).values())

    def ends(self, wave: int) -> list[Path]:
        """Return a wave's journals to read their ends: of those that live elsewhere only the ends may be here."""
        prefix = f"{wave}-"
        return sorted(
            {**_journals(self.path / "journal", prefix), **_journals(self.path / "ends", prefix)}.values()
        )


def _journals(folder: Path, prefix: str) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {p.name: p for p in folder.iterdir() if p.suffix == ".ndjson" and p.name.startswith(prefix)}


def find_run(where: Path, said: str | None) -> RunDirectory:
    """Return the run that a user means: a path, a name under runs/, or the only or newest one."""
    if said is not None:
        for candidate in (Path(said), where / "runs" / said, where / said):
            if RunDirectory(candidate).exists:
                return RunDirectory(candidate.resolve())
        names = [one.path.name for one in list_runs(where)]
        known = f"; here are: {', '.join(names)}" if names else "; there is no run under runs/ here"
        raise UsageError(f"no run {said!r}{known}", "packhorse runs")
    found = list_runs(where)
    if not found:
        message = f"no run in {where / 'runs'}"
        raise UsageError(message, "packhorse run study.yaml, or name the run's directory")
    return found[0]


def list_runs(where: Path) -> list[RunDirectory]:
    """Return the runs under runs/, the one last planned first."""
    folder = where / "runs"
    if not folder.is_dir():
        return []
    found = [RunDirectory(one.resolve()) for one in folder.iterdir() if (one / "run.json").is_file()]
    return sorted(found, key=_age, reverse=True)


def _age(run: RunDirectory) -> float:
    waves = run.waves()
    place = run.plan_path(waves[-1]) if waves else run.path / "run.json"
    return place.stat().st_mtime
