"""Users' job scripts on a real Slurm: it takes what Packhorse accepts, refuses what Packhorse refuses, and runs them."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

import packhorse
from cluster.testbed import Cluster
from packhorse.app.jobs.job_form import request_of
from packhorse.app.jobs.script import make_script
from packhorse.model.errors import RunError
from packhorse.model.form import Form
from packhorse.plan.job_limits import elements
from packhorse.project.sites import find_site
from packhorse.schedulers import scheduler
from scripts.plain_cases import HOSTILE, TESTBED, Case, made

# What the cluster's nodes lack, for a bash that is started by a job: modules, and environments that are there.
STUBS = """
module() { echo "module $*"; }
conda() { if [[ $1 == info ]]; then echo "$PLACE/conda"; else echo "conda $*"; fi; }
export -f module conda
"""
# What a real TORQUE or OpenPBS says to a job, and Slurm's qsub does not.
NAMES = """
export PBS_O_WORKDIR="$SLURM_SUBMIT_DIR" PBS_ARRAYID=$SLURM_ARRAY_TASK_ID PBS_ARRAY_INDEX=$SLURM_ARRAY_TASK_ID
export PBS_NUM_PPN=$SLURM_CPUS_ON_NODE NCPUS=$SLURM_CPUS_ON_NODE
cd /
"""


class Desk:
    """A user's folder on the cluster, from which scripts are sent."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.user = cluster, cluster.users[0]
        self.folder = cluster.workspace(self.user)

    def put(self, name: str, text: str) -> Path:
        """Write a file of the user."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        if not self.cluster.one_user:
            for one in (path, path.parent):
                shutil.chown(one, self.user, self.user)
        return path

    def refusal(self, text: str, name: str = "job.sh") -> str:
        """Return what the real sbatch has against a script; nothing where it would take it."""
        argv = ["sbatch", "--test-only", str(self.put(name, text))]
        told = self.cluster.run(self.user, argv, cwd=self.folder)
        accepted = told.returncode == 0 and "to start at" in told.stderr
        return "" if accepted else told.stderr or "no word"

    def send(self, text: str) -> str:
        """Submit a script; return the job's number."""
        argv = ["sbatch", "--parsable", str(self.put("job.sh", text))]
        sent = self.cluster.run(self.user, argv, cwd=self.folder)
        assert sent.returncode == 0, (sent.stderr, text)
        return sent.stdout.strip()

    def ran(self, command: str, **words: Any) -> tuple[list[str], str]:
        """Make a script, run it to its end; return the states of its elements, and what its logs say."""
        script = packhorse.script(command, site="testbed", folder=self.folder, **words)
        job = self.send(script.text)
        states = self.cluster.ended(job)
        logs = sorted(self.folder.glob("*.out"))
        return states, "".join(log.read_text() for log in logs)


@pytest.fixture
def desk(cluster: Cluster) -> Desk:
    return Desk(cluster)


def test_sbatch_takes_every_script_for_the_testbed(desk: Desk) -> None:
    held = desk.send("#!/bin/bash\n#SBATCH --hold --array=0-9 --output=/dev/null\ntrue\n")
    refused = {}
    for case in TESTBED:
        text = made(case, desk.folder).text
        if case.name == "after":  # jobs that are there
            for number in ("85", "86", "87", "88", "89"):
                text = text.replace(f":{number}", f":{held}")
        told = desk.refusal(text)
        # The testbed has no accounts but where it has accounting.
        if told and not ("account" in case.words and not desk.cluster.accounting):
            refused[case.name] = told
    assert not refused


def test_every_script_runs_to_its_end_when_it_is_sent_as_it_says(cluster: Cluster) -> None:
    cases = [case for case in TESTBED if cluster.accounting or "account" not in case.words]
    desks = {case.name: Desk(cluster) for case in cases}
    jobs = {case.name: sent_as_told(desks[case.name], case) for case in cases}
    for name, (job, number) in jobs.items():
        states = cluster.ended(job, 90)
        logs = "".join(path.read_text() for path in desks[name].folder.rglob("*.[oe][ur][tr]"))
        assert states == ["COMPLETED"] * number, f"{name}: {logs}"


def sent_as_told(desk: Desk, case: Case) -> tuple[str, int]:
    """Type the line that a script tells to type; return the job, and how many elements it has."""
    script = made(case, desk.folder)
    text = waiting_for_real_jobs(desk, script.text) if case.name == "after" else script.text
    (line,) = [
        row.removeprefix("# To send it: ") for row in text.splitlines() if row.startswith("# To send it: ")
    ]
    *make, send = line.split(" && ")
    desk.put(shlex.split(send)[-1], text)
    stubs = desk.put("stubs.sh", STUBS)
    for place in (
        "conda/etc/profile.d/conda.sh",
        ".venv/bin/activate",
        f"{HOSTILE}/bin/activate",
        "envs/my stats/bin/activate",
    ):
        desk.put(place, "")
    env = {"BASH_ENV": str(stubs), "PLACE": str(desk.folder), "HOME": str(desk.folder)}
    words = " && ".join([*make, send.replace("sbatch", "sbatch --parsable")])
    sent = desk.cluster.run(desk.user, ["bash", "-c", words], cwd=desk.folder, env=env)
    assert sent.returncode == 0, (case.name, sent.stderr)
    return sent.stdout.strip(), max(1, elements(script.request))


