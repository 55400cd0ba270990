"""Rules of arrays: the index, the list that it picks from, and names that it makes."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from packhorse.jobscript.lines import Edit
from packhorse.jobscript.shell import Assignment, Use
from packhorse.jobscript.values import Indices, slurm_seconds
from packhorse.lint.job import INDEX_VARIABLES, READS_ENVIRONMENT, Job, named, note
from packhorse.lint.rule import Note, rule
from packhorse.text.amounts import counted

_INDEX = "|".join(INDEX_VARIABLES)


def offset_of(text: str, job: Job, depth: int = 0) -> int | None:
    """Return what an expression adds to the array's index: 0 for $SLURM_ARRAY_TASK_ID, -1 for $((ID - 1))."""
    plain = re.sub(r"[\s${}\"'()]|\blet\b", "", text)
    found = re.fullmatch(r"(\w+?)(?:([+-])(\d+))?", plain)
    if not found or depth > 3:
        return None
    added = int(f"{found[2]}{found[3]}") if found[2] else 0
    if re.fullmatch(_INDEX, found[1]):
        return added
    values = [one for one in job.shell.assignments if one.name == found[1]]
    if len(values) != 1 or values[0].append or values[0].where.loop or values[0].where.conditional:
        return None
    inner = offset_of(values[0].value.raw, job, depth + 1)
    return None if inner is None else inner + added


@rule("J64", "warning", "The array's range does not fit the list that it picks from.")
def range_and_list(job: Job) -> Iterator[Note]:
    """Make the range of the array and the list equal; lists of the shell begin with 0.

    An index behind the end of a list gives an empty text without a message: the program runs with an argument less.
    With `--array=1-3` and three elements the first is never used, and the last task gets nothing.

    Example: `rates=(0.1 0.2 0.5)` and `--array=1-3` with `${rates[$SLURM_ARRAY_TASK_ID]}`: write `--array=0-2`, or
    subtract one from the index.

    Lists that are longer than the range, and lists that are not literal (`$(ls)`, `*.csv`, `+=`), are not reported.
    """
    indices = job.indices
    if indices is None or job.shell.errors:
        return
    lists = _literal_lists(job)
    reported = set()
    for use in job.shell.uses:
        listed = lists.get(use.name)
        offset = offset_of(use.index, job) if use.index else None
        if listed is None or offset is None or use.name in reported:
            continue
        assert listed.items is not None
        size, last, first = len(listed.items), indices.last + offset, indices.first + offset
        if last >= size:
            reported.add(use.name)
            yield _beyond(use, size, indices, first, last)


def _literal_lists(job: Job) -> dict[str, Assignment]:
    """Return the arrays of the shell that are written out once, as literal words."""
    found: dict[str, Assignment] = {}
    spoilt = {one.name for one in job.shell.assignments if one.append or one.indexed}
    spoilt |= {
        word.text
        for one in job.shell.commands
        if one.name in {"mapfile", "readarray", "read", "unset"}
        for word in one.words
    }
    for one in job.shell.assignments:
        if one.items is None or one.name in found:
            spoilt.add(one.name)
        # A literal word, or one quoted text with variables, is one element.
        if (
            one.items is not None
            and all(
                item.literal is not None
                or (item.raw.startswith('"') and "@" not in item.raw and "*" not in item.raw)
                for item in one.items
            )
            and one.items
            and not one.where.conditional
            and not one.where.loop
        ):
            found[one.name] = one
    return {name: one for name, one in found.items() if name not in spoilt or _only_once(job, name)}


def _only_once(job: Job, name: str) -> bool:
    named_so = [one for one in job.shell.assignments if one.name == name]
    return len(named_so) == 1 and not named_so[0].append and not named_so[0].indexed


def _beyond(use: Use, size: int, indices: Indices, first: int, last: int) -> Note:
    used = f"{first}-{last}" if last > first else f"{first}"
    missed = ", and its first is never used" if first == 1 else ""
    elements = counted(size, "element")
    return Note(
        message=f"{use.name} has {elements} (0-{size - 1}), but tasks use {used}: the last get nothing{missed}",
        line=use.line,
        column=use.start,
        advice=f"let the range be {indices.first - first}-{indices.first - first + size - 1}"
        if indices.first >= first
        else "",
    )


@rule("J65", "warning", "Index 0 picks line 0 of a file, which does not exist.")
def line_zero(job: Job) -> Iterator[Note]:
    """Let the array begin at 1, or add one to the index: lines of files are counted from 1.

    `sed -n "0p"` fails with `invalid usage of line address 0`, and the program gets nothing.

    Example: `--array=0-9` with `sed -n "${SLURM_ARRAY_TASK_ID}p" grid.txt`.
    """
    indices = job.indices
    if indices is None:
        return
    for command in job.shell.commands:
        if command.name != "sed" or len(command.words) < 3:
            continue
        for word in command.words[1:]:
            found = re.fullmatch(
                r"[\"']?\$(?:\{(\w+)\}|(\w+)|(\(\([^)]*\)\)))[\"']?(?:p|q;d)[\"']?", word.raw
            )
            offset = offset_of(found[1] or found[2] or found[3], job) if found else None
            if offset is not None and indices.first + offset == 0:
                yield Note(
                    message="the first task asks sed for line 0",
                    line=command.line,
                    column=word.start,
                    advice="begin the array at 1",
                )


