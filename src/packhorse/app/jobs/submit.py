"""Submit a job script of the user's own: check it, upload it with its inputs, and submit it once."""

from __future__ import annotations

import shlex
import shutil
import time
from pathlib import Path, PurePosixPath
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from packhorse.app.jobs.lint import finding_note, submission_findings
from packhorse.cluster.queue import Queue
from packhorse.cluster.script_job import with_output_files
from packhorse.cluster.submit_job import submit_job
from packhorse.model.errors import RunError, UsageError
from packhorse.model.job import HeadOptions, Request, SubmissionRefused
from packhorse.model.json_output import JsonOutput
from packhorse.model.script_job import ScriptJob
from packhorse.model.site import Site
from packhorse.model.submission import token_of
from packhorse.plan.choice import require
from packhorse.plan.job_limits import place_job
from packhorse.preflight.command_files import missing_scripts
from packhorse.project.reporter import Reporter
from packhorse.project.run_name import next_run, plain_name
from packhorse.project.user_sites import with_jobs
from packhorse.remote.free_space import area_spaces
from packhorse.remote.remote_store import remote_folder
from packhorse.remote.run_store import ANNOUNCE_BYTES
from packhorse.remote.script_inputs import ScriptInputs, script_inputs
from packhorse.remote.storage_area import candidate_areas, choose_area, purge_note
from packhorse.remote.transport import SshTransport, transport_for
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file
from packhorse.rundir.submissions import JOB_FILE, read_script_job, save_script_job
from packhorse.schedulers import scheduler
from packhorse.schedulers.script_headers import ScriptHeader
from packhorse.ssh.file_transfer import upload_missing

MOST_BYTES = 1 << 20  # of a script


class Script(Struct, frozen=True, kw_only=True):
    """A script that passed the checks: its text, its path, and the request in its head."""

    path: Path
    text: str
    root: Path  # the folder that the job sees as its own
    head: ScriptHeader

    @property
    def name(self) -> str:
        """The path below the job's folder."""
        return self.path.relative_to(self.root).as_posix()


class SubmitOptions(Struct, frozen=True, kw_only=True):
    """Options of a submission, apart from the script and the site."""

    name: str = ""
    arguments: tuple[str, ...] = ()
    along: tuple[Path, ...] = ()  # files and folders that the job needs
    head: HeadOptions = HeadOptions()  # overrules the script's head


class SubmittedJob(JsonOutput, frozen=True, kw_only=True, tag="packhorse-submit/1"):
    """A job that was submitted."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    name: Annotated[str, Meta(description="The run's name, for status, logs, cancel and get.")]
    site: Annotated[str, Meta(description="The site's name.")]
    job: Annotated[str, Meta(description="The job's number; empty: not known yet.")]
    folder: Annotated[str, Meta(description="The job's folder on the site.")]
    files: Annotated[tuple[str, ...], Meta(description="The files that were uploaded beside the script.")]


def submit(
    path: Path, site_name: str, options: SubmitOptions, here: Path, reporter: Reporter
) -> tuple[RunDirectory, ScriptJob]:
    """Submit a script and return its run; where it cannot run, raise UsageError or RunError before any upload."""
    site = with_jobs(site_name, here)
    overruling = scheduler(site.scheduler).head_option_argv(options.head)
    script = checked(path, site, here, reporter, options.head)
    queue = Queue(site, transport_for(site))
    name = options.name or path.stem
    with queue.transport.open():
        area, inputs = "", ScriptInputs(files={})
        if isinstance(queue.transport, SshTransport):
            area = _area(queue.transport, queue, reporter)
            inputs = script_inputs(script.text, script.root, options.along)
        elif options.along:
            reporter.say("--with has no effect: the job works in this folder")
        run = RunDirectory.create(next_run(here / "runs", plain_name(name)), name, folders=())
        token = token_of(run.about().id, 1)
        argv = queue.dialect.submit_script_argv(script.name, list(options.arguments), token, options.name)
        job = ScriptJob(
            site=site,
            user=queue.user,
            script=script.name,
            arguments=options.arguments,
            folder=remote_folder(area, run, plain_name(name)) if area else str(script.root),
            far=bool(area),
            files=tuple(inputs.files),
            token=token,
            argv=(argv[0], *overruling, *argv[1:]),
        )
        try:
            if isinstance(queue.transport, SshTransport):
                _upload(queue.transport, script, inputs, job.folder, reporter)
            _make_logs(queue.transport, script, job.folder)
            write_file(run.path / PurePosixPath(script.name).name, script.text)
            return run, _submitted(run, job, script.text, queue, reporter)
        finally:
            if read_script_job(run) is None:  # no job of it can start
                shutil.rmtree(run.path)


def _area(transport: SshTransport, queue: Queue, reporter: Reporter) -> str:
    """Return the path of the storage area in which the job's folder will be."""
    areas = candidate_areas(transport.site)
    reply = transport.locate(list(queue.dialect.programs), [area.path for area in areas])
    chosen, space = choose_area(transport.site, areas, area_spaces(transport.site.name, reply["paths"]))
    reporter.say(f"the job's folder will be in {space.path}{purge_note(chosen)}")
    return space.path


