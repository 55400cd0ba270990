"""packhorse diagnose on jobs of a real Slurm that were sent by hand, and on what sbatch refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cluster.testbed import Cluster

JOBS = {
    "cancelled": "#!/bin/bash\necho start\nsleep 600\n",
    "python-package": "#!/bin/bash\npython3 -c 'import no_such_package'\n",
    "command-not-found": "#!/bin/bash\nset -e\nno_such_program --fit\n",
    "step-too-large": "#!/bin/bash\n#SBATCH -n 1\nsrun -n 40 hostname\n",
    "program-not-started": "#!/bin/bash\nsrun ./no_such_program\n",
}


class Desk:
    """A folder of a user, who submits by hand and asks why jobs failed."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.user = cluster, cluster.users[0]
        self.folder = cluster.workspace(self.user)

    def put(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.write_text(text)
        if not self.cluster.one_user:
            shutil.chown(path, self.user, self.user)
        return path

    def sbatch(self, name: str, text: str) -> Any:
        argv = ["sbatch", "--parsable", str(self.put(f"{name}.sh", text))]
        return self.cluster.run(self.user, argv, cwd=self.folder)

    def diagnose(self, subject: str) -> dict[str, Any]:
        argv = ["packhorse", "diagnose", subject, "--json"]
        done = self.cluster.run(self.user, argv, cwd=self.folder)
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        return report


@pytest.fixture
def desk(cluster: Cluster) -> Desk:
    return Desk(cluster)


def test_jobs_that_were_sent_by_hand(desk: Desk) -> None:
    jobs = {name: desk.sbatch(name, text).stdout.strip() for name, text in JOBS.items()}
    log = desk.folder / f"slurm-{jobs['cancelled']}.out"
    desk.cluster.until("the job runs", log.exists)
    desk.cluster.run(desk.user, ["scancel", jobs["cancelled"]], cwd=desk.folder)
    found = {}
    for name, job in jobs.items():
        desk.cluster.ended(job, 180)
        report = desk.diagnose(f"testbed:{job}")
        found[name] = report["causes"][0]["kind"] if report["causes"] else str(report)
    assert found == {name: name for name in JOBS}


def test_a_run_of_a_script(desk: Desk) -> None:
    desk.put("bad.sh", JOBS["python-package"])
    argv = ["packhorse", "submit", "bad.sh", "--site", "testbed", "--json"]
    done = desk.cluster.run(desk.user, argv, cwd=desk.folder)
    submitted = json.loads(done.stdout)
    desk.cluster.ended(submitted["job"])
    assert desk.diagnose(submitted["name"])["causes"][0]["kind"] == "python-package"


@pytest.mark.campaign
def test_a_job_that_reaches_its_limit(desk: Desk) -> None:
    job = desk.sbatch("limit", "#!/bin/bash\n#SBATCH --time=1\necho start\nsleep 600\n").stdout.strip()
    desk.cluster.ended(job, 180)
    cause = desk.diagnose(f"testbed:{job}")["causes"][0]
    assert cause["kind"] == "time-limit"
    assert "+#SBATCH --time=00:02:00" in cause["diff"]


def test_what_sbatch_refuses(desk: Desk) -> None:
    refused = {
        "partition-unknown": "--partition=nosuch",
        "directive-invalid": "--time=2h",
        "array-invalid": "--array=5-1",
    }
    for kind, option in refused.items():
        done = desk.sbatch(kind, f"#!/bin/bash\n#SBATCH {option}\nhostname\n")
        desk.put(f"{kind}.log", done.stderr)
        assert [one["kind"] for one in desk.diagnose(f"{kind}.log")["causes"]][:1] == [kind], done.stderr
