"""The #PBS lines and qsub options that TORQUE and OpenPBS share; each dialect adds those that differ."""

from __future__ import annotations

from collections.abc import Sequence

from packhorse.model.job import HeadOptions, Request
from packhorse.schedulers.pbs.job_output import name
from packhorse.schedulers.quantities import clock

# qsub(1B), -W depend; those for arrays differ.
WAITS = {"start": "after", "end": "afterany", "ok": "afterok", "fail": "afternotok"}
_MAIL = {"begin": "b", "end": "e", "fail": "a"}


def header_lines(
    request: Request,
    *,
    array: Sequence[str],
    waits: str,
    resources: Sequence[str],
    rerun: Sequence[str],
    files: Sequence[str],
) -> list[str]:
    """Return the #PBS lines of a script, the user's own options last; the keywords are what the dialects differ in.

    `-S`, because a script without it is read by the user's login shell.
    """
    options = ["-S /bin/bash", f"-N {name(request.name)}"]
    options += [f"-A {request.account}"] if request.account else []
    options += [f"-q {request.partition}"] if request.partition else []
    options += array
    options += [f"-W depend={waits}"] if waits else []
    options += [f"-l {resource}" for resource in resources]
    options += [*rerun, *files]
    if request.mail and request.mail_when:
        options += [f"-M {request.mail}", f"-m {''.join(_MAIL[when] for when in request.mail_when)}"]
    else:
        options += ["-m n"]  # without it, the server sends an email for each deleted job
    return [f"#PBS {option}" for option in [*options, *request.options] if "\n" not in option]


def head_options(options: HeadOptions) -> list[str]:
    """Return the options of qsub that overrule those in a script's head, apart from memory."""
    argv = [f"-q{options.partition}"] if options.partition else []
    argv += [f"-A{options.account}"] if options.account else []
    time = [] if options.seconds is None else [f"walltime={clock(max(60, options.seconds))}"]
    return argv + [f"-l{resource}" for resource in [*time, *([f"qos={options.qos}"] if options.qos else [])]]


def node_memory(request: Request) -> int | None:
    """Return the MiB that a job needs on each node.

    Not by pmem, which would limit a single process to the share of one core.
    """
    if request.memory is None and request.core_memory is not None:
        return request.core_memory * max(1, request.cores)
    return request.memory


def time_and_qos(request: Request) -> list[str]:
    """Return the resources that both servers name alike."""
    time = [] if request.seconds is None else [f"walltime={clock(max(60, request.seconds))}"]
    return time + ([f"qos={request.qos}"] if request.qos else [])


def throttle(request: Request) -> str:
    """Return the suffix of an array that limits how many elements run at a time; "" for no limit."""
    return f"%{request.throttle}" if request.throttle else ""
