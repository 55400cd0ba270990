"""Arrays of a real Slurm, sent with plain sbatch, and the studies that `packhorse adopt` makes of the same scripts."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from adopt.idioms import FILES, IDIOMS, WORK
from cluster.testbed import Cluster

CHOSEN = [(idiom, 2) for idiom in IDIOMS if idiom != "pbs"]


def project(cluster: Cluster, folder: Path, text: str) -> Path:
    files = {**FILES, "work.sh": WORK, "job.sh": text, **{f"data/{name}.txt": name for name in "abcd"}}
    (folder / "data").mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_text(content)
    (folder / "work.sh").chmod(0o755)
    cluster.give(cluster.users[0], folder, *folder.rglob("*"))
    return folder


@pytest.mark.campaign
@pytest.mark.parametrize(("idiom", "number"), CHOSEN)
def test_a_study_gives_what_sbatch_gives(cluster: Cluster, idiom: str, number: int) -> None:
    user, text = cluster.users[0], IDIOMS[idiom](number)
    top = cluster.workspace(user)
    array = project(cluster, top / "array", text)
    sent = cluster.run(user, ["sbatch", "--parsable", "--output=/dev/null", "job.sh"], cwd=array)
    job = re.search(r"^(\d+)$", sent.stdout, re.MULTILINE)
    assert job, sent.stdout + sent.stderr
    assert set(cluster.ended(job[1], 120)) == {"COMPLETED"}
    expected = {}
    for path in array.glob("out_*.json"):
        found = json.loads(path.read_text())
        expected[path.stem.removeprefix("out_")] = (found["args"], found["extra"])
    study = project(cluster, top / "study", text)
    words = ["packhorse", "adopt", "--no-try", "--result", "out_{task_id}.json", "job.sh"]
    for argv in (words, ["packhorse", "run"]):
        done = cluster.run(user, argv, cwd=study)
        assert done.returncode == 0, done.stdout + done.stderr
    (path,) = study.glob("runs/*/results.csv")
    with path.open(newline="") as stream:
        got = {row["task_id"]: (row["args"], row["extra"]) for row in csv.DictReader(stream)}
    assert got == expected
    assert expected
