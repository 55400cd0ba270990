"""`packhorse script --interactive` on a real terminal: questions with usual answers, asked again where they do not fit."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

import packhorse

COMMAND = Path(sys.executable).parent / "packhorse"
ENTER, CLEAR = "\r", "\x15"


class Person:
    """Somebody at a terminal, who answers questions by their words."""

    def __init__(self, line: str, folder: Path) -> None:
        # A terminal says where its cursor is when it is asked; this one does not, and waiting for that is cut short.
        seen = {**os.environ, "PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm"}
        self.terminal = pexpect.spawn(
            "bash",
            ["-c", line],
            cwd=folder,
            env=seen,
            encoding="utf-8",
            timeout=30,
            dimensions=(50, 150),
            echo=False,
        )

    def says(self, *dialogue: tuple[str, str]) -> None:
        """Wait for the words of each question in turn, and type the answer over the usual one."""
        for words, answer in dialogue:
            self.terminal.expect_exact(words)
            # Lines wrap again when all of the question, with its usual answer, has been drawn.
            self.terminal.expect_exact("\x1b[?7h")
            self.terminal.send(answer)

    def left(self) -> tuple[int | None, str]:
        """Wait for the end; return the exit status, and what was still said."""
        self.terminal.expect(pexpect.EOF)
        self.terminal.close()
        return self.terminal.exitstatus, self.terminal.before


Start = Callable[[str], Person]


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Start]:
    people: list[Person] = []

    def start(words: str) -> Person:
        people.append(Person(f"exec {shlex.quote(str(COMMAND))} script -i {words}", tmp_path))
        return people[-1]

    yield start
    for person in people:
        person.terminal.close(force=True)


def typed(text: str) -> str:
    """Return what a person types to say something else than what stands there."""
    return f"{CLEAR}{text}{ENTER}"


def test_the_usual_answers_make_a_script_that_is_all_of_standard_output(at: Start, tmp_path: Path) -> None:
    person = at("--site testbed > job.sh")
    person.says(
        ("Which site?", ENTER),
        ("Command to run?", typed("python3 fit.py")),
        ("Name of the job?", ENTER),
        ("Which partition?", ENTER),
        ("Time limit?", typed("6 h")),
        ("Number of nodes?", ENTER),
        ("Total processes", ENTER),
        ("Cores on each node?", typed("2")),
        ("Memory on each node?", ENTER),
        ("Job array", ENTER),
        ("Modules to load?", typed("r/4.5.1 openblas")),
        ("Environment", ENTER),
        ("Email address?", ENTER),
        ("File for the script?", typed("")),
    )
    assert person.left()[0] == 0
    wanted = packhorse.script(
        "python3 fit.py",
        site="testbed",
        time="6 h",
        cores=2,
        modules=["r/4.5.1", "openblas"],
        partition="general",
        folder=tmp_path,
    )
    assert (tmp_path / "job.sh").read_text() == wanted.text


def test_what_is_typed_filters_and_what_is_marked_is_taken(at: Start, tmp_path: Path) -> None:
    person = at("'echo hello' > job.sh")
    person.says(("Which site?", f"hec{ENTER}"))
    person.terminal.expect_exact("Which site?")
    person.terminal.expect("hec")
    person.says(("Command to run?", ENTER), ("Name of the job?", ENTER))
    person.terminal.expect("gpu-short|serial")  # partitions of hec
    person.terminal.send("\x03")


def test_what_does_not_fit_is_told_and_asked_again_with_the_answers_given(at: Start, tmp_path: Path) -> None:
    person = at("--site testbed 'echo hello' --partition debug --mail ada@example.org")
    first = [
        ("Which site?", ENTER),
        ("Command to run?", ENTER),
        ("Name of the job?", ENTER),
        ("Which partition?", ENTER),
    ]
    rest = [
        ("Number of nodes?", ENTER),
        ("Total processes", ENTER),
        ("Cores on each node?", ENTER),
        ("Memory on each node?", ENTER),
        ("Job array", ENTER),
        ("Modules to load?", ENTER),
        ("Environment", ENTER),
        ("Email address?", ENTER),
        ("Email at begin, end, fail?", typed("end")),
    ]
    (tmp_path / "echo.sh").write_text("mine")
    person.says(*first, ("Time limit?", typed("5 h")), *rest, ("File for the script?", ENTER))
    person.terminal.expect_exact("the file exists")
    person.terminal.send(typed("job.sh"))
    person.terminal.expect_exact(
        "this job cannot be submitted: the job does not fit testbed: the job asks for 5 h; debug allows 4 h"
    )
    person.says(*first, ("Time limit?", typed("3 h")), *rest, ("File for the script?", ENTER))
    status, said = person.left()
    assert (status, "wrote job.sh" in said) == (0, True)
    assert (tmp_path / "echo.sh").read_text() == "mine"
    text = (tmp_path / "job.sh").read_text()
    assert "#SBATCH --time=0-03:00:00\n" in text
    assert "#SBATCH --mail-type=END\n" in text
    assert text.endswith("\necho hello\n")


def test_an_answer_that_cannot_be_read_is_refused_where_it_is_typed(at: Start) -> None:
    person = at("--site testbed 'echo hello'")
    person.says(
        ("Which site?", ENTER),
        ("Command to run?", ENTER),
        ("Name of the job?", ENTER),
        ("Which partition?", ENTER),
    )
    person.says(("Time limit?", typed("90")))
    person.terminal.expect_exact("The time '90' has no unit")
    person.terminal.send(typed("90 min"))
    person.says(("Number of nodes?", typed("0")))
    person.terminal.expect_exact("write a whole number of at least 1")
    person.terminal.sendintr()
    status, said = person.left()
    assert status == 130
    assert "Traceback" not in said