def waiting_for_real_jobs(desk: Desk, text: str) -> str:
    """Return a script that waits for jobs which are there, and end as it wants."""
    ends = {"85": "true", "86": "false", "87": "false", "88": "true"}
    for number, line in ends.items():
        job = desk.send("\n".join(["#!/bin/bash", "#SBATCH --output=/dev/null", line, ""]))
        text = text.replace(f":{number}", f":{job}")
    return text.replace(",aftercorr:89_2", "")  # which is for arrays


@pytest.mark.qsub
@pytest.mark.parametrize("dialect", ["torque", "openpbs"])
def test_a_script_for_pbs_runs_through_slurms_qsub(desk: Desk, dialect: str) -> None:
    show = 'echo "$PWD $OMP_NUM_THREADS"\nbash -c "exit 3"\necho never'
    script = packhorse.script(
        show, scheduler=dialect, cores=1, time="2 min", name="shown", folder=desk.folder
    )
    names, job = desk.put("names.sh", NAMES), desk.put("job.sh", script.text)
    argv = ["/usr/bin/qsub", "-j", "oe", "-o", "shown.out", "-v", f"BASH_ENV={names}", str(job)]
    sent = desk.cluster.run(desk.user, argv, cwd=desk.folder)
    assert sent.returncode == 0, sent.stderr
    number = sent.stdout.strip()
    assert desk.cluster.ended(number) == ["FAILED"]
    shown = desk.cluster.ask("scontrol", "--oneliner", "show", "job", number)
    assert "JobName=shown " in shown
    assert "TimeLimit=00:02:00 " in shown
    assert "ExitCode=3:0 " in shown
    assert (desk.folder / "shown.out").read_text() == f"{desk.folder} 1\n"


def test_the_parts_of_a_job_get_what_was_asked(desk: Desk) -> None:
    show = 'echo "$OMP_NUM_THREADS $MKL_NUM_THREADS $SLURM_JOB_PARTITION $SLURM_MEM_PER_NODE $SLURM_JOB_NUM_NODES"'
    states, said = desk.ran(show, cores=4, memory="300 MB", time="2 min", partition="debug", name="parts")
    assert (states, said) == (["COMPLETED"], "4 4 debug 300 1\n")


def test_every_process_of_the_launcher_gets_its_cores(desk: Desk) -> None:
    line = "srun bash -c 'echo $SLURM_PROCID $SLURMD_NODENAME $SLURM_CPUS_PER_TASK $OMP_NUM_THREADS' | sort"
    states, said = desk.ran(line, nodes=2, tasks=4, cores=4, time="2 min", memory="100 MB")
    assert states == ["COMPLETED"], said
    rows = [row.split() for row in said.splitlines()]
    assert [row[0] for row in rows] == ["0", "1", "2", "3"]
    assert len({row[1] for row in rows}) == 2
    assert {tuple(row[2:]) for row in rows} == {("2", "2")}


def test_the_elements_of_an_array_have_logs_of_their_own(desk: Desk) -> None:
    states, said = desk.ran('echo "$SLURM_ARRAY_TASK_ID"', array="1-7:3,9%2", time="2 min", name="part")
    assert (sorted(states), sorted(said.split())) == (["COMPLETED"] * 4, ["1", "4", "7", "9"])
    assert len(list(desk.folder.glob("part-*-9.out"))) == 1


@pytest.mark.parametrize(
    ("command", "state", "said"),
    [
        ("echo a\nbash -c 'exit 7'\necho b", "7:0", "a\n"),
        ("bash -c 'echo a; exit 3' | cat", "3:0", "a\n"),
        ("no-such-program", "127:0", "no-such-program: command not found"),
    ],
)
def test_the_job_ends_with_the_status_of_what_failed(desk: Desk, command: str, state: str, said: str) -> None:
    script = packhorse.script(command, site="testbed", time="2 min", name="fails")
    job = desk.send(script.text)
    assert desk.cluster.ended(job) == ["FAILED"]
    shown = desk.cluster.ask("scontrol", "show", "job", job)
    assert f"ExitCode={state}" in shown
    assert said in next(desk.folder.glob("*.out")).read_text()


