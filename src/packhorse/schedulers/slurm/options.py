"""The #SBATCH lines of a request, and the options of sbatch for one submission."""

from __future__ import annotations

import re

from packhorse.model.job import HeadOptions, Request, Wait
from packhorse.schedulers.slurm.fields import written_array, written_time
from packhorse.schedulers.slurm.user_options import excluded

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f|]")
_PLAIN = re.compile(r"[\w@%+=:,./\[\]-]*", re.ASCII)
MAIL = {"begin": "BEGIN", "end": "END", "fail": "FAIL"}
# sbatch(1), --dependency.
WAITS = {"start": "after", "end": "afterany", "ok": "afterok", "fail": "afternotok", "each": "aftercorr"}


def directives(request: Request) -> list[str]:
    """Return the #SBATCH lines of a script: what every submission of it asks for, the user's own options last."""
    lines = [f"#SBATCH {name}{_quoted(value)}" for name, value in _set_options(_fixed(request))]
    return lines + [f"#SBATCH {option}" for option in request.options if "\n" not in option]


def submission(script: str, arguments: list[str], request: Request, last: str) -> list[str]:
    """Return the argv that submits a script: what differs from one submission to the next; `last` element, "" for none.

    Each option is one argument, so that an empty one can be left out.
    """
    options = [f"{name}{value}" for name, value in _set_options(_variable(request, last))]
    return ["sbatch", "--parsable", *options, script, *arguments]


def head_options(options: HeadOptions) -> list[str]:
    """Return the options of sbatch that overrule those in a script's head."""
    wanted: dict[str, str | None] = {
        "--partition=": options.partition or None,
        "--account=": options.account or None,
        "--qos=": options.qos or None,
        "--time=": None if options.seconds is None else written_time(max(60, options.seconds)),
        "--mem=": None if options.memory is None else f"{options.memory}M",
    }
    return [f"{name}{value}" for name, value in _set_options(wanted)]


def _set_options(options: dict[str, str | None]) -> list[tuple[str, str]]:
    """Return the options that are set: `--name=` and the value, or `--name` alone for one without."""
    return [
        (name if value else name.rstrip("="), value) for name, value in options.items() if value is not None
    ]


def _fixed(request: Request) -> dict[str, str | None]:
    return {
        "--job-name=": _name(request.name),
        "--account=": request.account or None,
        "--partition=": request.partition or None,
        "--qos=": request.qos or None,
        **_array(request),
        "--dependency=": _waits(request.waits),
        "--nodes=": str(request.nodes),
        "--ntasks-per-node=": str(request.tasks),
        "--cpus-per-task=": str(request.cores // request.tasks) if request.cores else None,
        "--mem=": _memory(request),
        "--mem-per-cpu=": f"{request.core_memory}M" if request.core_memory is not None else None,
        "--gres=": f"{request.gres}:{request.gpus}" if request.gpus else None,
        "--constraint=": request.constraint or None,
        "--exclusive": "" if request.whole_nodes else None,
        # A minute is Slurm's resolution, and 0 would mean no limit.
        "--time=": None if request.seconds is None else written_time(max(60, request.seconds)),
        **_requeue(request),
        "--mail-user=": request.mail if request.mail and request.mail_when else None,
        "--mail-type=": (",".join(MAIL[when] for when in request.mail_when) or None)
        if request.mail
        else None,
        **({} if "\n" in request.output else _output(request)),
    }


def _requeue(request: Request) -> dict[str, str | None]:
    if request.requeue is None:
        return {}
    # An element that is started again appends to its file.
    return {"--requeue" if request.requeue else "--no-requeue": "", "--open-mode=": "append"}


def _array(request: Request) -> dict[str, str | None]:
    return {"--array=": (written_array(request.indices) + _throttle(request)) if request.indices else None}


def _throttle(request: Request) -> str:
    return f"%{request.throttle}" if request.throttle else ""


def _waits(waits: tuple[Wait, ...]) -> str | None:
    return ",".join(f"{WAITS[wait.until]}:{wait.job}" for wait in waits) or None


def _variable(request: Request, last: str) -> dict[str, str | None]:
    return {
        "--array=": f"0-{last}{_throttle(request)}" if last else None,
        "--comment=": request.token or None,
        "--dependency=": f"afterany:{request.after}" if request.after else None,
        "--exclude=": _excluded(request),
        **_output(request),
    }


def _excluded(request: Request) -> str | None:
    """Return the nodes to avoid. They replace the user's own in the head of the script, so those are repeated.

    A file of nodes (sbatch(1): a value with a slash) can't be joined with names, and is left to count alone.
    """
    chosen = excluded(request.options)
    if not request.exclude or any("/" in nodes for nodes in chosen):
        return None
    return ",".join((*chosen, *request.exclude))


def _output(request: Request) -> dict[str, str | None]:
    """Return where output and errors go. Without a file for errors, Slurm writes them where the output goes."""
    return {"--output=": _pattern(request.output, request), "--error=": _pattern(request.error, request)}


def _pattern(path: str, request: Request) -> str | None:
    """Return a path as an sbatch filename pattern (sbatch(1)): %A and %a are replaced by numbers, %% by a %.

    A backslash in a path turns patterns off, and has to be doubled; then all elements write to one file.
    """
    if "\\" in path:
        pattern, job, element = path.replace("\\", "\\\\"), "job", "all"
    else:
        pattern = path.replace("%", "%%")
        job, element = ("%A", "%a") if request.elements or request.indices else ("%j", "0")
    return pattern.replace("{job}", job).replace("{element}", element) or None


def _memory(request: Request) -> str | None:
    """Return a node's memory; sbatch(1): --exclusive gives no memory by itself, and --mem=0 gives all there is."""
    if request.memory is not None:
        return f"{request.memory}M"
    return "0" if request.whole_nodes and request.core_memory is None else None


def _name(text: str) -> str:
    # One line of a script, and one column of squeue's answer.
    return _UNPRINTABLE.sub("_", text) or "packhorse"


def _quoted(value: str) -> str:
    """Return a value as sbatch reads it from a script's head, where quotes and backslashes mean what a shell means."""
    if _PLAIN.fullmatch(value):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
