"""What the proof says of starts that agree, differ, and differ by chance."""

from __future__ import annotations

import random
import time

import pytest

from packhorse.worker.warm.proof import verdict
from packhorse.worker.warm.reasons import CHANGED, STUCK


def prove(cold: list[bytes], warm: list[bytes]) -> str:
    return verdict([{"output": one} for one in cold], [{"output": one} for one in warm])


@pytest.mark.parametrize(
    ("cold", "warm", "why"),
    [
        ([b"x 1", b"x 1"], [b"x 1", b"x 1"], ""),
        ([b"x 1", b"x 1"], [b"x 1", b"x 2"], CHANGED + " (1 and 2)"),
        ([b"0.123456", b"0.654321"], [b"0.777777", b"0.888888"], ""),
        ([b"0.123456", b"0.654321"], [b"0.777777", b"0.777777"], STUCK),
        ([b"mean 0.1234567 took 1.2", b"mean 0.1234567 took 1.3"], [b"mean 0.1234567 took 0.1", b"mean 0.1234567 took 0.2"], ""),
        ([b"mean 0.1234567 took 1.2", b"mean 0.1234567 took 1.3"], [b"mean 0.7654321 took 0.1", b"mean 0.7654321 took 0.2"], CHANGED + " (0.1234567 and 0.7654321)"),
        ([b"at 10:00:01 begun", b"at 10:00:02 begun"], [b"at 10:00:04 begun", b"at 10:00:04 begun"], ""),
        ([b"<A object at 0x7f01>", b"<A object at 0x7f02>"], [b"<A object at 0x7f03>", b"<A object at 0x7f03>"], ""),
        ([b"one line", b"two more lines"], [b"a", b"b"], ""),
        ([b"one line", b"two more lines"], [b"a", b"a"], STUCK),
        ([b"", b""], [b"", b"x"], CHANGED),
        ([b"0.1234567 of 3", b"0.7654321 of 3"], [b"0.1111111 of 4", b"0.2222222 of 4"], CHANGED + " (3 and 4)"),
        ([b"0.1234567 of 3", b"0.7654321 of 3"], [b"0.1111111 of 4", b"0.2222222 of 5"], ""),
        ([b"2026-11-29T10:00:01 x", b"2026-11-29T10:00:01 x"], [b"2026-11-29T10:00:02 x", b"2026-11-29T10:00:02 x"], ""),
        ([b"run_20261129_100001", b"run_20261129_100002"], [b"run_20261129_100003", b"run_20261129_100003"], ""),
        ([b"took 10:00:01 1", b"took 10:00:01 1"], [b"took 10:00:02 2", b"took 10:00:02 2"], CHANGED + " (1 and 2)"),
    ],
)  # fmt: skip
def test_a_verdict(cold: list[bytes], warm: list[bytes], why: str) -> None:
    assert prove(cold, warm) == (f"the script's output {why}" if why else "")


def test_random_orders_agree_by_chance_in_some_places() -> None:
    source = random.Random(0)

    def shuffled() -> bytes:
        numbers = list(range(100))
        source.shuffle(numbers)
        return repr(numbers).encode()

    for _ in range(50):
        assert prove([shuffled(), shuffled()], [shuffled(), shuffled(), shuffled()]) == ""


def test_files_that_are_missing_differ() -> None:
    with_file, without = {"file a": b"1"}, {}
    assert verdict([with_file, with_file], [with_file, without]) == f"the script's file a {CHANGED}"
    assert verdict([without, without], [with_file, with_file]) == f"the script's file a {CHANGED}"


def test_names_of_files_may_hold_a_time_or_a_random_number() -> None:
    def trace(name: str) -> dict[str, bytes]:
        return {f"file {name}": b"1"}

    times = [trace(f"out-20261129-10000{second}.csv") for second in (1, 1, 2, 3)]
    assert verdict(times[:2], times[2:]) == ""
    assert verdict([trace("out-a1"), trace("out-b2")], [trace("out-c3"), trace("out-d4")]) == ""
    stuck = verdict([trace("out-a1"), trace("out-b2")], [trace("out-c3"), trace("out-c3")])
    assert stuck == f"the script's set of files {STUCK}"


def test_unix_seconds_of_now_are_times() -> None:
    now = int(time.time())
    assert prove([b"%d" % now, b"%d" % now], [b"%d" % (now + 1), b"%d" % (now + 1)]) == ""
    assert prove([b"1234567890"] * 2, [b"1234567891"] * 2) != ""
