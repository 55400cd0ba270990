"""Build an environment on a site: one command claims it, a process or job there builds it, other commands wait."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from packhorse.environments.environment_file import BuiltFrom, EnvironmentFile, read_environment_file
from packhorse.model.errors import RunError, Stopped
from packhorse.project.reporter import Reporter
from packhorse.record.packages import PYTHON_PROBE, parse_python_reply
from packhorse.remote.transport import SshTransport
from packhorse.ssh.file_transfer import upload_files
from packhorse.ssh.replies import BuildFailure, EnvironmentState, Heartbeat
from packhorse.text.amounts import counted, span

BUILD_SECONDS = 1800  # after which the builder ends itself
QUEUE_SECONDS = 2 * 3600.0  # for the build job to start
SILENT_SECONDS = 60.0  # without a heartbeat of the builder, which has one every 5 s
PAUSES = (0.3, 0.5, 1.0, 2.0, 4.0)  # seconds between two polls; the last one repeats
REPORT_SECONDS = 20.0  # between two messages about a build
BUILDER = Path(__file__).parent.parent / "agent" / "build.py"
# Messages of pip, uv, curl and resolvers on a machine that cannot reach a package index.
OFFLINE = (
    "name resolution",
    "network is unreachable",
    "connection refused",
    "newconnectionerror",
    "no route to host",
    "dns error",
    "failed to lookup address",
    "connection timed out",
    "connecttimeout",
    "max retries exceeded",
    "error sending request",
    "client error (connect)",
    "proxyerror",
    "read timed out",
)
UNSET = ["PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "UV_SYSTEM_PYTHON"]


class Step(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One command of a build; `about` says what it does."""

    about: str
    argv: tuple[str, ...]
    may_fail: bool = False


class Recipe(Struct, frozen=True, kw_only=True):
    """How one environment is built. In steps and variables, {claim} and {final} are its folder during and after that."""

    folder: str  # on the site, named by digest
    about: BuiltFrom  # is saved with the environment
    steps: tuple[Step, ...]
    files: tuple[tuple[str, Path], ...] = ()  # to upload to {claim}
    variables: dict[str, str] = {}
    modules: tuple[str, ...] = ()
    description: str = ""  # of Python and packages, for messages
    wheels: Callable[[], Sequence[Path]] | None = None  # downloads on this machine what the site cannot reach
    offline: tuple[Step, ...] = ()  # the steps with those wheels


class BuildJobs(Protocol):
    """Jobs that build environments."""

    def submit(self, claim: str, argv: Sequence[str]) -> str:
        """Submit the job that runs a builder in the folder `claim`, and return its number."""

    def is_over(self, job: str) -> bool:
        """Return whether a job is no longer queued or running."""


