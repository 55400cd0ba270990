"""Rules of requests: cores, nodes, limits of the site."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.lint.job import Job, interpreter_of, note
from packhorse.lint.rule import Note, rule
from packhorse.study.discover.cores.serial import is_serial
from packhorse.text.amounts import counted

_PARALLEL = (
    r"(?i)\bmpi|dask|\bray\b|horovod|deepspeed|torch|distributed|snakemake|nextflow|snow|Rmpi|clustermq|parallelly|"
    r"nodelist|hostnames|nodefile|charm|pdsh|\bssh\b|tensorflow|jax|future"
)


def _count(job: Job, name: str) -> int | None:
    value = job.script.value(name)
    return int(value) if value.isdigit() else None


@rule("J10", "warning", "Several nodes are requested, and one is used.")
def idle_nodes(job: Job) -> Iterator[Note]:
    """Ask for one node, or start the program on all of them with `srun` or `mpirun`.

    Without a launcher the script runs on the first node, and the others idle, and are charged. The rule speaks only
    where it has read the source of every program and found no sign of MPI, Dask, Ray or others that start themselves.

    Example: `--nodes=4`, and `python fit.py` whose source uses one machine.
    """
    nodes, option = _count(job, "nodes"), job.script.option("nodes")
    if option is None or nodes is None or nodes < 2 or not job.every_source_is_known:
        return
    if any(command.launcher for command in job.shell.commands) or job.mentions(_PARALLEL):
        return
    yield note(option, f"{counted(nodes, 'node')}, but no line starts processes on more than the first")


@rule("J11", "hint", "Several cores are requested for a program that uses one.")
def idle_cores(job: Job) -> Iterator[Note]:
    """Ask for one core for a serial program.

    More cores do not make it faster; they wait longer in the queue, and are charged. The rule speaks only where it has
    read the source of every program, and that loads nothing that may start threads or processes. Cores for the data
    loaders of GPU jobs are not reported.
    """
    cores, option = _count(job, "cpus-per-task"), job.script.option("cpus-per-task")
    gpus = any(job.script.option(name) for name in ("gpus", "gres", "gpus-per-node", "gpus-per-task"))
    if option is None or cores is None or cores < 2 or gpus or not job.every_source_is_known:
        return
    if len(job.programs) != 1 or any(command.background for command in job.programs):
        return
    suffix = {"python": ".py", "r": ".R"}[interpreter_of(job.programs[0])]
    if all(is_serial(text, suffix) for text in job.sources.values()):
        yield note(option, f"{counted(cores, 'core')} for a program that uses one")


@rule("J12", "warning", "Tasks are requested where cores are meant.")
def tasks_for_threads(job: Job) -> Iterator[Note]:
    """Ask for `--ntasks=1 --cpus-per-task=N` for a program with threads or worker processes.

    The scheduler may place tasks on several nodes, and a program that nothing launches uses those of its own node only.
    With `--nodes=1` all tasks are on one node, so that it does no harm, and the rule is silent.
    """
    tasks, option = _count(job, "ntasks"), job.script.option("ntasks")
    if option is None or tasks is None or tasks < 2 or job.script.value("nodes") == "1":
        return
    if any(job.script.option(name) for name in ("ntasks-per-node", "cpus-per-task", "gres", "gpus", "nodes")):
        return
    launched = any(command.launcher for command in job.shell.commands)
    if launched or not job.every_source_is_known or job.mentions(_PARALLEL):
        return
    if any(
        re.search(r"multiprocessing|joblib|n_jobs|concurrent\.futures|mclapply|makeCluster", text)
        for text in job.sources.values()
    ):
        yield note(
            option,
            f"{counted(tasks, 'task')} may be on several nodes; the program uses one",
            advice=f"--ntasks=1 --cpus-per-task={tasks}",
        )


@rule("J13", "warning", "More threads are started than cores were requested.")
def too_many_threads(job: Job) -> Iterator[Note]:
    """Set the number of threads from the request: `export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK`.

    A constant that is larger than `--cpus-per-task` makes threads wait for each other on the cores of the job.
    """
    if job.script.dialect != "slurm" or job.script.is_template:
        return
    cores = _count(job, "cpus-per-task") or 1
    if job.script.option("exclusive") or any(
        job.script.option(name)
        for name in ("ntasks", "ntasks-per-node", "gres", "gpus", "cpus-per-gpu", "gpus-per-node")
    ):
        return
    if job.script.option("cpus-per-task") is None:
        return
    for one in job.shell.assignments:
        thread_count = one.name in {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"}
        if (
            thread_count
            and one.value.raw.isdigit()
            and int(one.value.raw) > cores
            and not one.where.conditional
        ):
            yield Note(
                message=f"{one.name}={one.value.raw}, but --cpus-per-task is {cores}",
                line=one.line,
                column=one.start,
                advice=f"{one.name}=$SLURM_CPUS_PER_TASK",
            )


@rule("J16", "hint", "No time is requested, and the site's default is short.", optional=True)
def no_time(job: Job) -> Iterator[Note]:
    """Request a time: the scheduler fits short jobs into gaps, and kills a job at the end of the default.

    This rule runs only where it is selected, since many sites have a default that suits.
    """
    if job.script.dialect == "slurm" and job.script.directives and job.script.option("time") is None:
        yield Note(
            message="no --time: the job gets the default of its partition", line=job.script.directives[0].line
        )


@rule("J51", "hint", "Python keeps its output back.", optional=True)
def buffered_output(job: Job) -> Iterator[Note]:
    """Run `python -u`, or set PYTHONUNBUFFERED=1, so that the log shows each line at once.

    Python collects 8 kB of output before it writes to a file: logs look empty, and a killed job loses its last lines.
    This rule runs only where it is selected.

    The fix adds `-u`. It is safe.
    """
    if job.mentions("PYTHONUNBUFFERED") or not job.script.dialect:
        return
    for command in job.programs:
        if interpreter_of(command) == "python" and not any(
            re.fullmatch(r"-\w*u\w*", word.text) for word in command.program[1:3]
        ):
            yield Note(
                message="the log shows what Python prints only later", line=command.line, column=command.start
            )


_PROCESSES = (
    r"(?<!Thread)\bPool\(\s*(?:processes\s*=\s*)?(\d+)|ProcessPoolExecutor\(\s*(?:max_workers\s*=\s*)?(\d+)"
    r"|\bn_jobs\s*=\s*(\d+)|\bmc\.cores\s*=\s*(\d+)|\bmake(?:PSOCK|Fork)?[cC]luster\(\s*(\d+)"
)


@rule("J67", "warning", "The program starts more processes than cores were requested.")
def too_many_processes(job: Job) -> Iterator[Note]:
    """Take the number of processes from the request: `int(os.environ["SLURM_CPUS_PER_TASK"])`.

    A number in the source (`Pool(8)`, `mc.cores = 8`) that is larger than `--cpus-per-task` makes processes wait for
    each other. The rule reads the source of the programs; a number that is smaller, and one that is computed, is right.
    """
    cores, option = _count(job, "cpus-per-task"), job.script.option("cpus-per-task")
    if option is None or cores is None or job.script.option("exclusive") or job.script.option("ntasks"):
        return
    for path, text in job.sources.items():
        code = re.sub(r"#[^\n]*", "", text)
        started = [int(number) for match in re.findall(_PROCESSES, code) for number in match if number]
        if started and max(started) > cores:
            yield note(option, f"{path} starts {max(started)} processes on {counted(cores, 'core')}")
