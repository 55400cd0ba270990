"""Building an environment on a site: one command claims it, a process there (or a job) builds it, all others wait."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from msgspec import Struct

from packhorse.model.errors import RunError, Stopped
from packhorse.project.reporter import Reporter
from packhorse.record.packages import PYTHON_PROBE
from packhorse.remote.transport import SshTransport
from packhorse.text.amounts import counted, span

BUILD_SECONDS = 1800  # of the builder, which ends itself
QUEUE_SECONDS = 2 * 3600.0  # for a job that builds to start
SILENT_SECONDS = 60.0  # without a sign of life, of which there is one every 5 s
PAUSES = (0.3, 0.5, 1.0, 2.0, 4.0)  # between two looks
TELL_SECONDS = 20.0  # between two sentences about a build
BUILDER = Path(__file__).parent.parent / "agent" / "build.py"
# What programs say where a machine reaches no package index: pip, uv, curl, resolvers.
OFFLINE = (
    *(
        "name resolution",
        "network is unreachable",
        "connection refused",
        "newconnectionerror",
        "no route to host",
    ),
    *(
        "dns error",
        "failed to lookup address",
        "connection timed out",
        "connecttimeout",
        "max retries exceeded",
    ),
    *("error sending request", "client error (connect)", "proxyerror", "read timed out"),
)


class Recipe(Struct, frozen=True, kw_only=True):
    """How one environment is built: where, by which steps, and of what."""

    folder: str  # there, by its digest
    about: dict[str, Any]  # what is kept of it: lock, Python, tool
    steps: tuple[dict[str, Any], ...]
    files: tuple[tuple[str, Path], ...] = ()  # for the claim's folder
    variables: dict[str, str] = {}
    modules: tuple[str, ...] = ()
    said: str = ""  # of what it is made, for people
    wheels: Callable[[], Sequence[Path]] | None = None  # fetches here what the site cannot reach
    offline: tuple[dict[str, Any], ...] = ()  # the steps with those wheels


class BuildJobs(Protocol):
    """Jobs that build."""

    def submit(self, claim: str, argv: Sequence[str]) -> str:
        """Submit the job that runs a builder, and return its number."""

    def is_over(self, job: str) -> bool:
        """Tell whether a job neither waits nor runs."""


class Builder:
    """Builds on one site, in the session that is open."""

    def __init__(self, there: SshTransport, reporter: Reporter, jobs: BuildJobs | None) -> None:
        self.there, self.reporter, self.jobs = there, reporter, jobs
        self.site = there.site.name

    def whole(self, folder: str) -> dict[str, Any] | None:
        """Return what is known of an environment that is whole and as it was built, else None."""
        found = self.there.session.call("environment", path=folder)
        return self._known(found)

    def _known(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        whole: dict[str, Any] | None = found["whole"]
        if whole is None or not found["changed"]:
            return whole
        # Somebody installed into it by hand: what it says of itself now is what counts.
        argv = [f"{found['path']}/bin/python", "-c", PYTHON_PROBE]
        said = self.there.session.call("run", 90.0, argv=argv, timeout=60.0)["stdout"]
        if "@packhorse " not in said:
            return None
        import json

        return {**whole, "found": json.loads(said.rpartition("@packhorse ")[2])}

    def get(self, recipe: Recipe) -> dict[str, Any]:
        """Return what is known of an environment, built now unless it is there; raise RunError where that fails."""
        whole = self.whole(recipe.folder)
        offline = self.jobs is not None and self.there.site.compute_internet is False
        wheels = self._fetched(recipe) if whole is None and offline else None
        while whole is None:
            claim = self.there.session.call("prepare", path=recipe.folder)
            if claim["ours"]:
                self._start(recipe, claim["folder"], wheels)
            elif self.there.session.call("environment", path=recipe.folder).get("failed"):
                self.there.session.call(
                    "release", path=recipe.folder
                )  # left over from a command that is gone
                continue
            else:
                self.reporter.say(f"another command builds this environment on {self.site}; waiting for it")
            whole, failed = self._wait(recipe)
            if failed is None:
                continue
            self.there.session.call("release", path=recipe.folder)
            if wheels is not None or recipe.wheels is None or not is_offline(failed):
                raise self._failed(recipe, failed, offline=wheels is not None)
            wheels = self._fetched(recipe)
        return whole

    def _fetched(self, recipe: Recipe) -> Sequence[Path] | None:
        """Return the packages, fetched here; before anything is claimed, since that can take long."""
        if recipe.wheels is None:
            return None
        self.reporter.say(f"{self.site} reaches no package index: the packages are fetched here and sent")
        found = recipe.wheels()
        size = sum(path.stat().st_size for path in found) / 1e6
        self.reporter.say(f"sending {counted(len(found), 'file')} to {self.site} ({size:,.1f} MB)")
        return found

    def _start(self, recipe: Recipe, claim: str, wheels: Sequence[Path] | None) -> None:
        from packhorse.ssh.file_transfer import upload_files

        session = self.there.session
        try:
            files = [*recipe.files, *((f"wheels/{path.name}", path) for path in wheels or ())]
            upload_files(session, claim, [(name, path, 0) for name, path in files])
            steps = recipe.steps if wheels is None else recipe.offline
            orders = {
                "steps": [_placed(step, claim, recipe.folder) for step in steps],
                "variables": {
                    name: _filled(value, claim, recipe.folder) for name, value in recipe.variables.items()
                },
                "unset": [
                    "PYTHONHOME",
                    "PYTHONPATH",
                    "PIP_USER",
                    "PIP_TARGET",
                    "PIP_PREFIX",
                    "UV_SYSTEM_PYTHON",
                ],
                "python": f"{recipe.folder}/bin/python",
                "probe": PYTHON_PROBE,
                "about": recipe.about,
                "seconds": BUILD_SECONDS,
                "job": self.jobs is not None,
            }
            source = BUILDER.read_text(encoding="utf-8")
            started = session.call("build", path=recipe.folder, source=source, orders=orders)
            if self.jobs is not None:
                job = self.jobs.submit(claim, started["argv"])
                session.call("note_job", path=recipe.folder, job={"job": job})
                self.reporter.say(f"the environment is built on {self.site} in job {job}")
        except BaseException:
            session.call("release", path=recipe.folder)
            raise
        self.reporter.say(f"building an environment on {self.site}: {recipe.said}; log {started['log']}")

    def _wait(self, recipe: Recipe) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
        """Wait for whoever builds; return what was built, or what failed; neither where nobody builds any more."""
        begun = told = changed = time.monotonic()
        beat: Any = None
        pauses = iter(PAUSES)
        pause = 0.3
        try:
            while True:
                found = self.there.session.call("environment", path=recipe.folder)
                known = self._known(found)
                failed = found.get("failed") or self._lost(found)
                if known is not None or failed or not found["claimed"]:
                    return known, failed
                now = time.monotonic()
                alive = found["alive"] or {}
                sign = (alive.get("beat"), found["received"])
                if sign != beat:
                    beat, changed = sign, now
                if found["gone"] or now - changed > self._patience(found, now - begun):
                    self._take_over(recipe)
                    return None, None
                if now - told > TELL_SECONDS:
                    told = now
                    self.reporter.say(_progress(alive, found["tail"], now - begun))
                pause = next(pauses, pause)
                time.sleep(pause)
        except KeyboardInterrupt:
            raise Stopped(
                f"the environment is built on {self.site} without this command", "the same command goes on"
            ) from None

    def _lost(self, found: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return what became of a job that ended before its builder began, None while nothing speaks for that."""
        job = (found.get("job") or {}).get("job", "")
        if not job or found["alive"] or self.jobs is None or not self.jobs.is_over(job):
            return None
        time.sleep(self.there.site.latency)  # until what a node wrote is seen here
        again = self.there.session.call("environment", path=found["path"])
        if again["whole"] or again.get("alive") or again.get("failed"):
            return None
        output = [f"{found['path']}.new/job.out"]
        said = self.there.session.call("run", argv=["tail", "-n", "20", *output], timeout=20.0)["stdout"]
        return {
            "argv": ["job", job],
            "status": "it ended before it began to build",
            "lines": said.splitlines(),
        }

    def _patience(self, found: Mapping[str, Any], waited: float) -> float:
        """Return how long there may be no sign of life: a job may have to wait in the queue."""
        if found["job"] is None or found["alive"]:
            return SILENT_SECONDS
        if waited > QUEUE_SECONDS:
            job = found["job"]["job"]
            raise RunError(
                f"job {job}, which is to build the environment, still waits", "the same command goes on"
            )
        return QUEUE_SECONDS * 2

    def _take_over(self, recipe: Recipe) -> None:
        self.reporter.warn(f"whoever built {recipe.folder} on {self.site} is gone; it is built anew")
        self.there.session.call("release", path=recipe.folder)

    def _failed(self, recipe: Recipe, failed: Mapping[str, Any], *, offline: bool) -> RunError:
        command = shlex.join(failed["argv"])
        lines = "".join(f"\n  {line}" for line in failed["lines"][-12:])
        if failed.get("late"):
            why = f"took longer than {span(failed['late'])}"
        elif failed["status"] == -9:
            why = "was killed"
        else:
            status = failed["status"]
            why = f"failed ({f'exit status {status}' if isinstance(status, int) else status})"
        hint = f"{build_hint(failed, self.there.site.name, offline=offline)}\nthe whole log: {recipe.folder}.log there"
        return RunError(f"environment: {command} {why} on {self.site}:{lines}", hint)


