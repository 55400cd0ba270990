"""Every key of a study file, said once: the reader refuses what is not here, the JSON Schema is made from it.

Each table maps a key to its JSON Schema, whose description and examples serve the editor and the tests.
"""

from __future__ import annotations

from typing import Any

from packhorse.text.schema import Table, amount, choice, flag, mapping, text, texts, whole

VALUE: dict[str, Any] = {"type": ["string", "number", "boolean", "null", "array"]}

RESOURCES: Table = {
    "cpus": whole("CPU cores of one task.", 1, 4),
    "memory": text(
        "Memory of one task, with its unit; units are binary: 1.5 GB is 1,536 MiB.", "1.5 GB", "512M"
    ),
    "time": text(
        "Longest time of one task, with its unit; a job is long enough for it.",
        "90 min",
        "2-15:59:00",
        "1.5 h",
    ),
    "expected": text(
        "What a task usually takes, with its unit, so that jobs have a fitting size before any task was measured.",
        "90 s",
        "2 min",
    ),
    "gpus": whole("GPUs of one task.", 0, 1),
}

MAIL_WORDS = ("begin", "end", "fail")
CLUSTER: Table = {
    "partition": text(
        "The partition or queue (default: the site's own, or one that fits).", "general", "gpu"
    ),
    "account": text("The account or project that is charged.", "r00123"),
    "qos": text("The quality of service.", "normal"),
    "area": text(
        "Where on a site that is reached over ssh the run lives: an area of the site, or a path.", "scratch"
    ),
    "job_time": text("What each job asks for, with its unit (default: what suits the tasks).", "4 h"),
    "max_jobs": whole("How many jobs of the run may run at a time.", 1, 20),
    "max_core_hours": amount("What the run may cost at most; more is refused before it is sent.", 0, 500),
    "mail": text("Whom to write to about the run.", "me@example.org"),
    "mail_when": {
        "anyOf": [
            {"enum": list(MAIL_WORDS)},
            {"type": "array", "items": {"enum": list(MAIL_WORDS)}},
        ],
        "description": "When to write: begin, end, fail (default: end and fail).",
        "examples": ["end", ["begin", "end"]],
    },
    "modules": texts("Modules to load in each job.", "r", ["gcc/12.2", "r/4.5.1"]),
    "setup": texts("Shell lines at the start of each job, after the modules.", ["source ~/start"]),
    "options": texts(
        "Options of the scheduler, as they are, where Packhorse has no word for them.",
        "--constraint=haswell",
        ["--constraint=haswell", "--licenses=stata"],
    ),
}

RESULT_WORDS = ("auto", "json", "none", "return")
FORMATS = {
    ".json": "json",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".parquet": "parquet",
    ".txt": "text",
}
RESULT: Table = {
    "file": text(
        "The file a task writes, relative to the study's folder.", "results/{index}.csv", "{output}"
    ),
    "format": {
        "enum": sorted(set(FORMATS.values())),
        "description": "How the file is read, where its suffix does not say.",
        "examples": ["csv"],
    },
}

ENVIRONMENT: Table = {
    "python": text("A Python interpreter.", "/usr/bin/python3"),
    "venv": text("A virtual environment's folder.", ".venv"),
    "uv": {
        "anyOf": [{"type": "string"}, {"const": True}],
        "description": "A uv project's folder; true for the study's own folder.",
        "examples": [True, "project"],
    },
}

SUMMARY: Table = {
    "by": texts("Parameters to group by (default: all).", "n", ["n", "method"]),
    "of": texts("Result columns to summarise (default: every number).", "estimate", ["estimate", "covered"]),
    "quantiles": {
        "type": "array",
        "items": {"type": "number", "minimum": 0, "maximum": 1},
        "description": "Quantiles to give beside mean and standard deviation.",
        "examples": [[0.025, 0.5, 0.975]],
    },
}

