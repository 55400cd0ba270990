"""A stand-in for a batch system: it notes what is submitted, and the test starts the elements itself, as real workers.

No scheduler is needed for what workers and continuations do; what a real one says and does is tested on a real one.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from packhorse.execution.next_wave import find_pending, start_wave, write_wave
from packhorse.execution.run_context import open_run, prepare_run, write_run_files
from packhorse.execution.run_model import RunOptions
from packhorse.execution.target import LocalTarget
from packhorse.model.submission import Submission, token_of
from packhorse.project.reporter import Reporter
from packhorse.project.source import from_file
from packhorse.rundir.lock import RunLock
from packhorse.rundir.submissions import Submissions
from packhorse.schedulers.slurm import Slurm
from running.project import Project

# Takes a job as sbatch does: notes it, prints its number. `mood` says what goes wrong, a word a call.
SUBMIT = """
import json, os, sys, time
folder, said = sys.argv[1], sys.argv[2:]
mood, moods = "", os.path.join(folder, "mood")
if os.path.exists(moods):
    words = open(moods).read().split()
    mood, rest = (words[0], words[1:]) if words else ("", [])
    open(moods, "w").write(" ".join(rest))
if mood == "refuse":
    sys.exit("sbatch: error: Batch job submission failed: Invalid account")
if mood == "long" and "wave" != said[0]:
    sys.exit("sbatch: error: Batch job submission failed: Requested time limit is invalid (missing or exceeds some limit)")
if mood == "node" and any(word.startswith("--exclude") for word in said):
    sys.exit("sbatch: error: Batch job submission failed: Invalid node name specified")
number = 100 + len(os.listdir(os.path.join(folder, "jobs")))
with open(os.path.join(folder, "jobs", str(number)), "w") as stream:
    json.dump({"argv": said, "env": dict(os.environ)}, stream)
asker = os.getppid()
while mood == "silent" and os.getppid() == asker:
    time.sleep(0.1)
