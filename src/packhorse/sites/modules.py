"""Modules at a site: list them, and report the interpreters and packages after loading some of them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

from packhorse.model.command import Answer, Command
from packhorse.model.site import Site
from packhorse.sites.machine import combined_command, module_names, split_answers

# One argument per package; a name that cannot be a module counts as missing.
IN_PYTHON = (
    "import importlib.util as u, sys\n"
    "for name in sys.argv[1:]:\n"
    "    try: found = u.find_spec(name) is not None\n"
    "    except Exception: found = False\n"
    "    print(name, found)"
)
IN_R = "for (name in commandArgs(TRUE)) cat(name, nzchar(system.file(package = name)), '\\n')"


class Program(Struct, frozen=True):
    """An interpreter: its path, version and which of the packages it has; empty where there is none."""

    path: str = ""
    version: str = ""
    packages: dict[str, bool] = {}


class Loaded(Struct, frozen=True, kw_only=True):
    """The interpreters after loading modules; `failed` is the error output where loading failed."""

    failed: str
    python: Program
    rscript: Program


def list_command(site: Site, word: str = "") -> Command:
    """Return the command that lists all modules and those loaded by default.

    Lmod's `avail` shows only the modules that can be loaded now, `spider` all of them.
    """
    # Lmod reads `avail -t` as a search for -t, so the option comes first.
    questions = {"avail": "module -t avail", "loaded": "module -t list"}
    if word:
        questions["spider"] = f'[ -z "$LMOD_VERSION" ] || module -t spider {shlex.quote(word)}'
    return combined_command(site, questions)


def parse_list(answer: Answer, word: str) -> tuple[list[str], list[str], int]:
    """Return the modules whose name contains a word, those loaded by default, and the number of all modules."""
    parts = split_answers(answer)
    available = list(module_names(parts.get("avail", "")))
    names = [*available, *module_names(parts.get("spider", ""))] if word else available
    matching = [name for name in dict.fromkeys(names) if word.lower() in name.lower()]
    return matching, list(module_names(parts.get("loaded", ""))), len(available)


def has_no_modules(answer: Answer) -> bool:
    """Return whether the shell has no module system, or no modules."""
    output = split_answers(answer).get("avail", "")
    return not output.strip() or bool(re.search(r"module: (command )?not found", output))


def load_command(site: Site, modules: Sequence[str], python: Sequence[str], r: Sequence[str]) -> Command:
    """Return the command that loads modules and reports the interpreters and their packages."""
    load = f"{site.modules.load} {shlex.join(modules)} && echo loaded-all" if modules else "echo loaded-all"
    return combined_command(
        site,
        {
            "load": load,
            "python": "command -v python3 && python3 --version",
            "rscript": "command -v Rscript && Rscript --version",
            "python packages": f"python3 -c {shlex.quote(IN_PYTHON)} {shlex.join(python)}"
            if python
            else "true",
            "r packages": f"Rscript -e {shlex.quote(IN_R)} {shlex.join(r)}" if r else "true",
        },
    )


def parse_load(answer: Answer, python: Sequence[str], r: Sequence[str]) -> Loaded:
    """Read the answer to `trial`; a package of which nothing was said is missing."""
    parts = split_answers(answer)
    output = parts.get("load", "").strip()
    return Loaded(
        failed="" if output.endswith("loaded-all") else output or answer.stderr.strip() or "no answer",
        python=_program(parts, "python", python),
        rscript=_program(parts, "rscript", r),
    )


def _program(parts: dict[str, str], name: str, packages: Sequence[str]) -> Program:
    output = parts.get("r packages" if name == "rscript" else "python packages", "")
    has = dict(re.findall(r"^(\S+) (True|TRUE|False|FALSE)\s*$", output, re.MULTILINE))
    version = re.search(r"^(/\S+)$\s*^.*?(\d+\.[\w.+]+)", parts.get(name, ""), re.MULTILINE)
    return Program(
        path=version[1] if version else "",
        version=version[2] if version else "",
        packages={package: has.get(package, "").lower() == "true" for package in packages},
    )
