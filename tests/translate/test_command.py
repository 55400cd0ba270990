"""packhorse translate: single requests, ambiguity, sites, files of every kind, and the command itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from packhorse.app.jobs.translate import TranslateOptions, translate_script
from packhorse.jobscript.script import JobScript
from packhorse.model.errors import UsageError
from packhorse.translate.request import Scheduler
from packhorse.translate.translate import translate

Run = Callable[..., subprocess.CompletedProcess[str]]


def head(text: str, source: str, to: Scheduler) -> list[str]:
    """Return the directives of a translation, and what it left as comments."""
    sentinel = "#SBATCH" if source == "slurm" else "#PBS"
    lines = "\n".join(f"{sentinel} {line}" for line in text.splitlines())
    made = translate(JobScript(f"#!/bin/bash\n{lines}\ncd /data\nhostname\n", "", source), to).text
    rows = [row for row in made.splitlines() if row.startswith(("#SBATCH", "#PBS", "##"))]
    return [row.removeprefix("#SBATCH ").removeprefix("#PBS ").partition("  # pack")[0] for row in rows]


@pytest.mark.parametrize(
    ("text", "torque", "openpbs"),
    [
        ("-N 2 --ntasks-per-node=3 -c 2", "-l nodes=2:ppn=6", "-l select=2:ncpus=6:mpiprocs=3:ompthreads=2"),
        ("-N 2 -n 5", "-l nodes=1:ppn=3+1:ppn=2", "-l select=1:ncpus=3:mpiprocs=3:ompthreads=1+1:ncpus=2:mpiprocs=2:ompthreads=1"),
        ("-n 4", "-l procs=4", "-l select=4:ncpus=1:mpiprocs=1"),
        ("-G 4 -N 2", "-l nodes=2:ppn=1:gpus=2", "-l select=2:ncpus=1:mpiprocs=1:ngpus=2"),
        ("--mem-per-cpu=2G -c 3", "-l mem=6144mb", "-l select=1:ncpus=3:mpiprocs=1:mem=6144mb"),
        ("-N 2 --mem=3G", "-l mem=6144mb", "-l select=2:ncpus=1:mpiprocs=1:mem=3072mb"),
        ("--time=90", "-l walltime=01:30:00", "-l walltime=01:30:00"),
        ("--time=2-3", "-l walltime=51:00:00", "-l walltime=51:00:00"),
        ("--array=0-9:3%2", "-t 0,3,6,9%2", "-J 0-9:3%2"),
        ("--array=7", "-t 7", "-J 7-8:2"),
        ("--mail-type=END,FAIL", "-m eaf", "-m ea"),
        ("--mail-type=NONE", "-m n", "-m n"),
        ("--dependency=afterok:12:13,afterany:14", "-W depend=afterok:12:13,afterany:14", "-W depend=afterok:12:13,afterany:14"),
        ("--begin=2030-01-02T03:04:05", "-a 203001020304.05", "-a 203001020304.05"),
        ("--export=ALL,A=1,B=2", "-v A=1,B=2", "-v A=1,B=2"),
        ("--exclusive", "-l naccesspolicy=singlejob", "-l place=excl"),
        ("--qos=high", "-l qos=high", "##SBATCH --qos=high"),
        ("--hint=nomultithread", "##SBATCH --hint=nomultithread", "##SBATCH --hint=nomultithread"),
        ("-J 'my fit'", "-N my_fit", "-N my_fit"),
        ("-o logs/%x_%j.out -J fit", "-o logs/fit_$PBS_JOBID.out", "-o logs/"),
        ("--workdir=/x", "##SBATCH --workdir /x", "##SBATCH --workdir /x"),
    ],
)  # fmt: skip
def test_from_slurm(text: str, torque: str, openpbs: str) -> None:
    assert torque in head(text, "slurm", "torque")
    assert openpbs in head(text, "slurm", "openpbs")


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("torque", "-l nodes=2:ppn=3:fast:gpus=1,mem=8gb",
         ["--nodes=2", "--cpus-per-task=3", "--mem=4096M", "--gpus-per-node=1", "--constraint=fast"]),
        ("torque", "-l nodes=n07:ppn=2", ["--nodes=1", "--cpus-per-task=2", "--nodelist=n07"]),
        ("torque", "-l procs=8,pmem=500mb", ["--ntasks=8", "--mem-per-cpu=500M"]),
        ("torque", "-l nodes=1:ppn=2+1:ppn=4", ["##PBS -l nodes=1:ppn=2+1:ppn=4"]),
        ("torque", "-W depend=afterokarray:12[].srv:13[].srv", ["--dependency=afterok:12:13"]),
        ("torque", "-q long@srv2 -A lab -r n -h", ["--partition=long", "--account=lab", "--no-requeue", "--hold"]),
        ("torque", "-o host:logs/a.out", ["--output=logs/a.out"]),
        ("torque", "-t 1-4 -o a.out", ["--array=1-4", "--output=a.out-%a"]),
        ("torque", "-o $PBS_JOBNAME.$PBS_JOBID.out -d /data", ["--output=%x.%j.out", "--chdir=/data"]),
        ("openpbs", "-l select=2:ncpus=8:mpiprocs=4:mem=4gb\n-l place=scatter:excl",
         ["--nodes=2", "--ntasks-per-node=4", "--cpus-per-task=2", "--mem=4096M", "--exclusive"]),
        ("openpbs", "-l select=4:ncpus=2:mem=1gb", ["--ntasks=4", "--cpus-per-task=2", "--mem-per-cpu=512M"]),
        ("openpbs", "-l select=1:ncpus=2:gpu_type=a100", ["##PBS -l select=1:ncpus=2:gpu_type=a100"]),
        ("openpbs", "-J 1-9:2 -o logs/^array_index^.out", ["--array=1-9:2", "--output=logs/%a.out"]),
        ("openpbs", "-m bea -M x@y.edu -p 10", ["--mail-type=BEGIN,END,FAIL", "--mail-user=x@y.edu", "##PBS -p 10"]),
        ("openpbs", "-v A,B=2 -a 203001020304", ["--export=ALL,A,B=2", "--begin=2030-01-02T03:04:00"]),
    ],
)  # fmt: skip
def test_to_slurm(source: str, text: str, expected: list[str]) -> None:
    found = head(f"-j oe\n{text}", source, "slurm")
    assert [row for row in found if row in expected] == expected, found


def body(lines: str, source: str, to: Scheduler, options: str = "") -> tuple[list[str], list[str]]:
    """Return the translated lines of a body that begins with a cd, and the notes."""
    sentinel = "#SBATCH" if source == "slurm" else "#PBS"
    own = "cd $SLURM_SUBMIT_DIR" if source == "slurm" else "cd $PBS_O_WORKDIR"
    text = f"#!/bin/bash\n{sentinel} {options or '-h'}\n{own}\n{lines}\n"
    done = translate(JobScript(text, "", source), to)
    rows = done.text.splitlines()
    start = next(index for index, row in enumerate(rows) if row.startswith("cd "))
    return rows[start + 1 :], [note.text for note in done.notes]


@pytest.mark.parametrize(
    ("line", "options", "expected"),
    [
        ("i=$((SLURM_ARRAY_TASK_ID-1))", "", "i=$((PBS_ARRAYID-1))"),
        ("python -c 'import os; os.environ[\"SLURM_ARRAY_TASK_ID\"]'", "", "python -c 'import os; os.environ[\"PBS_ARRAYID\"]'"),
        ("export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}", "-c 4", "export OMP_NUM_THREADS=4"),
        ("export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK", "-N 1 -c 4", "export OMP_NUM_THREADS=$PBS_NUM_PPN"),
        ("echo ${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID", "", "echo ${PBS_JOBID%%[!0-9]*}_$PBS_ARRAYID"),
        ("srun --mpi=pmix -n 4 ./sim > a_$SLURM_JOB_ID", "-n 4", "mpirun -np 4 ./sim > a_${PBS_JOBID%%.*}"),
        ("time srun python x.py &", "", "time python x.py &"),
        ("/usr/bin/srun --exclusive -N1 -n1 -c2 ./a.out &", "", "./a.out &"),
        ("j=$(sbatch --parsable -t 5 --dependency=afterok:$k a.sh)", "", "j=$(qsub -l walltime=00:05:00 -W depend=afterok:$k a.sh)"),
        ("scancel $SLURM_JOB_ID; squeue -u $USER", "", "qdel ${PBS_JOBID%%.*}; qstat -u $USER"),
        ("for h in $(scontrol show hostnames $SLURM_JOB_NODELIST); do echo $h; done", "",
         'for h in $(sort -u "$PBS_NODEFILE"); do echo $h; done'),
        ("# $SLURM_JOB_ID in a comment", "", "# $SLURM_JOB_ID in a comment"),
        ("SLURM_NTASKS=3; echo $SLURM_NTASKS", "", "SLURM_NTASKS=3; echo $SLURM_NTASKS"),
    ],
)  # fmt: skip
def test_a_body_to_torque(line: str, options: str, expected: str) -> None:
    assert body(line, "slurm", "torque", options)[0] == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mpirun -np `cat $PBS_NODEFILE | wc -l` ./sim", "mpirun -np ${SLURM_NTASKS:-1} ./sim"),
        ("n=$(sort -u $PBS_NODEFILE | wc -l)", "n=$SLURM_JOB_NUM_NODES"),
        ("echo ${PBS_JOBID%%[*} ${PBS_JOBID%%.*}", "echo ${SLURM_ARRAY_JOB_ID} ${SLURM_JOB_ID}"),
        ("pbsdsh -u hostname", "srun --ntasks-per-node=1 hostname"),
        ("aprun -n 24 -N 12 ./sim", "srun --ntasks=24 --ntasks-per-node=12 ./sim"),
        ("k=$(qsub -W depend=afterok:$j -v A=1 b.sh)", "k=$(sbatch --parsable --dependency=afterok:$j --export=ALL,A=1 b.sh)"),
        ("qdel $k", "scancel $k"),
    ],
)  # fmt: skip
def test_a_body_to_slurm(line: str, expected: str) -> None:
    assert body(line, "torque", "slurm")[0] == [expected]


def test_what_is_lost_in_a_body_is_named() -> None:
    rows, notes = body("echo $SLURM_JOB_QOS\nsacct -j 5\nsbatch --wrap 'echo a'", "slurm", "torque")
    assert rows == ["echo $SLURM_JOB_QOS", "sacct -j 5", "sbatch --wrap 'echo a'"]
    assert [note for note in notes if "SLURM_JOB_QOS" in note or "sacct" in note or "--wrap" in note] == [
        "SLURM_JOB_QOS has no equivalent in TORQUE",
        "sacct: TORQUE has another command",
        "sbatch --wrap: translate this call by hand",
    ]


def test_a_list_of_nodes_is_made_where_it_is_read() -> None:
    rows, _ = body("mpirun -machinefile $PBS_NODEFILE ./sim", "torque", "slurm", "-l nodes=2:ppn=2")
    assert rows == ["mpirun -machinefile $PBS_NODEFILE ./sim"]
    text = "#!/bin/bash\n#PBS -l nodes=2:ppn=2\ncd $PBS_O_WORKDIR\nmpirun -machinefile $PBS_NODEFILE ./sim\n"
    made = translate(JobScript(text), "slurm").text
    assert 'PBS_NODEFILE=$(mktemp)\nsrun hostname | sort > "$PBS_NODEFILE"\n' in made
    assert "#SBATCH --ntasks-per-node=2\n" in made


def test_what_a_program_reads_is_exported(tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text(
        'import os\nprint(os.environ["SLURM_ARRAY_TASK_ID"], os.environ["SLURM_JOB_QOS"])\n'
    )
    script = tmp_path / "job.sh"
    script.write_text("#!/bin/bash\n#SBATCH --array=1-3\npython fit.py\n")
    done = translate_script(script, TranslateOptions(to="torque"), tmp_path)
    assert 'export SLURM_ARRAY_TASK_ID="$PBS_ARRAYID"\n' in done.script
    assert [note.text for note in done.notes] == ["fit.py reads SLURM_JOB_QOS, which has no equivalent"]


def test_a_python_script_gets_no_shell_lines() -> None:
    text = (
        "#!/usr/bin/env python3\n#SBATCH --array=1-3\nimport os\nprint(os.environ['SLURM_ARRAY_TASK_ID'])\n"
    )
    done = translate(JobScript(text), "torque")
    assert done.text.endswith("#PBS -V\n#PBS -j oe\nimport os\nprint(os.environ['PBS_ARRAYID'])\n")
    assert [note.text for note in done.notes] == [
        'the script is not for a shell; let it do the same as: cd "$PBS_O_WORKDIR" || exit'
    ]


def test_a_script_for_csh_keeps_its_folder() -> None:
    text = "#!/bin/csh\n#PBS -l nodes=1\n#PBS -j oe\ncd $PBS_O_WORKDIR\nsetenv A 2\n"
    made = translate(JobScript(text), "slurm").text
    assert made == "#!/bin/csh\n#SBATCH --nodes=1\ncd $SLURM_SUBMIT_DIR\nsetenv A 2\n"


def test_the_command(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text("#!/bin/bash\r\n#SBATCH -n 1 -t 5\r\nhostname\r\n")
    done = packhorse("translate", "job.sh", "--to", "pbspro", "-o", "job.pbs", "--json")
    report = json.loads(done.stdout)
    assert (report["source"], report["to"], report["output"]) == ("slurm", "openpbs", "job.pbs")
    assert (tmp_path / "job.pbs").read_text() == report["script"]
    assert "#PBS -l walltime=00:05:00\n" in report["script"]
    again = packhorse("translate", "job.sh", "--to", "pbspro", "-o", "job.pbs")
    assert (again.returncode, "job.pbs exists already" in again.stderr) == (2, True)
    shown = packhorse("translate", "job.sh", "--to", "torque", "--diff")
    assert "+#PBS -l walltime=00:05:00" in shown.stdout
    assert packhorse("translate", "job.sh").returncode == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\x7fELF\x02\x00", "not a text file"),
        (b"#" * (2 << 20), "too large for a script"),
        (b"#!/bin/bash\nhostname\n", "no directives of Slurm or PBS"),
        (b"#!/bin/bash\n#PBS -l nodes=1\n", "is for TORQUE already"),
    ],
)
def test_a_file_that_cannot_be_translated(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "job.sh").write_bytes(data)
    with pytest.raises(UsageError, match=message):
        translate_script(tmp_path / "job.sh", TranslateOptions(to="torque"), tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "#SBATCH --array=9999999999-1\n#SBATCH -N x -n -1 --mem=1.5G\n",
        "#SBATCH --nodes=0 --ntasks=0 -c 0 --gres=gpu:\n",
        "#SBATCH hetjob\n#SBATCH -n 2\n",
        "#PBS -l select=0:ncpus=x+:+\n#PBS -l nodes=:::,walltime=::\n",
        "#PBS -W depend=,x=\n#PBS -t 1-2-3 -J % -o\n",
        "#PBS -l nodes=1:ppn=0\n#PBS -l ncpus=0\n",
        "#PBS -l select=1:ncpus=0:mpiprocs=0\n",
        "#SBATCH \xff\udcff --export=\n$((((\n",
    ],
)
@pytest.mark.parametrize("to", ["slurm", "torque", "openpbs"])
def test_no_text_gives_a_traceback(text: str, to: Scheduler) -> None:
    made = translate(JobScript(f"#!/bin/bash\n{text}echo $SLURM_NTASKS ${{PBS_NP\n"), to)
    assert made.text
