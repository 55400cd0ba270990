"""Job scripts: as they are kept in golden/, read by the shell that runs them, and stopping where they should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from packhorse.schedulers.script import Raw, job_script
from scripts.plans import CASES, GOLDEN, JOBS, Case, golden, rendered

SCRIPTS = sorted(GOLDEN.rglob("*.sh"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("dialect", JOBS)
def test_what_a_scheduler_is_told_is_what_the_golden_files_say(case: Case, dialect: str) -> None:
    for name, text in golden(case, dialect).items():
        kept = (GOLDEN / name).read_text(encoding="utf-8")
        assert text == kept, f"{name} is another; python tests/scripts/plans.py writes it anew"


def test_every_golden_file_is_of_a_plan() -> None:
    kept = {str(path.relative_to(GOLDEN)) for path in GOLDEN.rglob("*") if path.is_file()}
    assert kept == {name for dialect in JOBS for case in CASES for name in golden(case, dialect)}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: str(path.relative_to(GOLDEN)))
def test_bash_reads_every_script(path: Path) -> None:
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.shellcheck
def test_shellcheck_has_no_complaint() -> None:
    # A site's own files are not here to be read (1091), and a path may have a $ in it (2016).
    argv = ["shellcheck", "--exclude=1091,2016", *map(str, SCRIPTS)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def run(text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a job that has no other settings."""
    return subprocess.run(
        ["bash", "-s", *arguments],
        input=text,
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_status_of_the_program_is_the_jobs() -> None:
    done = run(job_script([], "x", ["true"], ["sh", "-c", "exit 7"], ["false"]))
    assert (done.returncode, done.stderr) == (7, "")


def test_a_module_that_cannot_be_loaded_ends_the_job_with_its_message(tmp_path: Path) -> None:
    module = "module() { echo \"Unable to locate a modulefile for '$2'\" >&2; return 1; }"
    script = tmp_path / "job.sh"
    script.write_text(job_script([], "x", ["module load r/9"], ["echo", "started"], [module]))
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    first, second, third = done.stderr.splitlines()
    assert first == "Unable to locate a modulefile for 'r/9'"
    assert second == "packhorse: status 1 of a line of setup: module load r/9"
    assert third.startswith("packhorse: the job ended before its program started")


@pytest.mark.parametrize("line", ["test -d /no/such/folder", "(exit 3)", "cd . && grep -q x /dev/null"])
def test_a_line_of_setup_that_fails_without_a_word_is_named_with_its_status(
    line: str, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    script.write_text(job_script([], "x", ["true", line, "echo after"], ["echo", "started"], ["false"]))
    done = subprocess.run(["bash", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3 if "3" in line else 1, "")
    assert f"packhorse: status {done.returncode} of a line of setup: {line}\n" in done.stderr


def test_a_node_without_modules_ends_the_job() -> None:
    done = run(job_script([], "x", ["module load r/4"], ["echo", "started"]))
    assert (done.returncode, done.stdout) == (127, "")
    assert "module: command not found" in done.stderr


def test_a_line_of_the_site_may_fail() -> None:
    done = run(job_script([], "x", [], ["echo", "started"], ["source /no/such/file", "false"]))
    assert (done.returncode, done.stdout) == (0, "started\n")


def test_a_program_that_is_not_there_is_told() -> None:
    done = run(job_script([], "x", ["true"], ["/no/such/python", "--version"]))
    assert done.returncode == 127
    assert "/no/such/python: No such file" in done.stderr


@pytest.mark.parametrize(
    "word", ["two  words", "it's", '"', "$(x)", "`y`", "\\", "λ", "a --b", "*", "{n}", ""]
)
def test_words_reach_the_program_as_they_are(word: str) -> None:
    done = run(job_script([], "x", ["true"], ["printf", "%s|", word, f"--{word}", Raw('"$1"')]), "a  b")
    assert done.stdout == f"{word}|--{word}|a  b|"


def test_nothing_of_the_environment_is_in_a_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "sesame-open")
    case = Case(
        "secret", "env: {DATABASE_PASSWORD: sesame-open}", shows=("job-base.sh", "continue.sh", "submit")
    )
    shown = rendered(case, tmp_path)
    assert len(shown) == 3
    assert not [name for name, text in shown.items() if "sesame" in text]
    assert not [
        path for path in (tmp_path / "study/runs/coverage/waves").iterdir() if "sesame" in path.read_text()
    ]