class Builder:
    """Builds environments on one site, in the open session; in jobs where `jobs` is given."""

    def __init__(self, ssh: SshTransport, reporter: Reporter, jobs: BuildJobs | None) -> None:
        self.ssh, self.reporter, self.jobs = ssh, reporter, jobs
        self.site = ssh.site.name

    def find(self, folder: str) -> EnvironmentFile | None:
        """Return the file of a complete environment, with its packages as they are now; None where there is none."""
        return self._complete(self._state(folder))

    def _state(self, folder: str) -> EnvironmentState:
        return msgspec.convert(self.ssh.session.call("environment", path=folder), EnvironmentState)

    def _complete(self, state: EnvironmentState) -> EnvironmentFile | None:
        found = read_environment_file(state.whole)
        if found is None and state.whole is not None:
            raise RunError(
                f"{self.site} has an environment of another version of Packhorse: {state.path}",
                f"remove it: packhorse env {self.site} --remove {Path(state.path).name}",
            )
        if found is None or not state.changed:
            return found
        # The user has installed packages into it: those that the interpreter reports now count.
        argv = [f"{state.path}/bin/python", "-c", PYTHON_PROBE]
        output = self.ssh.session.call("run", 90.0, argv=argv, timeout=60.0)["stdout"]
        software = parse_python_reply(output)
        return None if software is None else replace(found, found=software)

    def get(self, recipe: Recipe) -> EnvironmentFile:
        """Return the file of an environment, which is built where it does not exist; raise RunError where that fails."""
        found = self.find(recipe.folder)
        offline = self.jobs is not None and self.ssh.site.compute_internet is False
        wheels = self._download_wheels(recipe) if found is None and offline else None
        while found is None:
            claim = self.ssh.session.call("prepare", path=recipe.folder)
            if claim["ours"]:
                self._start(recipe, claim["folder"], wheels)
            elif self._state(recipe.folder).failed is not None:
                self._release(recipe)  # of a command that has ended
                continue
            else:
                self.reporter.say(f"another command builds this environment on {self.site}; waiting for it")
            found, failed = self._wait(recipe)
            if failed is None:
                continue
            self._release(recipe)
            if wheels is not None or recipe.wheels is None or not is_offline(failed):
                raise self._failed(recipe, failed, offline=wheels is not None)
            wheels = self._download_wheels(recipe)
        return found

    def _release(self, recipe: Recipe) -> None:
        """Remove the claim of an environment."""
        self.ssh.session.call("release", path=recipe.folder)

    def _download_wheels(self, recipe: Recipe) -> Sequence[Path] | None:
        """Download the packages to this machine; before a claim, since it can take long."""
        if recipe.wheels is None:
            return None
        self.reporter.say(f"{self.site} cannot reach a package index; downloading the packages here")
        wheels = recipe.wheels()
        size = sum(path.stat().st_size for path in wheels) / 1e6
        self.reporter.say(f"uploading {counted(len(wheels), 'file')} to {self.site} ({size:,.1f} MB)")
        return wheels

    def _start(self, recipe: Recipe, claim: str, wheels: Sequence[Path] | None) -> None:
        """Upload files and start the builder, in a process on the login node or in a job."""
        session = self.ssh.session
        try:
            files = [*recipe.files, *((f"wheels/{path.name}", path) for path in wheels or ())]
            upload_files(session, claim, [(name, path, 0) for name, path in files])
            steps = recipe.steps if wheels is None else recipe.offline
            orders = {
                "steps": msgspec.to_builtins([_filled_step(step, claim, recipe.folder) for step in steps]),
                "variables": {
                    name: _filled(value, claim, recipe.folder) for name, value in recipe.variables.items()
                },
                "unset": UNSET,
                "python": f"{recipe.folder}/bin/python",
                "probe": PYTHON_PROBE,
                "about": msgspec.to_builtins(recipe.about),
                "seconds": BUILD_SECONDS,
                "job": self.jobs is not None,
            }
            source = BUILDER.read_text(encoding="utf-8")
            started = session.call("build", path=recipe.folder, source=source, orders=orders)
            if self.jobs is not None:
                job = self.jobs.submit(claim, started["argv"])
                session.call("note_job", path=recipe.folder, job={"job": job})
                self.reporter.say(f"job {job} builds the environment on {self.site}")
        except BaseException:
            self._release(recipe)
            raise
        self.reporter.say(
            f"building an environment on {self.site}: {recipe.description}; log {started['log']}"
        )

    def _wait(self, recipe: Recipe) -> tuple[EnvironmentFile | None, BuildFailure | None]:
        """Wait for the builder; return the environment's file, or the failure; None twice to claim it again."""
        started = reported = changed = time.monotonic()
        last_sign: tuple[int | None, int] | None = None
        pauses = iter(PAUSES)
        pause = PAUSES[0]
        try:
            while True:
                state = self._state(recipe.folder)
                found = self._complete(state)
                failed = state.failed or self._lost_job(state)
                if found is not None or failed is not None or not state.claimed:
                    return found, failed
                now = time.monotonic()
                sign = (state.alive.beat if state.alive else None, state.received)
                if sign != last_sign:
                    last_sign, changed = sign, now
                if state.gone or now - changed > self._patience(state, now - started):
                    self.reporter.warn(
                        f"the builder of {recipe.folder} on {self.site} has died; building it again"
                    )
                    self._release(recipe)
                    return None, None
                if now - reported > REPORT_SECONDS:
                    reported = now
                    self.reporter.say(_progress(state.alive, state.tail, now - started))
                pause = next(pauses, pause)
                time.sleep(pause)
        except KeyboardInterrupt:
            raise Stopped(
                f"{self.site} continues to build the environment", "run the same command again to continue"
            ) from None

    def _lost_job(self, state: EnvironmentState) -> BuildFailure | None:
        """Return the failure of a build job that ended before its builder started; None where it did not."""
        if state.job is None or state.alive or self.jobs is None or not self.jobs.is_over(state.job.job):
            return None
        time.sleep(self.ssh.site.latency)  # until the login node sees what a compute node wrote
        again = self._state(state.path)
        if again.whole or again.alive or again.failed:
            return None
        argv = ["tail", "-n", "20", f"{state.path}.new/job.out"]
        output = self.ssh.session.call("run", argv=argv, timeout=20.0)["stdout"]
        return BuildFailure(
            argv=("job", state.job.job),
            status="it ended before the build started",
            lines=tuple(output.splitlines()),
        )

    def _patience(self, state: EnvironmentState, waited: float) -> float:
        """Return the seconds allowed without a heartbeat: many while the build job is queued."""
        if state.job is None or state.alive:
            return SILENT_SECONDS
        if waited > QUEUE_SECONDS:
            raise RunError(
                f"job {state.job.job}, which builds the environment, is still queued",
                "run the same command again to continue",
            )
        return QUEUE_SECONDS * 2

    def _failed(self, recipe: Recipe, failed: BuildFailure, *, offline: bool) -> RunError:
        command = shlex.join(failed.argv)
        lines = "".join(f"\n  {line}" for line in failed.lines[-12:])
        status = failed.status
        if failed.late is not None:
            why = f"took longer than {span(failed.late)}"
        elif status == -9:
            why = "was killed"
        else:
            why = f"failed ({f'exit status {status}' if isinstance(status, int) else status})"
        hint = f"{build_hint(failed, self.ssh.site.name, offline=offline)}\nfull log: {recipe.folder}.log on {self.site}"
        return RunError(f"environment: {command} {why} on {self.site}:{lines}", hint)


