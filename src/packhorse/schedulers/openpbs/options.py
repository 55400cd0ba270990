"""OpenPBS's #PBS lines and the options of its qsub: what differs from TORQUE, and what they cannot express."""

from __future__ import annotations

from collections.abc import Iterator

from packhorse.model.errors import UsageError
from packhorse.model.job import HeadOptions, Request
from packhorse.schedulers.pbs import options as shared
from packhorse.schedulers.pbs import unsupported as pbs
from packhorse.schedulers.pbs.job_output import name, spool_file, variable_list
from packhorse.schedulers.pbs.options import WAITS, header_lines, node_memory, throttle, time_and_qos

ELEMENT = "^array_index^"  # in a path: the number of an array's element


def directives(request: Request) -> list[str]:
    """Return the #PBS lines of a script: what every submission of it asks for."""
    array = bool(request.elements or request.indices)  # always rerunnable; `-r n` is an error
    return header_lines(
        request,
        array=[f"-J {_indices(request)}"] if request.indices else [],
        waits=",".join(f"{WAITS.get(wait.until, 'afterok')}:{wait.job}" for wait in request.waits),
        resources=_resources(request),
        rerun=[] if request.requeue is None else [f"-r {'y' if request.requeue or array else 'n'}"],
        files=_files(request),
    )


def _resources(request: Request) -> list[str]:
    """Return the values of -l, one a line: a chunk for each node, and where the chunks go."""
    chunk = f"select={request.nodes}" + (f":ncpus={request.cores}" if request.cores else "")
    chunk += f":mpiprocs={request.tasks}" if request.tasks > 1 else ""
    memory = node_memory(request)
    chunk += f":mem={memory}mb" if memory is not None else ""
    if request.gpus:
        # A kind of GPU has no name that all sites share; the queue decides, or an option of the user's.
        chunk += f":{'ngpus' if request.gres.partition(':')[0] == 'gpu' else request.gres}={request.gpus}"
    chunk += f":{request.constraint}" if request.constraint else ""
    place = (["scatter"] if request.nodes > 1 else []) + (["excl"] if request.whole_nodes else [])
    return [chunk, *([f"place={':'.join(place)}"] if place else []), *time_and_qos(request)]


def _indices(request: Request) -> str:
    """Return the elements of an array: the first of its ranges (see `unsupported`)."""
    first, last, step = request.indices[0]
    return f"{first}-{last}" + (f":{step}" if step > 1 else "") + throttle(request)


def _files(request: Request) -> list[str]:
    """Return where a user's job writes."""
    options = [] if request.error else ["-j oe"]
    element = ELEMENT if request.indices else "0"
    for option, path in (("-o", request.output), ("-e", request.error)):
        if path:
            options.append(f"{option} {path.replace('{element}', element).replace('{job}', 'job')}")
    return options


def unsupported(request: Request) -> list[str]:
    """Return a sentence for each thing that the #PBS lines cannot express, or would change."""
    return [*pbs.unsupported(request, "OpenPBS"), *_unsupported(request)]


def _unsupported(request: Request) -> Iterator[str]:
    if request.gpus and ":" in request.gres:
        yield (
            f"sites of OpenPBS have no common name for the kind of GPU in {request.gres!r}; pass the site's own option"
        )
    if len(request.indices) > 1:
        yield "OpenPBS takes one range as an array, such as 0-99 or 0-99:3, not a list of ranges"
    elif request.indices and request.indices[0][0] == request.indices[0][1]:
        yield "OpenPBS has no arrays of one element"
    if any("{job}" in path for path in (request.output, request.error)):
        yield "OpenPBS cannot put a job's number into a file name; without a file name the output is NAME.oNUMBER"


def head_options(options: HeadOptions) -> list[str]:
    """Return the options of qsub that overrule those in a script's head.

    Raises UsageError for memory: it is part of a chunk (-l select), which can only be replaced as a whole.
    """
    if options.memory is not None:
        raise UsageError("qsub cannot overrule the memory of a script", "change mem= in the script's head")
    return shared.head_options(options)


def user_script(script: str, arguments: list[str], token: str, title: str) -> list[str]:
    """Return the argv that submits a user's script under a title. qsub refuses arguments for the script."""
    argv = ["qsub", "-f", f"-v{variable_list(token, [])}"]
    argv += [f"-N{name(title)}"] if title else []
    return [*argv, script, *arguments]


def submission(script: str, arguments: list[str], request: Request) -> list[str]:
    """Return the argv that submits a script: what differs from one submission to the next.

    Each option is one argument, so that an empty one can be left out. One element is not an array.
    """
    many = request.elements > 1
    argv = ["qsub", "-f"]  # without a process in the background that serves later ones
    argv += [_array(request, str(request.elements - 1))] if many else []
    argv += _variables(request, arguments)
    argv += [f"-o{spool_file(request, ELEMENT if many else '0')}"] if request.output else []
    return [*argv, script]


def template(arguments: list[str], request: Request, *, wave: bool) -> list[str]:
    """Return the same with places to fill. A wave is held; whether it is an array is known when it is filled."""
    argv = ["qsub", "-f", *_variables(request, arguments), f"-o{spool_file(request, '0')}", "{script}"]
    if wave:
        argv[-2:-1] = [
            f"{{many?}}-o{spool_file(request, ELEMENT)}",
            f"{{single?}}-o{spool_file(request, '0')}",
        ]
        argv[2:2] = ["-h", "{many?}" + _array(request, "{last}")]
    return argv


def _array(request: Request, last: str) -> str:
    return f"-J0-{last}{throttle(request)}"


def _variables(request: Request, arguments: list[str]) -> list[str]:
    options = [f"-Wdepend=afterany:{request.after}"] if request.after else []
    variables = variable_list(request.token, arguments)
    return [*options, *([f"-v{variables}"] if variables else [])]
