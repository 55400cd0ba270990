"""What the rules of a job script look at: the script, its shell lines, the source that it runs, and the site."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Mapping

from packhorse.jobscript.lines import Edit
from packhorse.jobscript.options import Option
from packhorse.jobscript.read_shell import read_shell
from packhorse.jobscript.script import JobScript
from packhorse.jobscript.shell import Command, Shell
from packhorse.jobscript.values import Indices, array_indices
from packhorse.lint.rule import Note
from packhorse.model.site import Site

INDEX_VARIABLES = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAYID", "PBS_ARRAYID", "PBS_ARRAY_INDEX", "SGE_TASK_ID")
# Words by which a program gets the array's index, or any variable, from its environment.
READS_ENVIRONMENT = re.compile(
    r"ARRAY_?(?:TASK_ID|ID|INDEX)|getenv|environ|Sys\.getenv|commandArgs|PACKHORSE_"
)


class Job:
    """A job script to check. What reads files is given from outside, so that rules are pure."""

    def __init__(
        self,
        script: JobScript,
        site: Site | None = None,
        sources: Mapping[str, str] | None = None,
        exists: Callable[[str], bool] | None = None,
    ) -> None:
        """Take what was read.

        `sources` are the texts of the programs that it runs, by the path in the script; `exists` says whether a folder
        is beside the script, or in the folder in which the check runs.
        """
        self.script = script
        self.site = site
        self.sources: Mapping[str, str] = sources or {}
        self.exists = exists

    @functools.cached_property
    def shell(self) -> Shell:
        """The shell lines; nothing for a body of another language."""
        return read_shell(self.script.text) if self.script.is_shell else Shell()

    @functools.cached_property
    def programs(self) -> tuple[Command, ...]:
        """The commands that start Python or R."""
        return tuple(command for command in self.shell.commands if interpreter_of(command))

    @functools.cached_property
    def array(self) -> Option | None:
        """The option that makes the job an array."""
        if self.script.dialect == "slurm":
            return self.script.option("array")
        return self.script.option("J" if self.script.flavour == "openpbs" else "t")

    @functools.cached_property
    def indices(self) -> Indices | None:
        """The array's indices, where they can be read."""
        return array_indices(self.array.value) if self.array and self.array.value else None

    @property
    def many_tasks(self) -> bool:
        """Whether several tasks of an array run at a time; false for chains, such as 1-10%1."""
        return self.indices is not None and self.indices.count > 1 and self.indices.at_a_time != 1

    @functools.cached_property
    def version(self) -> tuple[int, int] | None:
        """Year and month of the site's Slurm."""
        found = re.match(r"(?:slurm )?(\d\d)\.(\d\d)", self.site.scheduler_version) if self.site else None
        return (int(found[1]), int(found[2])) if found and self.script.dialect == "slurm" else None

    @property
    def every_source_is_known(self) -> bool:
        """Whether the text of every program that the job runs was read, so that a rule may say what they do not do."""
        if not self.shell.available or self.shell.errors or not self.programs:
            return False
        plain = all(
            command.program[0].text in _HARMLESS or command in self.programs
            for command in self.shell.commands
        )
        return plain and all(source_of(command) in self.sources for command in self.programs)

    def mentions(self, pattern: str) -> bool:
        """Return whether the script or the source that it runs has a match."""
        return any(re.search(pattern, text) for text in (self.script.text, *self.sources.values()))

    def replace(self, option: Option, text: str) -> tuple[Edit, ...]:
        """Return the fix that puts a text in the place of an option's value."""
        return (Edit(option.line, option.value_start, option.value_end, text),)


_HARMLESS = frozenset(
    [
        "module",
        "ml",
        "source",
        ".",
        "cd",
        "mkdir",
        "echo",
        "export",
        "set",
        "date",
        "hostname",
        "pwd",
        "ls",
        "cp",
        "mv",
        "rm",
        "cat",
        "printf",
        "true",
        "false",
        ":",
        "wait",
        "sleep",
        "trap",
        "conda",
        "mamba",
        "ulimit",
        "umask",
        "unset",
        "exit",
        "test",
        "[",
        "[[",
        "rsync",
        "tar",
        "touch",
        "nvidia-smi",
        "free",
        "lscpu",
        "env",
        "printenv",
        "which",
        "hash",
        "shopt",
        "deactivate",
        "activate",
        "declare",
        "local",
        "readonly",
        "eval",
        "time",
        "df",
        "du",
        "head",
        "tail",
        "sed",
        "awk",
        "grep",
        "tee",
        "sort",
        "wc",
    ]
)
_PYTHON = re.compile(r"python[\d.]*")


def interpreter_of(command: Command) -> str:
    """Return python or r, where a command starts one of them."""
    name = command.program[0].text.rpartition("/")[2]
    if _PYTHON.fullmatch(name):
        return "python"
    return "r" if name == "Rscript" or (name == "R" and len(command.program) > 1) else ""


def source_of(command: Command) -> str:
    """Return the file that an interpreter is given; empty where it is given a module, an expression or a variable."""
    tokens = command.program[1:]
    for index, word in enumerate(tokens):
        if word.text in {"-c", "-m", "-e", "-"}:
            return ""
        if not word.text.startswith("-") and word.text not in {"CMD", "BATCH"}:
            if index and tokens[index - 1].text in {"-W", "-X"}:
                continue
            return word.literal or ""
    return ""


def named(job: Job, *names: str) -> Iterator[Option]:
    """Yield the options with one of these names that have a value."""
    for option in job.script.options:
        if option.name in names and option.value is not None and not option.fault:
            yield option


def note(option: Option, message: str, *, edits: tuple[Edit, ...] = (), advice: str = "") -> Note:
    """Return a note at an option."""
    return Note(message=message, line=option.line, column=option.start, edits=edits, advice=advice)
