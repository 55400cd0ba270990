"""The study's own checks: commands that must pass on this code before any task starts."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from packhorse.model.errors import CheckError
from packhorse.model.plan import Identity
from packhorse.project.reporter import Reporter
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.runtime.sandbox import Sandbox, create_sandbox, run_in_sandbox

CHECK_SECONDS = 3600.0  # a check that takes longer is no check before a run


def run_checks(
    run: RunDirectory,
    checks: tuple[str, ...],
    work: dict[str, Any],
    identity: Identity,
    *,
    unchecked: bool,
    reporter: Reporter,
) -> bool:
    """Run the checks not yet passed by this code and environment; return whether any was left out.

    Raises CheckError with the command, its exit status and its last lines.
    """
    file = run.path / "checks.json"
    passed: dict[str, Any] = msgspec.json.decode(file.read_bytes()) if file.exists() else {}
    left = [one for one in checks if _digest(one, identity) not in passed]
    if not left:
        return False
    if unchecked:
        reporter.warn(f"{len(left)} check(s) left out; the provenance says so")
        return True
    with tempfile.TemporaryDirectory(prefix="check-", dir=run.path) as scratch:
        standing = create_sandbox(work, run.path, Path(scratch))
        for command in left:
            reporter.say(f"check: {command}")
            seconds = _check(command, standing)
            passed[_digest(command, identity)] = {"command": command, "passed": now(), "seconds": seconds}
            write_file(file, msgspec.json.encode(passed))
    return False


def _digest(command: str, identity: Identity) -> str:
    said = "\n".join((command, identity.code, identity.environment))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _check(command: str, standing: Sandbox) -> float:
    done = run_in_sandbox(shlex.split(command), standing, CHECK_SECONDS)
    if done.status == 0:
        return done.seconds
    last = "\n  ".join(done.output.strip().splitlines()[-12:])
    message = f"the check `{command}` {done.how}:\n  {last}"
    raise CheckError(message, "mend the code, or run with --unchecked (the provenance will say so)")
