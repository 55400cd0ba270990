"""Memory and time as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.errors import StudyError
from packhorse.text.units import duration, duration_text, memory, memory_text


@pytest.mark.parametrize(
    ("text", "mib"),
    [
        ("1.5 GB", 1536),
        ("1.5GiB", 1536),
        ("512M", 512),
        ("2G", 2048),
        ("2 g", 2048),
        ("100 MB", 100),
        ("1 TB", 1024**2),
        ("1 KB", 1),
        ("1025 K", 2),
        ("1048577 bytes", 2),
        ("0.1 GB", 103),
    ],
)
def test_memory_units_are_binary_and_round_up(text, mib):
    assert memory(text) == mib


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90 min", 5400),
        ("2h", 7200),
        ("1.5 h", 5400),
        ("30 s", 30),
        ("2 days", 172800),
        ("2-15:59:00", 2 * 86400 + 15 * 3600 + 59 * 60),
        ("1-0", 86400),
        ("1-12:30", 86400 + 12 * 3600 + 1800),
        ("01:30:00", 5400),
        ("100:00:00", 360000),
        ("1h30m", 5400),
        ("1 day 2 h", 93600),
        ("500 ms", 0.5),
        ("1 week", 604800),
    ],
)
def test_durations_as_people_write_them(text, seconds):
    assert duration(text) == seconds
    assert type(duration(text)) is type(seconds)


def test_bare_numbers_are_refused_with_both_readings():
    with pytest.raises(StudyError) as caught:
        duration("90")
    assert "90 minutes" in caught.value.message
    assert "90 seconds" in caught.value.message
    assert caught.value.hint == "Write '90 min' or '90 s'."
    with pytest.raises(StudyError) as caught:
        memory("4000")
    assert "4000 MB" in caught.value.message
    assert "4000 bytes" in caught.value.message


def test_two_numbers_of_a_clock_are_refused_with_both_readings():
    with pytest.raises(StudyError) as caught:
        duration("90:00")
    assert "90 min 00 s" in caught.value.message
    assert "90 h 00 min" in caught.value.message
    assert duration("90 min 00 s") == 5400


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fast",
        "1:2:3:4",
        "1-25:00",
        "10:99:00",
        "3 parsecs",
        "5 s 2 h",
        "0 s",
        "-5 min",
        "9" * 500 + " h",
        "1e3 s",
    ],
)
def test_nonsense_is_no_duration(text):
    with pytest.raises(StudyError):
        duration(text)


@pytest.mark.parametrize(
    "text", ["", "lots", "1.5 XB", "0 GB", "-1 GB", "9" * 500 + " GB", "999999999999999 PB", "1 G B"]
)
def test_nonsense_is_no_memory(text):
    with pytest.raises(StudyError):
        memory(text)


@given(st.integers(1, 2**40 - 1))
def test_memory_round_trips(mib):
    assert memory(memory_text(mib)) == mib


@given(st.integers(1, 10**8))
def test_durations_round_trip(seconds):
    assert duration(duration_text(seconds)) == seconds


@given(st.integers(1, 10**10))
def test_durations_round_trip_to_the_microsecond(microseconds):
    assert duration(duration_text(microseconds / 10**6)) == pytest.approx(microseconds / 10**6, abs=1e-9)


@given(st.text(max_size=20))
def test_any_text_is_an_amount_or_a_study_error(text):
    for read in (duration, memory):
        try:
            amount = read(text)
        except StudyError as error:
            amount = len(error.hint)
        assert amount > 0
