"""All keys of a study file: the JSON Schema of each with its bounds, and the reader of its value.

The parser refuses every other key; the JSON Schema and the reference page are made from these tables. A key without
a reader needs more than its own value, such as the names of the parameters; `sections` and `parse` read it.
"""

from __future__ import annotations

import re
from typing import Any

from packhorse.study.result_keys import RESULT
from packhorse.text import schema
from packhorse.text.claims import MEASURES
from packhorse.text.keys import (
    Key,
    choice,
    choices,
    flag,
    integer,
    memory,
    number,
    positive_number,
    read_keys,
    schema_of,
    seconds,
    text,
    texts,
    whole_seconds,
    word,
    word_list,
)
from packhorse.text.node import (
    MOST_INTEGER,
    Node,
    as_list,
    as_number,
    as_text,
    check_text,
    entries,
    items,
    refuse,
)

Table = dict[str, Key]

MOST_LEVELS = 10_000_000  # of one parameter, other than integers in steps, which are never listed
MOST_PER_TASK = 100_000  # CPU cores or GPUs

VALUE: dict[str, Any] = {"type": ["string", "number", "boolean", "null", "array"]}


def section(description: str, table: Table, *examples: Any) -> Key:
    """Return a key whose value is a mapping with the keys of a table."""
    return Key(schema.mapping(description, schema_of(table), *examples))


# --- resources and cluster ---

RESOURCES: Table = {
    "cpus": integer("CPU cores of one task.", 1, 4, most=MOST_PER_TASK),
    "cores": integer("The same as `cpus`, in the word of the options.", 1, 4, most=MOST_PER_TASK),
    "memory": memory(
        "Memory of one task, with a unit; units are binary: 1.5 GB is 1,536 MiB.", "1.5 GB", "512M"
    ),
    "time": whole_seconds(
        "The longest time of one task, with a unit; a job is long enough for it.",
        "90 min",
        "2-15:59:00",
        "1.5 h",
    ),
    "expected": seconds(
        "The usual time of a task, with a unit; sizes the jobs until tasks have been measured.",
        "90 s",
        "2 min",
    ),
    "gpus": integer("GPUs of one task.", 0, 1, most=MOST_PER_TASK),
}


def _read_mail_when(node: Node, what: str) -> tuple[str, ...]:
    if node.value == []:
        refuse(node, f"{what} is empty.", "Write end, or leave mail out for no email.")
    reasons: tuple[str, ...] = _MAIL_WHEN.value(node, what)
    return reasons


def _read_options(node: Node, what: str) -> tuple[str, ...]:
    """Return options of the scheduler: one line each, as in a job script."""
    options = []
    for item in items(node):
        option = as_text(item, f"each item of {what}").strip()
        if not option.startswith("-") or not option.isprintable():
            hint = "Write one option as for the scheduler: --constraint=haswell (without #SBATCH or #PBS)."
            refuse(item, f"'{option}' is not an option of a scheduler.", hint)
        options.append(option)
    return tuple(options)


_MAIL_WHEN = choices(
    "When to send email: begin, end, fail (default: end and fail).",
    ("begin", "end", "fail"),
    "end",
    ["begin", "end"],
)
CLUSTER: Table = {
    "partition": word(
        "The partition or queue (default: the site's default, or one that fits).", "general", "gpu"
    ),
    "account": word("The account or project to charge.", "r00123"),
    "qos": word("The quality of service.", "normal"),
    "area": word(
        "The storage area for the run on a site that is reached over ssh: a name, or a path.", "scratch"
    ),
    "job_time": whole_seconds(
        "The time limit of each job, with a unit (default: derived from the tasks).", "4 h"
    ),
    "max_jobs": integer("The maximum number of the run's jobs that run at a time.", 1, 20),
    "max_core_hours": positive_number(
        "The maximum cost of the run; a run that may cost more is not submitted.", 500
    ),
    "mail": word("Address for email about the run.", "me@example.org"),
    "mail_when": Key(_MAIL_WHEN.schema, _read_mail_when),
    "modules": word_list("Modules to load in each job.", "r", ["gcc/12.2", "r/4.5.1"]),
    "setup": texts("Shell lines at the start of each job, after the modules.", ["source ~/start"]),
    "options": Key(
        schema.texts(
            "Options of the scheduler that Packhorse has no key for, passed on unchanged.",
            "--constraint=haswell",
            ["--constraint=haswell", "--licenses=stata"],
        ),
        _read_options,
    ),
}


