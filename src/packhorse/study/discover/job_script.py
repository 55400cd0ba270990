"""What a job script asks for and runs, as far as a study of it, or of the script that it runs, needs to know."""

from __future__ import annotations

import re
import shlex

from msgspec import Struct

from packhorse.study.discover.script import ARRAYS

SUFFIXES = frozenset(
    {".sh", ".bash", ".slurm", ".sbatch", ".sub", ".pbs", ".job", ".qsub", ".lsf", ".sge", ".slm"}
)
DIRECTIVES = re.compile(r"^#(?:SBATCH|PBS|BSUB|\$)[ \t]+-", re.MULTILINE)
_RUN = re.compile(
    r"^[ \t]*(?:time |exec |srun (?:-\S+ )*|mpirun (?:-\S+ \d+ )*)?"
    r"(?:\S*/)?(?:python[\d.]*|Rscript|julia)[ \t]+((?:--?[\w-]+[ \t]+)*)([^\s\"'$;|&<>]+\.\w+)([^\n;|&<>]*)",
    re.MULTILINE | re.IGNORECASE,
)
_MODULES = re.compile(r"^[ \t]*(?:module|ml)[ \t]+(?:load[ \t]+|add[ \t]+)?([^\n#;&|]+)", re.MULTILINE)
_NOT_LOADED = frozenset(
    {"purge", "list", "avail", "unload", "swap", "use", "reset", "restore", "spider", "rm"}
)
_SUBMIT_FOLDER = re.compile(
    r"^[ \t]*cd[ \t]+[\"']?\$\{?(PBS_O_WORKDIR|SLURM_SUBMIT_DIR|SGE_O_WORKDIR)", re.MULTILINE
)
# Grid Engine: -t 1-100:2; LSF: -J "name[1-100]".
_OTHER_ARRAYS = re.compile(
    r"^#\$[ \t]+-t[ \t]+([\d:,-]+)|^#BSUB[ \t]+-J[ \t]+\S*\[([\d:,-]+)\]", re.MULTILINE
)
_ALIAS = re.compile(
    rf"^[ \t]*(?:export )?(\w+)=[\"']?\$\{{?(?:{'|'.join(ARRAYS)})\}}?[\"']?[ \t]*$", re.MULTILINE
)
_RANGE = re.compile(r"(\d+)(?:-(\d+)(?::(\d+))?)?")

Ranges = tuple[tuple[int, int, int], ...]  # first, last and step


class JobRequest(Struct, frozen=True, kw_only=True):
    """What a job script asks for; `source` is its name. Memory in MiB, time in seconds; 0 and None: not given."""

    source: str
    indices: Ranges = ()
    cpus: int = 0
    memory: int | None = None
    seconds: int | None = None
    gpus: int = 0
    modules: tuple[str, ...] = ()


class ScriptCall(Struct, frozen=True, kw_only=True):
    """The line of a shell script that runs another script."""

    script: str
    arguments: tuple[str, ...]


def is_job_script(text: str) -> bool:
    """Return whether a script has lines for a scheduler."""
    return bool(DIRECTIVES.search(text))


def script_calls(text: str) -> tuple[ScriptCall, ...]:
    """Return the Python, R and Julia scripts that a shell script runs, with their arguments.

    A variable with the index of the array is shown as the scheduler's own.
    """
    found = []
    aliases = {f"${name}" for name in _ALIAS.findall(text)}
    aliases |= {f"${{{name[1:]}}}" for name in aliases}
    for _, script, rest in _RUN.findall(text.replace("\\\n", " ")):
        try:
            arguments = shlex.split(rest)
        except ValueError:
            arguments = rest.split()
        found.append(
            ScriptCall(
                script=script.removeprefix("./"),
                arguments=tuple("$" + ARRAYS[0] if word in aliases else word for word in arguments),
            )
        )
    return tuple(found)


def loaded_modules(text: str) -> tuple[str, ...]:
    """Return the modules that a script loads."""
    lines = [line.split() for line in _MODULES.findall(text)]
    loaded = [word for line in lines if line and line[0] not in _NOT_LOADED for word in line]
    return tuple(
        dict.fromkeys(word for word in loaded if re.fullmatch(r"[\w.+/-]+", word) and word[0] != "-")
    )


def submit_folder_change(text: str) -> tuple[str, int] | None:
    """Return the variable of the folder of submission to which a script changes, and the line; None if it does not."""
    match = _SUBMIT_FOLDER.search(text)
    return None if match is None else (match[1], text.count("\n", 0, match.start(1)) + 1)


def other_array(text: str) -> Ranges:
    """Return the indices of an array of Grid Engine or LSF."""
    match = _OTHER_ARRAYS.search(text)
    parts = [_RANGE.fullmatch(part) for part in ((match[1] or match[2]).split(",") if match else ())]
    return tuple((int(p[1]), int(p[2] or p[1]), int(p[3] or 1)) for p in parts if p)


def index_position(call: ScriptCall) -> int | None:
    """Return which argument of a call, from 0, is the index of the array; None if none is."""
    names = "|".join(ARRAYS)
    places = [n for n, word in enumerate(call.arguments) if re.fullmatch(rf"\$\{{?(?:{names})\}}?", word)]
    return places[0] if len(places) == 1 else None
