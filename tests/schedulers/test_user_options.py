"""A user's own options of the scheduler: which go with every job of a run, and which a study cannot have."""

from __future__ import annotations

import pytest

from packhorse.model.errors import RunError
from packhorse.model.site import Site
from packhorse.model.study import Cluster, Study
from packhorse.project.placement import Place, propose
from packhorse.schedulers import scheduler


@pytest.mark.parametrize(
    ("dialect", "options", "charged"),
    [
        ("slurm", ("--account=lab", "--nice=100"), ("--account=lab",)),
        ("slurm", ("-A lab -q high", "--reservation course", "--acc=lab2"),
         ("--account=lab", "--qos=high", "--reservation=course", "--account=lab2")),
        ("slurm", ("-Alab --wckey=k", "-C fast"), ("--account=lab", "--wckey=k")),
        ("torque", ("-A lab", "-p 10"), ("-A lab",)),
        ("torque", ("-W group_list=lab,umask=022", "-l qos=high,naccesspolicy=singlejob", "-W x=FLAGS:ADVRES:course.1"),
         ("-W group_list=lab", "-l qos=high", "-W x=FLAGS:ADVRES:course.1")),
        ("openpbs", ("-P lab", "-Plab2", "-l place=excl", "-q R123.pbs01"), ("-P lab", "-P lab2", "-q R123.pbs01")),
    ],
)  # fmt: skip
def test_who_is_charged_goes_with_every_job(
    dialect: str, options: tuple[str, ...], charged: tuple[str, ...]
) -> None:
    speaker = scheduler(dialect)
    assert speaker.charged_options(options) == charged
    assert speaker.contradictions(options) == []


@pytest.mark.parametrize(
    ("dialect", "option", "why"),
    [
        ("slurm", "--clusters=two", "--clusters in options: the job goes to another cluster"),
        ("slurm", "-M two", "--clusters in options"),
        ("slurm", "--cluster-constraint=big", "another cluster"),
        ("slurm", "--array=1-5", "write the parameters of the study"),
        ("slurm", "--arr 1-5", "--array in options"),
        ("slurm", "--nice=5 -a1-5", "--array in options"),
        ("slurm", "-o mine.out", "--output in options"),
        ("slurm", "-e mine.err", "--error in options"),
        ("slurm", "--parsable", "Packhorse sets it"),
        ("slurm", "-W", "sbatch would not answer"),
        ("slurm", "-H", "the waves would never start"),
        ("slurm", "--depend=afterok:1", "--dependency in options"),
        ("slurm", "-J mine", "write name:"),
        ("slurm", "-p big", "write partition:"),
        ("slurm", "-t 5", "write job_time:"),
        ("slurm", "--mem=5G", "write memory: under resources:"),
        ("slurm", "--comment=mine", "by their comment"),
        ("slurm", "-Q", "no job number"),
        ("torque", "-t 1-5", "write the parameters of the study"),
        ("torque", "-N mine", "write name:"),
        ("torque", "-l walltime=1:00:00,qos=high", "-l walltime in options"),
        ("torque", "-l nodes=1:ppn=4", "write cpus: under resources:"),
        ("torque", "-W depend=afterok:1", "-W depend in options"),
        ("torque", "-h", "never start"),
        ("torque", "-v A=b", "write env:"),
        ("torque", "-q debug", "write partition:"),
        ("openpbs", "-J 1-5", "write the parameters of the study"),
        ("openpbs", "-l select=1:ncpus=4", "one node"),
        ("openpbs", "-W block=true", "would not answer"),
        ("openpbs", "-z", "no job number"),
        ("openpbs", "-o mine.out", "-o in options"),
    ],
)  # fmt: skip
def test_what_contradicts_packhorse_is_refused(dialect: str, option: str, why: str) -> None:
    (sentence,) = scheduler(dialect).contradictions((option,))
    assert why in sentence
    place = Place(site=Site(name="x", scheduler=dialect), asked=Cluster(options=(option,)))  # type: ignore[arg-type]
    with pytest.raises(RunError, match="a study cannot have") as refused:
        propose(Study(name="s", command=("a",)), place, 5)
    assert why in refused.value.message


@pytest.mark.parametrize(
    "option", ["--nice=100", "-C fast", "--time-min=5", "--nodelist=n1", "--exclude=n1", "--gres-flags=none",
               "--mem-bind=local", "--licenses=stata", "--export=NONE", "--ntasks-per-core=1"]
)  # fmt: skip
def test_what_does_not_contradict_is_passed_on(option: str) -> None:
    assert scheduler("slurm").contradictions((option,)) == []
    assert scheduler("slurm").charged_options((option,)) == ()
