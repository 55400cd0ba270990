"""Energy and carbon of computing, by the formula of Green Algorithms.

Lannelongue, Grealey and Inouye (2021), Green Algorithms: Quantifying the carbon footprint of computation, Advanced
Science 8, 2100707, doi:10.1002/advs.202100707:

    energy = (core hours * power of a core * usage + GB hours * power of a GB) * PUE
    carbon = energy * carbon intensity

PUE is power usage effectiveness: all energy of the data centre over that of its computers. Defaults are those of the
Green Algorithms calculator; a site states better ones.
"""

from __future__ import annotations

from msgspec import Struct

from packhorse.model.site_parts import Energy

CORE_WATTS = 12.0  # a core of any processor (calculator, data/latest/TDP_cpu.csv, model "Any")
LEAST_WATTS, MOST_WATTS = 3.8, 23.8  # the range of cores in the same table
GB_WATTS = 0.3725  # of memory (the paper, section 2)
PUE = 1.56  # Uptime Institute, Global Data Center Survey 2024 (calculator, data/latest/defaults_PUE.csv)
CARBON = 475.0  # g of CO2 equivalents per kWh, mean of the world in 2019 (IEA; calculator, CI_aggregated.csv)
GB = 1024.0  # MiB


class Footprint(Struct, frozen=True, kw_only=True):
    """Energy in kWh and carbon in g of CO2 equivalents, each with its range where the power of a core is not known."""

    energy: float
    energy_low: float
    energy_high: float
    carbon: float
    carbon_low: float
    carbon_high: float


def footprint(core_hours: float, usage: float, gb_hours: float, facts: Energy) -> Footprint:
    """Return what core-hours with a usage (0 to 1) and GB-hours of memory need."""
    pue = PUE if facts.pue is None else facts.pue
    gb = GB_WATTS if facts.memory is None else facts.memory
    carbon = CARBON if facts.carbon is None else facts.carbon
    stated = facts.core
    watts = (CORE_WATTS, LEAST_WATTS, MOST_WATTS) if stated is None else (stated, stated, stated)
    best, low, high = (
        (core_hours * core * min(max(usage, 0.0), 1.0) + gb_hours * gb) * pue / 1000 for core in watts
    )
    return Footprint(
        energy=best,
        energy_low=low,
        energy_high=high,
        carbon=best * carbon,
        carbon_low=low * carbon,
        carbon_high=high * carbon,
    )


def assumptions(facts: Energy) -> list[str]:
    """Return the assumed and stated values as sentences."""
    rows = []
    if facts.core is None:
        rows.append(f"a core takes {CORE_WATTS:g} W (range: {LEAST_WATTS:g} to {MOST_WATTS:g} W); assumed")
    else:
        rows.append(f"a core takes {facts.core:g} W; stated")
    for text, value, default in (
        ("a GB of memory takes {:g} W", facts.memory, GB_WATTS),
        ("the data centre takes {:g} times what its computers take", facts.pue, PUE),
        ("a kWh emits {:g} g of CO2 equivalents", facts.carbon, CARBON),
    ):
        rows.append(
            f"{text.format(default if value is None else value)}; {'assumed' if value is None else 'stated'}"
        )
    return rows
