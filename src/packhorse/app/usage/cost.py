"""What runs have used: core-hours, energy, carbon, and money where the site states a price."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import fields, replace

from packhorse.app.inspect.efficiency import Efficiency, efficiency
from packhorse.model.errors import PackhorseError, RunError, UsageError
from packhorse.model.json_output import JsonOutput
from packhorse.model.site_parts import Energy
from packhorse.plan.energy import GB, Footprint, assumptions, footprint
from packhorse.project.sites import find_site
from packhorse.results.efficiency import WaveUse, seen_memory
from packhorse.rundir.directory import RunDirectory, find_run, list_runs
from packhorse.rundir.submissions import Submissions


class RunCost(Struct, frozen=True, kw_only=True):
    """What one run has used. Energy in kWh, carbon in g of CO2 equivalents."""

    run: Annotated[str, Meta(description="Path of the run directory.")]
    site: Annotated[str, Meta(description="Where it ran; local: on this machine.")]
    core_hours: Annotated[float, Meta(description="Core-hours that its workers held, also for failed tasks.")]
    usage: Annotated[float, Meta(description="The part of them that computed, 0 to 1.")]
    gb_hours: Annotated[float, Meta(description="GB-hours of memory, requested or else measured.")]
    gpus: Annotated[int, Meta(description="GPUs of a task, whose energy is not counted.")] = 0
    energy: Annotated[float, Meta(description="Estimated kWh.")]
    energy_low: Annotated[float, Meta(description="The least, by the assumed range of cores.")]
    energy_high: Annotated[float, Meta(description="The most, by the assumed range of cores.")]
    carbon: Annotated[float, Meta(description="Estimated g of CO2 equivalents.")]
    carbon_low: Annotated[float, Meta(description="The least, by the assumed range of cores.")]
    carbon_high: Annotated[float, Meta(description="The most, by the assumed range of cores.")]
    money: Annotated[float | None, Meta(description="Core-hours times the site's price; null: no price.")]
    currency: Annotated[str, Meta(description="The currency of the price.")]
    assumed: Annotated[tuple[str, ...], Meta(description="The values of the estimate.")]


class CostReport(JsonOutput, frozen=True, kw_only=True, tag="packhorse-cost/1"):
    """What runs have used."""

    runs: Annotated[tuple[RunCost, ...], Meta(description="Each run.")]
    core_hours: Annotated[float, Meta(description="Core-hours of all of them.")]
    energy: Annotated[float, Meta(description="Estimated kWh of all of them.")]
    carbon: Annotated[float, Meta(description="Estimated g of CO2 equivalents of all of them.")]
    money: Annotated[dict[str, float], Meta(description="Price of those with a price, by currency.")]
    left_out: Annotated[
        dict[str, str], Meta(description="Runs that are not counted, and why, by their paths.")
    ]


def cost(where: Path, name: str | None, *, everything: bool, stated: Energy) -> CostReport:
    """Return what a run (None: the newest) has used, or with `everything` all runs below a folder.

    `stated` overrides what the sites state. Raises UsageError without a run, RunError where no task has ended.
    """
    if everything and name is not None:
        raise UsageError("--all is for all runs, and a run is named too", "packhorse cost --all")
    if not everything:
        run = find_run(where, name)
        return _report([_run_cost(run, efficiency(where, str(run.path)), stated)], {})
    costs, left_out = [], {}
    for run in list_runs(where):
        try:
            costs.append(_run_cost(run, efficiency(where, str(run.path)), stated))
        except RunError as error:
            left_out[str(run.path)] = error.message
    return _report(costs, left_out)


def _report(costs: list[RunCost], left_out: dict[str, str]) -> CostReport:
    money: dict[str, float] = {}
    for one in costs:
        if one.money is not None:
            money[one.currency] = money.get(one.currency, 0.0) + one.money
    return CostReport(
        runs=tuple(costs),
        core_hours=math.fsum(one.core_hours for one in costs),
        energy=math.fsum(one.energy for one in costs),
        carbon=math.fsum(one.carbon for one in costs),
        money=money,
        left_out=left_out,
    )


def _run_cost(run: RunDirectory, used: Efficiency, stated: Energy) -> RunCost:
    site, facts = _site_of(run)
    facts = _overridden(facts, stated)
    core_hours = math.fsum(wave.held for wave in used.waves) / 3600
    cpu_hours = math.fsum(wave.used.cpu for wave in used.waves) / 3600
    usage = min(1.0, cpu_hours / core_hours) if core_hours else 0.0
    gb_hours = math.fsum(map(_gb_hours, used.waves))
    made = footprint(core_hours, usage, gb_hours, facts)
    return RunCost(
        run=str(run.path),
        site=site,
        core_hours=core_hours,
        usage=usage,
        gb_hours=gb_hours,
        gpus=used.asked.gpus,
        **{field.name: getattr(made, field.name) for field in fields(Footprint)},
        money=None if facts.price is None else core_hours * facts.price,
        currency=facts.currency,
        assumed=tuple(assumptions(facts)),
    )


def _gb_hours(wave: WaveUse) -> float:
    """Return the GB-hours of a wave: what its tasks requested, else the most that one was seen to use."""
    memory = wave.given.memory or seen_memory(wave)
    return wave.held / 3600 / wave.given.cpus * memory / GB


def _site_of(run: RunDirectory) -> tuple[str, Energy]:
    """Return the name of a run's site, and what the site states now; else what it stated when the run was submitted."""
    cluster = Submissions(run).cluster()
    name = "local" if cluster is None else cluster.site.name
    try:
        return name, find_site(name, run.path.parent.parent, retired=True).energy
    except PackhorseError:
        return name, Energy() if cluster is None else cluster.site.energy


def _overridden(facts: Energy, stated: Energy) -> Energy:
    given = {
        name: value
        for name in ("core", "memory", "pue", "carbon", "price")
        if (value := getattr(stated, name)) is not None
    }
    return replace(facts, **given)
