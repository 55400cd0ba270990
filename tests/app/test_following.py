"""How often a run on a site is looked at."""

from __future__ import annotations

from packhorse.cluster.monitor import poll_pause


def test_looking_makes_a_run_longer_by_a_tenth_of_a_second_or_a_twentieth() -> None:
    for taken in (0.0, 0.5, 2.0, 5.0, 10.0, 60.0, 86_400.0):
        assert 0.1 <= poll_pause(taken, poll=60.0) <= max(0.1, taken / 20)


def test_a_long_run_is_looked_at_once_a_second() -> None:
    assert poll_pause(3600.0, poll=60.0) == 1.0


def test_a_site_that_answers_often_is_looked_at_as_often() -> None:
    assert poll_pause(3600.0, poll=0.5) == 0.5