def is_offline(failed: BuildFailure) -> bool:
    """Return whether a build failed because the site cannot reach a package index."""
    output = "\n".join(failed.lines).lower()
    return any(message in output for message in OFFLINE)


# Messages of a build, in lower case, and what to do about them.
HINTS = (
    (
        ("no space left", "disk quota exceeded"),
        "free space there: packhorse env {site} lists environments that can be removed",
    ),
    (
        (
            "no matching distribution",
            "could not find a version",
            "no version of",
            "has no wheels",
            "unsatisfiable",
        ),
        "that version does not exist for this Python and machine: put another into the lock, or choose another Python:\n"
        "  echo 3.11 > .python-version",
    ),
    (
        ("requires-python", "requires a different python", "requires python"),
        "choose a Python that fits: echo 3.11 > .python-version",
    ),
    (
        ("do not match the hashes", "hash mismatch"),
        "the lock and the package index disagree: make the lock again",
    ),
    (
        ("gcc", "compiler", "cmake", "building wheel", "build backend", "failed to build"),
        "the package is compiled there: load a compiler in the study, cluster: {{modules: [gcc]}},\n"
        "or choose a version that has a wheel for this Python",
    ),
)


def build_hint(failed: BuildFailure, site: str, *, offline: bool) -> str:
    """Return what to do about a build that failed."""
    output = "\n".join(failed.lines).lower()
    if failed.status in {-9, 137}:
        return f"the login node's limits may have ended it: write `build_on: job` into the site {site}"
    if is_offline(failed) and not offline:
        return "the site cannot reach a package index; ask its staff for a mirror"
    return next(
        (hint.format(site=site) for messages, hint in HINTS if any(text in output for text in messages)),
        "see the lines above",
    )


def _filled_step(step: Step, claim: str, final: str) -> Step:
    return replace(step, argv=tuple(_filled(word, claim, final) for word in step.argv))


def _filled(word: str, claim: str, final: str) -> str:
    return word.replace("{claim}", claim).replace("{final}", final)


def _progress(alive: Heartbeat | None, tail: str, seconds: float) -> str:
    lines = [line for line in tail.replace("\r", "\n").splitlines() if line.strip()]
    step = alive.step if alive and alive.step else "waiting for the build job"
    return f"{step}, {span(seconds)}" + (f": {lines[-1].strip()[:80]}" if lines and alive else "")