def checked(
    path: Path, site: Site, here: Path, reporter: Reporter, overruled: HeadOptions | None = None
) -> Script:
    """Read a script and check it; raise UsageError or RunError with the fault and how to correct it."""
    text = _read(path)
    full = path.resolve()
    root = here.resolve() if full.is_relative_to(here.resolve()) else full.parent
    head = scheduler(site.scheduler).read_header(text)
    if head.refusals:
        raise UsageError(
            f"{path}: {'; '.join(head.refusals)}", f"correct {path}, then run this command again"
        )
    for note in head.notes:
        reporter.warn(f"{path}: {note}")
    for sentence in missing_scripts(text, root):
        reporter.warn(f"{path}: {sentence}")
    for finding in submission_findings(text, path, site, here):
        reporter.warn(f"{path}:{finding.line}: {finding_note(finding)}")
    for note in _placed(_overruled(head.request, overruled or HeadOptions()), site, path):
        reporter.warn(note)
    return Script(path=full, text=text, root=root, head=head)


def _overruled(request: Request, options: HeadOptions) -> Request:
    """Return the request of a script's head with what the command line asks for in its place."""
    if options.memory is not None:
        request = replace(request, memory=options.memory, core_memory=None)
    return replace(
        request,
        partition=options.partition or request.partition,
        account=options.account or request.account,
        qos=options.qos or request.qos,
        seconds=request.seconds if options.seconds is None else options.seconds,
    )


def _placed(request: Request, site: Site, path: Path) -> tuple[str, ...]:
    """Return notes on the partition of a job; raise RunError with every limit that it exceeds."""
    usual = next((one.name for one in site.partitions if one.default), "")
    named = request.partition.split(",") if request.partition else [usual]
    choices = [place_job(replace(request, partition=name), site) for name in named]
    choice = next((one for one in choices if one.partition is not None), choices[0])
    try:
        require(choice, site, "job")
    except RunError as error:
        raise RunError(error.message, f"in the head of {path}: {error.hint}") from None
    return choice.notes


def _read(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"no file {path}", "packhorse submit JOB.sh --site NAME")
    if path.stat().st_size > MOST_BYTES:
        raise UsageError(
            f"{path} is too large for a script: {path.stat().st_size:,} bytes, at most {MOST_BYTES:,}"
        )
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path}:{line}: not UTF-8 text", "save it as UTF-8, or write that line in ASCII"
        ) from None
    if "\r" in text:
        line = text[: text.index("\r")].count("\n") + 1
        message = f"{path}:{line}: the script has Windows (CRLF) line endings"
        raise UsageError(message, f"sed -i 's/\\r$//' {path}")
    if not text.startswith("#!"):
        program = {".r": "Rscript", ".py": "python", ".jl": "julia"}.get(path.suffix.lower())
        if program:
            typed = shlex.quote(f"{program} {shlex.quote(str(path))}")
            message = f"{path} is not a job script: it has no lines for a scheduler"
            made = f"{shlex.quote(path.stem)}.sh"
            hint = f"packhorse script {typed} --site NAME -o {made}, then packhorse submit {made} --site NAME"
            raise UsageError(message, hint)
        raise UsageError(f"{path}:1: the script names no interpreter", "make #!/bin/bash its first line")
    return text


def _upload(
    transport: SshTransport, script: Script, parts: ScriptInputs, folder: str, reporter: Reporter
) -> None:
    """Upload the script and its inputs into the job's folder."""
    for note in parts.notes:
        reporter.say(note)
    if parts.files:
        reporter.say(f"uploading {', '.join(list(parts.files)[:6])}{' ...' if len(parts.files) > 6 else ''}")

    def announce(size: int, _files: int) -> None:
        if size > ANNOUNCE_BYTES:
            reporter.say(f"uploading {size / 1e6:,.0f} MB to {transport.site.name}")

    files = {script.name: script.path, **parts.files}
    upload_missing(transport.session, folder, list(files.items()), before=announce)


def _make_logs(how: object, script: Script, folder: str) -> None:
    """Make the folders of the job's output: without them, a scheduler may end the job without a message."""
    for path in (script.head.request.output, script.head.request.error):
        place = str(PurePosixPath(script.head.folder or folder, path).parent) if "/" in path else ""
        if not place or any(mark in place for mark in "%$~{"):
            continue
        if isinstance(how, SshTransport):
            how.session.call("claim", path=place)
        else:
            Path(place).mkdir(parents=True, exist_ok=True)


def _submitted(run: RunDirectory, job: ScriptJob, script: str, queue: Queue, reporter: Reporter) -> ScriptJob:
    """Write the intent, submit, and write the fact."""
    job = replace(job, intended=time.time())
    save_script_job(run, job)
    number = submit_job(queue, list(job.argv), job.token, reporter, job.folder)
    if isinstance(number, SubmissionRefused):
        (run.path / JOB_FILE).unlink()
        if number.transient:
            hint = "nothing was submitted; run this command again when the scheduler answers"
            raise RunError(f"{job.site.name} accepts no jobs at the moment: {number.why}", hint)
        hint = (
            f"correct {job.script} and run this command again; limits: packhorse sites show {job.site.name}"
        )
        raise RunError(f"{job.site.name} refuses the job: {number.why}", hint)
    if number:
        job = replace(job, job=number, submitted=time.time())
        save_script_job(run, job)
        job = with_output_files(job, queue, script)
        save_script_job(run, job)
    return job
