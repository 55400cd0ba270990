"""Modules at a site: which there are, and what is found once some of them are loaded."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from msgspec import Struct

from packhorse.model.command import Answer, Command
from packhorse.model.site import Site
from packhorse.sites.machine import answers, fenced, module_names

# One argument a package; a name that is no module is told as missing, not raised.
IN_PYTHON = (
    "import importlib.util as u, sys\n"
    "for name in sys.argv[1:]:\n"
    "    try: found = u.find_spec(name) is not None\n"
    "    except Exception: found = False\n"
    "    print(name, found)"
)
IN_R = "for (name in commandArgs(TRUE)) cat(name, nzchar(system.file(package = name)), '\\n')"


class Program(Struct, frozen=True):
    """An interpreter: where it is, its version, and which packages it has; nothing: it is not there."""

    path: str = ""
    version: str = ""
    packages: dict[str, bool] = {}


class Loaded(Struct, frozen=True, kw_only=True):
    """What is there once modules are loaded; `failed` is what loading them said where it did not work."""

    failed: str
    python: Program
    rscript: Program


def listing(site: Site, word: str = "") -> Command:
    """Return the question which modules there are, and which are loaded by themselves.

    Lmod shows by `avail` only what can be loaded now, and by `spider` all that there is.
    """
    # Lmod reads `avail -t` as a search, so the option stands first; both print the list on standard error.
    questions = {"avail": "module -t avail", "loaded": "module -t list"}
    if word:
        questions["spider"] = f'[ -z "$LMOD_VERSION" ] || module -t spider {shlex.quote(word)}'
    return fenced(site, questions)


def listed(answer: Answer, word: str) -> tuple[list[str], list[str], int]:
    """Return the modules that have a word in their name, those that are loaded by themselves, and how many there are."""
    parts = answers(answer)
    every = list(module_names(parts.get("avail", "")))
    more = [*every, *module_names(parts.get("spider", ""))] if word else every
    found = [name for name in dict.fromkeys(more) if word.lower() in name.lower()]
    return found, list(module_names(parts.get("loaded", ""))), len(every)


def there_is_none(answer: Answer) -> bool:
    """Tell whether the shell has no modules at all."""
    said = answers(answer).get("avail", "")
    return not said.strip() or bool(re.search(r"module: (command )?not found", said))


def trial(site: Site, modules: Sequence[str], python: Sequence[str], r: Sequence[str]) -> Command:
    """Return the question what is found once modules are loaded: interpreters, and packages in them."""
    load = f"{site.modules.load} {shlex.join(modules)} && echo loaded-all" if modules else "echo loaded-all"
    return fenced(
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


def tried(answer: Answer, python: Sequence[str], r: Sequence[str]) -> Loaded:
    """Read the answer to `trial`; a package of which nothing was said is missing."""
    parts = answers(answer)
    said = parts.get("load", "").strip()
    return Loaded(
        failed="" if said.endswith("loaded-all") else said or answer.stderr.strip() or "no answer",
        python=_program(parts, "python", python),
        rscript=_program(parts, "rscript", r),
    )


def _program(parts: dict[str, str], name: str, packages: Sequence[str]) -> Program:
    said = parts.get("r packages" if name == "rscript" else "python packages", "")
    has = dict(re.findall(r"^(\S+) (True|TRUE|False|FALSE)\s*$", said, re.MULTILINE))
    found = re.search(r"^(/\S+)$\s*^.*?(\d+\.[\w.+]+)", parts.get(name, ""), re.MULTILINE)
    return Program(
        path=found[1] if found else "",
        version=found[2] if found else "",
        packages={one: has.get(one, "").lower() == "true" for one in packages},
    )