# --- environment, summary, index variable ---


def _read_project(node: Node, what: str) -> str:
    return "." if node.value is True else as_text(node, what)


ENVIRONMENT: Table = {
    "python": text("A Python interpreter.", "/usr/bin/python3"),
    "venv": text("The folder of a virtual environment.", ".venv"),
    "uv": Key(
        {
            "anyOf": [{"type": "string"}, {"const": True}],
            "description": "The folder of a uv project; true for the study's own folder.",
            "examples": [True, "project"],
        },
        _read_project,
    ),
}

_QUANTILE = number("A quantile.", 0.5, least=0, most=1)


def _read_quantiles(node: Node, what: str) -> tuple[float, ...]:
    return tuple(float(_QUANTILE.value(item, f"each item of {what}")) for item in as_list(node, what))


def _read_truth(node: Node, what: str) -> float | str:
    return as_text(node, what) if isinstance(node.value, str) else float(as_number(node, what))


SUMMARY: Table = {
    "by": texts("Parameters to group by (default: all).", "n", ["n", "method"]),
    "of": texts(
        "Result columns to summarise (default: all numeric ones).", "estimate", ["estimate", "covered"]
    ),
    "quantiles": Key(
        schema.described(
            "Quantiles to add to mean and standard deviation.",
            [0.025, 0.5, 0.975],
            type="array",
            items={name: _QUANTILE.schema[name] for name in ("type", "minimum", "maximum")},
        ),
        _read_quantiles,
    ),
    "estimate": text("The column of estimates; the summary then has performance measures.", "estimate"),
    "truth": Key(
        schema.described("The true value: a number or a column.", 2.0, "truth", type=["number", "string"]),
        _read_truth,
    ),
    "se": text("The column of standard errors.", "se"),
    "low": text("The column of the lower ends of the intervals (default: from estimate and se).", "low"),
    "high": text("The column of the upper ends of the intervals.", "high"),
    "covered": text("The column that says whether the interval covers the truth.", "covered"),
    "p_value": text("The column of p-values (default: whether the interval contains null).", "p"),
    "converged": text("The column that says whether the method converged.", "converged"),
    "method": text("The column that names the method, where a task compares several.", "method"),
    "level": number("The level of the intervals (default: 0.95).", 0.9, least=0, most=1),
    "null": number("The value of the null hypothesis (default: 0).", 1.0),
}

EXPECTATION: Table = {
    "that": text("A claim about the results.", "coverage = 0.95", "mean(x) = 1 / n", "order(error, h) = 4"),
    "where": texts("Only rows with these values.", "error=normal", ["n=10,20", "error=normal"]),
    "by": texts("Columns that define a cell (default: all parameters).", ["n"]),
    "margin": positive_number("The check passes only if the difference is smaller than this.", 0.01),
    "rtol": number("Relative tolerance of column(...).", 1e-9, least=0),
    "atol": number("Absolute tolerance of column(...).", 1e-12, least=0),
    "ulp": integer("Tolerance of column(...) in units in the last place.", 0, 4),
}


UNTIL: Table = {
    "mcse": positive_number("The wished Monte Carlo standard error.", 0.005),
    "of": choice("The performance measure; the study's summary names its columns.", MEASURES, "coverage"),
    "at_most": integer("The largest number of replicates at each point.", 2, 20_000),
}
FIRST = 100  # replicates of the first wave

REPLICATES: Table = {
    "until": section(
        "Add replicates until the Monte Carlo standard error of a measure is small enough in every cell.",
        UNTIL,
        {"mcse": 0.005, "of": "coverage", "at_most": 20_000},
    ),
    "first": integer(f"Replicates of the first wave (default: {FIRST}).", 2, 1000),
}


