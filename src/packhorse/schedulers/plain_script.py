"""The text of a job script for a user to keep and submit; no part of Packhorse runs in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from msgspec import Struct

from packhorse.schedulers.script import Shell

# Where numerical libraries read their number of threads, besides OMP_NUM_THREADS.
THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_R = re.compile(r"(?<![\w.-])Rscript(?![\w.-])|(?<![\w.-])R (?:CMD|-|<)")
_PYTHON = re.compile(r"(?<![\w.-])(?:python[\d.]*|ipython|jupyter|torchrun|\S+\.py)(?![\w/])")
# The shell expands a variable or ~ at the beginning of a path; the rest is quoted.
_BEGINNING = re.compile(r"(~(?=/|$)|\$[A-Za-z_]\w*|\$\{[A-Za-z_]\w*\})(.*)", re.DOTALL)


class Plain(Struct, frozen=True, kw_only=True):
    """The parts of a plain script, in its order."""

    about: tuple[str, ...]  # comments on it and on its submission, without the #
    directives: tuple[str, ...]
    left: tuple[str, ...] = ()  # comments on what is left to the site, without the #
    site: str = ""  # its name
    site_setup: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()  # shell lines
    environment: tuple[str, ...] = ()  # shell lines
    setup: tuple[str, ...] = ()  # shell lines of the user
    threads: str = '"1"'  # a shell word: the cores of one process
    array: bool = False
    commands: str


def plain_script(plain: Plain, shell: Shell) -> str:
    """Return a script that ends with the exit status of the first command that fails."""
    blocks = [
        ("", ["#!/bin/bash", *_comments(plain.about), *plain.directives, *_comments(plain.left)]),
        (f"What every job at {plain.site} does first.", plain.site_setup),
        (
            "From here on the first command that fails ends the job, with its exit status.",
            ["set -eo pipefail"],
        ),
        ("A job begins in your home; this is the folder from which you sent it.", shell.folder),
        ("Programs that are not there by themselves.", plain.modules),
        ("The environment with your packages.", plain.environment),
        ("What you want before your commands.", plain.setup),
        (
            "Libraries start no more threads than the job has cores; by themselves they would take all of a node.",
            _threads(plain),
        ),
        ("Python writes to the log at once, and not when it ends.", _unbuffered(plain.commands)),
        ("Each process of the launcher gets its share of the cores.", _launch(plain.commands, shell)),
        (_about_array(plain, shell), [plain.commands.strip("\n")]),
    ]
    return (
        "\n\n".join("\n".join([*_comments([why] if why else []), *rows]) for why, rows in blocks if rows)
        + "\n"
    )


def module_lines(load: str, names: Sequence[str]) -> list[str]:
    """Return the lines that load modules with the site's command: `module load`, `module add`."""
    return [f"{load} {shlex.quote(name)}" for name in names]


def environment_lines(kind: str, name: str, conda: str = "") -> list[str]:
    """Return the lines that activate an environment: conda by its name or folder, venv and uv by their folders.

    `conda` is the command with which the site activates a conda environment; empty: `conda activate`.
    """
    if kind == "conda" and conda:
        return [f"{conda} {shell_path(name)}"]
    if kind == "conda":
        # `conda activate` is a shell function, which exists only in initialised shells.
        return ['source "$(conda info --base)/etc/profile.d/conda.sh"', f"conda activate {shell_path(name)}"]
    inside = "/.venv/bin/activate" if kind == "uv" else "/bin/activate"
    return [f"source {shell_path((name or '.').rstrip('/') + inside)}"]


def shell_path(path: str) -> str:
    """Return a path as a word of the shell; ~ or a variable at its beginning is expanded in the job."""
    begins = _BEGINNING.fullmatch(path)
    if begins is None:
        return shlex.quote(path)
    first = '"$HOME"' if begins[1] == "~" else f'"{begins[1]}"'
    return first + (shlex.quote(begins[2]) if begins[2] else "")


def uses_python(commands: str) -> bool:
    """Return whether a command starts Python."""
    return _PYTHON.search(commands) is not None


def _comments(rows: Iterable[str]) -> list[str]:
    return [f"# {line}".rstrip() for row in rows for line in row.splitlines()]


def _threads(plain: Plain) -> list[str]:
    others = " ".join(f'{name}="$OMP_NUM_THREADS"' for name in THREADS)
    rows = [f"export OMP_NUM_THREADS={plain.threads}", f"export {others}"]
    # The processes that R's parallel starts; the default of mclapply is two.
    return [*rows, 'export MC_CORES="$OMP_NUM_THREADS"'] if _R.search(plain.commands) else rows


def _unbuffered(commands: str) -> list[str]:
    return ["export PYTHONUNBUFFERED=1"] if uses_python(commands) else []


def _launch(commands: str, shell: Shell) -> tuple[str, ...]:
    used = re.search(rf"(?<![\w./-]){re.escape(shell.launcher)}(?![\w.-])", commands)
    return shell.launch if used else ()


def _about_array(plain: Plain, shell: Shell) -> str:
    if plain.array:
        return f"What the job does. This is one element of an array; ${shell.index} is its number."
    return "What the job does."
