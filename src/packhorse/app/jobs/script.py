"""Make a job script from a form, checked against the site; the user submits it."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse.app.jobs import job_form
from packhorse.app.jobs.lint import finding_note, submission_findings
from packhorse.model.errors import UsageError
from packhorse.model.form import Form
from packhorse.model.job import Request
from packhorse.model.json_output import JsonOutput
from packhorse.model.site import Partition, Site
from packhorse.plan.choice import require
from packhorse.plan.job_limits import elements, place_job
from packhorse.plan.job_notes import Programs, job_notes
from packhorse.preflight.command_files import missing_scripts
from packhorse.project.sites import find_site, this_site
from packhorse.rundir.files import write_file
from packhorse.runtime.bash import syntax_error
from packhorse.schedulers import scheduler
from packhorse.schedulers.plain_script import Plain, environment_lines, module_lines, plain_script
from packhorse.schedulers.scheduler import Scheduler
from packhorse.study.discover.cores.serial import is_serial
from packhorse.text.amounts import counted, size, span

_HELP = "packhorse script --help describes each option"
SOURCE_BYTES = 1 << 20  # larger files are not scripts that a person wrote, and are not read


class Script(Struct, frozen=True, kw_only=True):
    """A job script, its site, its request, and notes to read before it is submitted."""

    text: str
    site: Site
    request: Request
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.text

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the script to a new file; replace an existing one only with `force`."""
        place = Path(path)
        if place.is_dir():
            raise UsageError(f"{place} is a folder", "name a file in it")
        if place.exists() and not force:
            raise UsageError(f"{place} exists already", "--force replaces it, or name another file")
        if not place.parent.is_dir():
            raise UsageError(
                f"the folder {place.parent} does not exist", f"mkdir -p {shlex.quote(str(place.parent))}"
            )
        write_file(place, self.text, 0o644)
        return place


class ScriptOutput(JsonOutput, frozen=True, kw_only=True, tag="packhorse-script/1"):
    """A job script and its request."""

    script: Annotated[str, Meta(description="The text of the script.")]
    site: Annotated[str, Meta(description="The site's name.")]
    request: Annotated[Request, Meta(description="What it requests of the scheduler: MiB, seconds.")]
    notes: Annotated[tuple[str, ...], Meta(description="What to know before it is submitted.")]
    file: Annotated[str | None, Meta(description="The file that was written, with --output.")]


def make_script(form: Form, folder: Path) -> Script:
    """Return the script for a form that a user in `folder` filled in.

    Raises UsageError for an option that is not valid or that the scheduler does not have, and RunError with every
    limit that the job exceeds.
    """
    if not form.command.strip():
        raise UsageError(
            "the job has no command", "packhorse script 'python fit.py --n 100' --time '1 h' --site NAME"
        )
    _check_program(form.command)
    site = site_of(form, folder)
    dialect = scheduler(site.scheduler)
    requested, narrowed = job_form.request_of(form), _of_kind(site, form)
    choice = place_job(requested, narrowed)
    partition = require(choice, narrowed, "job")
    request = _complete(requested, form, partition, dialect)
    unsupported = dialect.unsupported(request)
    if unsupported:
        raise UsageError(
            f"{dialect.shell.submit} has no option for this: {unsupported[0]}",
            "\n".join([*unsupported[1:], _HELP]),
        )
    text = _text(form, request, site, partition, dialect)
    complaint = syntax_error(text)
    if complaint:
        raise UsageError("bash cannot parse the command", complaint)
    findings = submission_findings(text, folder / (form.file or "job.sh"), site, folder)
    notes = (
        *choice.notes,
        *_notes(form, request, narrowed, partition, folder, dialect),
        *(f"line {one.line}: {finding_note(one)}" for one in findings),
    )
    return Script(text=text, site=site, request=request, notes=tuple(dict.fromkeys(notes)))


def _check_program(command: str) -> None:
    """Refuse a script without its interpreter, which the shell would not find."""
    first = command.split(maxsplit=1)[0]
    runner = {".py": "python", ".R": "Rscript", ".r": "Rscript"}.get(Path(first).suffix)
    if runner is not None and "/" not in first:
        raise UsageError(f"{first} is a script, not a program on PATH", f"write '{runner} {command.strip()}'")


