"""For schedulers that keep a job's output until it has ended, start it at home, and pass its script no arguments.

What a script is told stands in variables, and with them the token by which its job is found.
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
WAITS = {"start": "after", "end": "afterany", "ok": "afterok", "fail": "afternotok"}
NAME = 64  # characters of a job's name; who has more cuts it in listings
NOWHERE = "/dev/null"


def first_lines(output: str, element: str) -> list[str]:
    """Return the first lines of a script; `output` has {wave} and {element} in it, `element` is a word of the shell."""
    words = {"{wave}": f'"${WAVE}"', "{element}": element}
    parts = [words.get(part) or shlex.quote(part) for part in _PLACE.split(output) if part]
    return [
        "# This scheduler shows what a job printed only when it has ended, starts it in the home folder, and gives it a",
        "# login's PATH. So here is where it prints, and it stands and finds programs where it was submitted.",
        f"exec >>{''.join(parts)} 2>&1",
        'cd "${PBS_O_WORKDIR:-.}" || exit',
        'export PATH="${PBS_O_PATH:-$PATH}"',
    ]


def told(token: str, arguments: Sequence[str]) -> str:
    """Return what a script is told, as a list of variables; `arguments` are the wave, the last element, the wave before."""
    named = [*([(TOKEN, token)] if token else []), *zip((WAVE, LAST, FOLLOWS), arguments, strict=False)]
    return ",".join(f"{name}={value}" for name, value in named)


def token_in(variables: str) -> str:
    """Return the token in a job's list of variables, or nothing."""
    found = _TOKEN.search(variables)
    return found[1] if found else ""


def spool_file(request: Request, element: str) -> str:
    """Return where the scheduler puts what it says itself: beside the job's own output, without its ending.

    A path that the scheduler's own syntax has other meanings for is not used.
    """
    path = request.output.removesuffix(".out").replace("{element}", element).removesuffix("-")
    return path if path and _PLAIN.fullmatch(path) else NOWHERE


def name(text: str) -> str:
    """Return a job's name of characters that no batch system refuses, the first a letter or a digit."""
    found = _NOT_A_NAME.sub("_", text)[:NAME]
    return found if found[:1].isalnum() else f"j{found}"
