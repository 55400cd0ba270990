"""What the shell lines of a job script do: commands, assignments, variables. `read_shell` makes it, with tree-sitter-bash.

The grammar errs on 3 % of good scripts; `Shell.errors` says so, and what was understood is still listed.
"""

from __future__ import annotations

import functools
import re

from msgspec import Struct

from packhorse.jobscript.options import VALUE, resolve, table

# Programs that start the program after their own options, and their options that take a value in the next word.
_VALUED = {
    "srun": "nNctpJAweoDmxlCqKGd",
    "mpirun": "nx",
    "mpiexec": "nx",
    "time": "fo",
    "env": "uCS",
    "nice": "n",
    "timeout": "ks",
    "numactl": "CNmipl",
    "stdbuf": "ioe",
    "xvfb-run": "nsefpw",
}
_BARE = {
    "nohup",
    "exec",
    "command",
    "sudo",
    "setsid",
    "\\time",
    "catchsegv",
    "ibrun",
    "prun",
    "aprun",
    "mpiexec.hydra",
}
_CONTAINERS = {"singularity", "apptainer"}
_CONTAINER_VALUED = frozenset(
    [
        "--bind",
        "--home",
        "--env",
        "--env-file",
        "--workdir",
        "--pwd",
        "--cwd",
        "--overlay",
        "--scratch",
        "--no-mount",
        "--network",
        "--app",
        "--mount",
    ]
)
LAUNCHERS = frozenset({"srun", "mpirun", "mpiexec", "mpiexec.hydra", "aprun", "ibrun", "prun"})


class Arg(Struct, frozen=True):
    """A word of a command: as written, and its value where the shell expands nothing in it."""

    raw: str
    literal: str | None
    line: int
    start: int
    end: int

    @property
    def text(self) -> str:
        """Its value, or what is written where that has expansions."""
        return self.raw if self.literal is None else self.literal


class Where(Struct, frozen=True):
    """Where a command or assignment is in the structure of the script."""

    function: str = ""
    loop: int = 0
    conditional: bool = False  # in a branch, a test, or after && and ||
    substitution: bool = False
    subshell: bool = False


class Command(Struct, frozen=True, kw_only=True, dict=True):
    """A simple command."""

    words: tuple[Arg, ...]
    assignments: tuple[Assignment, ...] = ()
    line: int
    start: int
    end_line: int
    where: Where
    background: bool = False
    piped_to: tuple[str, ...] = ()  # the names of the commands after it in a pipeline
    redirects: tuple[tuple[str, str], ...] = ()  # > and the file
    text: str = ""

    @property
    def name(self) -> str:
        """The command as written."""
        return self.words[0].text

    @functools.cached_property
    def program(self) -> tuple[Arg, ...]:
        """The words of the program that it starts, without launchers such as srun, time, env or a container."""
        return _unwrapped(self.words)

    @functools.cached_property
    def launcher(self) -> str:
        """The launcher of parallel programs that starts it, or an empty text."""
        return next(
            (
                word.text
                for word in self.words[: len(self.words) - len(self.program)]
                if word.text in LAUNCHERS
            ),
            "",
        )


class Assignment(Struct, frozen=True, kw_only=True):
    """An assignment of a variable; `items` are the words of an array."""

    name: str
    value: Arg
    items: tuple[Arg, ...] | None = None
    append: bool = False
    indexed: bool = False
    exported: bool = False
    line: int
    start: int
    where: Where


class Use(Struct, frozen=True):
    """A variable in an expansion."""

    name: str
    line: int
    start: int
    end: int
    index: str | None = None  # of an element of an array, as written
    guarded: bool = False  # ${NAME:-default}, ${NAME+x}, or in [ ]


class Shell(Struct, frozen=True):
    """All of it, in the order of the script."""

    commands: tuple[Command, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    uses: tuple[Use, ...] = ()
    functions: frozenset[str] = frozenset()
    errors: bool = False
    available: bool = False  # whether there is a parser

    def settings(self) -> set[str]:
        """Return what `set` switches on: e, u, pipefail."""
        found: set[str] = set()
        for command in self.commands:
            if command.name == "set":
                text = " ".join(word.text for word in command.words[1:])
                found |= set("".join(re.findall(r"(?:^| )-([a-zA-Z]+)", text)).replace("o", ""))
                found |= {"pipefail"} if "pipefail" in text else set()
        return found


def _unwrapped(tokens: tuple[Arg, ...]) -> tuple[Arg, ...]:
    left = list(tokens)
    for _ in range(6):  # launchers in launchers
        if not left:
            break
        name = left[0].text.rpartition("/")[2]
        if name in _CONTAINERS and len(left) > 1 and left[1].text in {"exec", "run"}:
            left = _after_options(left[2:], "BHWSo", name)[1:]
        elif name in _VALUED:
            left = _after_options(left[1:], _VALUED[name], name)
            if name == "timeout":
                left = left[1:]
            while name == "env" and left and re.match(r"\w+=", left[0].raw):
                left = left[1:]
        elif name in _BARE:
            left = left[1:]
        else:
            break
    return tuple(left) or tokens


def _after_options(tokens: list[Arg], valued: str, program: str) -> list[Arg]:
    """Return the words after the options; a long option without = is followed by its value where that is a number."""
    left = list(tokens)
    while left and left[0].text.startswith("-"):
        word = left.pop(0).text
        if program == "srun" and word.startswith("--") and "=" not in word:
            known = table("srun")
            if left and known.long.get(resolve(word[2:], known)[0]) == VALUE:
                left.pop(0)
            continue
        short = not word.startswith("--") and len(word) == 2 and word[1] in valued
        number = (
            word.startswith("--")
            and "=" not in word
            and left
            and re.fullmatch(r"[\d:]+|\$\{?\w+\}?", left[0].text)
        )
        if left and (short or word == "-np" or word in _CONTAINER_VALUED or number):
            left.pop(0)
    return left
