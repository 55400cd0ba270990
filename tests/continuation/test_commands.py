"""What a scheduler prints when it takes a job, among what a site prints beside it."""

from __future__ import annotations

import pytest

from packhorse.worker.commands import job_number


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
    assert job_number(said) == number
