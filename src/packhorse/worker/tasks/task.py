"""Filling a study's templates for one task: arguments, environment variables and parameter files."""

import json
import os
import re
import shlex

from packhorse.worker.space import literal, quoted, text

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
VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class Task(object):
    """All that one attempt may see: its parameters and what Packhorse adds."""

    def __init__(self, work, space, place, index):
        self.index = index
        self.parameters, self.replicate, self.seed, self.seed32 = space.all_of(index)
        self.work = work
        self.place = place
        self.checkpoint = None
        if work["checkpoint"]:
            self.checkpoint = os.path.join(work["directory"], "checkpoints", str(index))

    def value(self, name):
        """Return what a placeholder stands for, as a value."""
        if name in self.parameters:
            return self.parameters[name]
        if name.startswith("output"):
            return os.path.join(self.place.root, name)
        if name.startswith("params."):
            return os.path.join(self.place.root, name)
        if name == "count":
            return self.work["total"]
        if name == "scratch":
            return self.place.scratch
        if name == "deadline":
            return self.work.get("deadline") or ""
        if name == "checkpoint":
            return self.checkpoint or ""
        return getattr(self, name)

    def known(self):
        """Return what `packhorse.task` and the R file read, as a dict."""
        return {
            "params": self.parameters,
            "index": self.index,
            "count": self.work["total"],
            "replicate": self.replicate,
            "seed": self.seed,
            "seed32": self.seed32,
            "deadline": self.work.get("deadline"),
            "scratch": self.place.scratch,
            "checkpoint": self.checkpoint,
            "output": os.path.join(self.place.root, "output"),
        }


def known_text(task):
    """Return `known` as JSON: what varies is formatted in, as this is done for every task."""
    return '{"params":%s,"index":%d,"replicate":%d,"seed":%d,"seed32":%d,"checkpoint":%s,%s' % (
        "{%s}" % ",".join([quoted(name) + ":" + literal(value) for name, value in task.parameters.items()]),
        task.index,
        task.replicate,
        task.seed,
        task.seed32,
        json.dumps(task.checkpoint) if task.checkpoint else "null",
        task.place.fixed(task.work),
    )


def fill(parts, task):
    """Return one argument: literal strings and placeholders joined."""
    found = []
    for part in parts:
        if isinstance(part, dict):
            value = task.value(part["name"])
            said = format(value, part["spec"]) if part.get("spec") else text(value)
            found.append(shlex.quote(said) if part.get("quote") else said)
        else:
            found.append(part)
    return "".join(found)


def base_environment(work, place, inherited):
    """Return the variables that all tasks of a slot share."""
    variables = {
        k: v for k, v in inherited.items() if not SCHEDULER.match(k) or k.startswith("PACKHORSE_TEST_")
    }
    for name in work["unset"]:
        variables.pop(name, None)
    variables.update(work["environ"])
    if work.get("path"):
        variables["PATH"] = os.pathsep.join(work["path"] + [variables.get("PATH", os.defpath)])
    cpus = str(work["cpus"])
    variables.update((name, cpus) for name in THREADS)
    search = place.search + [work["library"]]
    if variables.get("PYTHONPATH"):
        search.append(variables["PYTHONPATH"])
    variables["PYTHONPATH"] = os.pathsep.join(search)
    variables["PACKHORSE_RUN"] = work["mark"]
    variables["PACKHORSE_R"] = work["r_library"]
    variables["PACKHORSE_SCRATCH"] = place.scratch
    variables["PACKHORSE_OUTPUT"] = os.path.join(place.root, "output")
    variables["PACKHORSE_COUNT"] = str(work["total"])
    if work.get("temporary"):
        variables["TMPDIR"] = place.scratch
    if work.get("deadline"):
        variables["PACKHORSE_DEADLINE"] = str(work["deadline"])
    return variables


def environment(task, base):
    """Return the environment of one task."""
    variables = dict(base)
    variables["PACKHORSE_TASK"] = known_text(task)
    variables["PACKHORSE_INDEX"] = str(task.index)
    variables["PACKHORSE_REPLICATE"] = str(task.replicate)
    variables["PACKHORSE_SEED"] = str(task.seed)
    variables["PACKHORSE_SEED32"] = str(task.seed32)
    if task.checkpoint:
        variables["PACKHORSE_CHECKPOINT"] = task.checkpoint
    for name, value in task.parameters.items():
        if VARIABLE.match(name):
            variables["PACKHORSE_PARAM_" + name] = text(value).replace("\0", "")
    variables.update(index_variables(task))
    return variables


def index_variables(task):
    """Return the array variables an existing script reads, with the values the study says."""
    said = task.work["index_variable"]
    if not said:
        return {}
    name, start = said["name"], said.get("start", 0)
    value = task.parameters[said["parameter"]] if said.get("parameter") else start + task.index
    found = {name: text(value)}
    if name == "SLURM_ARRAY_TASK_ID":
        total = task.work["total"]
        found.update(
            SLURM_ARRAY_TASK_COUNT=str(total),
            SLURM_ARRAY_TASK_MIN=str(start),
            SLURM_ARRAY_TASK_MAX=str(start + total - 1),
            SLURM_ARRAY_TASK_STEP="1",
        )
    return found


def write_files(task, names):
    """Write the parameter files that the study's templates name."""
    for name in names:
        path = os.path.join(task.place.root, name)
        with open(path, "w", encoding="utf-8", newline="") as stream:
            stream.write(WRITERS[name.split(".", 1)[1]](_rows(task)))


def _rows(task):
    known = task.known()
    rows = dict(known["params"])
    for name in ("index", "count", "replicate", "seed", "seed32"):
        rows[name] = known[name]
    return rows


def as_json(rows):
    """Return a JSON object."""
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def as_yaml(rows):
    """Return YAML: JSON scalars are YAML 1.2 scalars."""
    return "".join("%s: %s\n" % (json.dumps(k), json.dumps(v)) for k, v in rows.items())


def as_toml(rows):
    """Return TOML; it has no null, so such a parameter is left out."""
    return "".join(
        "%s = %s\n" % (json.dumps(k), json.dumps(v).replace("\x7f", "\\u007f"))
        for k, v in rows.items()
        if v is not None
    )


def as_csv(rows):
    """Return a header and one row (RFC 4180)."""
    return ",".join(map(_cell, rows)) + "\r\n" + ",".join(_cell(text(v)) for v in rows.values()) + "\r\n"


def _cell(said):
    if any(c in said for c in ',"\r\n'):
        return '"' + said.replace('"', '""') + '"'
    return said


def as_python(rows):
    """Return a module of assignments."""
    names = {"-": "_", ".": "_"}
    return "".join("%s = %r\n" % ("".join(names.get(c, c) for c in k), v) for k, v in rows.items())


def as_r(rows):
    """Return R assignments; integers beyond a double's reach are text."""
    return "".join("`%s` <- %s\n" % (k.replace("`", ""), _r(v)) for k, v in rows.items())


def _r(value):
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        if abs(value) < 2**31:
            return "%dL" % value
        return "%d" % value if abs(value) <= 2**53 else '"%d"' % value
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, list):
        return "list(" + ", ".join(map(_r, value)) + ")"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


WRITERS = {"json": as_json, "yaml": as_yaml, "toml": as_toml, "csv": as_csv, "py": as_python, "R": as_r}
