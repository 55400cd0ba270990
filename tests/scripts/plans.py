"""Plans of many kinds, and what Packhorse says to batch systems for them: the job scripts, and the argv of submissions.

`python tests/scripts/plans.py` writes the files in golden/ anew; `git diff` then shows what changed for users.
"""

from __future__ import annotations

import itertools
import re
import shlex
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from packhorse.cluster.job_scripts import Caps, render
from packhorse.model.site import Site
from packhorse.project.placement import Place, propose
from packhorse.remote.run_store import LocalRunStore
from packhorse.remote.transport import LocalTransport
from packhorse.rundir.directory import RunDirectory
from packhorse.runtime.site_files import SHIPPED_FOLDER
from packhorse.schedulers import scheduler
from packhorse.sites.parse import parse_site
from packhorse.study.parse import parse_study
from packhorse.worker.waves.scheduler_commands import fill_command, placeholders

GOLDEN = Path(__file__).parent / "golden"
JOBS = {
    "slurm": "85",
    "torque": "85[].pbs01.example.org",
    "openpbs": "85[].pbs01",
}  # a dialect, and a job's number
HOME = "/home/ada"  # of whom the golden files are
PYTHON = "/opt/packhorse/bin/python"
TESTBED = (SHIPPED_FOLDER / "testbed.yaml").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Case:
    """A kind of plan: lines of a study, how many tasks it has, what its site has beside the testbed's."""

    name: str
    study: str = ""
    tasks: int = 100
    site: str = ""
    folder: str = "study"
    seconds: float | None = None  # expected of a task
    shows: tuple[str, ...] = ("job-base.sh",)  # which files are golden
    exclude: tuple[str, ...] = ()
    wave: int = 1
    replaced: dict[str, str] = field(default_factory=dict)  # words of the site


CASES = (
    Case("one-small-task", "resources: {time: 10 min}", tasks=1),
    Case("many-tiny-tasks", "resources: {expected: 10 ms}", tasks=100_000),
    Case(
        "memory",
        "resources: {cpus: 2, memory: 3 GB, time: 1 h}",
        tasks=500,
        shows=("job-base.sh", "job-memory.sh"),
    ),
    Case("long-tasks", "resources: {time: 2 days, memory: 1 GB}", tasks=16),
    Case(
        "checkpoints",
        "checkpoint: true\nresources: {time: 20 days, memory: 1 GB}\ncluster: {job_time: 4 h, partition: debug}",
        tasks=4,
    ),
    Case("gpus", "resources: {cpus: 2, gpus: 1, memory: 3 GB, time: 2 h}", tasks=40),
    Case(
        "account-qos-options",
        'cluster: {account: lab, qos: normal, partition: general, max_jobs: 3, options: ["--nice=100"]}',
        shows=("job-base.sh", "submit"),
    ),
    Case(
        "whole-nodes",
        "resources: {time: 30 min, memory: 1 GB}",
        tasks=2_000,
        replaced={"default: true": "default: true\n    whole_nodes: true"},
    ),
    Case("second-wave", tasks=5_000, shows=("submit", "after"), exclude=("n3", "n4"), wave=2),
    Case("queued-beforehand", tasks=5_000, site="compute_submits: false\n", shows=("ahead",), wave=2),
    Case(
        "mail",
        "cluster: {mail: ada@example.org, mail_when: [begin, end, fail]}",
        shows=("job-base.sh", "mail.sh", "mail-failed.sh", "mail-begin.sh", "notice"),
    ),
    Case(
        "modules-and-setup",
        'cluster: {modules: [r/4.5.1, openblas], setup: ["export R_LIBS_USER=~/R", "ulimit -c 0"]}',
        site="setup: source /etc/profile\nscratch: $TMPDIR\n",
    ),
    Case(
        "hostile-path",
        folder='it\'s "my" study --really $(x) `y` \\ %a λ→ü',
        shows=("job-base.sh", "continue.sh", "submit", "after"),
    ),
    Case("continuation", site="setup: source /etc/profile\n", shows=("continue.sh", "after")),
)


def site_of(case: Case, dialect: str) -> Site:
    """Return the testbed with what a case has beside it, as if it were of a dialect's scheduler."""
    text = TESTBED.replace("scheduler: slurm", f"scheduler: {dialect}") + case.site
    for old, new in case.replaced.items():
        text = text.replace(old, new)
    return parse_site(text, name="testbed", path="testbed.yaml", base=_no_other)


def _no_other(node: object) -> Site:
    raise AssertionError(node)


def rendered(case: Case, home: Path, dialect: str = "slurm", job: str = "") -> dict[str, str]:
    """Return what a case's golden files hold: `NAME.sh` as written, and one line of a shell for each argv."""
    text = f"name: coverage\ncommand: python sim.py {{n}}\nparameters: {{n: [1]}}\n{case.study}\n"
    text = text if dialect == "slurm" else text.replace("--nice=100", "-p 10")
    job = job or JOBS[dialect]
    study = parse_study(text, path="study.yaml", read=_no_file)
    run = RunDirectory.create(home / case.folder / "runs" / "coverage", "coverage")
    place = Place(site=site_of(case, dialect), asked=study.cluster)
    found, speaker = propose(study, place, case.tasks), scheduler(dialect)
    render(
        LocalRunStore(run, LocalTransport(place.site)),
        place,
        speaker,
        found.request(place, study),
        found,
        Caps(),
    )
    said = msgspec.json.decode((run.path / "waves" / "continue.json").read_bytes())
    script, token = str(run.path / "waves" / "job-base.sh"), f"packhorse-0123456789ab-{case.wave}"
    elements = found.shape.elements
    after = placeholders(str(run.path / "waves" / "continue.sh"), case.wave, f"{token}-next", job=job)
    ahead = placeholders(script, case.wave, token, elements=elements, job=job, follows=case.wave - 1)
    argvs = {
        "submit": fill_command(
            said["submit"], placeholders(script, case.wave, token, elements=elements, exclude=case.exclude)
        ),
        "ahead": fill_command(said["submit"], ahead),
        "after": fill_command(said["after"], after),
        "notice": fill_command(
            (said["mail"] or {"argv": []})["argv"],
            {"text": re.sub(speaker.not_in_names, "_", "coverage: 100 of 100 tasks")},
        ),
    }
    shown = {}
    for name in case.shows:
        if name in argvs:
            shown[f"{case.name}.{name}"] = shlex.join(argvs[name]) + "\n"
        else:
            kind = "" if name == "job-base.sh" else "." + name.removesuffix(".sh").removeprefix("job-")
            shown[f"{case.name}{kind}.sh"] = (run.path / "waves" / name).read_text(encoding="utf-8")
    return shown


def golden(case: Case, dialect: str) -> dict[str, str]:
    """Return the same as it would be in Ada's home, with her Python; of other dialects than Slurm's in a folder of its own."""
    with tempfile.TemporaryDirectory() as home:
        found = rendered(case, Path(home), dialect)
    folder = "" if dialect == "slurm" else f"{dialect}/"
    return {
        folder + name: text.replace(home, HOME).replace(shlex.quote(sys.executable), PYTHON)
        for name, text in found.items()
    }


def _no_file(name: str) -> bytes:
    raise AssertionError(name)


if __name__ == "__main__":
    for old in GOLDEN.rglob("*.*"):
        old.unlink()
    for spoken, one in itertools.product(JOBS, CASES):
        for file, content in golden(one, spoken).items():
            (GOLDEN / file).parent.mkdir(exist_ok=True)
            (GOLDEN / file).write_text(content, encoding="utf-8")