def site_of(form: Form, folder: Path) -> Site:
    """Return the site that a form names, or the one whose login node this is, or one known only by its scheduler."""
    if form.site:
        site = find_site(form.site, folder)
    elif form.scheduler:
        known: Any = scheduler(form.scheduler).name  # raises UsageError for an unknown one
        return Site(name="the cluster", scheduler=known)
    else:
        here = this_site(folder)
        if here is None:
            hint = "--site NAME (packhorse sites lists them)\n--scheduler slurm, where the site is not among them"
            raise UsageError("no site given", hint)
        site = here
    if site.scheduler == "local":
        raise UsageError(f"{site.name} has no scheduler", "packhorse run SCRIPT runs it here")
    return site


def _of_kind(site: Site, form: Form) -> Site:
    """Return the site with only the nodes of the requested kind."""
    if not form.kind:
        return site
    known = dict.fromkeys(kind.name for partition in site.partitions for kind in partition.kinds)
    if form.kind not in known:
        raise UsageError(
            f"{site.name} has no nodes of the kind '{form.kind}'", f"it has {', '.join(known) or 'no kinds'}"
        )
    matching = [one for one in site.partitions if any(kind.name == form.kind for kind in one.kinds)]
    return replace(site, partitions=tuple(_narrowed(partition, form.kind) for partition in matching))


def _narrowed(partition: Partition, name: str) -> Partition:
    """Return the partition with only the nodes of one kind."""
    kind = next(kind for kind in partition.kinds if kind.name == name)
    sizes = {
        "nodes": kind.nodes,
        "cores": kind.cores,
        "memory": kind.memory,
        "gpus": kind.gpus,
        "gres": kind.gres,
    }
    return replace(partition, **{key: value for key, value in sizes.items() if value or key == "gpus"})


def _complete(asked: Request, form: Form, partition: Partition, dialect: Scheduler) -> Request:
    """Return the request with the values of its partition, and with a log where none was named."""
    kind = next((one for one in partition.kinds if one.name == form.kind), None)
    cores = asked.cores
    if form.cores is None and partition.by_gpu:
        cores = 0
    elif form.cores is None and partition.whole_nodes:
        cores = partition.cores or cores
    log = asked.output
    if dialect.shell.log and (not log or log.endswith("/")):
        pattern = dialect.shell.log if asked.indices else dialect.shell.log.replace("-{element}", "")
        log += pattern.replace("{name}", job_form.file_word(asked.name))
    return replace(
        asked,
        partition=partition.name,
        cores=cores,
        gres=partition.gres if asked.gpus else "gpu",
        constraint=kind.constraint if kind else "",
        whole_nodes=partition.whole_nodes,
        output=log,
    )


def _text(form: Form, request: Request, site: Site, partition: Partition, dialect: Scheduler) -> str:
    modules = module_lines(site.modules.load, form.modules)
    if modules and not site.setup:
        modules = [*site.modules.setup, *modules]
    environment: list[str] = []
    if form.environment:
        environment = environment_lines(*job_form.environment_of(form.environment), site.modules.conda)
    return plain_script(
        Plain(
            about=tuple(_about(form, request, site, dialect)),
            directives=tuple(dialect.directives(request)),
            left=tuple(_left(request, site, partition, dialect)),
            site=site.name,
            site_setup=site.setup,
            modules=tuple(modules),
            environment=tuple(environment),
            setup=form.setup,
            threads=dialect.threads(request),
            array=bool(request.indices),
            commands=form.command,
        ),
        dialect.shell,
    )


def _about(form: Form, request: Request, site: Site, dialect: Scheduler) -> list[str]:
    """Return the comment at the head: what the script is, and how to submit it."""
    file = form.file or f"{job_form.file_word(request.name)}.sh"
    folders = _log_folders(request)
    make = f"{_make(folders)} && " if folders else ""
    rows = [
        f"{_one_line(request.name)}: {_sentence(request)}, at {site.name}.",
        f"To send it: {make}{dialect.shell.submit} {_path(file)}",
    ]
    if folders:
        rows.append(
            "The folder of the log must be there before the job starts, or the job ends without a word."
        )
    return rows


def _make(folders: list[str]) -> str:
    return " ".join(["mkdir -p", *map(_path, folders)])


