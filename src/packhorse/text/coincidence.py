"""Tell numbers that two independent computations hardly share from those that repeat by chance."""

from __future__ import annotations

import math
from fractions import Fraction

DIGITS = 6
DENOMINATOR = 10_000


def is_evidence(value: float | None) -> bool:
    """Return whether two independent computations are unlikely to agree on this value by chance."""
    if value is None or not math.isfinite(value) or value == int(value):
        return False
    if float(f"{value:.{DIGITS}g}") == value:
        return False
    near = Fraction(value).limit_denominator(DENOMINATOR)
    return near.numerator / near.denominator != value
