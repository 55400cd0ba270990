"""Adopted scripts give the results of their array: each index run by hand with bash, and the run of the study."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from adopt.idioms import FILES, IDIOMS, WORK
from packhorse.jobscript.values import array_indices

Run = Callable[..., subprocess.CompletedProcess[str]]

# Of each idiom one number is run by every `make test`; all ten are in the campaign.
CASES = [
    pytest.param(idiom, number, marks=() if number == place % 10 else pytest.mark.campaign)
    for place, idiom in enumerate(IDIOMS)
    for number in range(10)
]
AS_SCRIPTS = {"chunk": (0, 2, 4, 6, 8), "other_name": (4, 9)}  # which cannot be taken apart


def project(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_text(content)
    (folder / "work.sh").write_text(WORK)
    (folder / "work.sh").chmod(0o755)
    (folder / "data").mkdir()
    for name in "abcd":
        (folder / "data" / f"{name}.txt").write_text(name)
    return folder


def by_hand(folder: Path, text: str) -> dict[int, dict[str, str]]:
    """Run each index as the scheduler would: the same script, the index in its variable."""
    (folder / "job.sh").write_text(text)
    option = re.search(r"^#\w+ (?:--array[ =]|-a |-t |-J )(\S+)", text, re.MULTILINE)
    assert option
    indices = array_indices(option[1])
    assert indices
    found = {}
    for index in sorted(value for one in indices.ranges for value in one):
        names = ("SLURM_ARRAY_TASK_ID", "PBS_ARRAYID", "PBS_ARRAY_INDEX")
        environ = {**os.environ, **dict.fromkeys(names, str(index)), "PBS_O_WORKDIR": str(folder)}
        subprocess.run(["bash", "job.sh"], cwd=folder, env=environ, capture_output=True, check=False)
        found[index] = json.loads((folder / f"out_{index}.json").read_text())
    return found


def table(folder: Path) -> dict[int, dict[str, str]]:
    (path,) = folder.glob("runs/*/results.csv")
    with path.open(newline="") as stream:
        return {int(row["task_id"]): row for row in csv.DictReader(stream)}


@pytest.mark.parametrize(("idiom", "number"), CASES)
def test_the_study_gives_what_the_array_gives(
    packhorse: Run, tmp_path: Path, idiom: str, number: int
) -> None:
    text = IDIOMS[idiom](number)
    folder = project(tmp_path / "project")
    (folder / "job.sh").write_text(text)
    written = packhorse("adopt", "--no-try", "--result", "out_{task_id}.json", "job.sh", cwd=folder)
    assert written.returncode == 0, written.stderr
    named = "runs as it is" not in written.stderr
    assert named == (number not in AS_SCRIPTS.get(idiom, ())), written.stderr
    done = packhorse("run", cwd=folder)
    assert done.returncode == 0, done.stderr + done.stdout
    expected = by_hand(project(tmp_path / "by-hand"), text)
    got = {index: {"args": row["args"], "extra": row["extra"]} for index, row in table(folder).items()}
    assert got == expected


@pytest.mark.parametrize("idiom", ["bash_array", "fields", "pbs"])
def test_the_script_itself_gives_the_same(packhorse: Run, tmp_path: Path, idiom: str) -> None:
    text = IDIOMS[idiom](0)
    folder = project(tmp_path / "project")
    (folder / "job.sh").write_text(text)
    packhorse("adopt", "--form", "script", "--result", "out_{task_id}.json", "job.sh", cwd=folder)
    assert packhorse("run", cwd=folder).returncode == 0
    expected = by_hand(project(tmp_path / "by-hand"), text)
    got = {index: {"args": row["args"], "extra": row["extra"]} for index, row in table(folder).items()}
    assert got == expected
    shutil.rmtree(folder / "runs")


def test_recording_starts_no_program_and_writes_no_file(packhorse: Run, tmp_path: Path) -> None:
    """A program by name, by path, behind time, in the background and in a pipe; and files by echo and tee."""
    (tmp_path / "evil.sh").write_text("#!/bin/sh\ntouch started\n")
    (tmp_path / "evil.sh").chmod(0o755)
    forms = ("./evil.sh $i", "time ./evil.sh $i", "! ./evil.sh $i", "nohup ./evil.sh $i", "exec ./evil.sh $i", f"{tmp_path}/evil.sh $i",
             "./evil.sh $i &\nwait", "command ./evil.sh $i", "eval ./evil.sh $i", "echo $i > made", "echo $i | tee made", "if true; then ./evil.sh $i; fi",
             "$(./evil.sh $i)", "bash evil.sh $i", "touch made; ./evil.sh $i", "env X=1 ./evil.sh $i", "X=./evil.sh; $X $i", "sed -i s/a/b/ keep")  # fmt: skip
    (tmp_path / "keep").write_text("a")
    for form in forms:
        (tmp_path / "job.sh").write_text(
            f"#!/bin/bash\n#SBATCH --array=1-3\ni=$SLURM_ARRAY_TASK_ID\n{form}\n"
        )
        written = packhorse("adopt", "--no-try", "--force", "job.sh", cwd=tmp_path)
        assert written.returncode == 0, written.stderr
        assert {path.name for path in tmp_path.iterdir()} <= {"evil.sh", "job.sh", "study.yaml", "keep"}, form
        assert (tmp_path / "keep").read_text() == "a"