def _path(path: str) -> str:
    """Quote a path for the shell, so that no program takes it for an option."""
    return shlex.quote(f"./{path}" if path.startswith("-") else path)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _sentence(request: Request) -> str:
    """Return the request of a job, or of each element of an array."""
    parts = [counted(request.cores, "core") if request.cores else ""]
    parts.append(counted(request.gpus, "GPU") if request.gpus else "")
    parts.append(size(request.memory) if request.memory else "")
    parts.append(f"{size(request.core_memory)} a core" if request.core_memory else "")
    *first, last = [part for part in parts if part] or ["a part"]
    amounts = " and ".join([", ".join(first), last] if first else [last])
    where = (
        f"{amounts} of a node"
        if request.nodes == 1
        else f"{amounts} on each of {counted(request.nodes, 'node')}"
    )
    processes = request.tasks * request.nodes
    shared = f", shared by {processes} processes," if request.tasks > 1 else ""
    time = f" for {span(request.seconds)}" if request.seconds is not None else ""
    array = f"{counted(elements(request), 'job')}, each with " if request.indices else ""
    return f"{array}{where}{shared}{time}"


def _log_folders(request: Request) -> list[str]:
    """Return the folders of the logs, which must exist before the job starts."""
    paths = [PurePosixPath(path).parent for path in (request.output, request.error) if path]
    return list(dict.fromkeys(str(path) for path in paths if str(path) not in {".", "/", "/dev"}))


def _left(request: Request, site: Site, partition: Partition, dialect: Scheduler) -> list[str]:
    """Return the defaults of the site that the job gets."""
    rows = []
    if request.cores == 0:
        rows.append(f"Cores and memory: as many as {partition.name} gives with each GPU.")
    elif request.memory is None and request.core_memory is None:
        given = f"{size(site.default_memory)} for each core" if site.default_memory else "unknown here"
        rows.append(f"Memory: the default of {site.name}, {given} (--memory asks for more or less).")
    if request.seconds is None:
        given = span(partition.default_time) if partition.default_time else "unknown here"
        rows.append(
            f"Time: the default of {partition.name or site.name}, {given} (--time asks for more or less)."
        )
    if not request.output and dialect.shell.own_log:
        default = dialect.shell.own_log.replace("NAME", _one_line(request.name))
        rows.append(f"Output and errors: {default}.")
    return rows


def _notes(
    form: Form, request: Request, site: Site, partition: Partition, folder: Path, dialect: Scheduler
) -> list[str]:
    programs = _programs(form.command, folder, dialect.shell.index)
    found = list(job_notes(request, site, partition, programs, dialect.shell.index))
    if partition.by_gpu and form.cores:
        found.append(f"{partition.name} allocates cores and memory by GPUs: omit --cores and --memory")
    folders = _log_folders(request)
    if folders:
        found.append(f"the log's folder must exist before the job starts: {_make(folders)}")
    if partition.about:
        found.append(f"{partition.name}: {partition.about}")
    found += missing_scripts(form.command, folder)
    return [*found, *_missing_module(form, site), *_unknown_modules(form, site)]


def _programs(command: str, folder: Path, index: str) -> Programs:
    """Return the job's lines and the local scripts that they start, as text to check."""
    sources = {word: text for word in job_form.words_of(command) if (text := _source(folder, word))}
    only = next(iter(sources)) if len(sources) == 1 else ""
    serial = only if only and is_serial(sources[only], Path(only).suffix) else ""
    read_all = bool(sources) and all(
        word in sources for word in job_form.words_of(command) if word.endswith((".py", ".R"))
    )
    reads = any(index in text for text in (command, *sources.values())) or not read_all
    return Programs(lines=command, serial=serial, reads_index=reads)


def _source(folder: Path, word: str) -> str:
    path = folder / word
    try:
        if path.suffix not in {".py", ".R", ".r"} or not path.is_file() or path.stat().st_size > SOURCE_BYTES:
            return ""
        return path.read_text(encoding="utf-8", errors="replace")
    except (OSError, ValueError):
        return ""


def _missing_module(form: Form, site: Site) -> list[str]:
    """Return a note on the module that provides the command's interpreter, where nothing else does."""
    if form.modules or form.environment or form.setup:
        return []
    for program, module in (("Rscript", site.modules.r), ("python", site.modules.python)):
        if module and re.search(rf"(?<![\w./-]){program}3?(?![\w.-])", form.command):
            return [f"at {site.name} the module {module} provides {program}: --module {module}"]
    return []


def _unknown_modules(form: Form, site: Site) -> list[str]:
    """Return notes on modules of which the site is known to have other versions."""
    found = []
    for name in form.modules:
        program = name.partition("/")[0]
        known = [one for one in site.modules.known if one.partition("/")[0] == program]
        if known and name not in known and "/" in name:
            found.append(f"{name} is not among the modules known at {site.name}: {', '.join(known)}")
    return found
