"""An R script with mclapply, sent to Slurm by the change of one line."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from cluster.testbed import Cluster

EXAMPLE = Path(__file__).parents[2] / "examples" / "parallel-r"
ONE_LINE = "mclapply-packhorse.R"


@pytest.mark.r
def test_one_changed_line_takes_mclapply_to_slurm(cluster: Cluster) -> None:
    folder = cluster.workspace("alice")
    scripts = {"here.R": "", "there.R": '; ph_options(site = "testbed", time = "2 min", memory = "200 MB")'}
    for name, more in scripts.items():
        text = (EXAMPLE / ONE_LINE).read_text()
        changed = re.sub(r"^(source.*?\))(; mclapply)", rf"\1{more}\2", text, flags=re.M)
        assert (changed != text) == bool(more)
        (folder / name).write_text(changed)
        cluster.give("alice", folder / name)
    tables = []
    for name in scripts:
        done = cluster.run("alice", ["Rscript", name], cwd=folder, timeout=200)
        assert done.returncode == 0, (done.stdout, done.stderr)
        tables.append((folder / "power.csv").read_text())
        (folder / "power.csv").unlink()
        if name == "here.R":  # the same calls are not run twice, here or there
            cluster.run("alice", ["rm", "-r", "packhorse-calls"], cwd=folder)
    assert tables[0] == tables[1], "the same seed gives the same numbers here and there"
    again = cluster.run("alice", ["Rscript", "there.R"], cwd=folder, timeout=60)
    assert again.returncode == 0, again.stderr
    assert (folder / "power.csv").read_text() == tables[0]
    assert waves(folder) == ["1"], "nothing was submitted again"


def waves(folder: Path) -> list[str]:
    """Return the waves of the only study that R has written."""
    (run,) = (folder / "packhorse-calls").glob("*/runs/*/run.json")
    return [path.parent.name for path in run.parent.glob("waves/*/plan.json")]


CALL = """
source(system("packhorse r", intern = TRUE))
ph_options(site = "testbed", time = "2 min", memory = "200 MB")
twice <- function(k) { Sys.sleep(2); if (k == 3) stop("three"); list(twice = 2 * k, node = Sys.getenv("HOME")) }
"""


@pytest.mark.r
def test_another_session_of_r_fetches_what_one_has_submitted(cluster: Cluster) -> None:
    folder = cluster.workspace("alice")
    scripts = {
        "submit.R": "print(ph_map(twice, list(k = 1:2), detach = TRUE))",
        "fetch.R": "cat(ph_map(twice, list(k = 1:2))$twice)",
        "both.R": "cat(ph_collect(ph_map(twice, list(k = 1:4), errors = 'keep', detach = TRUE))$value[[4]]$twice)",
        "fails.R": "ph_map(twice, list(k = 1:3))",
    }
    for name, text in scripts.items():
        (folder / name).write_text(CALL + text)
        cluster.give("alice", folder / name)
    submitted = cluster.run("alice", ["Rscript", "submit.R"], cwd=folder)
    assert submitted.returncode == 0, submitted.stderr
    assert "0 of 2 tasks have values here" in submitted.stdout
    fetched = cluster.run("alice", ["Rscript", "fetch.R"], cwd=folder)
    assert fetched.returncode == 0, fetched.stderr
    assert fetched.stdout == "2 4"
    assert waves(folder) == ["1"]
    both = cluster.run("alice", ["Rscript", "both.R"], cwd=folder)
    assert (both.returncode, both.stdout) == (0, "8"), both.stderr
    failed = cluster.run("alice", ["Rscript", "fails.R"], cwd=folder)
    assert failed.returncode == 1
    assert "1 of 3 calls failed; the first is f(k = 3L, replicate = 0L): three" in failed.stderr


WARM = """
name: twice
command: Rscript twice.R {n}
parameters: {n: {range: [70]}}
resources: {time: 2 min, memory: 300 MB}
warm: true
"""


@pytest.mark.r
def test_tasks_of_rscript_start_warm_on_slurm(cluster: Cluster) -> None:
    folder = cluster.workspace("alice")
    (folder / "study.yaml").write_text(WARM)
    (folder / "twice.R").write_text(
        "n <- as.integer(commandArgs(TRUE)[[1]])\ncat(sprintf('{\"twice\": %d}\\n', 2L * n))\n"
    )
    cluster.give("alice", folder, *folder.iterdir())
    done = cluster.run("alice", ["packhorse", "run", "study.yaml", "--site", "testbed"], cwd=folder)
    assert done.returncode == 0, (done.stdout, done.stderr)
    rows = list(csv.DictReader((folder / "runs/twice/results.csv").read_text().splitlines()))
    assert [int(row["twice"]) for row in rows] == [2 * n for n in range(70)]
    starts = [row["ph_start"] for row in rows]
    assert starts.count("warm") >= 5, starts
    said = cluster.run("alice", ["packhorse", "provenance"], cwd=folder)
    assert "tasks start warm, in forks of a process that has loaded" in said.stdout
