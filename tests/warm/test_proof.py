"""What the proof says of starts that agree, differ, and differ by chance."""

from __future__ import annotations

import random

import pytest

from packhorse.worker.warm.proof import verdict

CHANGED = "is the same in cold starts and another in warm ones"
STUCK = "differs between cold starts and not between warm ones"


def prove(cold: list[bytes], warm: list[bytes]) -> str:
    return verdict([{"output": one} for one in cold], [{"output": one} for one in warm])


@pytest.mark.parametrize(
    ("cold", "warm", "why"),
    [
        ([b"x 1", b"x 1"], [b"x 1", b"x 1"], ""),
        ([b"x 1", b"x 1"], [b"x 1", b"x 2"], CHANGED),
        ([b"0.123456", b"0.654321"], [b"0.777777", b"0.888888"], ""),
        ([b"0.123456", b"0.654321"], [b"0.777777", b"0.777777"], STUCK),
        ([b"mean 0.1234567 took 1.2", b"mean 0.1234567 took 1.3"], [b"mean 0.1234567 took 0.1", b"mean 0.1234567 took 0.2"], ""),
        ([b"mean 0.1234567 took 1.2", b"mean 0.1234567 took 1.3"], [b"mean 0.7654321 took 0.1", b"mean 0.7654321 took 0.2"], CHANGED),
        ([b"at 10:00:01 begun", b"at 10:00:02 begun"], [b"at 10:00:04 begun", b"at 10:00:04 begun"], ""),
        ([b"<A object at 0x7f01>", b"<A object at 0x7f02>"], [b"<A object at 0x7f03>", b"<A object at 0x7f03>"], ""),
        ([b"one line", b"two more lines"], [b"a", b"b"], ""),
        ([b"one line", b"two more lines"], [b"a", b"a"], STUCK),
        ([b"", b""], [b"", b"x"], CHANGED),
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
