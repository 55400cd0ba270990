"""Rules of the job's log: --output and --error."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from packhorse.jobscript.options import Option
from packhorse.lint.job import Job, named, note
from packhorse.lint.rule import Note, rule
from packhorse.text.amounts import counted

MAKES_FOLDERS = (23, 2)  # the Slurm version since which slurmstepd makes the folder of a log


def _logs(job: Job) -> Iterator[Option]:
    if job.script.dialect == "slurm":
        for option in named(job, "output", "error"):
            if option.value not in {"/dev/null", "none", ""} and not re.search(
                r"[${}<~]", option.value or ""
            ):
                yield option


def _folder(option: Option) -> str:
    parent = str(PurePosixPath(option.value or "").parent)
    return "" if parent in {".", "/", "/dev"} else parent


@rule("J01", "hint", "The folder of the log does not exist.")
def log_folder(job: Job) -> Iterator[Note]:
    """Make the folder of the log before the job is submitted.

    The node opens the log before the first line of the script runs. Up to Slurm 22.05 the job ends at once without a
    log, with exit code 0:53; since 23.02 Slurm makes the folder, so with `--site` the site's version decides. The
    folder is looked for beside the script and where the check runs; absolute paths are not checked.

    Example: `#SBATCH --output=logs/%j.out` without a folder `logs`. Type `mkdir -p logs` before `sbatch`.
    """
    if job.exists is None or (job.version is not None and job.version >= MAKES_FOLDERS):
        return
    reported = set()
    for option in _logs(job):
        folder = _folder(option)
        if (
            not folder
            or folder.startswith("/")
            or "%" in folder
            or folder in reported
            or _made_in_job(job, folder)
        ):
            continue
        if job.script.value("chdir") or job.exists(folder):
            continue
        reported.add(folder)
        yield note(
            option, f"the folder {folder} does not exist here", advice=f"mkdir -p {folder}, before sbatch"
        )


@rule("J57", "warning", "The job makes the folder of its log too late.")
def log_folder_made_late(job: Job) -> Iterator[Note]:
    """Make the folder of the log before the job is submitted, not in the job.

    The node opens the log before the script runs, so that `mkdir -p logs` in the body comes too late: up to Slurm 22.05
    the job has ended before. `mkdir` of other folders in the body is right.

    Example: `#SBATCH --output=logs/%j.out`, and `mkdir -p logs` below.
    """
    if job.version is not None and job.version >= MAKES_FOLDERS:
        return
    for option in _logs(job):
        folder = _folder(option)
        if not folder or "%" in folder or (job.exists is not None and job.exists(folder)):
            continue
        line = _made_in_job(job, folder)
        if line:
            yield note(
                option,
                f"line {line} makes {folder}, but the log is opened before the script runs",
                advice=f"mkdir -p {folder}, before sbatch",
            )
            return


def _made_in_job(job: Job, folder: str) -> int:
    """Return the number of the line that makes a folder, or 0."""
    for command in job.shell.commands:
        if command.name == "mkdir" and any(
            word.text.strip("./") == folder.strip("./") for word in command.words[1:]
        ):
            return command.line
    return 0


@rule("J02", "warning", "The folder of the log has a pattern, so it cannot exist.")
def pattern_in_folder(job: Job) -> Iterator[Note]:
    """Put patterns into the name of the log, not into its folder.

    `%j` is known only when the job is submitted, so you cannot make `logs/%j/` before. Up to Slurm 22.05 the job ends
    without a log. `%u` and `%x` may be right, where the folder was made.

    Example: `--output=logs/%j/out.txt`; write `--output=logs/%j.out`.
    """
    if job.version is not None and job.version >= MAKES_FOLDERS:
        return
    for option in _logs(job):
        if re.search(r"%\d*[jAaJ]", _folder(option)):
            yield note(option, f"the folder {_folder(option)} cannot exist before the job has a number")


@rule("J33", "warning", "All tasks of the array write one log.")
def shared_log(job: Job) -> Iterator[Note]:
    """Give each task of an array its own log: `--output=%x_%A_%a.out`.

    Without `%a` (or `%j`, `%J`, which differ in each task) all tasks open one file and write over each other.
    `--open-mode=append`, and no `--output` at all, are right.

    Example: `--array=1-100` with `--output=fit_%A.out`.

    The fix puts `_%a` before the suffix. It is safe.
    """
    indices = job.indices
    if job.script.dialect != "slurm" or indices is None or indices.count < 2 or indices.at_a_time == 1:
        return
    if job.script.value("open-mode").lower().startswith("a"):
        return
    for option in _logs(job):
        value = option.value or ""
        if (
            re.search(r"%\d*[ajJst]", value)
            or value.startswith("/dev/")
            or value != job.script.value(option.name)
        ):
            continue
        path = PurePosixPath(value)
        better = str(path.with_name(f"{path.stem}_%a{path.suffix}")) if path.name else ""
        yield note(
            option,
            f"{counted(indices.count, 'task')} write the same log {value}",
            edits=job.replace(option, better),
        )
