"""What #PBS scripts do for themselves: redirect their output, change the folder, and read arguments from variables.

qsub(1B): output is copied when a job has ended, a job starts in the home folder, and a script has no arguments. The
variables also hold the token by which a job is found.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from packhorse.model.job import Request

WAVE, LAST, FOLLOWS, TOKEN = "PACKHORSE_WAVE", "PACKHORSE_LAST", "PACKHORSE_FOLLOWS", "PACKHORSE_TOKEN"

_TOKEN = re.compile(rf"\b{TOKEN}=(packhorse-[\w-]+)")
_PLACE = re.compile(r"(\{wave\}|\{element\})")
_PLAIN = re.compile(r"[\w@%+=./{}^-]*", re.ASCII)
_NOT_A_NAME = re.compile(r"[^\w.+-]", re.ASCII)
NAME = 64  # characters of a job's name; listings cut it
NOWHERE = "/dev/null"


def first_lines(output: str, element: str) -> list[str]:
    """Return the first lines of a script.

    `output` contains {wave} and {element}; `element` is a word of the shell.
    """
    variables = {"{wave}": f'"${WAVE}"', "{element}": element}
    parts = [variables.get(part) or shlex.quote(part) for part in _PLACE.split(output) if part]
    return [
        "# This scheduler copies a job's output when the job has ended, and starts it in the home folder with a login PATH.",
        "# These lines write the output at once, and restore the folder and the PATH of the submission.",
        f"exec >>{''.join(parts)} 2>&1",
        'cd "${PBS_O_WORKDIR:-.}" || exit',
        'export PATH="${PBS_O_PATH:-$PATH}"',
    ]


def variable_list(token: str, arguments: Sequence[str]) -> str:
    """Return the value of qsub's -v; `arguments` are the wave, the last element and the job of the wave before."""
    named = [*([(TOKEN, token)] if token else []), *zip((WAVE, LAST, FOLLOWS), arguments, strict=False)]
    return ",".join(f"{name}={value}" for name, value in named)


def token_in(variables: str) -> str:
    """Return the token in a job's list of variables, or nothing."""
    found = _TOKEN.search(variables)
    return found[1] if found else ""


def spool_file(request: Request, element: str) -> str:
    """Return where the scheduler writes its own messages: beside the job's output, without its suffix.

    A path with characters that have a meaning for qsub is not used.
    """
    path = request.output.removesuffix(".out").replace("{element}", element).removesuffix("-")
    return path if path and _PLAIN.fullmatch(path) else NOWHERE


def name(text: str) -> str:
    """Return a job's name in characters that every batch system accepts, the first a letter (qsub(1B), -N)."""
    plain = _NOT_A_NAME.sub("_", text)[:NAME]
    return plain if plain[:1].isalpha() else f"j{plain}"[:NAME]
