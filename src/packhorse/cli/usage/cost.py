"""packhorse cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from packhorse.app.usage.cost import CostReport, RunCost, cost
from packhorse.cli.output import NO_RUN, json_option, print_json, run_argument, say
from packhorse.model.site_parts import Energy
from packhorse.text.amounts import counted, hours


@click.command(name="cost")
@run_argument
@click.option("--all", "everything", is_flag=True, help="All runs below runs/, and their sum.")
@click.option(
    "--watts", type=click.FloatRange(0, min_open=True), help="Power of a core (default: the site's, or 12 W)."
)
@click.option("--pue", type=click.FloatRange(1), help="Energy of the data centre over that of its computers.")
@click.option("--carbon", type=click.FloatRange(0), help="Grams of CO2 equivalents for a kWh.")
@click.option("--price", type=click.FloatRange(0), help="Price of a core-hour.")
@json_option
def cost_command(
    run: str | None,
    everything: bool,
    watts: float | None,
    pue: float | None,
    carbon: float | None,
    price: float | None,
    as_json: bool,
) -> None:
    """Show what runs have used: core-hours, energy, carbon, and money where a price is known.

    Energy and carbon are estimates by the formula of Green Algorithms; every assumption is shown.
    """
    stated = Energy(core=watts, pue=pue, carbon=carbon, price=price)
    report = cost(Path.cwd(), run, everything=everything, stated=stated)
    if as_json:
        print_json(report)
        return
    if not report.runs and not report.left_out:
        say(NO_RUN)
    for row in _lines(report, everything=everything):
        say(row)


def _lines(report: CostReport, *, everything: bool) -> Iterator[str]:
    for one in report.runs:
        yield f"{Path(one.run).name} on {one.site}: {hours(one.core_hours)} core-hours{_money(one)}"
        yield f"  {_energy(one.energy)}{_range(one.energy_low, one.energy_high, _energy)}"
        yield f"  {_carbon(one.carbon)} of CO2 equivalents{_range(one.carbon_low, one.carbon_high, _carbon)}"
        yield f"  cores computed {one.usage:.0%} of the time; memory {one.gb_hours:.2g} GB-hours"
        if one.gpus:
            yield f"  the energy of {counted(one.gpus, 'GPU')} per task is not counted"
        if not everything:
            yield from (f"  {row}" for row in one.assumed)
    if everything and report.runs:
        money = "".join(f", {amount:,.2f} {name}".rstrip() for name, amount in report.money.items())
        total = f"{hours(report.core_hours)} core-hours, {_energy(report.energy)}, {_carbon(report.carbon)}"
        yield f"{counted(len(report.runs), 'run')}: {total} of CO2 equivalents{money}"
    for path, why in report.left_out.items():
        yield f"not counted: {Path(path).name}: {why}"
    if report.runs:
        yield "energy and carbon are estimates: doi.org/10.1002/advs.202100707"


def _money(one: RunCost) -> str:
    return "" if one.money is None else f", {one.money:,.2f} {one.currency}".rstrip()


def _range(low: float, high: float, shown: Callable[[float], str]) -> str:
    return f" ({shown(low)} to {shown(high)})" if high > low else ""


def _energy(kwh: float) -> str:
    return f"{kwh:,.3g} kWh" if kwh >= 1 else f"{1000 * kwh:.2g} Wh"


def _carbon(grams: float) -> str:
    return f"{grams / 1000:,.3g} kg" if grams >= 1000 else f"{grams:.2g} g"
