"""Run the study's own checks: commands that must pass on this code before any task starts."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from packhorse.model.errors import CheckError
from packhorse.model.plan import Identity
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.runtime.sandbox import Sandbox, create_sandbox, run_in_sandbox
from packhorse.text.amounts import counted

CHECK_SECONDS = 3600.0  # for one check


def run_checks(
    run: RunDirectory,
    checks: tuple[str, ...],
    work: dict[str, Any],
    identity: Identity,
    *,
    unchecked: bool,
    reporter: Reporter,
) -> bool:
    """Run the checks that this code and environment has not passed; return whether any was skipped.

    Raises CheckError with the command, its exit status and its last lines.
    """
    file = run.path / "checks.json"
    passed: dict[str, Any] = msgspec.json.decode(file.read_bytes()) if file.exists() else {}
    left = [command for command in checks if _digest(command, identity) not in passed]
    if not left:
        return False
    if unchecked:
        reporter.warn(f"{counted(len(left), 'check')} skipped; the provenance records it")
        return True
    with tempfile.TemporaryDirectory(prefix="packhorse-check-", dir=copies_parent()) as scratch:
        sandbox = create_sandbox(work, run.path, Path(scratch))
        for command in left:
            reporter.say(f"check: {command}")
            seconds = _check(command, sandbox)
            passed[_digest(command, identity)] = {"command": command, "passed": now(), "seconds": seconds}
            write_file(file, msgspec.json.encode(passed))
    return False


def _digest(command: str, identity: Identity) -> str:
    text = "\n".join((command, identity.code, identity.environment))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check(command: str, sandbox: Sandbox) -> float:
    done = run_in_sandbox(shlex.split(command), sandbox, CHECK_SECONDS)
    if done.status == 0:
        return done.seconds
    last = "\n  ".join(done.output.strip().splitlines()[-12:])
    message = f"the check `{command}` {done.how}:\n  {last}"
    raise CheckError(message, "correct the code, or run with --unchecked (the provenance records it)")
