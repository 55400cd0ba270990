"""Submitting a script that the user wrote: checked, brought to the site with what it needs, and sent once."""

from __future__ import annotations

import shutil
import time
from pathlib import Path, PurePosixPath

from msgspec import Struct
from msgspec.structs import replace

from packhorse.cluster.queue import Queue
from packhorse.cluster.script_job import with_files
from packhorse.cluster.submit_job import send_job
from packhorse.model.errors import RunError, UsageError
from packhorse.model.job import Request, SubmissionRefused
from packhorse.model.script_job import ScriptJob
from packhorse.model.site import Site
from packhorse.model.submission import token_of
from packhorse.plan.choice import require
from packhorse.plan.job_limits import place_job
from packhorse.project.reporter import Reporter
from packhorse.project.run_name import next_run, plain_name
from packhorse.project.user_sites import with_jobs
from packhorse.remote.remote_store import remote_folder
from packhorse.remote.script_inputs import ScriptInputs, script_inputs
from packhorse.remote.storage_area import areas_of, purged, usable
from packhorse.remote.transfer import ANNOUNCE_BYTES
from packhorse.remote.transport import SshTransport, transport_for
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.files import write_file
from packhorse.rundir.submissions import JOB_FILE, read_script_job, save_script_job
from packhorse.schedulers import scheduler
from packhorse.schedulers.script_headers import ScriptHeader

LONGEST = 1 << 20  # bytes of a script; more is no script


class Script(Struct, frozen=True, kw_only=True):
    """A script that passed the checks: its text, its place, and what its head asks for."""

    path: Path
    text: str
    root: Path  # the folder that the job sees as its own
    head: ScriptHeader

    @property
    def name(self) -> str:
        """Its path as the job's folder has it."""
        return self.path.relative_to(self.root).as_posix()


class SubmitOptions(Struct, frozen=True, kw_only=True):
    """What the user says of a submission, beside the script and the site."""

    name: str = ""
    arguments: tuple[str, ...] = ()
    along: tuple[Path, ...] = ()  # files and folders that the job needs


def submit(
    path: Path, site_name: str, wish: SubmitOptions, here: Path, reporter: Reporter
) -> tuple[RunDirectory, ScriptJob]:
    """Submit a script and return its run; raise UsageError or RunError before anything is sent where it cannot run."""
    site = with_jobs(site_name, here)
    script = checked(path, site, here, reporter)
    queue = Queue(site, transport_for(site))
    name = wish.name or path.stem
    with queue.transport.open():
        area, needs = "", ScriptInputs(files={})
        if isinstance(queue.transport, SshTransport):
            area, needs = (
                _area(queue.transport, queue, reporter),
                script_inputs(script.text, script.root, wish.along),
            )
        elif wish.along:
            reporter.say("the job works in this folder, so nothing has to be brought there")
        run = RunDirectory.create(next_run(here / "runs", plain_name(name)), name, folders=())
        own = ScriptJob(
            site=site,
            user=queue.user,
            script=script.name,
            arguments=wish.arguments,
            folder=remote_folder(area, run, plain_name(name)) if area else str(script.root),
            far=bool(area),
            files=tuple(needs.files),
            token=token_of(run.about().id, 1),
        )
        try:
            if isinstance(queue.transport, SshTransport):
                _send(queue.transport, script, needs, own.folder, reporter)
            _make_logs(queue.transport, script, own.folder)
            write_file(run.path / PurePosixPath(script.name).name, script.text)
            return run, _sent(run, own, queue, reporter, wish.name)
        finally:
            if read_script_job(run) is None:  # nothing of it can ever start, so it never was
                shutil.rmtree(run.path)


def _area(there: SshTransport, queue: Queue, reporter: Reporter) -> str:
    """Say hello, and return the path of the area in which the job's folder will be."""
    areas = areas_of(there.site)
    hello = there.locate(list(queue.dialect.programs), [one.path for one in areas])
    chosen, room = usable(there.site, areas, hello["paths"])
    path: str = room["path"]
    reporter.say(f"the job's folder will be in {path}{purged(chosen)}")
    return path


def checked(path: Path, site: Site, here: Path, reporter: Reporter) -> Script:
    """Read a script and check it; raise UsageError or RunError with what is wrong and what to write."""
    text = _read(path)
    full = path.resolve()
    root = here.resolve() if full.is_relative_to(here.resolve()) else full.parent
    head = scheduler(site.scheduler).read_header(text)
    for note in head.notes:
        reporter.warn(f"{path}: {note}")
    for note in _placed(head.request, site, path):
        reporter.warn(note)
    return Script(path=full, text=text, root=root, head=head)


def _placed(request: Request, site: Site, path: Path) -> tuple[str, ...]:
    """Return what is worth knowing of where a job goes; raise RunError with every limit that it does not keep."""
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
    if path.stat().st_size > LONGEST:
        raise UsageError(f"{path} is no script: it has {path.stat().st_size:,} bytes")
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path}:{line}: no UTF-8 text", "save it as UTF-8, or write that line in ASCII"
        ) from None
    if "\r" in text:
        line = text[: text.index("\r")].count("\n") + 1
        message = f"{path}:{line}: it has line ends of Windows, which no shell on a cluster reads"
        raise UsageError(message, f"sed -i 's/\\r$//' {path}")
    if not text.startswith("#!"):
        raise UsageError(
            f"{path}:1: it does not say which shell reads it", "let its first line be #!/bin/bash"
        )
    return text


def _send(there: SshTransport, script: Script, parts: ScriptInputs, folder: str, reporter: Reporter) -> None:
    """Send the script and what it needs into the job's folder."""
    from packhorse.ssh.file_transfer import upload_missing

    for note in parts.notes:
        reporter.say(note)
    if parts.files:
        reporter.say(f"brings {', '.join(list(parts.files)[:6])}{' ...' if len(parts.files) > 6 else ''}")

    def announce(size: int, _files: int) -> None:
        if size > ANNOUNCE_BYTES:
            reporter.say(f"sending {size / 1e6:,.0f} MB to {there.site.name}")

    files = {script.name: script.path, **parts.files}
    upload_missing(there.session, folder, list(files.items()), before=announce)


def _make_logs(how: object, script: Script, folder: str) -> None:
    """Make the folders into which the job writes: where one is missing, a job may end at once and say nothing."""
    for said in (script.head.request.output, script.head.request.error):
        place = str(PurePosixPath(script.head.folder or folder, said).parent) if "/" in said else ""
        if not place or any(mark in place for mark in "%$~{"):
            continue
        if isinstance(how, SshTransport):
            how.session.call("claim", path=place)
        else:
            Path(place).mkdir(parents=True, exist_ok=True)


def _sent(run: RunDirectory, own: ScriptJob, queue: Queue, reporter: Reporter, title: str) -> ScriptJob:
    """Write the intent down, submit, and write the fact down."""
    argv = queue.dialect.submit_script_argv(own.script, list(own.arguments), own.token, title)
    own = replace(own, argv=tuple(argv), intended=time.time())
    save_script_job(run, own)
    job = send_job(queue, argv, own.token, reporter, own.folder)
    if isinstance(job, SubmissionRefused):
        (run.path / JOB_FILE).unlink()
        hint = f"correct {own.script} and type the same again; packhorse sites show {own.site.name} lists the limits"
        raise RunError(f"{own.site.name} refuses the job: {job.why}", hint)
    if job:
        own = replace(own, job=job, submitted=time.time())
        save_script_job(run, own)
        own = with_files(own, queue)
        save_script_job(run, own)
    return own