print("a notice of the site")
print(str(number) + ";cluster")
"""
PYTHON = [sys.executable, "-S", "-E"]


class Desk:
    """One run and the jobs that were submitted for it."""

    def __init__(self, project: Project, spool: Path, **said: Any) -> None:
        self.project, self.spool = project, spool
        self.python = PYTHON
        (spool / "jobs").mkdir(parents=True)
        (spool / "submit.py").write_text(SUBMIT)
        self.run = open_run(project.directory, from_file(project.path / "study.yaml"))
        self.kept = Submissions(self.run)
        self.archive = self.run.path / "worker.pyz"
        self.said = said
        self.seen: set[str] = set()

    @property
    def path(self) -> Path:
        return self.run.path

    def first_wave(self, elements: int = 2, slots: int = 1, **submission: Any) -> int:
        """Plan what is missing and submit it, as `run --site` does; return the job."""
        with RunLock(self.path):
            source = from_file(self.project.path / "study.yaml")
            context = prepare_run(source, RunOptions(), self.run, LocalTarget(), Reporter())
            pending = find_pending(context, context.fold(), Reporter())
            assert pending is not None
            write_run_files(context, pending.identity)
            plan = start_wave(context, pending, slots=elements * slots, unchecked=False)
            write_wave(context, plan)
        self.rungs(elements, slots, submission.get("seconds"))
        intent = Submission(
            wave=plan.wave, site="desk", token=token_of(self.run.about().id, plan.wave), elements=elements,
            slots=slots, cores=slots, intended=1.0, job="7", submitted=2.0, **submission,
        )  # fmt: skip
        self.kept.keep(intent)
        return plan.wave

    def rungs(self, elements: int, slots: int, seconds: int | None = None) -> None:
        """Write what later waves need; a test may have said other rungs."""
        base = {"name": "base", "script": "base.sh", "elements": elements, "slots": slots, "cores": slots,
                "memory": None, "task_memory": None, "seconds": seconds}  # fmt: skip
        argv = [sys.executable, str(self.spool / "submit.py"), str(self.spool)]
        said = {
            "format": "packhorse-continue", "version": 1, "run": self.run.about().id, "python": sys.executable,
            "latency": 0.3, "rungs": [base], "waves": 20, "core_hours": None, "idle": 2, "asked": None,
            "submit": [*argv, "wave", "--exclude={exclude}", "--comment={token}", "{script}", "{wave}", "{last}"],
            "after": [*argv, "after", "--dependency={job}", "--comment={token}", "{script}", "{wave}"],
            "final_refusals": list(Slurm().final_refusals),
            "unset": ["SLURM_JOB_*", "SLURM_RESTART_COUNT"], "node_words": ["invalid node name"], **self.said,
        }  # fmt: skip
        (self.path / "waves" / "continue.json").write_text(json.dumps(said))

    def mood(self, *words: str) -> None:
        """Say what goes wrong in the next calls: refuse, silent, node (refused where nodes are excluded), long."""
        (self.spool / "mood").write_text(" ".join(words))

    def jobs(self) -> list[list[str]]:
        """Return what was submitted since the last call, the oldest first, each with its number in front."""
        found = []
        for path in sorted(self.spool.glob("jobs/*"), key=lambda path: int(path.name)):
            if path.name not in self.seen:
                self.seen.add(path.name)
                found.append([path.name, *json.loads(path.read_text())["argv"]])
        return found

    def start(
        self, wave: int, element: int = 0, *more: object, owner: str = "7", **process: Any
    ) -> subprocess.Popen[str]:
        """Start one element of a wave's array as the worker that it is; one queued beforehand is like the wave before."""
        submission = self.kept.of(wave) or self.kept.of(wave - 1)
        assert submission is not None
        argv = [
            *self.python,
            str(self.archive),
            "work",
            str(self.run.work_path(wave)),
            "--element",
            str(element),
        ]
        argv += ["--elements", str(submission.elements), "--slots", str(submission.slots), "--owner", owner]
        argv += ["--seconds", str(submission.seconds or 0), *map(str, more)]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
            env={**os.environ, "TMPDIR": str(self.scratch()), "SLURM_JOB_ID": "7", "SLURMD_NODENAME": "n1"},
            **process,
        )  # fmt: skip

    def scratch(self) -> Path:
        """Return the nodes' own temporary folder."""
        folder = self.spool / "tmp"
        folder.mkdir(exist_ok=True)
        return folder

    def array(self, wave: int, *more: object, owner: str = "7") -> list[str]:
        """Run all elements of a wave to their ends; return what they said."""
        submission = self.kept.of(wave)
        assert submission is not None
        elements = [self.start(wave, element, *more, owner=owner) for element in range(submission.elements)]
        return [ended(element) for element in elements]

    def go_on(self, wave: int, *more: object, code: int = 0) -> str:
        """Run the continuation of a wave; return what it said."""
        argv = [*self.python, str(self.archive), "continue", str(self.path), str(wave), *map(str, more)]
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            env={**os.environ, "SLURM_JOB_ID": "9"},
        )
        assert (done.returncode, done.stderr) == (code, ""), done
        return done.stdout

    def unattended(self, wave: int, *more: object) -> tuple[int, dict[str, Any]]:
        """Run waves until the continuation stops; return the last wave and why."""
        for _ in range(20):
            submission = self.kept.of(wave)
            assert submission is not None
            self.array(wave, *more, owner=submission.job)
            self.go_on(wave)
            if self.stopped():
                return wave, self.stopped()
            wave += 1
        raise AssertionError("it never stopped")

    def stopped(self) -> dict[str, Any]:
        """Return why nothing more was submitted, or nothing."""
        path = self.path / "stopped.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def lines(self, kind: str, wave: int | None = None) -> list[dict[str, Any]]:
        """Return the lines of all journals that have a member."""
        found = []
        for path in self.run.journals(wave):
            for row in path.read_text().splitlines():
                said = json.loads(row)
                if kind in said:
                    found.append(said)
        return found

    def leases(self, wave: int) -> list[dict[str, Any]]:
        """Return the leases of a wave, in order."""
        return [
            json.loads(path.read_text())
            for path in sorted((self.path / f"waves/{wave}/leases").glob("*.json"))
        ]


def ended(process: subprocess.Popen[str], code: int | Sequence[int] = 0) -> str:
    """Wait for a worker; return what it said."""
    try:
        said, complaint = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    codes = [code] if isinstance(code, int) else list(code)
    assert process.returncode in codes, (process.returncode, said, complaint)
    assert complaint == ""
    return said
