"""Rules of storage areas: which one for what, what is deleted there, and what is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.jobscript.lines import Edit
from packhorse.jobscript.shell import Command
from packhorse.lint.job import Job
from packhorse.lint.rule import Note, rule
from packhorse.lint.rules.outputs import written_paths
from packhorse.model.site_parts import Storage
from packhorse.text.amounts import span

# Paths and hosts that older guides name, and what replaced them (Indiana University, Knowledge Base).
_GONE = {
    "/N/dc2/": "Data Capacitor II is gone; use Slate (/N/slate/$USER) or Slate-Scratch (/N/scratch/$USER)",
    "karst.uits.iu.edu": "Karst is gone; use Quartz (quartz.uits.iu.edu)",
    "carbonate.uits.iu.edu": "Carbonate is gone; use Quartz (quartz.uits.iu.edu)",
    "bigred3.uits.iu.edu": "Big Red 3 is gone; use Big Red 200 (bigred200.uits.iu.edu)",
}


@rule("J70", "warning", "The script names storage or a machine that no longer exists.")
def gone(job: Job) -> Iterator[Note]:
    """Replace paths and hosts of older guides.

    Example: `cd /N/dc2/scratch/$USER`, of a system that Indiana University has closed.

    Comments are not reported.
    """
    for line in job.script.lines:
        text = line.text
        if text.lstrip().startswith("#") and not text.startswith(("#SBATCH", "#PBS")):
            continue
        code = text if text.startswith("#") else text.partition(" #")[0]
        for name, advice in _GONE.items():
            at = code.find(name)
            if at >= 0:
                yield Note(message=f"{name} does not exist", line=line.number, column=at, advice=advice)


def _spellings(area: Storage) -> tuple[str, ...]:
    """Return how the beginning of an area's path may be written: before the user, and with braces."""
    if found := re.fullmatch(r"\$(\w+)", area.path):
        name = found[1]
        return (f"${name}/", f"${{{name}}}/", *(("~/",) if name == "HOME" else ()))
    return (re.split(r"\$|\{", area.path)[0],) if area.path.count("/") > 1 else ()


def _within(path: str, area: Storage) -> bool:
    return any(len(one) > 1 and f"{path.strip(chr(34))}/".startswith(one) for one in _spellings(area))


@rule("J41", "hint", "The tasks of an array write into the home.")
def writes_home(job: Job) -> Iterator[Note]:
    """Write results of many tasks into the area that the site has for them.

    Homes are small, backed up file by file, and slow for many nodes at the same time; a full home stops all jobs of the
    user, and logins too.

    Example: `python fit.py --out $HOME/results/$SLURM_ARRAY_TASK_ID.csv`.

    The rule needs `--site`, and looks at redirections and options such as `--out`. Programs and settings in the home are
    right.
    """
    if job.site is None or not job.many_tasks:
        return
    home = job.site.area("home")
    better = job.site.area("runs") or job.site.area("results") or job.site.area("scratch")
    if home is None or better is None or better == home:
        return
    for command in job.programs:
        for path, _ in written_paths(command):
            if _within(path, home):
                yield Note(
                    message=f"every task writes into the home: {path}",
                    line=command.line,
                    column=command.start,
                    advice=better.path,
                )
                return


@rule("J43", "warning", "Files in an area that is purged keep their old times.")
def unpacked_times(job: Job) -> Iterator[Note]:
    """Unpack with `tar -m` or `unzip -DD` where the site deletes files by the time of their last write.

    tar and unzip give files the times that they had when they were packed. In an area whose files are deleted some weeks
    after the last write, an archive of last year is gone the next night. The same holds for environments, whose files
    are as old as their packages: they belong into an area that is not purged.

    Example: `tar xzf data.tar.gz -C $global_scratch/data`.

    The rule needs `--site`. The fix adds the option. It is safe.
    """
    if job.site is None:
        return
    purged = [one for one in job.site.storage if one.purge and one.purge_clock == "write" and not one.local]
    folder = ""
    for command in job.shell.commands:
        tokens = [word.text.strip("\"'") for word in command.program]
        if tokens[0] in {"cd", "pushd"} and len(tokens) > 1:
            folder = tokens[1]
        target = _target(tokens) or folder
        area = next((one for one in purged if _within(target, one)), None)
        if area is None or not area.purge:
            continue
        after = f"{span(area.purge)} after their last write"
        if edits := _keeps_times(command, tokens):
            yield Note(
                message=f"{tokens[0]} keeps the old times; files in {area.path} are deleted {after}",
                line=command.line,
                column=command.start,
                edits=edits,
            )
        elif any(_makes_environment(tokens)):
            yield Note(
                message=f"an environment in {area.path}, where files are deleted {after}",
                line=command.line,
                column=command.start,
                advice=(job.site.area("environments") or area).path,
            )


def _target(tokens: list[str]) -> str:
    """Return the folder that tar, unzip or a maker of environments is told to write."""
    for option in ("-C", "-d", "-p", "--prefix", "--directory"):
        if option in tokens[:-1]:
            return tokens[tokens.index(option) + 1]
    return next(_makes_environment(tokens), "")


def _makes_environment(tokens: list[str]) -> Iterator[str]:
    """Yield the folder of an environment that a command makes."""
    text = " ".join(tokens)
    if re.match(r"python[\d.]* -m venv |virtualenv |uv venv ", text):
        yield tokens[-1]
    elif tokens[0] in {"conda", "mamba", "micromamba"} and tokens[1:2] == ["create"]:
        yield from (tokens[at + 1] for at, word in enumerate(tokens[:-1]) if word in {"-p", "--prefix"})


def _keeps_times(command: Command, tokens: list[str]) -> tuple[Edit, ...]:
    """Return the edit of a command that unpacks with old times; nothing for others."""
    last, first = command.words[-1], command.program[0]
    if (
        tokens[0] == "tar"
        and len(tokens) > 2
        and (re.match(r"-?[a-zA-Z]*x", tokens[1]) or "--extract" in tokens)
    ):
        new = "-m" in tokens or "--touch" in tokens or "m" in tokens[1]
        return () if new else (Edit(last.line, last.end, last.end, " -m"),)
    if tokens[0] == "unzip" and len(tokens) > 1 and not {"-l", "-t", "-p"} & set(tokens):
        return () if any("DD" in one for one in tokens) else (Edit(first.line, first.end, first.end, " -DD"),)
    return ()
