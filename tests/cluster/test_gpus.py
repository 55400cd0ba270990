"""GPUs on the real cluster (they exist in name only): tasks that share a job have GPUs of their own."""

from __future__ import annotations

import json
import os

import pytest

from cluster.study import Project
from cluster.testbed import Cluster

SEES = """
import os, time

def work(i, seed):
    time.sleep(0.1)
    return {"gpus": os.environ["CUDA_VISIBLE_DEVICES"]}
"""


@pytest.mark.parametrize(("each", "shares"), [(1, ["0", "1", "2", "3"]), (2, ["0,1", "2,3"])])
def test_tasks_that_share_a_whole_node_share_its_gpus_out(
    cluster: Cluster, each: int, shares: list[str]
) -> None:
    project = Project(cluster, tasks=24, more=f"resources: {{gpus: {each}}}", site="whole")
    project.write("work.py", SEES)
    project.write("packhorse-sites/whole.yaml", "extends: testbed\npartitions: {gpu: {whole_nodes: true}}\n")
    project.run("--partition", "gpu")
    seen: dict[int, set[str]] = {}
    for journal in project.journals():
        for line in journal.read_text().splitlines():
            said = json.loads(line)
            if "json" in said:
                seen.setdefault(said["slot"], set()).add(said["json"]["gpus"])
    # Nodes are said to have eight cores; a worker has no more slots than this machine really has.
    slots = min(len(shares), len(os.sched_getaffinity(0)))
    assert seen == {slot: {shares[slot]} for slot in range(slots)}
    assert len(project.rows()) == 24
