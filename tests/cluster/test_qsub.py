"""Scripts for TORQUE and OpenPBS, sent through the qsub that Slurm brings, and run to their end.

That qsub is a wrapper of sbatch, no TORQUE: it takes some options and ignores others, and its jobs know none of PBS's names. So a
stand-in takes the wave as Packhorse submits it, the test hands the same script and variables to the wrapper, and a line that bash reads
before the script gives the names. What is shown is that sbatch reads the head of the script, and that its lines run.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster.testbed import Cluster

pytestmark = pytest.mark.qsub
STANDIN = Path(__file__).parents[1] / "pbs" / "standin.py"
SITE = """
scheduler: {dialect}
partitions: {{general: {{default: true, nodes: 4, cores: 2, memory: 16000 MiB, default_time: 1 h, max_time: 1 day}}}}
"""
STUDY = """
name: work
command: python3 work.py {n}
parameters: {n: {range: [30]}}
resources: {time: 1 min, memory: 60 MB}
cluster: {job_time: 5 min, max_jobs: 2}
"""
# What a real server says to a job; PBS_ARRAYID is TORQUE's, PBS_ARRAY_INDEX that of OpenPBS.
NAMES = """
export PBS_JOBID="$SLURM_ARRAY_JOB_ID[$SLURM_ARRAY_TASK_ID].slurm" PBS_O_WORKDIR=$SLURM_SUBMIT_DIR PBS_O_PATH=$PATH
export PBS_ARRAYID=$SLURM_ARRAY_TASK_ID PBS_ARRAY_INDEX=$SLURM_ARRAY_TASK_ID
"""


class Sender:
    """A folder of a user whose wave a stand-in has taken, so that it can be sent through the wrapper."""

    def __init__(self, cluster: Cluster, dialect: str) -> None:
        self.cluster, self.user = cluster, cluster.users[0] if cluster.users else ""
        self.folder = cluster.workspace(self.user)
        server = self.write("server/closed", "").parent
        standin = self.write("server/standin.py", STANDIN.read_text())
        for name in ("qsub", "qstat", "qdel", "qrls"):
            self.write(
                f"server/bin/{name}",
                f'#!/bin/sh\nexec python3 {standin} {dialect} {server} {name} "$@"\n',
                0o755,
            )
        self.write("packhorse-sites/mine.yaml", SITE.format(dialect=dialect))
        self.write("study.yaml", STUDY)
        self.write("work.py", 'import json, sys\nprint(json.dumps({"twice": 2 * int(sys.argv[1])}))\n')
        self.names = self.write("names.sh", NAMES)
        path = cluster.environment(self.user)["PATH"]
        self.packhorse("run", "study.yaml", "--site", "mine", "--detach", PATH=f"{server / 'bin'}:{path}")
        self.wave: dict[str, Any] = json.loads((server / "jobs.json").read_text())[0]

    def write(self, name: str, text: str, mode: int = 0o644) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        if not self.cluster.one_user:
            for one in (path, path.parent, path.parent.parent):
                shutil.chown(one, self.user, self.user)
        return path

    def packhorse(self, *words: str, **env: str) -> str:
        done = self.cluster.run(self.user, ["packhorse", *words], cwd=self.folder, env=env)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout

    def send(self) -> str:
        """Send the wave through the wrapper, which reads options apart from their values; return the job."""
        told = ",".join(f"{name}={value}" for name, value in self.wave["told"].items())
        last = len(self.wave["elements"]) - 1
        words = ["-t", f"0-{last}", "-v", f"{told},BASH_ENV={self.names}", "-j", "oe", "-o", "/dev/null"]
        done = self.cluster.run(self.user, ["/usr/bin/qsub", *words, self.wave["argv"][-1]], cwd=self.folder)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout.strip()


@pytest.mark.parametrize("dialect", ["torque", "openpbs"])
def test_a_script_for_pbs_runs_through_slurms_qsub(cluster: Cluster, dialect: str) -> None:
    sender = Sender(cluster, dialect)
    assert len(sender.wave["elements"]) == 2
    job = sender.send()
    shown = cluster.ask("scontrol", "--oneliner", "show", "job", f"{job}_0")
    assert "JobName=work " in shown
    assert "Partition=general " in shown
    assert "TimeLimit=00:05:00 " in shown
    if dialect == "torque":  # of select= Slurm's sbatch reads nothing
        assert "NumCPUs=2 " in shown
    assert cluster.ended(job) == ["COMPLETED"] * 2, sorted(sender.folder.glob("runs/work/logs/*"))
    logs = sorted(path.name for path in sender.folder.glob("runs/work/logs/job-*.out"))
    assert logs == ["job-1-0.out", "job-1-1.out"]
    assert (sender.folder / "runs/work/waves/1/owner").read_text() == f"{job}[].slurm"
    sender.packhorse("collect", "work")
    rows = (sender.folder / "runs/work/results.csv").read_text().splitlines()
    assert len(rows) == 31
