"""Simulation-based calibration of a right sampler and of wrong ones."""

from __future__ import annotations

import numpy as np
import pytest

from packhorse import check
from packhorse.check import Verdict
from packhorse.model.errors import UsageError


def ranks(
    seed: int, *, shift: float = 0.0, width: float = 1.0, number: int = 400, draws: int = 99
) -> dict[str, np.ndarray]:
    """Return ranks for a normal mean with a normal prior, whose posterior is normal; `shift` and `width` are mistakes."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=number)
    y = mean + rng.normal(size=number)
    posterior = y[:, None] / 2 + shift + width * np.sqrt(0.5) * rng.normal(size=(number, draws))
    return {"rank": (posterior < mean[:, None]).sum(axis=1)}


def test_a_right_sampler_passes_and_wrong_ones_are_described() -> None:
    assert check.uniform_ranks(ranks(1), "rank", 99).passed
    biased = check.uniform_ranks(ranks(1, shift=0.3), "rank", 99)
    assert biased.failed
    assert "below the posterior" in biased.sentence
    assert "too narrow" in check.uniform_ranks(ranks(1, width=0.7), "rank", 99).sentence
    assert "too wide" in check.uniform_ranks(ranks(1, width=1.4), "rank", 99).sentence


def test_the_band_is_simultaneous() -> None:
    rng = np.random.default_rng(2)
    alarms = sum(
        check.uniform_ranks({"rank": rng.integers(0, 100, 200)}, "rank", 99).failed for _ in range(100)
    )
    assert 0 < alarms <= 13  # 5 on average; more than 13 has a probability of 0.05 %


def test_the_band_agrees_with_brute_force() -> None:
    finding = check.uniform_ranks(ranks(3, number=100), "rank", 99)
    band = finding.picture
    assert band is not None
    samples = np.random.default_rng(4).integers(0, 100, size=(4000, 100))
    at = np.array(band.x)
    ecdf = np.array([[(one < x * 100 - 1e-9).mean() - x for x in at] for one in samples])
    inside = ((ecdf >= np.array(band.low) - 1e-12) & (ecdf <= np.array(band.high) + 1e-12)).all(axis=1)
    assert inside.mean() == pytest.approx(0.95, abs=0.02)


def test_few_ranks_cannot_tell_and_bad_ones_are_refused() -> None:
    assert check.uniform_ranks(ranks(1, number=20), "rank", 99).verdict is Verdict.UNDECIDED
    with pytest.raises(UsageError, match="from 0 to 9"):
        check.uniform_ranks(ranks(1), "rank", 9)
