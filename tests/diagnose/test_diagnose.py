"""packhorse diagnose: logs, scripts with their logs, runs; the change of the script; what it cannot read."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from packhorse.app.jobs.diagnose import diagnose
from packhorse.diagnose.causes import Log, causes
from packhorse.diagnose.changes import changed
from packhorse.diagnose.kind import JobFacts
from packhorse.diagnose.kinds import KINDS
from packhorse.jobscript.script import JobScript
from packhorse.model.errors import UsageError
from packhorse.model.site import Partition, Site

Run = Callable[..., subprocess.CompletedProcess[str]]
BY_ID = {kind.id: kind for kind in KINDS}
TIMED_OUT = "slurmstepd: error: *** JOB 7 ON n1 CANCELLED AT 2026-11-21T23:19:26 DUE TO TIME LIMIT ***\n"


def edited(kind: str, text: str, site: Site | None = None, **facts: object) -> list[str]:
    """Return the lines that a remedy adds to a script."""
    before = f"#!/bin/bash\n{text}\npython fit.py\n"
    after = changed(BY_ID[kind], JobScript(before, "job.sh"), JobFacts(**facts), site)  # type: ignore[arg-type]
    return [line for line in after.splitlines() if line not in before.splitlines()]


@pytest.mark.parametrize(
    ("kind", "text", "facts", "expected"),
    [
        ("memory-limit", "#SBATCH --mem=4G", {}, ["#SBATCH --mem=8G"]),
        ("memory-limit", "#SBATCH -n 2 --mem 500M  # small", {}, ["#SBATCH -n 2 --mem 1000M  # small"]),
        ("memory-limit", "#SBATCH --mem=4G", {"memory": 9000}, ["#SBATCH --mem=14G"]),
        ("memory-limit", "#SBATCH --mem-per-cpu=1G", {"memory": 9000}, ["#SBATCH --mem-per-cpu=2G"]),
        ("memory-limit", "#SBATCH -n 1", {"memory_asked": 1000}, ["#SBATCH --mem=2G"]),
        ("memory-limit", "#SBATCH -n 1", {}, []),
        ("memory-limit", "#PBS -l nodes=1:ppn=2,mem=4gb,walltime=1:00:00", {}, ["#PBS -l nodes=1:ppn=2,mem=8gb,walltime=1:00:00"]),
        ("memory-limit", "#PBS -l select=1:ncpus=2:mem=600mb", {}, ["#PBS -l select=1:ncpus=2:mem=2gb"]),
        ("time-limit", "#SBATCH --time=30", {}, ["#SBATCH --time=01:00:00"]),
        ("time-limit", "#SBATCH -t 20:00:00", {}, ["#SBATCH -t 1-16:00:00"]),
        ("time-limit", "#SBATCH -n 1", {"limit": 3600}, ["#SBATCH --time=02:00:00"]),
        ("time-limit", "#PBS -l walltime=0:30:00", {}, ["#PBS -l walltime=01:00:00"]),
        ("module-command", "#SBATCH -n 1\nmodule load R", {}, ["#!/bin/bash -l"]),
        ("output-lost", "#SBATCH -n 1", {}, ["python -u fit.py"]),
    ],
)  # fmt: skip
def test_a_change_of_the_script(kind: str, text: str, facts: dict[str, int], expected: list[str]) -> None:
    assert edited(kind, text, **facts) == expected


def test_a_change_stays_within_the_partition() -> None:
    site = Site(
        name="x",
        partitions=(
            Partition(name="short", max_time=3600, cores=8, default=True),
            Partition(name="long", max_time=86400, cores=8),
        ),
    )
    assert edited("time-limit", "#SBATCH -p short -t 40", site) == ["#SBATCH -p short -t 01:00:00"]
    assert edited("partition-unknown", "#SBATCH --partition=nosuch --time=2:00:00", site) == [
        "#SBATCH --partition=long --time=2:00:00"
    ]


def test_the_order_of_causes() -> None:
    log = (
        "job.sh: line 3: module: command not found\nModuleNotFoundError: No module named 'numpy'\nTraceback\n"
    )
    found = causes([Log("a.log", log)], None)
    assert [one.kind.id for one in found] == ["module-command", "python-package"]
    found = causes([Log("a.log", f"ValueError: bad\n{TIMED_OUT}")], JobFacts(state="timed out", limit=3600))
    assert [(one.kind.id, one.line) for one in found] == [("time-limit", 2), ("python-error", 1)]


def test_a_log(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "slurm-7.out").write_text(
        "start\n  File \"a.py\"\nModuleNotFoundError: No module named 'numpy'\n"
    )
    done = packhorse("diagnose", "slurm-7.out")
    assert done.stdout.splitlines() == [
        "The Python package numpy is not installed in the environment that the job uses.",
        "    slurm-7.out:3: ModuleNotFoundError: No module named 'numpy'",
        "sure: certain; kind: python-package",
        "to do: Activate your environment in the script, or install the package there.",
    ]
    (tmp_path / "fine.log").write_text("all done\n")
    assert packhorse("diagnose", "fine.log").stdout == "no known cause in fine.log.\n"


def test_a_script_with_its_log(packhorse: Run, tmp_path: Path) -> None:
    script = "#!/bin/bash\n#SBATCH --time=30\n#SBATCH --output=logs/fit_%j.out\npython fit.py\n"
    (tmp_path / "fit.sh").write_text(script)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "fit_7.out").write_text(f"start\n{TIMED_OUT}")
    report = json.loads(packhorse("diagnose", "fit.sh", "--json").stdout)
    first, lost = report["causes"]
    assert (first["kind"], first["path"], first["line"]) == ("time-limit", "logs/fit_7.out", 2)
    assert "+#SBATCH --time=01:00:00" in first["diff"]
    assert (lost["kind"], lost["text"]) == ("output-lost", "python fit.py")
    assert "+python -u fit.py" in lost["diff"]
    # From the log, too, the script is found whose directives name it.
    again = json.loads(packhorse("diagnose", "logs/fit_7.out", "--json").stdout)
    assert again["causes"][0]["diff"] == first["diff"]
    assert (tmp_path / "fit.sh").read_text() == script


def test_a_script_without_a_log_is_linted(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "job.sh").write_text("#!/bin/bash\n#SBATCH --time=2h\nhostname\n")
    done = packhorse("diagnose", "job.sh")
    assert "sbatch cannot read the time '2h'" in done.stdout
    assert "job.sh has no log beside it" in done.stderr


def test_a_run_of_a_study(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "sim.py").write_text("import sys\nprint('start')\nsys.exit(open('data.csv').read())\n")
    packhorse("run", "sim.py", "--n", "1")
    report = json.loads(packhorse("diagnose", "sim-1", "--json").stdout)
    assert [one["kind"] for one in report["causes"]][:1] == ["file-missing"]
    assert report["causes"][0]["path"] == "task 0"


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"\x7fELF\0\0", "is not a text file"), (None, "is not a file, a job, or a run")],
)
def test_what_cannot_be_read(tmp_path: Path, data: bytes | None, message: str) -> None:
    path = tmp_path / "job.log"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=message):
        diagnose(str(path), "", tmp_path)


def test_a_large_log_of_any_bytes_is_read_quickly(tmp_path: Path) -> None:
    path = tmp_path / "job.log"
    path.write_bytes(b"\xff\xfe noise \r\x1b[0m progress 10%\n" * 200_000 + b"x" * 100_000 + b"\nKilled\n")
    assert [one.kind for one in diagnose(str(path), "", tmp_path).causes] == ["killed"]
