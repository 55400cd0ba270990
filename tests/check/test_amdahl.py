"""Serial fractions by Amdahl's law: known ones are recovered, and where nothing can be told that is said."""

from __future__ import annotations

import numpy as np
import pytest

from packhorse import check


@pytest.mark.parametrize("serial", [0.0, 0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("most", [2, 16])
def test_known_fractions_are_recovered(serial: float, most: int) -> None:
    rng = np.random.default_rng(1)
    cores = [p for p in (1, 2, 4, 8, 16) if p <= most for _ in range(3)]
    near, covered = 0, 0
    for _ in range(100):
        seconds = [10 * (serial + (1 - serial) / p) * np.exp(0.01 * rng.normal()) for p in cores]
        found = check.serial_fraction(cores, seconds)
        assert not found.undecided
        near += abs(found.serial - serial) < 0.03
        covered += found.low <= serial <= found.high
    assert near >= 97
    assert covered >= 87  # 95 % of 100, less four standard errors


def test_what_cannot_be_told_is_said() -> None:
    assert "two are the least" in check.serial_fraction([2, 2], [1.0, 1.1]).undecided
    assert "no measure of its error" in check.serial_fraction([1, 2], [1.0, 0.6]).undecided
    assert "too wide" in check.serial_fraction([1, 1, 2, 2], [1.0, 1.5, 0.6, 1.0]).undecided
    assert "slower" in check.serial_fraction([1, 1, 2, 2], [1.0, 1.01, 1.5, 1.5]).undecided
    cores = [1, 1, 2, 2, 4, 4]
    assert "do not follow" in check.serial_fraction(cores, [1, 1.01, 0.4, 0.41, 0.95, 0.96]).undecided


def test_cores_that_are_worth_it() -> None:
    found = check.Amdahl(serial=0.1, low=0.1, high=0.1)
    assert found.cores_worth(0.5) == 11  # 1 / (11 x 0.1 + 0.9) = 0.5
    assert found.speed_up(11) == pytest.approx(5.5)
    assert check.Amdahl(serial=0.0, low=0.0, high=0.1).cores_worth(0.5) is None
