"""Run the study's own checks: commands that must pass on this code before any task starts."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from packhorse.model.errors import CheckError
from packhorse.model.plan import Identity
from packhorse.preflight.check_tests import CheckedTest, failed_names, reported, sentence, tests_of
from packhorse.project.cache_dir import copies_parent
from packhorse.project.reporter import Reporter
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write_file
from packhorse.runtime.interpreter import PYTHON
from packhorse.runtime.sandbox import CommandResult, Sandbox, create_sandbox, run_in_sandbox
from packhorse.text.amounts import counted

CHECK_SECONDS = 3600.0  # for one check
RUNNERS = ("pytest", "tox", "nox", "mypy", "ruff")  # programs that are packages of Python


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
            done, tests = _check(command, sandbox, Path(scratch) / "junit.xml")
            entry = {"command": command, "passed": now(), "seconds": done.seconds}
            if tests:
                entry["tests"] = msgspec.to_builtins(tests)
            passed[_digest(command, identity)] = entry
            write_file(file, msgspec.json.encode(passed))
    return False


def _digest(command: str, identity: Identity) -> str:
    text = "\n".join((command, identity.code, identity.environment))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _check(command: str, sandbox: Sandbox, junit: Path) -> tuple[CommandResult, list[CheckedTest]]:
    """Run a check and return its tests, if it reports them. `junit` is where pytest writes. Raises CheckError."""
    argv = shlex.split(command)
    python: list[str] = sandbox.work["python"]
    if PYTHON.fullmatch(argv[0]):  # the tasks' own, which need not be the first on the PATH
        argv[:1] = python
    junit.unlink(missing_ok=True)
    argv, variables = reported(argv, junit)
    before = sandbox.environment.get("PYTEST_ADDOPTS", "")
    variables = {name: f"{before} {value}".strip() for name, value in variables.items()}
    around = replace(sandbox, environment={**sandbox.environment, **variables})
    done = run_in_sandbox(argv, around, CHECK_SECONDS)
    tests = tests_of(done.output, junit)
    if done.status == 0:
        return done, tests
    last = "\n  ".join(done.output.strip().splitlines()[-12:])
    failed = failed_names(tests)
    which = f" ({sentence(tests)}; {failed})" if failed else ""
    message = f"the check `{command}` {done.how}{which}:\n  {last}"
    skip = "or run with --unchecked (the provenance records it)"
    missing = _missing_runner(argv, done)
    if missing:
        hint = f"install it for the tasks' Python: {shlex.join([*python, '-m', 'pip', 'install', missing])}\n{skip}"
        raise CheckError(f"the check `{command}` needs {missing}, which is not installed", hint)
    raise CheckError(message, f"correct the code, {skip}")


def _missing_runner(argv: Sequence[str], done: CommandResult) -> str:
    """Return the program of a check that is not installed, such as pytest; empty where the check itself failed."""
    if "-m" in argv[:-1]:
        module = argv[argv.index("-m") + 1]
        return module if f"No module named {module}" in done.output and done.status == 1 else ""
    return argv[0] if done.status is None and not done.seconds and argv[0] in RUNNERS else ""
