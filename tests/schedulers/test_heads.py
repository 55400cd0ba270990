"""What the head of a script that a user wrote asks for, in the words of each scheduler."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from packhorse.model.job import Request
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import Scheduler

SLURM, TORQUE, OPENPBS = scheduler("slurm"), scheduler("torque"), scheduler("openpbs")


USUAL: dict[str, Any] = {
    "name": "",
    "partition": "",
    "seconds": None,
    "account": "",
    "qos": "",
    "memory": None,
    "core_memory": None,
    "nodes": 1,
    "tasks": 1,
    "cores": 1,
    "gpus": 0,
    "gres": "gpu",
    "output": "",
    "error": "",
    "whole_nodes": False,
    "indices": (),
}


def lines(prefix: str, *options: str) -> str:
    return "\n".join(["#!/bin/bash", *(f"{prefix} {one}" for one in options), "", "hostname", ""])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-p gpu -t 20", "-A lab --qos=short"], {"partition": "gpu", "seconds": 1200, "account": "lab", "qos": "short"}),
        (["--time=1-12", "-J 'my fit'"], {"seconds": 129600, "name": "my fit"}),
        (["--time 1-12:30"], {"seconds": 131400}),
        (["--time=10:30"], {"seconds": 630}),
        (["--time=UNLIMITED", "--mem=0"], {"seconds": None, "memory": None}),
        (["--mem=4G", "-N 2-4 --ntasks-per-node=3 -c4"], {"memory": 4096, "nodes": 2, "tasks": 3, "cores": 12}),
        (["-N2", "-n 7"], {"nodes": 2, "tasks": 4, "cores": 4}),
        (["-n 500"], {"nodes": 1, "tasks": 1, "cores": 1}),  # they may go to as many nodes as there are
        (["--mem-per-cpu=500MB", "--gres=gpu:a100:2"], {"core_memory": 500, "gpus": 2, "gres": "gpu:a100"}),
        (["--gpus-per-node=v100:4"], {"gpus": 4, "gres": "gpu:v100"}),
        (["-G 4", "--nodes=2"], {"gpus": 2, "nodes": 2}),
        (["--gres=gpu"], {"gpus": 1, "gres": "gpu"}),
        (["-a 1-10:3,20%2"], {"indices": ((1, 10, 3), (20, 20, 1))}),
        (["-o logs/%j.out # what it prints", "-e err"], {"output": "logs/%j.out", "error": "err"}),
        (["--exclusive"], {"whole_nodes": True}),
        (["--time=5", "--time=6"], {"seconds": 360}),
        (["--requeue --hold -p debug"], {"partition": "debug"}),
        (["-H -p debug"], {"partition": "debug"}),
        (["--comment='unfinished"], {}),
        (["--cpus-per-task=4# four", "--out=x --tasks-per-node=2"], {"tasks": 2, "cores": 8, "output": "x"}),
        (["--time", "10:00"], {"seconds": 600}),
        (["--mem=4G", "hetjob", "--mem=8G -N 3"], {"memory": 4096}),
    ],
)  # fmt: skip
def test_a_slurm_head(options: list[str], expected: dict[str, Any]) -> None:
    found = SLURM.read_header(lines("#SBATCH", *options)).request
    assert {name: getattr(found, name) for name in USUAL} == USUAL | expected


FULL = Request(
    name="my fit",
    partition="gpu",
    account="lab",
    qos="short",
    indices=((0, 12, 4), (20, 20, 1)),
    nodes=2,
    tasks=2,
    cores=8,
    memory=4000,
    gpus=2,
    gres="gpu:a100",
    seconds=5400,
    output="out.txt",
    error="err.txt",
)


def test_a_head_that_packhorse_writes_is_read_back() -> None:
    written = "\n".join(["#!/bin/bash", *SLURM.directives(FULL), "hostname"])
    assert SLURM.read_header(written).request == FULL
    for dialect in (TORQUE, OPENPBS):
        found = dialect.read_header(
            "\n".join(["#!/bin/bash", *dialect.directives(replace(FULL, indices=()))])
        ).request
        for name in ("partition", "account", "nodes", "cores", "gpus", "seconds"):
            assert getattr(found, name) == getattr(FULL, name), (dialect.name, name)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["-N fit", "-l nodes=2:ppn=4,walltime=1:30:00", "-q serial"], {"nodes": 2, "cores": 4, "seconds": 5400, "partition": "serial"}),
        (["-l mem=8gb", "-l nodes=2"], {"memory": 4096, "nodes": 2}),
        (["-l pmem=500mb", "-t 1-10%2"], {"core_memory": 500, "indices": ((1, 10, 1),)}),
        (["-l select=3:ncpus=8:mem=4gb:ngpus=1+1:ncpus=2"], {"nodes": 3, "cores": 8, "memory": 4096, "gpus": 1}),
        (["-o host:logs/out -e errors -j oe", "-A lab"], {"output": "logs/out", "error": "errors", "account": "lab"}),
        (["-l nodes=n7+n8:ppn=2"], {"nodes": 1, "cores": 1}),
        (["-V -q long"], {"partition": "long"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("dialect", [TORQUE, OPENPBS], ids=["torque", "openpbs"])
def test_a_pbs_head(dialect: Any, options: list[str], expected: dict[str, Any]) -> None:
    found = dialect.read_header(lines("#PBS", *options)).request
    assert {name: getattr(found, name) for name in expected} == expected


def test_lines_after_the_first_command_do_not_count() -> None:
    text = "#!/bin/bash\n#SBATCH --time=5\n# a comment\n\nhostname\n#SBATCH --time=6\n# SBATCH --mem=5G\n"
    head = SLURM.read_header(text)
    assert head.request.seconds == 300
    assert head.notes == (
        "line 6: #SBATCH after the first command is a comment; move it up",
        "line 7: with a space after # it is a comment; write #SBATCH",
    )


def test_lines_of_another_scheduler_are_told() -> None:
    (note,) = SLURM.read_header("#!/bin/bash\n#PBS -l walltime=1:00:00\nhostname\n").notes
    assert note.startswith("line 2: this scheduler reads #PBS lines, too, as far as it knows their options")
    (note,) = TORQUE.read_header("#!/bin/bash\n#SBATCH --time=5\nhostname\n").notes
    assert note.startswith("line 2: #SBATCH is for Slurm; this scheduler reads #PBS")
    assert (
        TORQUE.read_header("#!/bin/bash\n#SBATCH --time=5\n#PBS -l walltime=1:00:00\nhostname\n").notes == ()
    )


def test_a_job_that_works_elsewhere_says_so() -> None:
    assert SLURM.read_header("#!/bin/bash\n#SBATCH -D /scratch/me\n").folder == "/scratch/me"
    assert TORQUE.read_header("#!/bin/bash\n#PBS -d /scratch/me\n").folder == "/scratch/me"


@given(st.lists(st.text(max_size=30), max_size=6), st.sampled_from(["#SBATCH ", "#PBS "]))
def test_any_text_can_be_a_head(parts: list[str], prefix: str) -> None:
    text = "#!/bin/bash\n" + "\n".join(prefix + part for part in parts)
    for dialect in (SLURM, TORQUE, OPENPBS):
        dialect.read_header(text)


@given(st.text(alphabet="-=:,%+0123456789gGmM naltpNJ", max_size=40))
def test_any_values_can_stand_in_a_head(text: str) -> None:
    SLURM.read_header(f"#SBATCH {text}\n")
    TORQUE.read_header(f"#PBS {text}\n")


@pytest.mark.parametrize(
    ("dialect", "line", "why"),
    [
        (SLURM, "#SBATCH --output=$HOME/logs/%j.out", "line 2: sbatch does not expand '$HOME/logs/%j.out'"),
        (SLURM, "#SBATCH -e /scratch/${USER}/x.err", "with %u for your user name"),
        (SLURM, "#SBATCH -o ~/x.out", "sbatch does not expand '~/x.out'"),
        (SLURM, "#SBATCH -D $SCRATCH", "does not expand '$SCRATCH'"),
        (SLURM, "#SBATCH --clusters=two", "another cluster"),
        (SLURM, "#SBATCH -W", "--wait cannot be in a script for packhorse submit"),
        (SLURM, "#SBATCH --quiet", "no job number"),
        (TORQUE, "#PBS -I", "an interactive job"),
        (OPENPBS, "#PBS -W umask=022,block=true", "-W block cannot be in a script"),
        (OPENPBS, "#PBS -z", "no job number"),
    ],
)
def test_a_script_whose_job_would_be_lost_is_refused(dialect: Scheduler, line: str, why: str) -> None:
    (sentence,) = dialect.read_header(f"#!/bin/bash\n{line}\nhostname\n").refusals
    assert why in sentence


def test_what_a_scheduler_expands_itself_is_not_refused() -> None:
    for line in (
        "--output=/scratch/%u/%x-%j.out",
        "--output=costs$5.out",
        "--array=1-3",
        "--hold",
        "--comment=x",
    ):
        assert SLURM.read_header(f"#!/bin/bash\n#SBATCH {line}\n").refusals == ()
    assert TORQUE.read_header("#!/bin/bash\n#PBS -o $HOME/x.out\n").refusals == ()
