"""A partition whose jobs make way for others': a study there ends with a complete and correct table, and says what happened."""

from __future__ import annotations

import pytest

from cluster.study import Project
from cluster.testbed import Cluster

SITE = """\
extends: testbed
partitions:
  low: {nodes: 4, cores: 8, memory: 16000 MiB, default_time: 1 h, max_time: 7 days}
"""


@pytest.mark.parametrize("how", ["REQUEUE", "CANCEL"])
def test_jobs_make_way_for_those_of_somebody_else(cluster: Cluster, how: str) -> None:
    with cluster.partition("low", "PriorityTier=0", f"PreemptMode={how}"):
        project = Project(cluster, seconds=0.02, site="spare")
        project.write("packhorse-sites/spare.yaml", SITE)
        project.detach("--partition", "low")
        project.until("all its workers are at work", lambda: len(project.journals(1)) == 4)
        project.until("tasks are being done", lambda: project.records() > 200)
        words = ["--partition=general", "--nodes=2", "--exclusive", "--output=/dev/null", "--wrap=sleep 2"]
        theirs = cluster.run("bob", ["sbatch", "--parsable", *words])
        assert theirs.returncode == 0, theirs.stderr
        assert cluster.ended(theirs.stdout.strip()) == ["COMPLETED"]
        again = "1-*-1-*.ndjson" if how == "REQUEUE" else "2-*.ndjson"
        project.until("the rest is being done", lambda: list((project.path / "journal").glob(again)), 240)
        project.hurry()
        project.until_over()
        assert project.stopped()["why"] == "done"
        project.collect()
        # What is started again takes up its own; what is cancelled leaves a rest for another wave.
        starts = {path.name.split("-")[2] for path in project.journals(1)}
        assert (starts, project.waves()) == (({"0", "1"}, [1]) if how == "REQUEUE" else ({"0"}, [1, 2]))
        if cluster.accounting:
            project.until("status tells of it", lambda: "; jobs: 2 preempted" in project.told(), 30)
