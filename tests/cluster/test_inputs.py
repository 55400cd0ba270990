"""Shared inputs on Slurm: functions and scripts map them on each node, and their table is that of a run here."""

from __future__ import annotations

import json
from pathlib import Path

import numpy
import polars

from cluster.testbed import Cluster

CODE = """
from packhorse import task

def f(n, weights):
    again = task.input("weights")
    return {"w": float(weights[n]), "same": bool(again[n] == weights[n]), "write": bool(weights.flags.writeable)}

if __name__ == "__main__":
    task.result(**f(task.params.n, task.input("weights")))
"""


def test_functions_and_scripts_map_their_inputs_on_the_nodes(cluster: Cluster) -> None:
    folder = cluster.workspace("alice")
    (folder / "model.py").write_text(CODE)
    numpy.save(folder / "weights.npy", numpy.arange(100) / 4)
    keys = {
        "parameters": {"n": {"range": [60]}},
        "inputs": {"weights": "weights.npy"},
        "resources": {"time": "2 min", "memory": "200 MB"},
    }
    python = str(cluster.directory / "packhorse/current/bin/python")  # it has NumPy
    studies = {
        "functions": {**keys, "function": "model:f", "environment": {"python": python}},
        "scripts": {**keys, "command": f"{python} model.py {{n}}"},
    }
    for name, study in studies.items():
        (folder / f"{name}.yaml").write_text(json.dumps(study))
    cluster.give("alice", folder, *folder.rglob("*"))
    for name in studies:
        done = cluster.run(
            "alice", ["packhorse", "run", f"{name}.yaml", "--site", "testbed"], cwd=folder, timeout=200
        )
        assert done.returncode == 0, (done.stdout, done.stderr)
        check(folder / "runs" / name)


def check(run: Path) -> None:
    """Check a run's table, and that its inputs are its data."""
    rows = polars.read_parquet(run / "results.parquet").select("w", "same", "write").rows()
    assert rows == [(n / 4, True, False) for n in range(60)]
    data = json.loads((run / "provenance.json").read_text())["data"]
    assert set(data) == {"weights.npy"}