def is_offline(failed: Mapping[str, Any]) -> bool:
    """Tell whether a build failed since the site reaches no package index."""
    said = "\n".join(failed["lines"]).lower()
    return any(words in said for words in OFFLINE)


CURES = (
    (("no space left", "disk quota exceeded"), "make room there: packhorse env {site} lists what can go"),
    (
        (
            "no matching distribution",
            "could not find a version",
            "no version of",
            "has no wheels",
            "unsatisfiable",
        ),
        "that version is not to be had for this Python and machine: name another in the lock, or another Python, as in\n"
        "  echo 3.11 > .python-version",
    ),
    (
        ("requires-python", "requires a different python", "requires python"),
        "name a Python that fits: echo 3.11 > .python-version",
    ),
    (
        ("do not match the hashes", "hash mismatch"),
        "the lock and the package index disagree: make the lock anew",
    ),
    (
        ("gcc", "compiler", "cmake", "building wheel", "build backend", "failed to build"),
        "it has to be compiled there: load a compiler in the study, cluster: {{modules: [gcc]}},\n"
        "or name a version that has a wheel for this Python",
    ),
)


def build_hint(failed: Mapping[str, Any], site: str, *, offline: bool) -> str:
    """Return what to do about a build that failed."""
    said = "\n".join(failed["lines"]).lower()
    if failed.get("status") in {-9, 137}:
        return f"the login node's limits may have ended it: write `build_on: job` into the site {site}"
    if is_offline(failed) and not offline:
        return "the site reaches no package index; ask it for a mirror, or build on a machine that has one"
    return next(
        (text.format(site=site) for words, text in CURES if any(word in said for word in words)),
        "the lines above say why",
    )


def _placed(step: Mapping[str, Any], claim: str, final: str) -> dict[str, Any]:
    return {**step, "argv": [_filled(word, claim, final) for word in step["argv"]]}


def _filled(word: str, claim: str, final: str) -> str:
    return word.replace("{claim}", claim).replace("{final}", final)


def _progress(alive: Mapping[str, Any], tail: str, seconds: float) -> str:
    lines = [line for line in tail.replace("\r", "\n").splitlines() if line.strip()]
    step = alive.get("step") or "waiting for its job"
    return f"{step}, {span(seconds)}" + (f": {lines[-1].strip()[:80]}" if lines and alive else "")