def read_variable(node: Node, what: str) -> str:
    """Return the name of an environment variable."""
    return check_variable(as_text(node, what), node.where)


def check_variable(name: str, where: str) -> str:
    """Return the name of an environment variable; refuse one that no environment can have."""
    check_text(name, where)
    if not name or "=" in name:
        hint = "Write a list of names to pass on, [API_TOKEN], or a mapping with values, {LANG: C}."
        refuse(where, f"'{name}' is not a valid name of an environment variable.", hint)
    return name


WARM: Table = {
    "modules": texts("Modules of the study that a warm process imports, too.", ["mymodel"]),
}


def read_warm(node: Node, what: str) -> str | bool | tuple[str, ...]:
    """Return "auto", a flag, or the modules of the study to load."""
    if isinstance(node.value, dict):
        given = entries(node, WARM, what)
        if "modules" not in given:
            refuse(
                node,
                f"{what} has no modules.",
                "Write warm: auto, true or false, or warm: {modules: [mymodel]}",
            )
        return tuple(read_keys(given, WARM)["modules"])
    if isinstance(node.value, bool):
        return node.value
    if node.value != "auto":
        refuse(node, f"{what} must be auto, true or false, but is {node.text}.", "Write warm: auto")
    return "auto"


WARM_KEY = Key(
    schema.described(
        "Whether tasks that run a Python script start warm, as a fork of an interpreter that has imported its modules"
        " already: auto, the default (if a trial with the first task finds no difference), true (or the run stops),"
        " false; or modules of the study to import beside the installed ones.",
        *(False, {"modules": ["mymodel"]}),
        anyOf=[
            {"enum": ["auto", True, False]},
            {
                "type": "object",
                "properties": schema_of(WARM),
                "additionalProperties": False,
                "required": ["modules"],
            },
        ],
    ),
    read_warm,
)


INDEX_VARIABLE: Table = {
    "name": Key(
        schema.text("The environment variable that the script reads.", "SLURM_ARRAY_TASK_ID", "PBS_ARRAYID"),
        read_variable,
    ),
    "start": integer("Its value at the first task (default: 0).", -(2**31), 1, most=2**31),
    "parameter": text("The parameter whose value it gets instead of the index.", "n"),
}


# --- parameters ---

DISTRIBUTIONS = {
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "integers": ("low", "high"),
    "choice": ("choices",),
}
_LEVEL_COUNT = integer("The number of levels.", 1, 11, most=MOST_LEVELS)
RANDOM: Table = {
    "distribution": choice(
        "uniform and loguniform between low and high; normal by mean and sd; "
        "integers from low to high, both included; choice among choices.",
        DISTRIBUTIONS,
        "uniform",
    ),
    "low": number("The lower end.", 0),
    "high": number("The upper end.", 1),
    "mean": number("The mean of a normal distribution.", 0),
    "sd": positive_number("The standard deviation of a normal distribution.", 1),
    "choices": Key(
        schema.described("The values to choose from.", ["a", "b"], type="array", items=VALUE, minItems=1)
    ),
    "size": integer("The number of draws; a larger size keeps the first ones.", 1, 100, most=MOST_LEVELS),
}


def _interval(description: str, example: list[float]) -> Key:
    """Return a key for [first, last, count]."""
    count = {name: _LEVEL_COUNT.schema[name] for name in ("type", "minimum", "maximum")}
    number_schema = {"type": "number"}
    return Key(
        schema.described(
            description,
            example,
            type="array",
            prefixItems=[number_schema, number_schema, count],
            minItems=3,
            maxItems=3,
        ),
        _read_interval,
    )


def _read_interval(node: Node, what: str) -> tuple[int | float, int | float, int]:
    values = as_list(node, what)
    if len(values) != 3:
        hint = f"Write {what}: [1, 10, 4]"
        refuse(node, f"{what} takes [first, last, count], but has {len(values)} items.", hint)
    first, last = (as_number(item, f"each end of {what}") for item in values[:2])
    return first, last, _LEVEL_COUNT.value(values[2], f"the count of {what}")


