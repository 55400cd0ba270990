"""Named parameters for an adopted script: its commands are recorded, and the study is proved to start the same."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packhorse.adopt.job import AdoptedJob
from packhorse.adopt.named import (
    NamedStudy,
    NotNamedError,
    TaskCommand,
    named_study,
    several,
    task_command,
    unwrapped,
)
from packhorse.adopt.proof import difference
from packhorse.adopt.recordable import exported_names, names_with_slash, why_not_recorded
from packhorse.adopt.study import INDEX, Draft, named_draft
from packhorse.adopt.sweeps import expanded, independent
from packhorse.project.source import Reader
from packhorse.runtime.shell_recording import Recorded, record_commands
from packhorse.study.parse import parse_study
from packhorse.study.write import study_text

MOST_INDICES = 5000


def from_commands(job: AdoptedJob, text: str, start: Path, name: str, read: Reader) -> Draft:
    """Return the study with named parameters of a script; `text` is the script as it would run.

    Raises NotNamedError with the reason where its commands are not known, or the study would not start the same.
    """
    if why := why_not_recorded(job):
        raise NotNamedError(why)
    folder = str(start.resolve())
    if job.values:
        if len(job.values) > MOST_INDICES:
            raise NotNamedError(f"its array has more than {MOST_INDICES:,} indices")
        recorded = _recorded(job, text, [_variables(job, str(value), folder) for value in job.values], start)
        tasks = [task_command(commands, folder) for commands in recorded]
        parallel = False
    elif job.ranks:
        (once,) = _recorded(job, text, [_variables(job, "", folder)], start)
        tasks, parallel = [task_command(once, folder)] * job.ranks, True
    else:
        (once,) = _recorded(job, text, [_variables(job, "", folder)], start)
        listed, parallel = expanded(once, background=any(one.background for one in job.shell.commands))
        tasks = independent(several(listed, folder))
    indices = list(range(job.ranks)) if job.ranks else job.values
    named = named_study(tasks, indices, "rank" if job.ranks else INDEX, _words(job, tasks[0]))
    if named.venv and not (start / named.venv / "bin" / "python").exists():
        raise NotNamedError(f"{named.venv} is not a virtual environment here")
    draft = _draft(job, named, name, parallel=parallel)
    _prove(draft, tasks, read)
    return draft


def _recorded(
    job: AdoptedJob, text: str, variables: Sequence[dict[str, str]], start: Path
) -> list[list[Recorded]]:
    found = record_commands(
        text, variables, arguments=job.arguments, folder=start,
        commands=names_with_slash(job), exported=exported_names(job),
    )  # fmt: skip
    if found is None:
        raise NotNamedError("its commands could not be recorded")
    return found


def _variables(job: AdoptedJob, value: str, folder: str) -> dict[str, str]:
    """Return the variables that the scheduler sets for one index."""
    folders = ("SLURM_SUBMIT_DIR", "PBS_O_WORKDIR", "SGE_O_WORKDIR")
    index = dict.fromkeys(job.index_names, value) if value else {}
    return {**job.constants, **dict.fromkeys(folders, folder), **index}


def _words(job: AdoptedJob, task: TaskCommand) -> list[str]:
    """Return the words of the program's line as written, from which parameters get names."""
    for command in job.shell.commands:
        raw = unwrapped([word.text for word in command.words])
        if raw[:1] == list(task.argv[:1]) and len(raw) == len(task.argv):
            return [word.raw for word in command.program][-len(raw) :]
    return []


def _draft(job: AdoptedJob, named: NamedStudy, name: str, *, parallel: bool) -> Draft:
    cores = 1 if parallel and not job.ranks else job.cores
    memory = job.memory
    if parallel:
        share = max(1, job.request.tasks) if job.ranks else max(1, job.cores)
        cores = max(1, job.cores // share)
        memory = memory and max(1, memory // share)
    draft = named_draft(job, named, name, cores, memory)
    if job.ranks:
        draft.keys["index_variable"] = {"name": "SLURM_PROCID", "parameter": "rank"}
        environ = draft.keys.get("env", {})
        environ.pop("SLURM_PROCID", None)
        draft.keys["env"] = {**environ, "SLURM_NTASKS": str(job.ranks)}
    return draft


def _prove(draft: Draft, tasks: Sequence[TaskCommand], read: Reader) -> None:
    """Raise NotNamedError where the study does not start what the script starts."""

    def content(file: str) -> bytes:
        return draft.table[1].encode() if draft.table and file == draft.table[0] else read(file)

    study = parse_study(study_text(draft.keys), path="the study", read=content)
    if why := difference(study, tasks):
        raise NotNamedError(f"the study would not be the same: {why}")
