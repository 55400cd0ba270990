"""The formula of Green Algorithms, by hand."""

from __future__ import annotations

import pytest

from packhorse.model.site_parts import Energy
from packhorse.plan.energy import assumptions, footprint


def test_the_formula() -> None:
    # 100 core-hours, half used, and 200 GB-hours: (100 x 12 x 0.5 + 200 x 0.3725) x 1.56 = 1052 Wh
    found = footprint(100, 0.5, 200, Energy())
    assert found.energy == pytest.approx(1.05222)
    assert found.carbon == pytest.approx(1.05222 * 475)
    assert found.energy_low == pytest.approx((100 * 3.8 * 0.5 + 74.5) * 1.56 / 1000)
    assert found.energy_high == pytest.approx((100 * 23.8 * 0.5 + 74.5) * 1.56 / 1000)


def test_a_site_states_its_own() -> None:
    facts = Energy(core=10, memory=0.5, pue=1.1, carbon=20)
    found = footprint(100, 3.0, 200, facts)  # a usage above 1 is a measurement of more threads than cores
    assert found.energy == found.energy_low == found.energy_high == pytest.approx((1000 + 100) * 1.1 / 1000)
    assert found.carbon == pytest.approx(1.21 * 20)
    assert all(row.endswith("stated") for row in assumptions(facts))
    assert all(row.endswith("assumed") for row in assumptions(Energy()))