INCLUSIVE: Table = {
    "from": number("The first value.", 1),
    "to": number("The last value, which is included if a step reaches it.", 200),
    "by": number("The step (default: 1).", 1, 2),
}
GENERATORS: Table = {
    "range": Key(
        schema.described(
            "[start, stop, step] as in Python, where stop is excluded; or from, to and by, where to is included.",
            [0, 100, 10],
            [0, 1, 0.1],
            [5],
            {"from": 1, "to": 200},
            type=["array", "number", "object"],
            items={"type": "number"},
            minItems=1,
            maxItems=3,
            properties=schema_of(INCLUSIVE),
            additionalProperties=False,
            required=["from", "to"],
        )
    ),
    "linspace": _interval("[first, last, count], evenly spaced.", [0, 1, 11]),
    "geomspace": _interval("[first, last, count], evenly spaced on a log scale.", [0.001, 1000, 7]),
    "random": section(
        "Random draws, fixed by the study's seed and the parameter's name.",
        RANDOM,
        {"distribution": "uniform", "low": 0, "high": 1, "size": 3},
    ),
    "bootstrap": integer("An index 0..N-1 of bootstrap samples; the script does the resampling.", 1, 2000),
    "permutations": integer("An index 0..N-1 of permutations; the script does the shuffling.", 1, 999),
}

CHUNKS: Table = {
    "file": text("A file whose rows are divided; the header line of a CSV file does not count.", "data.csv"),
    "rows": integer("The number of rows to divide.", 1, 1000),
    "size": integer("The number of rows in a chunk.", 1, 100),
    "count": integer("The number of chunks, of nearly equal size.", 1, 8),
}

_ANY_GROUP: dict[str, Any] = {"type": "object", "additionalProperties": True}
PARAMETERS: Table = {
    "zip": Key(
        schema.described(
            "Lists of equal length that vary together; write several groups as a list.",
            {"n": [10, 100], "sd": [1.0, 0.1]},
            anyOf=[_ANY_GROUP, {"type": "array", "items": _ANY_GROUP}],
        )
    ),
    "csv": texts("A CSV file: every row is a point, its columns are parameters.", "points.csv"),
    "file": text("Another YAML file, whose mapping of parameters is added.", "more.yaml"),
    "where": texts(
        "Conditions that a combination must meet, as Python expressions.", "n * p <= 1000", ["n > p"]
    ),
    "bootstrap": GENERATORS["bootstrap"],
    "permutations": GENERATORS["permutations"],
    "folds": integer("Cross-validation: gives fold (0..k-1) and folds (k).", 2, 5, most=MOST_LEVELS),
    "chunks": section(
        "Parts of a file's rows: gives chunk, start and stop.", CHUNKS, {"rows": 1000, "size": 100}
    ),
}


# --- the study ---

_FUNCTION = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
_NAME = re.compile(r"\w[\w .+@=-]*")
_MOST_NAME_BYTES = 100


def _read_name(node: Node, what: str) -> str:
    name = as_text(node, what) if not isinstance(node.value, int | float) else node.text
    if not _NAME.fullmatch(name) or len(name.encode()) > _MOST_NAME_BYTES or name.endswith(" "):
        hint = (
            "Use letters, digits, spaces and . _ + @ = -, begin with a letter or digit, "
            f"and use at most {_MOST_NAME_BYTES} bytes."
        )
        refuse(node, f"'{name}' is not a valid study name; the folder of its run has that name.", hint)
    return name


def _read_function(node: Node, what: str) -> str:
    name = as_text(node, what)
    if not _FUNCTION.fullmatch(name):
        hint = "Write the module, a colon and the function: sim:estimate (for sim.py)."
        refuse(node, f"'{name}' is not of the form module:function.", hint)
    return name


