"""packhorse cost, through the installed command."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., CompletedProcess[str]]


def test_cost_of_one_run_and_of_all(tmp_path: Path, packhorse: Run) -> None:
    assert "no run" in packhorse("cost", "--all").stdout
    (tmp_path / "sim.py").write_text("import time; time.sleep(0.3); print('{\"x\": 1}')")
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text(
            f"name: {name}\ncommand: python sim.py\nreplicates: 3\nresources: {{memory: 1 GB}}\n"
        )
        packhorse("run", f"{name}.yaml")
    report = json.loads(
        packhorse("cost", "one", "--watts", "10", "--pue", "1", "--price", "0.5", "--json").stdout
    )
    (one,) = report["runs"]
    held = json.loads(packhorse("efficiency", "one", "--json").stdout)["waves"][0]["held"]
    assert one["core_hours"] == pytest.approx(held / 3600)
    assert one["gb_hours"] == pytest.approx(one["core_hours"])  # a core and a GB for each task
    wh = one["core_hours"] * (10 * one["usage"] + 0.3725)
    assert one["energy"] == one["energy_high"] == pytest.approx(wh / 1000)
    assert one["carbon"] == pytest.approx(wh / 1000 * 475)
    assert one["money"] == pytest.approx(0.5 * one["core_hours"])

    text = packhorse("cost", "one").stdout
    assert "a core takes 12 W (range: 3.8 to 23.8 W); assumed" in text
    assert "doi.org/10.1002/advs.202100707" in text
    (tmp_path / "broken.yaml").write_text("name: broken\ncommand: python absent.py\nchecks: ['false']\n")
    packhorse("run", "broken.yaml")
    every = packhorse("cost", "--all").stdout
    assert "\n2 runs: " in every, every
    both = packhorse("cost", "one", "--all")
    assert both.returncode != 0
    assert "packhorse cost --all" in both.stderr


def test_a_site_of_the_user_states_its_energy(tmp_path: Path, packhorse: Run) -> None:
    settings = {"XDG_CONFIG_HOME": str(tmp_path / "config")}
    folder = tmp_path / "config" / "packhorse" / "sites"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text(
        "scheduler: slurm\nenergy: {core: 7, pue: 1.1, price: 0.02, currency: EUR}\n"
    )
    shown = packhorse("sites", "show", "mine", "-v", env=settings).stdout
    assert "power of a core: 7 W" in shown
    assert "price of a core-hour: 0.02 EUR" in shown
    (folder / "mine.yaml").write_text("scheduler: slurm\nenergy: {pue: 0.9}\n")
    wrong = packhorse("sites", "show", "mine", env=settings)
    assert wrong.returncode != 0
    assert "mine.yaml:2" in wrong.stderr
