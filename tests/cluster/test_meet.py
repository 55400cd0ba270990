"""On a real Slurm, too, tasks never meet, and each finds the root of its own copy."""

from __future__ import annotations

import csv
import json

from cluster.study import Project
from cluster.testbed import Cluster

SCRIPT = """
root=$(git rev-parse --show-toplevel)
here=$PWD; while [ ! -e "$here/.here" ] && [ "$here" ]; do here=${here%/*}; done
echo "$1" >> "$root/all.txt"
sum=$(awk '{s += $1} END {print s}' "$here/all.txt")
printf '{"y": %s, "root": "%s", "here": "%s", "head": "%s"}\\n' "$sum" "$root" "$here" "$(git rev-parse HEAD)"
mv sim.sh used.sh; chmod 500 .
"""
STUDY = "name: work\ncommand: sh sim.sh {i}\nresult: json\nparameters: {i: {range: [1, 61]}}\n"


def test_tasks_on_nodes_never_meet_and_find_their_copy(cluster: Cluster) -> None:
    project = Project(cluster, tasks=60)
    project.write("study.yaml", STUDY)
    project.write("sim.sh", SCRIPT)
    project.write(".here", "")
    project.write(".gitignore", ".here\nruns\n")
    name = project.folder.name
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "first"]):
        assert cluster.run(project.user, [*git, *words], cwd=project.folder).returncode == 0
    head = cluster.run(project.user, ["git", "rev-parse", "HEAD"], cwd=project.folder).stdout.strip()
    assert project.run()["done"] == 60
    with (project.path / "results.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["y"]) for row in rows] == list(range(1, 61))
    for row in rows:
        assert row["root"] == row["here"], row
        assert row["root"].endswith(f"/code/{name}")
        assert not row["root"].startswith(str(project.folder))
        assert row["head"] == head
    assert not (project.folder / "all.txt").exists()
    said = json.loads(project.packhorse("status", "work", "--json").stdout)
    assert said["done"] == 60
