"""A job script: lines, directives, options, interpreter. Reading loses nothing: `text` is what was read."""

from __future__ import annotations

import functools
import re
from typing import Literal

from packhorse.jobscript.directives import Dialect, Directive, directives
from packhorse.jobscript.lines import Line, join_lines, split_lines
from packhorse.jobscript.options import Option, pbs_options, slurm_options

Flavour = Literal["torque", "openpbs"]

_SHEBANG = re.compile(r"#![ \t]*(\S+)(?:[ \t]+(\S+))?")
_SHELLS = {"bash", "sh", "ksh", "zsh", "dash"}
# A text with places to fill in is a template and not a job script: {x} of Python, <x>, {{ x }}, __X__, @X@, or several X.
_TEMPLATE = re.compile(
    r"^#(?:SBATCH|PBS)[^#\n]*(?:\{\{?\s*\w+[^}\n]*\}|<[A-Za-z][^>\n]*>|__[A-Z]\w*__|@[A-Z]\w*@|X{3,}|%\(\w+\))|\{%[- ]",
    re.MULTILINE,
)


class JobScript:
    """A job script and its parts, each read when it is first asked for."""

    def __init__(self, text: str, path: str = "", scheduler: str = "") -> None:
        """Read a text. `scheduler` is the one that will read it; empty: the one that its directives are for."""
        self.path = path
        self.text = text
        self.lines: tuple[Line, ...] = split_lines(text)
        self._scheduler = scheduler

    def __str__(self) -> str:
        return join_lines(self.lines)

    @functools.cached_property
    def slurm_directives(self) -> tuple[Directive, ...]:
        """All #SBATCH lines."""
        return directives(self.lines, "slurm") if "#SBATCH" in self.text or "#SLURM" in self.text else ()

    @functools.cached_property
    def pbs_directives(self) -> tuple[Directive, ...]:
        """All #PBS lines."""
        return directives(self.lines, "pbs") if "#PBS" in self.text else ()

    @functools.cached_property
    def dialect(self) -> Dialect:
        """The scheduler for which the script is written; empty: it has no directives."""
        if self._scheduler in {"torque", "openpbs"}:
            return "pbs"
        if self._scheduler == "slurm":
            return "slurm"
        if any(one.place == "head" for one in self.slurm_directives):
            return "slurm"
        if any(one.place == "head" for one in self.pbs_directives):
            return "pbs"
        return "slurm" if self.slurm_directives else "pbs" if self.pbs_directives else ""

    @functools.cached_property
    def flavour(self) -> Flavour:
        """TORQUE or OpenPBS, of a script for either."""
        if self._scheduler in {"torque", "openpbs"}:
            return "torque" if self._scheduler == "torque" else "openpbs"
        openpbs = re.compile(
            r"^[ \t]*#PBS.*(-J[ \t]*\d|\bselect=|\bplace=)|\bPBS_ARRAY_INDEX\b", re.MULTILINE
        )
        return "openpbs" if openpbs.search(self.text) else "torque"

    @functools.cached_property
    def all_directives(self) -> tuple[Directive, ...]:
        """The directives of its scheduler, also those that it ignores."""
        return {"slurm": self.slurm_directives, "pbs": self.pbs_directives}.get(self.dialect, ())

    @functools.cached_property
    def directives(self) -> tuple[Directive, ...]:
        """The directives that its scheduler reads."""
        return tuple(one for one in self.all_directives if one.place == "head")

    @functools.cached_property
    def options(self) -> tuple[Option, ...]:
        """The options of its directives, in order."""
        if self.dialect == "slurm":
            return slurm_options(self.directives)
        return pbs_options(self.directives, self.flavour) if self.dialect == "pbs" else ()

    def option(self, name: str) -> Option | None:
        """Return the option that counts: the last with this name, of the first component."""
        found = [one for one in self.options if one.name == name and not one.component and not one.fault]
        return found[-1] if found else None

    def value(self, name: str) -> str:
        """Return the value of an option, or an empty text."""
        found = self.option(name)
        return (found.value or "") if found else ""

    @functools.cached_property
    def resources(self) -> dict[str, str]:
        """The -l resources of PBS, the last of each: walltime, nodes, select, mem."""
        found: dict[str, str] = {}
        for option in self.options:
            if self.dialect == "pbs" and option.name == "l" and option.value:
                for part in option.value.split(","):
                    name, _, value = part.partition("=")
                    found[name] = value
        return found

    @functools.cached_property
    def interpreter(self) -> str:
        """The name of the program on the first line: bash, python3; empty without one."""
        first = self.lines[0].text if self.lines else ""
        found = _SHEBANG.match(first)
        if not found:
            return ""
        name = found[1].rpartition("/")[2]
        return found[2] or "" if name == "env" and found[2] else name

    @property
    def is_shell(self) -> bool:
        """Whether the body is for a shell that resembles sh."""
        return self.interpreter in _SHELLS or (not self.interpreter and self.dialect == "pbs")

    @functools.cached_property
    def is_template(self) -> bool:
        """Whether the text has places to fill in, so that it is a template."""
        return bool(_TEMPLATE.search(self.text))

    @functools.cached_property
    def body_line(self) -> int:
        """The number of the first line after the header."""
        last = max((one.last_line for one in self.directives), default=0)
        return last + 1
