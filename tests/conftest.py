"""What every test may use: the installed command, hostile paths, a clean environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import hypothesis
import pytest

from json_output import check_json
from preloaded import run_command

Run = Callable[..., subprocess.CompletedProcess[str]]

# A marker stands for a program that the test needs.
PROGRAMS = {
    "r": "Rscript",
    "parallel": "parallel",
    "rsync": "rsync",
    "shellcheck": "shellcheck",
    "ps": "ps",
    "time": "time",
    "modules": "modulecmd",
    "qsub": "qsub",
}
R_PACKAGES = ("foreach", "doParallel", "doRNG", "batchtools", "future.apply", "testthat")
FOREIGN = ("PACKHORSE_", "SLURM_", "PBS_", "GIT_")
BIN = Path(sys.executable).parent

# Examples are found anew at every run on a desk, and are the same ones where everybody's changes are tested.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("everybody", deadline=None, derandomize=True)
hypothesis.settings.load_profile("everybody" if os.environ.get("CI") else "desk")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a missing program; where CI is set nothing may be missing, so there the test fails."""
    if os.environ.get("CI"):
        return
    missing = {mark: program for mark, program in PROGRAMS.items() if shutil.which(program) is None}
    if any(item.get_closest_marker("rpackages") for item in items) and (lacking := missing_r_packages()):
        missing["rpackages"] = f"the R package {lacking}"
    for item in items:
        for mark, program in missing.items():
            if item.get_closest_marker(mark):
                item.add_marker(
                    pytest.mark.skip(reason=f"{program} is not installed (scripts/system-packages)")
                )


def missing_r_packages() -> str:
    """Return the first of R_PACKAGES that is not installed; nothing where all are."""
    code = "for (one in commandArgs(TRUE)) if (!nzchar(system.file(package = one))) { cat(one); break }"
    if shutil.which("Rscript") is None:
        return R_PACKAGES[0]
    argv = ["Rscript", "--vanilla", "-e", code, *R_PACKAGES]
    return subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True).stdout


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Close with everything that was not run, and why; in `make test` scripts/test says it for all sessions."""
    if terminalreporter.config.pluginmanager.has_plugin("recorder-of-tests"):
        return
    terminalreporter.section("not run")
    skipped = terminalreporter.stats.get("skipped", [])
    for report in skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        terminalreporter.line(f"{report.nodeid}: {reason}")
    if not skipped:
        terminalreporter.line("nothing was skipped")
    if terminalreporter.config.getoption("markexpr") != "campaign":
        terminalreporter.line("the long campaigns are left to: make campaign")


@pytest.fixture(autouse=True, scope="session")
def clean_environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Take away what a cluster, a git hook or a user's own settings would say to the command."""
    settings = tmp_path_factory.mktemp("git") / "config"
    settings.write_text("[user]\n\tname = Test\n\temail = test@example.org\n[init]\n\tdefaultBranch = main\n")
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if (
                name.startswith(FOREIGN) or name == "PYTHONDONTWRITEBYTECODE"
            ):  # each command would compile anew
                patch.delenv(name)
        patch.setenv("GIT_CONFIG_GLOBAL", str(settings))
        patch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        patch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        yield


@pytest.fixture
def packhorse(tmp_path: Path) -> Run:
    """Return `packhorse(*arguments, cwd=, env=, input=, timeout=)`, which runs a command as its installed program does.

    It runs in `cwd` (default: tmp_path) with `env` added to the environment (None takes a name away), in
    a process group of its own, which is killed when `timeout` seconds have passed. What it prints with --json must
    fit the command's schema.
    """

    def run(
        *arguments: str | Path,
        cwd: Path = tmp_path,
        env: Mapping[str, str | None] | None = None,
        input: str | None = None,  # noqa: A002 - the word of subprocess.run
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        words = [*map(str, arguments)]
        changed = {**os.environ, **(env or {})}
        kept = {name: value for name, value in changed.items() if value is not None}
        try:
            done = run_command(words, cwd=cwd, env=kept, input=input, timeout=timeout)
        except subprocess.TimeoutExpired as late:
            pytest.fail(f"{late.cmd} took longer than {timeout} s\n{late.stdout}\n{late.stderr}")
        check_json(words, done.stdout)
        return done

    return run


@pytest.fixture
def weird_path(tmp_path: Path) -> Path:
    """Return a directory whose name has everything that breaks careless quoting."""
    path = tmp_path / "-leading dash" / 'it\'s "quoted" \\n back\\slash\nλ→ü $(x) `y` %s {n} *;&'
    path.mkdir(parents=True)
    return path