def test_hostile_words_reach_slurm_as_they_are(desk: Desk) -> None:
    log = HOSTILE.replace("\\", "").replace("%", "%%")
    script = packhorse.script(
        "echo said", site="testbed", time="2 min", name=HOSTILE, log=f"{log} {{job}}.out"
    )
    job = desk.send(script.text)
    assert desk.cluster.ended(job) == ["COMPLETED"]
    assert (
        desk.cluster.ask("squeue", "--noheader", "--states=all", "--format=%j", f"--jobs={job}")
        == f"{HOSTILE}\n"
    )
    assert (desk.folder / f"{log.replace('%%', '%')} {job}.out").read_text() == "said\n"


def test_a_job_waits_for_another_and_errors_have_a_file(desk: Desk) -> None:
    first = desk.send(packhorse.script("false", site="testbed", time="2 min", name="first").text)
    script = packhorse.script(
        "echo out\necho err >&2",
        site="testbed",
        time="2 min",
        name="then",
        after=f"fail:{first}",
        error_log="{job}.err",
    )
    second = desk.send(script.text)
    assert desk.cluster.ended(second) == ["COMPLETED"]
    assert desk.cluster.states(first) == ["FAILED"]
    assert (desk.folder / f"then-{second}.out").read_text() == "out\n"
    assert (desk.folder / f"{second}.err").read_text() == "err\n"


def test_python_is_heard_while_it_runs(desk: Desk) -> None:
    desk.put("slow.py", "import time\nprint('begun')\ntime.sleep(300)\n")
    job = desk.send(packhorse.script("python3 slow.py", site="testbed", time="2 min", name="slow").text)
    log = desk.folder / f"slow-{job}.out"
    desk.cluster.until("the log tells", lambda: log.exists() and log.read_text() == "begun\n")
    assert desk.cluster.run(desk.user, ["scancel", job]).returncode == 0


def test_mail_is_sent_when_it_was_asked_for(desk: Desk) -> None:
    states, _ = desk.ran("true", time="2 min", name="mailed", mail="ada@example.org", mail_when="end")
    assert states == ["COMPLETED"]

    def told() -> list[str]:
        return [
            mail for mail in desk.cluster.mails() if "To: ada@example.org" in mail and "Name=mailed" in mail
        ]

    desk.cluster.until("a mail of the end", told)


SITE = find_site("testbed", Path("/"))
DIMENSIONS = ("time", "nodes", "cores", "memory", "memory_per_core", "gpus", "array", "tasks")


@st.composite
def forms(draw: st.DrawFn) -> Form:
    """Draw a job that fits, but for one or two wishes at a limit of the site's file, or one below or above it."""
    partition = draw(st.sampled_from(SITE.partitions))
    at_limit = draw(st.sets(st.sampled_from(DIMENSIONS), min_size=1, max_size=2))

    def wish(dimension: str, limit: int | None, usual: int, step: int = 1) -> int:
        if dimension not in at_limit:
            return usual
        return max(usual, (limit or 0) + step * draw(st.integers(-1, 1)))

    nodes = wish("nodes", partition.max_nodes or partition.nodes, 1)
    cores = wish("cores", partition.cores, draw(st.integers(1, 4)))
    each = wish("tasks", partition.cores, 1)
    cores = max(cores // each, 1) * each
    memory = wish("memory", partition.memory, 0)
    per_core = 0 if memory else wish("memory_per_core", (partition.memory or 0) // cores, 0)
    last = wish("array", SITE.max_array_index, 0)
    return Form(
        command="srun true",
        site="testbed",
        partition=partition.name if draw(st.booleans()) else "",
        time=f"{wish('time', partition.max_time, 60, 60)} s",
        nodes=nodes,
        tasks=nodes * each,
        cores=cores,
        memory=f"{memory} MB" if memory else "",
        memory_per_core=f"{per_core} MB" if per_core else "",
        gpus=wish("gpus", partition.gpus, draw(st.integers(0, partition.gpus))),
        array=draw(st.sampled_from([f"0-{last}", f"{last}", f"{last % 4}-{last}:4%2"])) if last else "",
    )


def agree(desk: Desk, form: Form) -> None:
    """Hold Packhorse's word on a form against the real sbatch's."""
    refused = ""
    try:
        text = make_script(form, desk.folder).text
    except RunError as error:
        request = request_of(form)
        gres = "gpu:a100" if request.gpus else "gpu"
        head = scheduler("slurm").directives(replace(request, gres=gres))
        refused, text = error.message, "\n".join(["#!/bin/bash", *head, "true\n"])
    told = desk.refusal(text)
    assert bool(told) == bool(refused), f"Packhorse: {refused or 'yes'}; Slurm: {told or 'yes'}\n{text}"


bounded = settings(
    max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@bounded
@given(forms())
def test_slurm_and_packhorse_agree(desk: Desk, form: Form) -> None:
    agree(desk, form)


@pytest.mark.campaign
@settings(bounded, max_examples=2000)
@given(forms())
def test_slurm_and_packhorse_agree_often(desk: Desk, form: Form) -> None:
    agree(desk, form)