INDEX_VARIABLE: Table = {
    "name": text("The environment variable that the script reads.", "SLURM_ARRAY_TASK_ID", "PBS_ARRAYID"),
    "start": {"type": "integer", "description": "Its value at the first task (default 0).", "examples": [1]},
    "parameter": text("The parameter whose value it gets, in place of the index.", "n"),
}

DISTRIBUTIONS = {
    "uniform": ("low", "high"),
    "loguniform": ("low", "high"),
    "normal": ("mean", "sd"),
    "integers": ("low", "high"),
    "choice": ("choices",),
}
RANDOM: Table = {
    "distribution": {
        "enum": list(DISTRIBUTIONS),
        "description": "uniform and loguniform between low and high; normal by mean and sd; "
        "integers from low to high, both included; choice among choices.",
    },
    "low": {"type": "number", "description": "The lower end."},
    "high": {"type": "number", "description": "The upper end."},
    "mean": {"type": "number", "description": "The mean of a normal distribution."},
    "sd": {"type": "number", "description": "The standard deviation of a normal distribution."},
    "choices": {"type": "array", "items": VALUE, "description": "The values to choose from."},
    "size": {"type": "integer", "minimum": 1, "description": "How many draws; more keep the first ones."},
}

_INTERVAL: dict[str, Any] = {"type": "array", "items": {"type": "number"}, "minItems": 3, "maxItems": 3}
GENERATORS: Table = {
    "range": {
        "type": "array",
        "items": {"type": "number"},
        "minItems": 1,
        "maxItems": 3,
        "description": "[start, stop, step] as in Python: stop is excluded.",
        "examples": [[0, 100, 10], [0, 1, 0.1], [5]],
    },
    "linspace": {
        **_INTERVAL,
        "description": "[first, last, how many], evenly spaced.",
        "examples": [[0, 1, 11]],
    },
    "geomspace": {
        **_INTERVAL,
        "description": "[first, last, how many], evenly spaced on a log scale.",
        "examples": [[0.001, 1000, 7]],
    },
    "random": mapping(
        "Random draws, frozen when planned; they follow from the study's seed and the parameter's name.",
        RANDOM,
        {"distribution": "uniform", "low": 0, "high": 1, "size": 3},
    ),
    "bootstrap": whole("An index 0..N-1 of bootstrap samples; the resampling is the script's.", 1, 2000),
    "permutations": whole("An index 0..N-1 of permutations; the shuffling is the script's.", 1, 999),
}

CHUNKS: Table = {
    "file": text("A file whose rows are divided; a CSV's header line is not counted.", "data.csv"),
    "rows": whole("The number of rows to divide.", 1, 1000),
    "size": whole("Rows of one chunk.", 1, 100),
    "count": whole("Number of chunks, of nearly equal size.", 1, 8),
}

_ANY_GROUP: dict[str, Any] = {"type": "object", "additionalProperties": True}
PARAMETERS: Table = {
    "zip": {
        "anyOf": [_ANY_GROUP, {"type": "array", "items": _ANY_GROUP}],
        "description": "Lists of equal length that vary together; several groups as a list.",
        "examples": [{"n": [10, 100], "sd": [1.0, 0.1]}],
    },
    "csv": texts("A CSV file: every row is a point, its columns are parameters.", "points.csv"),
    "file": text("Another YAML file whose mapping of parameters is added.", "more.yaml"),
    "where": texts("Conditions that a combination must meet, in Python's words.", "n * p <= 1000", ["n > p"]),
    "bootstrap": GENERATORS["bootstrap"],
    "permutations": GENERATORS["permutations"],
    "folds": whole("Cross-validation: gives fold (0..k-1) and folds (k).", 2, 5),
    "chunks": mapping(
        "Parts of a file's rows: gives chunk, start and stop.", CHUNKS, {"rows": 1000, "size": 100}
    ),
}

ENV: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "items": {"type": "string"}},
        {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean", "null"]}},
    ],
    "description": "Environment variables: a list of names to pass on, or names with their values.",
    "examples": [["API_TOKEN"], {"LANG": "C.UTF-8", "HOME": None}],
}

