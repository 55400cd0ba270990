"""What a request is called in the words of OpenPBS's qsub: lines of a script's head, and options of one submission."""

from __future__ import annotations

from packhorse.model.job import Request
from packhorse.schedulers.pbs.job_output import WAITS, name, spool_file, told
from packhorse.schedulers.quantities import clock

MAIL = {"begin": "b", "end": "e", "fail": "a"}
ELEMENT = "^array_index^"  # in a path: the number of an array's element


def directives(request: Request) -> list[str]:
    """Return the #PBS lines of a script: what every submission of it asks for, the user's own options last.

    `-S`, since the script would else be read by the user's login shell. Arrays are always rerunnable.
    """
    said = ["-S /bin/bash", f"-N {name(request.name)}"]
    said += [f"-A {request.account}"] if request.account else []
    said += [f"-q {request.partition}"] if request.partition else []
    said += [f"-J {_indices(request)}"] if request.indices else []
    said += [f"-W depend={_waits(request)}"] if request.waits else []
    said += [f"-l {resource}" for resource in _resources(request)]
    if request.requeue is not None:
        said += ["-r y" if request.requeue or request.elements or request.indices else "-r n"]
    said += _files(request)
    if request.mail and request.mail_when:
        said += [f"-M {request.mail}", f"-m {''.join(MAIL[when] for when in request.mail_when)}"]
    else:
        said += ["-m n"]  # else a mail for each job that is deleted
    return [f"#PBS {one}" for one in [*said, *request.options] if "\n" not in one]


def _resources(request: Request) -> list[str]:
    """Return what -l asks for, one a line: a chunk for each node, and where the chunks go."""
    chunk = f"select={request.nodes}" + (f":ncpus={request.cores}" if request.cores else "")
    chunk += f":mpiprocs={request.tasks}" if request.tasks > 1 else ""
    memory = request.memory
    if memory is None and request.core_memory is not None:
        memory = request.core_memory * max(1, request.cores)
    chunk += f":mem={memory}mb" if memory is not None else ""
    if request.gpus:
        # A kind of GPU has no name that all sites share; the queue decides, or an option of the user's.
        chunk += f":{'ngpus' if request.gres.partition(':')[0] == 'gpu' else request.gres}={request.gpus}"
    chunk += f":{request.constraint}" if request.constraint else ""
    place = (["scatter"] if request.nodes > 1 else []) + (["excl"] if request.whole_nodes else [])
    said = [chunk, *([f"place={':'.join(place)}"] if place else [])]
    said += [f"walltime={clock(max(60, request.seconds))}"] if request.seconds is not None else []
    return said + ([f"qos={request.qos}"] if request.qos else [])


def _indices(request: Request) -> str:
    """Return the elements of an array: one range; what else there is cannot be said."""
    first, last, step = request.indices[0]
    return (
        f"{first}-{last}"
        + (f":{step}" if step > 1 else "")
        + (f"%{request.throttle}" if request.throttle else "")
    )


def _waits(request: Request) -> str:
    return ",".join(f"{WAITS.get(wait.until, 'afterok')}:{wait.job}" for wait in request.waits)


def _files(request: Request) -> list[str]:
    """Return where a user's job writes."""
    said = [] if request.error else ["-j oe"]
    element = ELEMENT if request.indices else "0"
    for option, path in (("-o", request.output), ("-e", request.error)):
        if path:
            said.append(f"{option} {path.replace('{element}', element).replace('{job}', 'job')}")
    return said


def own(script: str, arguments: list[str], token: str, called: str) -> list[str]:
    """Return the argv that submits a user's script under a name. qsub passes no arguments on, and refuses them."""
    argv = ["qsub", "-f", f"-v{told(token, [])}"]
    argv += [f"-N{name(called)}"] if called else []
    return [*argv, script, *arguments]


def submission(script: str, arguments: list[str], request: Request) -> list[str]:
    """Return the argv that submits a script: what differs from one submission to the next.

    Each option is one argument, so that one with nothing to say can be left out. Of one element there is no array.
    """
    argv = ["qsub", "-f"]  # without a process in the background that speaks for later ones
    argv += [_array(request, str(request.elements - 1))] if request.elements > 1 else []
    argv += _told(request, arguments)
    argv += [f"-o{spool_file(request, ELEMENT if request.elements > 1 else '0')}"] if request.output else []
    return [*argv, script]


def template(arguments: list[str], request: Request, *, wave: bool) -> list[str]:
    """Return the same with places to be filled: whether a wave is an array is seen only then. A wave is held."""
    argv = ["qsub", "-f", *_told(request, arguments), f"-o{spool_file(request, '0')}", "{script}"]
    if wave:
        argv[-2:-1] = [
            f"{{many?}}-o{spool_file(request, ELEMENT)}",
            f"{{single?}}-o{spool_file(request, '0')}",
        ]
        argv[2:2] = ["-h", "{many?}" + _array(request, "{last}")]
    return argv


def _array(request: Request, last: str) -> str:
    return f"-J0-{last}" + (f"%{request.throttle}" if request.throttle else "")


def _told(request: Request, arguments: list[str]) -> list[str]:
    said = [f"-Wdepend=afterany:{request.after}"] if request.after else []
    variables = told(request.token, arguments)
    return [*said, *([f"-v{variables}"] if variables else [])]
