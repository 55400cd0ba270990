"""What a request is called in the words of TORQUE's qsub: lines of a script's head, and options of one submission."""

from __future__ import annotations

import shlex

from packhorse.model.job import Request
from packhorse.schedulers.pbs.job_ids import job_id
from packhorse.schedulers.pbs.job_output import WAITS, name, spool_file, told
from packhorse.schedulers.quantities import clock

MAIL = {"begin": "b", "end": "e", "fail": "a"}


def directives(request: Request) -> list[str]:
    """Return the #PBS lines of a script: what every submission of it asks for, the user's own options last.

    `-S`, since the script would else be read by the user's login shell.
    """
    said = ["-S /bin/bash", f"-N {name(request.name)}"]
    said += [f"-A {request.account}"] if request.account else []
    said += [f"-q {request.partition}"] if request.partition else []
    said += [f"-t {_indices(request)}"] if request.indices else []
    said += [f"-W depend={_waits(request)}"] if request.waits else []
    said += [f"-l {resource}" for resource in _resources(request)]
    said += [f"-r {'y' if request.requeue else 'n'}"] if request.requeue is not None else []
    said += _files(request)
    if request.mail and request.mail_when:
        said += [f"-M {request.mail}", f"-m {''.join(MAIL[when] for when in request.mail_when)}"]
    else:
        said += ["-m n"]  # else a mail for each job that is deleted
    return [f"#PBS {one}" for one in [*said, *request.options] if "\n" not in one]


def _resources(request: Request) -> list[str]:
    """Return what -l asks for, one a line; `mem` is all of a job's, on all its nodes."""
    nodes = f"nodes={request.nodes}" + (f":ppn={request.cores}" if request.cores else "")
    if request.gpus:
        kind = request.gres.partition(":")[2]  # a kind of GPU is a property of the node
        nodes += f":gpus={request.gpus}" + (f":{kind}" if kind else "")
    nodes += f":{request.constraint}" if request.constraint else ""
    said = [nodes]
    memory = request.memory
    if memory is None and request.core_memory is not None:
        # Not pmem, by which a single process could have no more than the share of one core.
        memory = request.core_memory * max(1, request.cores)
    said += [f"mem={memory * request.nodes}mb"] if memory is not None else []
    said += [f"walltime={clock(max(60, request.seconds))}"] if request.seconds is not None else []
    said += [f"qos={request.qos}"] if request.qos else []
    return said + (["naccesspolicy=singlejob"] if request.whole_nodes else [])


def _indices(request: Request) -> str:
    """Return the elements of an array; TORQUE knows ranges and lists of them, and no steps."""
    parts = []
    for first, last, step in request.indices:
        if step > 1:
            parts += [str(number) for number in range(first, last + 1, step)]
        else:
            parts.append(str(first) if first == last else f"{first}-{last}")
    return ",".join(parts) + (f"%{request.throttle}" if request.throttle else "")


def _waits(request: Request) -> str:
    """Return what a job waits for; of an array another word, since the plain one is taken and never fulfilled."""
    said = []
    for wait in request.waits:
        found, kind = job_id(wait.job), WAITS.get(wait.until, "afterok")
        if found is not None and found.array and found.element is None:
            kind = f"{'afterstart' if kind == 'after' else kind}array"
        said.append(f"{kind}:{wait.job}")
    return ",".join(said)


def _files(request: Request) -> list[str]:
    """Return where a user's job writes: the server fills in $PBS_JOBID, and an array adds its -ELEMENT."""
    said = [] if request.error else ["-j oe"]
    for option, path in (("-o", request.output), ("-e", request.error)):
        if path:
            filled = path.replace("{job}", "$PBS_JOBID")
            said.append(f"{option} {filled.replace('-{element}', '').replace('{element}', '')}")
    return said


def own(script: str, arguments: list[str], token: str, called: str) -> list[str]:
    """Return the argv that submits a user's script under a name, told its arguments by -F."""
    argv = ["qsub", f"-v{told(token, [])}"]
    argv += [f"-N{name(called)}"] if called else []
    argv += [f"-F{shlex.join(arguments)}"] if arguments else []
    return [*argv, script]


def submission(
    script: str, arguments: list[str], request: Request, last: str, *, held: bool = False
) -> list[str]:
    """Return the argv that submits a script: what differs from one submission to the next; `last` element, "" for none.

    Each option is one argument, so that one with nothing to say can be left out.
    """
    argv = ["qsub"]
    argv += ["-h"] if held else []
    argv += [f"-t0-{last}{f'%{request.throttle}' if request.throttle else ''}"] if last else []
    # A wave is an array also when it has one element, and this dependency is the one for arrays.
    argv += [f"-Wdepend=afteranyarray:{request.after}"] if request.after else []
    variables = told(request.token, arguments)
    argv += [f"-v{variables}"] if variables else []
    argv += [f"-o{spool_file(request, '')}"] if request.output else []  # an array adds its -ELEMENT
    return [*argv, script]