@rule("J34", "warning", "No task of the array reads its index.")
def index_unused(job: Job) -> Iterator[Note]:
    """Give each task its index: `python fit.py --task "$SLURM_ARRAY_TASK_ID"`.

    All tasks do the same work, since neither the script nor the programs that it runs read the index. The rule is
    silent where it cannot see the source of every program, and for chains (`%1`) and arrays of one task.
    """
    indices, array = job.indices, job.array
    if indices is None or array is None or indices.count < 2 or indices.at_a_time == 1:
        return
    if not job.every_source_is_known or job.mentions(READS_ENVIRONMENT.pattern):
        return
    if re.search(r"(?i)random|rnorm|runif|sample|rng", " ".join(job.sources.values())):
        return  # repeats that differ by chance
    yield note(
        array,
        f"{counted(indices.count, 'task')} do the same: neither the script nor its programs read the index",
    )


@rule("J61", "warning", "A name runs into the underscore that follows it.")
def swallowed_underscore(job: Job) -> Iterator[Note]:
    """Put braces around a variable that an underscore follows: `${SLURM_JOB_ID}_out`.

    `$SLURM_ARRAY_JOB_ID_$SLURM_ARRAY_TASK_ID` reads a variable `SLURM_ARRAY_JOB_ID_`, which is empty.

    The fix adds the braces. It is safe.
    """
    for use in job.shell.uses:
        if re.fullmatch(r"(?:SLURM|PBS)_[A-Z_]*[A-Z]_", use.name):
            right = use.name.rstrip("_")
            row = job.script.lines[use.line - 1].text[use.start : use.end]
            yield Note(
                message=f"${use.name} is empty: the underscore is part of the name",
                line=use.line,
                column=use.start,
                edits=_edit(use, f"${{{right}}}_") if row == f"${use.name}" else (),
            )


def _edit(use: Use, text: str) -> tuple[Edit, ...]:
    return (Edit(use.line, use.start, use.end, text),)


@rule("J62", "warning", "A variable of the scheduler is misspelt.")
def misspelt_variable(job: Job) -> Iterator[Note]:
    """Use the names that the scheduler sets; a misspelt one is empty, without a message.

    Example: `$SLURM_ARRAY_TASKID`, `$SLURM_TASK_ARRAY_ID`; the name is `SLURM_ARRAY_TASK_ID`.

    Variables that the script sets itself, and all names that are not almost a known one, are not reported.

    The fix writes the right name. It is safe.
    """
    assigned = {one.name for one in job.shell.assignments}
    for use in job.shell.uses:
        if (
            not re.match(r"(SLURM|PBS|SLRUM|SLUM)_?", use.name)
            or use.name in _KNOWN | assigned
            or use.name.endswith("_")
        ):
            continue
        near = difflib.get_close_matches(use.name, _CORE, n=1, cutoff=0.87)
        if near and not use.guarded:
            row = job.script.lines[use.line - 1].text[use.start : use.end]
            yield Note(
                message=f"{use.name} is not set by the scheduler; {near[0]} is",
                line=use.line,
                column=use.start,
                edits=_edit(use, row.replace(use.name, near[0], 1)) if use.name in row else (),
            )


