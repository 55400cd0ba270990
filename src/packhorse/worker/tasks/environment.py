"""The environment variables of tasks."""

import json
import os
import re

from packhorse.worker.space import text
from packhorse.worker.tasks.task import task_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.tasks.task import Task
    from packhorse.worker.work_file import Work

# Variables of schedulers and MPI launchers are kept from tasks: a program would take itself for a part of the job.
SCHEDULER = re.compile(r"^(SLURM|SLURMD|SBATCH|SPANK|PBS|PMIX|PRTE|OMPI|HYDRA|TORQUE|MOAB|PACKHORSE)_|^PMI")
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMEXPR_MAX_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "BLIS_NUM_THREADS",
    "MC_CORES",
    "R_PARALLELLY_AVAILABLECORES_FALLBACK",
    "R_PARALLELLY_AVAILABLECORES_SYSTEM",
)
# They would lead a task's git to the repository of the hook or alias that started Packhorse.
REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_PREFIX",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
)
VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
# Linux starts no program with a longer NAME=VALUE, its NUL included (MAX_ARG_STRLEN in linux/binfmts.h: 32 pages).
LONGEST = 32 * 4096


def base_environment(
    work: "Work", folders: "SlotFolders", inherited: "Mapping[str, str]"
) -> "dict[str, str]":
    """Return the variables that all tasks of a slot share."""
    variables = {
        k: v for k, v in inherited.items() if not SCHEDULER.match(k) or k.startswith("PACKHORSE_TEST_")
    }
    variables.setdefault("PYTHONUNBUFFERED", "1")  # what a task printed before it was ended is not lost
    for name in REPOSITORY:
        variables.pop(name, None)
    for name in work["unset"]:
        variables.pop(name, None)
    variables.update(work["environ"])
    if work.get("path"):
        variables["PATH"] = os.pathsep.join(work["path"] + [variables.get("PATH", os.defpath)])
    cpus = str(work["cpus"])
    variables.update((name, cpus) for name in THREADS)
    search = folders.search + [work["library"]]
    if variables.get("PYTHONPATH"):
        search.append(variables["PYTHONPATH"])
    variables["PYTHONPATH"] = os.pathsep.join(search)
    variables["PACKHORSE_RUN"] = work["mark"]
    variables["PACKHORSE_R"] = work["r_library"]
    variables["PACKHORSE_SCRATCH"] = folders.scratch
    variables["PACKHORSE_OUTPUT"] = os.path.join(folders.root, "output")
    variables["PACKHORSE_COUNT"] = str(work["total"])
    variables["TMPDIR"] = folders.scratch
    variables.update(inputs_variable(work, folders))
    if work.get("deadline"):
        variables["PACKHORSE_DEADLINE"] = str(work["deadline"])
    return variables


def inputs_variable(work: "Work", folders: "SlotFolders") -> "dict[str, str]":
    """Return what `packhorse.task.input` reads: the files, their states, and the folder for converted ones."""
    if not work.get("inputs"):
        return {}
    states = work.get("input_states", {})
    files = {name: {"path": path, "state": states.get(name)} for name, path in work["inputs"].items()}
    folder = os.path.join(os.path.dirname(folders.root), "inputs")
    return {"PACKHORSE_INPUTS": json.dumps({"files": files, "folder": folder})}


def task_environment(task: "Task", base: "Mapping[str, str]") -> "dict[str, str]":
    """Return `base` with the variables of one task."""
    variables = dict(base)
    variables.update(task_json_variable(task))
    variables["PACKHORSE_INDEX"] = str(task.index)
    variables["PACKHORSE_REPLICATE"] = str(task.replicate)
    variables["PACKHORSE_SEED"] = str(task.seed)
    variables["PACKHORSE_SEED32"] = str(task.seed32)
    if task.checkpoint:
        variables["PACKHORSE_CHECKPOINT"] = task.checkpoint
    parameters = {
        "PACKHORSE_PARAM_" + name: task.text(name).replace("\0", "")
        for name in task.parameters
        if VARIABLE.match(name)
    }
    variables.update(parameters if "PACKHORSE_TASK" in variables else _short_ones(parameters))
    variables.update(index_variables(task))
    return variables


def task_json_variable(task: "Task") -> "dict[str, str]":
    """Return PACKHORSE_TASK; where that is too long for a variable, the path of a file with it, which is not written."""
    content = task_json(task)
    if fits_variable(content):
        return {"PACKHORSE_TASK": content}
    name_task_file(task)
    return {"PACKHORSE_TASK_FILE": task.json_file}


def fits_variable(content: str) -> bool:
    """Return whether the value of PACKHORSE_TASK, which is ASCII, is short enough for a variable."""
    return len(content) + len("PACKHORSE_TASK=") < LONGEST


def name_task_file(task: "Task") -> None:
    """Give a task a file for its JSON, which `write_task_json` writes."""
    task.json_file = os.path.join(task.folders.root, "task.json")


def write_task_json(task: "Task") -> None:
    """Write the file that PACKHORSE_TASK_FILE names, if the task has one."""
    if task.json_file:
        with open(task.json_file, "w", encoding="ascii") as stream:
            stream.write(task_json(task))


def _short_ones(variables: "dict[str, str]") -> "dict[str, str]":
    """Return the shortest of these variables that together have the length that Linux allows for one."""
    short = {}
    left = LONGEST
    sizes = {name: len(name) + 2 + len(value.encode("utf-8", "replace")) for name, value in variables.items()}
    for name in sorted(sizes, key=lambda name: sizes[name]):
        left -= sizes[name]
        if left < 0:
            break
        short[name] = variables[name]
    return short


def index_variables(task: "Task") -> "dict[str, str]":
    """Return the array variables that an existing script reads, with the values that the study gives them."""
    setting = task.work["index_variable"]
    if not setting:
        return {}
    name, start = setting["name"], setting.get("start", 0)
    value = task.parameters[setting["parameter"]] if setting.get("parameter") else start + task.index
    variables = {name: text(value)}
    if name == "SLURM_ARRAY_TASK_ID":
        total = task.work["total"]
        array = {
            "SLURM_ARRAY_TASK_COUNT": str(total),
            "SLURM_ARRAY_TASK_MIN": str(start),
            "SLURM_ARRAY_TASK_MAX": str(start + total - 1),
            "SLURM_ARRAY_TASK_STEP": "1",
        }
        # The study may give them in `env`: with `parameter`, the values need not begin with `start`.
        variables.update((key, value) for key, value in array.items() if key not in task.work["environ"])
    return variables
