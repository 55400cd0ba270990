"""TORQUE's #PBS lines and the options of its qsub: what differs from OpenPBS."""

from __future__ import annotations

import re
import shlex

from packhorse.model.job import HeadOptions, Request
from packhorse.schedulers.pbs import options as pbs
from packhorse.schedulers.pbs.job_ids import job_id
from packhorse.schedulers.pbs.job_output import name, spool_file, variable_list
from packhorse.schedulers.pbs.options import WAITS, header_lines, node_memory, throttle, time_and_qos


def directives(request: Request) -> list[str]:
    """Return the #PBS lines of a script: what every submission of it asks for."""
    return header_lines(
        request,
        array=[f"-t {_indices(request)}"] if request.indices else [],
        waits=_waits(request),
        resources=_resources(request),
        rerun=[] if request.requeue is None else [f"-r {'y' if request.requeue else 'n'}"],
        files=_files(request),
    )


def _resources(request: Request) -> list[str]:
    """Return the values of -l, one a line; `mem` is the memory of a job on all its nodes."""
    nodes = f"nodes={request.nodes}" + (f":ppn={request.cores}" if request.cores else "")
    if request.gpus:
        kind = request.gres.partition(":")[2]  # a kind of GPU is a property of the node
        nodes += f":gpus={request.gpus}" + (f":{kind}" if kind else "")
    nodes += f":{request.constraint}" if request.constraint else ""
    memory = node_memory(request)
    total = [] if memory is None else [f"mem={memory * request.nodes}mb"]
    alone = ["naccesspolicy=singlejob"] if request.whole_nodes else []
    return [nodes, *total, *time_and_qos(request), *alone]


def _indices(request: Request) -> str:
    """Return the elements of an array; TORQUE has ranges and lists of them, and no steps."""
    parts = []
    for first, last, step in request.indices:
        if step > 1:
            parts += [str(number) for number in range(first, last + 1, step)]
        else:
            parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts) + throttle(request)


def _waits(request: Request) -> str:
    """Return what a job waits for. An array has a kind of its own: the plain one is accepted and never fulfilled."""
    waits = []
    for wait in request.waits:
        job, kind = job_id(wait.job), WAITS.get(wait.until, "afterok")
        if job is not None and job.array and job.element is None:
            kind = f"{'afterstart' if kind == 'after' else kind}array"
        waits.append(f"{kind}:{wait.job}")
    return ",".join(waits)


def _files(request: Request) -> list[str]:
    """Return where a user's job writes: the server fills in $PBS_JOBID, and an array adds its -ELEMENT."""
    options = [] if request.error else ["-j oe"]
    for option, path in (("-o", request.output), ("-e", request.error)):
        if path:
            whole = path.replace("-{element}", "").replace("{element}", "")
            # Before a letter, a digit or _ the name of the variable would be another one: $PBS_JOBID_.out.
            filled = re.sub(r"\{job\}(?=\w)", "${PBS_JOBID}", whole, flags=re.ASCII).replace(
                "{job}", "$PBS_JOBID"
            )
            options.append(f"{option} {filled}")
    return options


def head_options(options: HeadOptions) -> list[str]:
    """Return the options of qsub that overrule those in a script's head."""
    memory = [] if options.memory is None else [f"-lmem={options.memory}mb"]
    return [*pbs.head_options(options), *memory]


def user_script(script: str, arguments: list[str], token: str, title: str) -> list[str]:
    """Return the argv that submits a user's script under a title; -F passes its arguments."""
    argv = ["qsub", f"-v{variable_list(token, [])}"]
    argv += [f"-N{name(title)}"] if title else []
    argv += [f"-F{shlex.join(arguments)}"] if arguments else []
    return [*argv, script]


def submission(
    script: str, arguments: list[str], request: Request, last: str, *, held: bool = False
) -> list[str]:
    """Return the argv that submits a script: what differs from one submission to the next.

    `last` is the number of the last element, "" for no array. Each option is one argument, so that an empty one can be
    left out.
    """
    argv = ["qsub"]
    argv += ["-h"] if held else []
    argv += [f"-t0-{last}{throttle(request)}"] if last else []
    # A wave is an array even with one element, and this dependency is the one for arrays.
    argv += [f"-Wdepend=afteranyarray:{request.after}"] if request.after else []
    variables = variable_list(request.token, arguments)
    argv += [f"-v{variables}"] if variables else []
    argv += [f"-o{spool_file(request, '')}"] if request.output else []  # an array adds its -ELEMENT
    return [*argv, script]
