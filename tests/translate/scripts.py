"""Scripts to translate, made at random from parts that people write, and what a scheduler gives to their jobs."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

SHAPES = {
    "slurm": (
        [],
        ["--ntasks=1", "--cpus-per-task=4"],
        ["-c 2", "--mem=4G"],
        ["--nodes=1", "--ntasks-per-node=4"],
        ["-N 2 --ntasks-per-node=3 -c 2", "--mem=6000M"],
        ["--nodes=2", "--ntasks=4"],
        ["-n 4", "--mem-per-cpu=500M"],
        ["--ntasks=3 --cpus-per-task=2", "--mem-per-cpu=1G"],
        ["-N1 -n2", "--mem=2G", "--gres=gpu:1"],
        ["--nodes=1 --exclusive"],
        ["--cpus-per-task=4# four", "--mem-per-cpu=1000"],
    ),
    "torque": (
        ["-l nodes=1:ppn=4"],
        ["-l nodes=1:ppn=1,mem=4gb"],
        ["-l nodes=2:ppn=3", "-l mem=6gb"],
        ["-l nodes=1:ppn=2:gpus=1"],
        ["-l procs=4", "-l mem=2gb"],
        ["-l nodes=2:ppn=2:fast"],
        ["-lnodes=1 -l naccesspolicy=singlejob"],
        ["-l ncpus=4"],
    ),
    "openpbs": (
        ["-l select=1:ncpus=4"],
        ["-l select=1:ncpus=2:mem=4gb"],
        ["-l select=2:ncpus=6:mpiprocs=3:ompthreads=2:mem=6000mb", "-l place=scatter"],
        ["-l select=4:ncpus=1:mpiprocs=1:mem=500mb"],
        ["-l select=2:ncpus=2:mpiprocs=2", "-l place=scatter:excl"],
        ["-l select=1:ncpus=2:ngpus=1"],
        ["-l ncpus=4,mem=2gb"],
    ),
}
OTHERS = {
    "slurm": (
        "--time=1:00:00", "-t 30", "--time=1-12", "--job-name=fit", "-J 'fit-2'  # its name", "--output=logs/%x_%j.out", "-o out.txt -e err.txt",
        "--mail-type=END,FAIL", "--mail-type=ALL", "--mail-user=a@uni.edu", "--hold", "--requeue", "--no-requeue",
        "--signal=B:USR1@60", "--open-mode=append", "--export=ALL,A=1", "--export=NONE", "--begin=2030-01-02T03:04:05",
        "--comment='a # b'", "--hint=nomultithread", "--kill-on-invalid-dep=yes", "--nice=10", "--partition=general  # the usual one",
    ),
    "torque": (
        "-l walltime=1:00:00", "-l walltime=30:00", "-N fit", "-j oe", "-o out.txt", "-e err.txt", "-m abe", "-m n", "-M a@uni.edu",
        "-h", "-r n", "-r y", "-V", "-v A=1,B=2", "-k oe", "-W umask=022", "-p 10", "-a 203001020304", "-S /bin/bash", "-q general",
    ),
}  # fmt: skip
OTHERS["openpbs"] = OTHERS["torque"]
ARRAYS = {
    "slurm": ("--array=1-5", "-a 0-9:3", "--array=1,3,7%2", "--array=4", "-a 1-10%2"),
    "torque": ("-t 1-5", "-t 1,3,7%2", "-t 4", "-t 0-9%3"),
    "openpbs": ("-J 1-5", "-J 0-9:3", "-J 4-5:2"),
}
# Lines that print what a job sees; the same lines must print the same after a translation.
BODIES = {
    "slurm": (
        'echo "index ${SLURM_ARRAY_TASK_ID:-none}"', "echo $((SLURM_ARRAY_TASK_ID * 2))", "echo threads ${SLURM_CPUS_PER_TASK:-1}",
        'export OMP_NUM_THREADS=${SLURM_CPUS_PER_TASK:-1}; echo "$OMP_NUM_THREADS"', 'echo "tasks ${SLURM_NTASKS:-1}"',
        'echo "nodes $SLURM_JOB_NUM_NODES"', 'echo "$SLURM_JOB_NAME"', "cd $SLURM_SUBMIT_DIR && pwd", "pwd",
        "srun -n1 echo one program", "echo 'text with $5' # a comment", "for i in 1 2; do\n    echo $i\ndone",
        "srun --ntasks=1 --cpu-bind=cores echo bound",
    ),
    "torque": (
        'echo "index ${PBS_ARRAYID:-none}"', "cd $PBS_O_WORKDIR", "pwd", 'echo "nodes $(sort -u $PBS_NODEFILE | wc -l)"',
        "echo 'text with $5' # a comment", 'echo "${PBS_JOBID%%.*}" > /dev/null', "echo $PBS_JOBNAME",
    ),
    "openpbs": (
        'echo "index ${PBS_ARRAY_INDEX:-none}"', "cd $PBS_O_WORKDIR", "pwd", 'echo "nodes $(sort -u $PBS_NODEFILE | wc -l)"',
        'echo "threads $NCPUS"', "echo 'text with $5' # a comment", "echo $PBS_JOBNAME",
    ),
}  # fmt: skip


def scripts(number: int, dialect: str, seed: int = 1) -> Iterator[str]:
    """Yield scripts; a third are arrays."""
    draw = random.Random(f"{dialect}-{seed}")
    sentinel = "#SBATCH" if dialect == "slurm" else "#PBS"
    for _ in range(number):
        options = [*draw.choice(SHAPES[dialect]), *draw.sample(OTHERS[dialect], draw.randint(1, 5))]
        array = draw.random() < 0.35
        options += [draw.choice(ARRAYS[dialect])] if array else []
        draw.shuffle(options)
        lines = [f"{sentinel} {option}" for option in options]
        lines.insert(draw.randint(0, len(lines)), "# A comment of the author's.")
        body = draw.sample(BODIES[dialect], draw.randint(2, 5))
        if "--ntasks=3" in " ".join(options):  # Slurm may give it any number of nodes
            body = [line for line in body if "NUM_NODES" not in line]
        if not array:
            body = [line for line in body if "* 2" not in line]
        yield "\n".join(["#!/bin/bash", *lines, "", *body, 'echo "done"']) + "\n"


def pbs_nodes(text: str) -> list[str]:
    """Return the lines of the node file that TORQUE or OpenPBS gives for the -l of a script."""
    found = re.findall(r"^#PBS -l\s*(?:nodes|select)=(\S+)", text, re.MULTILINE)
    procs = re.findall(r"^#PBS -l\s*procs=(\d+)", text, re.MULTILINE)
    if procs:
        return ["n0"] * int(procs[0])
    rows, number = [], 0
    for chunk in (found[-1].partition(",")[0] if found else "1").split("+"):
        count, *parts = chunk.split(":")
        values = dict(part.partition("=")[::2] for part in parts)
        each = int(values.get("ppn") or values.get("mpiprocs") or 1)
        spread = "place=scatter" in text or "ppn" in values
        for _ in range(int(count)):
            rows += [f"n{number}"] * each
            number += 1 if spread else 0
    return rows


def environment(text: str, dialect: str, folder: Path) -> dict[str, str]:
    """Return the variables that the scheduler gives to the first element of a script's job, by its manual pages."""
    flags = "(?:--array=|-a)" if dialect == "slurm" else "(?:-t|-J)"
    array = re.search(rf"^#(?:SBATCH|PBS) {flags} ?(\d+)", text, re.MULTILINE)
    name = re.search(r"^#(?:SBATCH|PBS) (?:--job-name=|-[JN] )'?\"?([A-Za-z_][^'\"\n]*)", text, re.MULTILINE)
    if dialect == "slurm":
        return _slurm(text, folder, array[1] if array else "", name[1] if name else "job.sh")
    rows = pbs_nodes(text)
    (folder / "nodes").write_text("".join(f"{row}\n" for row in rows))
    found = {
        "PBS_O_WORKDIR": str(folder),
        "PBS_NODEFILE": str(folder / "nodes"),
        "PBS_JOBID": f"26[{array[1]}].server" if array else "26.server",
        "PBS_JOBNAME": name[1] if name else "job.sh",
    }
    if array:
        found["PBS_ARRAYID" if dialect == "torque" else "PBS_ARRAY_INDEX"] = array[1]
    if dialect == "torque":
        ppn = re.search(r"ppn=(\d+)", text)
        found |= {
            "PBS_NP": str(len(rows)),
            "PBS_NUM_NODES": str(len(set(rows))),
            "PBS_NUM_PPN": ppn[1] if ppn else "1",
        }
    else:
        ncpus, threads = re.search(r"ncpus=(\d+)", text), re.search(r"ompthreads=(\d+)", text)
        found["NCPUS"] = (threads or ncpus)[1] if threads or ncpus else "1"  # type: ignore[index]
    return found


def _slurm(text: str, folder: Path, index: str, name: str) -> dict[str, str]:
    def number(*names: str) -> int:
        found = re.findall(rf"^#SBATCH.*?(?:{'|'.join(names)})[= ]?(\d+)", text, re.MULTILINE)
        return int(found[-1]) if found else 0

    cores, tasks, per_node = (
        number("--cpus-per-task", " -c"),
        number("--ntasks", " -n"),
        number("--ntasks-per-node"),
    )
    nodes = number("--nodes", " -N") or 1
    found = {
        "SLURM_SUBMIT_DIR": str(folder),
        "SLURM_JOB_ID": "26",
        "SLURM_JOB_NAME": name,
        "SLURM_JOB_NUM_NODES": str(nodes),
    }
    found |= {"SLURM_CPUS_PER_TASK": str(cores)} if cores else {}
    found |= {"SLURM_NTASKS": str(tasks or nodes * per_node)} if tasks or per_node else {}
    found |= {"SLURM_NTASKS_PER_NODE": str(per_node)} if per_node else {}
    return found | ({"SLURM_ARRAY_TASK_ID": index, "SLURM_ARRAY_JOB_ID": "26"} if index else {})