_CORE = [
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_JOB_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",
    "SLURM_ARRAY_TASK_MAX",
    "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_ID",
    "SLURM_JOB_NAME",
    "SLURM_SUBMIT_DIR",
    "SLURM_NTASKS",
    "SLURM_JOB_NODELIST",
    "SLURM_NTASKS_PER_NODE",
    "PBS_O_WORKDIR",
    "PBS_JOBID",
    "PBS_ARRAYID",
    "PBS_ARRAY_INDEX",
    "PBS_NODEFILE",
    "PBS_JOBNAME",
]
# What Slurm sets besides, or did under an older name.
_KNOWN = {
    *_CORE,
    "SLURM_JOBID",
    "SLURM_NNODES",
    "SLURM_NPROCS",
    "SLURM_PROCID",
    "SLURM_LOCALID",
    "SLURM_NODEID",
    "SLURM_NODELIST",
    "SLURM_ARRAYID",
    "SLURM_ARRAY_TASK_STEP",
    "SLURM_JOB_NUM_NODES",
    "SLURM_JOB_CPUS_PER_NODE",
    "SLURM_CPUS_ON_NODE",
    "SLURM_TASKS_PER_NODE",
    "SLURM_JOB_USER",
    "SLURM_JOB_UID",
    "SLURM_JOB_ACCOUNT",
    "SLURM_JOB_PARTITION",
    "SLURM_JOB_QOS",
    "SLURM_JOB_GPUS",
    "SLURM_JOB_NODES",
    "SLURM_JOB_START_TIME",
    "SLURM_JOB_END_TIME",
    "SLURM_MEM_PER_NODE",
    "SLURM_MEM_PER_CPU",
    "SLURM_MEM_PER_GPU",
    "SLURM_GPUS",
    "SLURM_STEP_ID",
    "SLURM_STEPID",
    "SLURM_STEP_NODELIST",
    "SLURM_STEP_NUM_TASKS",
    "SLURM_TMPDIR",
    "SLURM_CLUSTER_NAME",
    "SLURM_SUBMIT_HOST",
    "SLURM_GPUS_PER_NODE",
    "SLURM_GPUS_PER_TASK",
    "SLURM_GPUS_ON_NODE",
    "SLURM_NTASKS_PER_CORE",
    "SLURM_NTASKS_PER_SOCKET",
    "SLURM_NTASKS_PER_GPU",
    "SLURM_RESTART_COUNT",
    "SLURMD_NODENAME",
    "SLURM_NODE_ALIASES",
    "SLURM_TOPOLOGY_ADDR",
    "SLURM_CPU_BIND",
    "SLURM_EXPORT_ENV",
    "SLURM_HINT",
    "SLURM_CONF",
    "SLURM_THREADS_PER_CORE",
    "SLURM_JOB_DEPENDENCY",
    "SLURM_DISTRIBUTION",
    "SLURM_TASK_PID",
    "SLURM_PRIO_PROCESS",
    "SLURM_JOB_TMP",
    "SLURM_JOB_SCRATCHDIR",
    "PBS_ENVIRONMENT",
    "PBS_JOBDIR",
    "PBS_JOBCOOKIE",
    "PBS_NODENUM",
    "PBS_NP",
    "PBS_NUM_NODES",
    "PBS_NUM_PPN",
    "PBS_O_HOME",
    "PBS_O_HOST",
    "PBS_O_LOGNAME",
    "PBS_O_PATH",
    "PBS_O_QUEUE",
    "PBS_O_SHELL",
    "PBS_O_LANG",
    "PBS_O_MAIL",
    "PBS_O_SYSTEM",
    "PBS_QUEUE",
    "PBS_TASKNUM",
    "PBS_VNODENUM",
    "PBS_WALLTIME",
    "PBS_PPN",
    "PBS_GPUFILE",
    "PBS_MICFILE",
    "PBS_TMPDIR",
    "PBS_NCPUS",
    "PBS_NGPUS",
    "PBS_ARRAY_ID",
}


@rule("J36", "warning", "Every task of the array has the same seed.")
def constant_seed(job: Job) -> Iterator[Note]:
    """Make the seed depend on the index: `default_rng([1, index])`, `set.seed(1000 + index)`.

    With a constant seed all tasks draw the same numbers, so that a hundred runs are one. The rule looks at the source of
    the programs; it is silent where the index, or anything from the command line, reaches a seed.
    """
    indices = job.indices
    if indices is None or indices.count < 2 or indices.at_a_time == 1 or not job.every_source_is_known:
        return
    for path, text in job.sources.items():
        constant = re.search(_CONSTANT_SEED, text)
        every = re.findall(_ANY_SEED, text)
        if not constant or len(every) != len(re.findall(_CONSTANT_SEED, text)):
            continue
        command = next(one for one in job.programs if any(word.text == path for word in one.words))
        # The index may choose a data set or parameters, for which equal seeds are right.
        if re.search(READS_ENVIRONMENT, text) or re.search(_INDEX, command.text) or "$" in command.text:
            continue
        yield Note(
            message=f"{path} sets the seed {constant[1]} in every task",
            line=command.line,
            column=command.start,
        )


_ANY_SEED = r"(?:random\.seed|default_rng|manual_seed|set\.seed|RandomState|set_seed)\("
_CONSTANT_SEED = rf"{_ANY_SEED}\s*(?:seed\s*=\s*)?(\d+)\s*\)"


@rule("J39", "error", "The site does not accept mail for arrays.")
def array_mail(job: Job) -> Iterator[Note]:
    """Remove `--mail-type`, or let a small dependent job send the mail.

    Some sites refuse arrays that ask for mail, since each task would send its own.
    """
    if job.site is None or job.site.array_mail or job.array is None:
        return
    for option in named(job, "mail-type", "m"):
        if (option.value or "").upper() not in {"NONE", "N"}:
            yield note(option, f"{job.site.name} refuses arrays with mail")
            return


@rule("J38", "hint", "The tasks of a large array are short.")
def short_tasks(job: Job) -> Iterator[Note]:
    """Let each task do several pieces of work, so that it takes ten minutes or more.

    Start and end of a task cost the scheduler and the node some seconds, and schedulers look for jobs to start only every
    15 s to minutes. The rule speaks of arrays of 100 tasks and more whose `--time` is at most one minute.
    """
    indices, time = job.indices, job.script.option("time")
    if indices is None or time is None or indices.count < 100 or job.script.dialect != "slurm":
        return
    seconds = slurm_seconds(time.value or "")
    if seconds is not None and 0 < seconds <= 60:
        yield note(time, f"{counted(indices.count, 'task')} of at most a minute: let each do more")
