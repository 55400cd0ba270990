"""Times, sizes, dates and exit statuses as TORQUE and OpenPBS write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.schedulers.pbs.exit_status import own_end
from packhorse.schedulers.pbs.job_ids import job_id, listed
from packhorse.schedulers.quantities import clock, mebibytes, moment, seconds


@given(st.integers(0, 10**7))
def test_a_time_is_read_as_it_was_written(duration: int) -> None:
    assert seconds(clock(duration)) == duration


@pytest.mark.parametrize(("text", "said"), [("01:02:03", 3723), ("1:01:02:03", 90123), ("90", 90), ("168:00:00", 604800), ("", None), ("UNLIMITED", None), ("1:2", None), ("-1", None)])  # fmt: skip
def test_times(text: str, said: int | None) -> None:
    assert seconds(text) == said


@pytest.mark.parametrize(("text", "said"), [("8gb", 8192), ("6676kb", 7), ("512mb", 512), ("1tb", 1 << 20), ("2097152", 2), ("100MB", 100), ("0kb", None), ("0b", None), ("", None), ("lots", None)])  # fmt: skip
def test_sizes(text: str, said: int | None) -> None:
    assert mebibytes(text) == said


@pytest.mark.parametrize(("text", "said"), [("Sat Nov 21 23:15:21 2026", "2026-11-21T23:15:21"), ("Sun Mar  1 00:00:00 2026", "2026-03-01T00:00:00"), ("Sam Mär 1 00:00:00 2026", ""), ("", "")])  # fmt: skip
def test_dates(text: str, said: str) -> None:
    assert moment(text) == said


@pytest.mark.parametrize(("code", "said"), [(0, ("done", 0, None)), (1, ("failed", 1, None)), (127, ("failed", 127, None)), (137, ("failed", None, 9)), (200, ("failed", 200, None)), (255, ("failed", 255, None)), (265, ("failed", None, 9)), (-3, ("failed", None, None))])  # fmt: skip
def test_a_status_is_the_scripts_own_or_a_signal(code: int, said: tuple[str, int | None, int | None]) -> None:
    assert own_end(code) == said


@pytest.mark.parametrize("text", ["", "x", "26[", "26[3", "26_3", "26[a].x", "26 .x", ".x"])
def test_what_is_no_number_of_a_job(text: str) -> None:
    assert job_id(text) is None


def test_a_table_that_nobody_can_read_is_no_empty_queue() -> None:
    row = "26[].pbs01 alice batch arr.sh -- 1 1 -- 01:00:00 R 01:00:00\n"
    assert listed(f"head\n------\n{row}") == [("26[]", "R")]
    assert listed("") == []
    assert listed("maintenance\n") is None
    assert listed(f"head\n------\n{row}something else\n") is None