def relative_path(path: str, node: Node) -> str:
    """Return a path inside the study's folder; refuse any other."""
    if path.startswith(("/", "~")) or ".." in path.split("/"):
        hint = "Write a path inside the study's folder, relative to it."
        refuse(node, f"The path '{path}' leads out of the study's folder.", hint)
    return path


def project_path(path: str, node: Node) -> str:
    """Return a path relative to the study's folder, which may be elsewhere in the project; refuse any other."""
    if path.startswith(("/", "~")):
        hint = "Write a path in the project, relative to the study's folder: ../results/{index}.csv"
        refuse(node, f"The path '{path}' leads out of the project.", hint)
    return path


def _read_project_paths(node: Node, what: str) -> tuple[str, ...]:
    return tuple(project_path(as_text(item, f"each item of {what}"), item) for item in items(node))


def _read_directory(node: Node, what: str) -> str:
    return project_path(as_text(node, what), node)


def _read_paths(node: Node, what: str) -> tuple[str, ...]:
    return tuple(relative_path(as_text(item, f"each item of {what}"), item) for item in items(node))


def _paths(description: str, *examples: Any) -> Key:
    """Return a key for paths or glob patterns inside the study's folder."""
    return Key(schema.texts(description, *examples), _read_paths)


STUDY: Table = {
    "name": Key(
        schema.text(
            "The name of the study and its run (default: the name of the file, or of its folder).", "coverage"
        ),
        _read_name,
    ),
    "command": Key(
        schema.texts(
            "The command of a task, with {parameter} in place of values.",
            "python sim.py --n {n} --seed {seed}",
            ["python", "sim.py", "--n", "{n}"],
        )
    ),
    "function": Key(
        schema.text(
            "A Python function, module:name, called with the parameters as keyword arguments.", "sim:estimate"
        ),
        _read_function,
    ),
    "shell": flag("Run the command by /bin/sh; values are then quoted."),
    "parameters": Key(
        {
            "type": "object",
            "properties": schema_of(PARAMETERS),
            "additionalProperties": {"anyOf": [VALUE, {"$ref": "#/$defs/generator"}]},
            "description": "Names with a value, a list of values, or a generator; the study is their product.",
            "examples": [{"n": [10, 100], "x": {"linspace": [0, 1, 5]}}],
        }
    ),
    "replicates": Key(
        schema.described(
            "Repetitions at each point: a number, or a Monte Carlo standard error that they must reach.",
            100,
            {"until": {"mcse": 0.005, "of": "coverage", "at_most": 20_000}},
            anyOf=[
                {"type": "integer", "minimum": 1, "maximum": MOST_INTEGER},
                {
                    "type": "object",
                    "properties": schema_of(REPLICATES),
                    "additionalProperties": False,
                    "required": ["until"],
                },
            ],
        )
    ),
    "seed": integer("The seed of all random numbers of the study (default: 0).", 0, 7, most=2**63 - 1),
    "seeding": choice(
        "independent: every task has its own seed; common: all points of a replicate share one.",
        ["independent", "common"],
        "common",
    ),
    "resources": section("What one task needs.", RESOURCES, {"cpus": 2, "memory": "2 GB", "time": "90 min"}),
    "cluster": section(
        "Options of the jobs on a cluster, beside resources.",
        CLUSTER,
        {"account": "r00123", "mail": "me@example.org"},
    ),
    "result": Key(
        schema.described(
            "auto (a JSON object on the last line printed), json, none, or the file or files that a task writes.",
            "json",
            "out/{index}.csv",
            ["fit.csv", "diagnostics.json"],
            {"file": "out.csv", "header": ["a", "b"]},
            anyOf=[
                {"type": "string"},
                {"type": "array", "items": {"type": "string"}, "minItems": 1},
                {
                    "type": "object",
                    "properties": schema_of(RESULT),
                    "additionalProperties": False,
                    "required": ["file"],
                },
            ],
        )
    ),
    "partial": choice(
        "refuse: a task that was ended has no result; accept: a complete result file of it counts, and is marked.",
        ["refuse", "accept"],
        "accept",
    ),
    "directory": Key(
        schema.text(
            "The folder of the project in which tasks start, relative to the study's folder (default: that folder).",
            "..",
        ),
        _read_directory,
    ),
    "artifacts": Key(
        schema.texts("Files to keep for each task, as glob patterns.", ["figures/*.png"]), _read_project_paths
    ),
    "code": _paths("Files whose changes affect the results (default: the whole snapshot).", ["*.py"]),
    "include": _paths("Files that git ignores and the snapshot needs.", ["model.bin"]),
    "data": texts("Data that is linked and not copied.", ["data"]),
    "inputs": Key(
        schema.described(
            "Arrays and tables that tasks share, by name: files (.npy, .arrow, .feather, .parquet, .csv, .tsv) that are"
            " mapped into memory, read-only, one copy for each node.",
            {"genome": "data/genome.npy"},
            type="object",
            additionalProperties={"type": "string"},
        )
    ),
    "env": Key(
        schema.described(
            "Environment variables: a list of names to pass on, or names with their values.",
            ["API_TOKEN"],
            {"LANG": "C.UTF-8", "HOME": None},
            anyOf=[
                {"type": "array", "items": {"type": "string"}},
                {
                    "type": "object",
                    "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
                },
            ],
        )
    ),
    "environment": Key(
        schema.described(
            "The interpreter and packages of the tasks.",
            "none",
            {"venv": ".venv"},
            {"uv": True},
            anyOf=[
                {"const": "none"},
                {
                    "type": "object",
                    "properties": schema_of(ENVIRONMENT),
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ],
        )
    ),
    "checks": texts("Commands that must succeed on this code before any task starts.", ["pytest -q"]),
    "summary": section(
        "A table of means and standard deviations, or of the performance measures of a simulation study.",
        SUMMARY,
        {"by": ["n"], "of": ["estimate"]},
        {"by": ["n"], "estimate": "estimate", "truth": 2, "se": "se"},
    ),
    "expect": Key(
        schema.described(
            "What the results must be, for packhorse check: claims, or mappings with a claim and its conditions.",
            ["coverage = 0.95", "bias = 0"],
            [{"that": "coverage = 0.95", "where": ["error=normal"], "margin": 0.01}],
            type="array",
            items={
                "anyOf": [
                    {"type": "string"},
                    {
                        "type": "object",
                        "properties": schema_of(EXPECTATION),
                        "additionalProperties": False,
                        "required": ["that"],
                    },
                ]
            },
        )
    ),
    "combine": Key(
        schema.text(
            "A script that combines the result files into one table; packhorse check compares it with the run's.",
            "combine.R",
        ),
        _read_directory,
    ),
    "time_limit": seconds("The time after which a running task is ended, with a unit.", "10 min"),
    "retries": integer("How often a failed task is started again in the same run.", 0, 2, most=1000),
    "checkpoint": flag("Tasks write checkpoints and resume from them."),
    "warm": WARM_KEY,
    "index_variable": Key(
        schema.described(
            "The array variable that an existing script reads.",
            "SLURM_ARRAY_TASK_ID",
            {"name": "PBS_ARRAYID", "start": 1},
            anyOf=[
                {"type": "string"},
                {
                    "type": "object",
                    "properties": schema_of(INDEX_VARIABLE),
                    "additionalProperties": False,
                    "required": ["name"],
                },
            ],
        )
    ),
    "defaults": Key(
        schema.described(
            "Values of new parameters that finished tasks had.",
            {"n": 10},
            type="object",
            additionalProperties=VALUE,
        )
    ),
}

# The keys that a site may override: where and how tasks run, but never what they compute.
SITE: Table = {
    key: STUDY[key] for key in ("resources", "cluster", "environment", "env", "data", "time_limit", "retries")
}

STUDY["sites"] = Key(
    schema.described(
        "Overrides for a site.",
        {"quartz": {"resources": {"time": "2 h"}, "cluster": {"account": "r00123"}}},
        type="object",
        additionalProperties={
            "type": "object",
            "properties": schema_of(SITE),
            "additionalProperties": False,
        },
    )
)
