"""All processes of a task count towards its memory and processor time, wherever they have gone."""

from __future__ import annotations

import json
import shutil

import pytest

from packhorse.app.runs.retry import with_resources
from packhorse.project.source import from_file
from running.project import Project

MB = 1000  # in KiB, nearly

# `busy` and `keep` of a process: CPU seconds, and megabytes that stay until the parent has seen them.
SIM = """
    import json, multiprocessing, os, sys, time


    def work(megabytes):
        kept = b"x" * (megabytes * 1_000_000)
        until = time.process_time() + 0.25
        while time.process_time() < until:
            pass
        time.sleep(0.5)
        return len(kept)


    def pool():
        # Forked processes share the parent's 120 MB.
        shared = b"x" * 120_000_000
        with multiprocessing.get_context("fork").Pool(8) as workers:
            return sum(workers.map(work, [15] * 8, chunksize=1)) + len(shared)


    def daemon():
        # A double fork with a session of its own, as services start: nothing of it is below the task's leader.
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                open("size.new", "w").write(str(work(130)))
                os.rename("size.new", "size")
                time.sleep(60)  # it never ends by itself
            os._exit(0)
        os.wait()
        while not os.path.exists("size"):
            time.sleep(0.05)
        return int(open("size").read())


    def run(kind):
        return {"bytes": globals()[kind]()}


    if __name__ == "__main__":
        print(json.dumps(run(sys.argv[1])))
"""

PSOCK = """
    library(parallel)
    cluster <- makeCluster(8)
    sizes <- parSapply(cluster, 1:8, function(i) {
      kept <- numeric(4e6) + i
      begin <- proc.time()[["user.self"]]
      while (proc.time()[["user.self"]] - begin < 0.25) sqrt(kept[1:100])
      Sys.sleep(0.5)
      8 * length(kept)
    })
    stopCluster(cluster)
    cat(sum(sizes), "\\n")
"""


@pytest.mark.parametrize("target", [{"command": "python sim.py {kind}"}, {"function": "sim:run"}])
def test_forked_and_detached_processes_count(project: Project, target: dict[str, str]) -> None:
    project.write(sim_py=SIM).study(**target, parameters={"kind": ["pool", "daemon"]})
    project.run("--jobs", "1")
    used = {kind: (peak, cpu) for kind, peak, cpu in project.rows("kind", "ph_memory", "ph_cpu")}
    (pool, pool_cpu), (daemon, daemon_cpu) = used["pool"], used["daemon"]
    assert 230 * MB < pool < 420 * MB, "the parent's 120 MB once, and 15 MB for each of 8"
    assert pool_cpu > 8 * 0.25
    assert 130 * MB < daemon < 230 * MB
    assert daemon_cpu > 0.25


@pytest.mark.skipif(not shutil.which("Rscript"), reason="R is not installed")
def test_the_workers_of_makecluster_count_and_no_advice_is_below_them(project: Project) -> None:
    study = {"command": "Rscript sim.R {i}", "parameters": {"i": [1]}}
    project.write(sim_R=PSOCK).study(**study, resources={"cpus": 8, "memory": "96 MB"})
    project.run(code=7)
    assert project.failure()["outcome"] == "MEMORY"
    assert json.loads(project.command("efficiency", "--json"))["next"]["memory"] >= 2 * 96
    project.command("retry", "--memory", "2GB")
    ((peak, cpu),) = project.rows("ph_memory", "ph_cpu")
    assert peak > 8 * 32 * MB + 8 * 20 * MB, "32 MB of numbers and an R in each of 8"
    assert cpu > 8 * 0.25
    advice = json.loads(project.command("efficiency", "--json"))["next"]["memory"]
    assert advice * 1024 > peak
    # What was advised before all processes counted: the next request is no longer twice that.
    project.study(**study, resources={"cpus": 8, "memory": "96 MB"})
    resources = with_resources(
        from_file(str(project.path / "study.yaml")), "2x", None, seen_memory=peak / 1024
    )
    assert resources.study.resources.memory * 1024 > peak
