"""What a scheduler prints when it takes a job, among what a site prints beside it."""

from __future__ import annotations

import pytest

from packhorse.worker.waves.scheduler_commands import fill_command, matches, parse_job_id, placeholders


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("85\n", "85"),
        ("85;cluster\n", "85"),
        ("a notice of the site\n85;cluster\n", "85"),
        ("85\n3 jobs left today\n", "85"),
        ("85[].server.example\n", "85[].server.example"),
        ("3 jobs left today\n", ""),
        ("", ""),
    ],
)
def test_the_number_is_told_from_notices(said: str, number: str) -> None:
    assert parse_job_id(said) == number


@pytest.mark.parametrize(
    ("elements", "argv"),
    [
        (0, ["qsub", "-v1", "s"]),
        (1, ["qsub", "-o0", "-t0", "-v1", "s"]),
        (3, ["qsub", "-o^i^", "-t2", "-v1", "s"]),
    ],
)
def test_arguments_with_nothing_to_say_are_left_out(elements: int, argv: list[str]) -> None:
    template = [
        "qsub",
        "{many?}-o^i^",
        "{single?}-o0",
        "-t{last}",
        "-W{job}",
        "-v{wave}",
        "-x{exclude}",
        "{script}",
    ]
    assert fill_command(template, placeholders("s", 1, "token", elements=elements)) == argv


def test_what_is_printed_is_searched_part_by_part() -> None:
    said = "job_state = C\nexit_status = 0\n\njob_state = C\n"
    assert matches(r"\A(?![\s\S]*exit_status)", said)
    assert not matches(r"\A(?![\s\S]*exit_status)", said.replace("\n\n", "\n"))
    assert matches("^exit_status = 0$", said)
    assert not matches("^exit_status = 27$", said)