STUDY: Table = {
    "name": text("The study's name, and its run's (default: the file's, or its folder's).", "coverage"),
    "command": texts(
        "The command of a task, with {parameter} in place of values.",
        "python sim.py --n {n} --seed {seed}",
        ["python", "sim.py", "--n", "{n}"],
    ),
    "function": text(
        "A Python function, module:name, called with the parameters as keywords.", "sim:estimate"
    ),
    "shell": flag("Run the command by /bin/sh; values are then quoted.", example=False),
    "parameters": {
        "type": "object",
        "properties": PARAMETERS,
        "additionalProperties": {"anyOf": [VALUE, {"$ref": "#/$defs/generator"}]},
        "description": "Names with a value, a list of values, or a generator; the study is their product.",
        "examples": [{"n": [10, 100], "x": {"linspace": [0, 1, 5]}}],
    },
    "replicates": whole("Repetitions at each point.", 1, 100),
    "seed": whole("Where all the study's random numbers come from (default 0).", 0, 7),
    "seeding": choice(
        "independent: every task has its own seed; common: all points of a replicate share one.",
        ["independent", "common"],
        "common",
    ),
    "resources": mapping("What one task needs.", RESOURCES, {"cpus": 2, "memory": "2 GB", "time": "90 min"}),
    "cluster": mapping(
        "What jobs ask of a cluster beside resources.",
        CLUSTER,
        {"account": "r00123", "mail": "me@example.org"},
    ),
    "result": {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "properties": RESULT, "additionalProperties": False, "required": ["file"]},
        ],
        "description": "auto (a JSON object on the last line printed), json, none, or the file a task writes.",
        "examples": ["json", "out/{index}.csv", {"file": "{output}", "format": "csv"}],
    },
    "artifacts": texts("Files to keep for each task, as glob patterns.", ["figures/*.png"]),
    "code": texts("Files whose change matters to the results (default: all of the snapshot).", ["*.py"]),
    "include": texts("Files that git ignores and the snapshot needs.", ["model.bin"]),
    "data": texts("Data that is linked, not copied.", ["data"]),
    "env": ENV,
    "environment": {
        "anyOf": [
            {"const": "none"},
            {"type": "object", "properties": ENVIRONMENT, "additionalProperties": False, "maxProperties": 1},
        ],
        "description": "The interpreter and packages of the tasks.",
        "examples": ["none", {"venv": ".venv"}, {"uv": True}],
    },
    "checks": texts("Commands that must pass on this code before any task starts.", ["pytest -q"]),
    "summary": mapping(
        "A table of means and standard deviations.", SUMMARY, {"by": ["n"], "of": ["estimate"]}
    ),
    "time_limit": text("When a task that still runs is ended, with its unit.", "10 min"),
    "retries": whole("How often a task that failed starts again in the same run.", 0, 2),
    "checkpoint": flag("Tasks write checkpoints and go on from them."),
    "index_variable": {
        "anyOf": [
            {"type": "string"},
            {
                "type": "object",
                "properties": INDEX_VARIABLE,
                "additionalProperties": False,
                "required": ["name"],
            },
        ],
        "description": "The array variable that an existing script reads.",
        "examples": ["SLURM_ARRAY_TASK_ID", {"name": "PBS_ARRAYID", "start": 1}],
    },
    "defaults": {
        "type": "object",
        "additionalProperties": VALUE,
        "description": "The value that finished tasks had of a parameter that is new.",
        "examples": [{"n": 10}],
    },
}

# What a site may say differently: where and how tasks run, never what they compute.
SITE: Table = {
    key: STUDY[key] for key in ("resources", "cluster", "environment", "env", "data", "time_limit", "retries")
}

STUDY["sites"] = {
    "type": "object",
    "additionalProperties": {"type": "object", "properties": SITE, "additionalProperties": False},
    "description": "What is different at a site.",
    "examples": [{"quartz": {"resources": {"time": "2 h"}, "cluster": {"account": "r00123"}}}],
}
