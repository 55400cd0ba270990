"""What the source of a script shows: a guess that its author can correct."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from packhorse.study.keys import PARAMETERS
from packhorse.study.template import BUILTIN

Default = int | float | str | bool | None

# No parameter may have the name of a placeholder, or of a key of `parameters`.
RESERVED = frozenset({*BUILTIN, *PARAMETERS, "params"})
SEEDS = frozenset({"seed", "random_seed", "rng_seed", "seed_value", "random_state", "randomseed", "myseed"})
OUTPUTS = frozenset(
    {"out", "output", "outfile", "out_file", "output_file", "outfilename", "output_path", "save_to"}
)
ARRAYS = ("SLURM_ARRAY_TASK_ID", "PBS_ARRAYID", "PBS_ARRAY_INDEX", "SGE_TASK_ID", "LSB_JOBINDEX")
# Names that people give to the index of an array.
INDICES = frozenset(
    {
        "task_id", "taskid", "task", "idx", "index", "id", "job_id", "jobid", "job_index", "array_id", "arrayid",
        "array_index", "array_task_id", "slurm_id", "slurm_array_task_id", "sim_id", "simid", "iter", "iteration",
    }
)  # fmt: skip
RESULT_ENDINGS = (".csv", ".json", ".ndjson", ".jsonl", ".parquet", ".txt")


class Parameter(Struct, frozen=True, kw_only=True):
    """An argument of a script; `flag` is empty for a positional one.

    `several` is true if it takes several words; `early` if it belongs before the subcommand.
    """

    name: str
    role: Literal["parameter", "seed", "output", "switch", "optional"] = "parameter"
    flag: str = ""
    kind: Literal["", "int", "float", "text"] = ""
    default: Default | list[Default] = None
    several: bool = False
    early: bool = False
    choices: tuple[Default, ...] = ()
    help: str = ""


class ConfigFile(Struct, frozen=True, kw_only=True):
    """A file of settings that a script reads, and the name by which the script knows them."""

    path: str
    variable: str = "config"


class WrittenFile(Struct, frozen=True, kw_only=True):
    """A file that a script writes: its name, its format where the suffix does not tell it, and columns without names.

    The name may contain `{parameter}`, and * for what is unknown.
    """

    path: str
    format: str = ""
    header: tuple[str, ...] = ()


class ScriptFacts(Struct, frozen=True, kw_only=True):
    """The arguments that a script reads and the files that it writes.

    `index` is the name of the parameter that is the index of an array. `prints` is what it prints last,
    where that is known; `seed32` if its generator takes seeds of 32 bits at most. `subcommand` are the words
    that choose what the script does. `constants` are set at its top, and `configs` the files of settings that it reads.
    """

    parameters: tuple[Parameter, ...] = ()
    files: tuple[WrittenFile, ...] = ()
    index: str = ""
    prints: Literal["", "json", "dict"] = ""
    seed32: bool = False
    subcommand: tuple[str, ...] = ()
    constants: tuple[Parameter, ...] = ()
    configs: tuple[ConfigFile, ...] = ()
    hydra: bool = False
    note: str = ""


def role_of(name: str) -> Literal["parameter", "seed", "output"]:
    """Return the role of an argument, by its name."""
    plain = re.sub(r"[-.]", "_", name.lower().strip("-"))
    if plain in SEEDS:
        return "seed"
    return "output" if plain in OUTPUTS else "parameter"


def is_index(name: str) -> bool:
    """Return whether a name is one that people give to the index of an array."""
    return re.sub(r"[-.]", "_", name.lower().strip("-")).removesuffix("_value") in INDICES


def array_variable(source: str) -> str:
    """Return the variable of a scheduler's array that a script reads, empty if it reads none."""
    return next((name for name in ARRAYS if name in source), "")


def with_index(
    parameters: list[Parameter], aliases: Iterable[str], variable: str
) -> tuple[list[Parameter], str]:
    """Return the parameters and the name of the index of an array, which may be one of them; without one, an empty name."""
    if not variable:
        return parameters, ""
    index = index_name(parameters, aliases)
    changed = {"optional": "parameter"}
    return [
        replace(p, role=changed.get(p.role, p.role), kind="int", default=None) if p.name == index else p
        for p in parameters
    ], index


def index_name(parameters: Iterable[Parameter], aliases: Iterable[str]) -> str:
    """Return the name of the index of an array: an argument's, if that is the same, else the script's own name."""
    known = list(aliases)
    for parameter in parameters:
        if parameter.name in known or (not known and is_index(parameter.name)):
            return parameter.name
    return parameter_name(known[0]) if known else "task"


def parameter_name(text: str) -> str:
    """Return a valid name of a parameter for the name of an argument."""
    name = re.sub(r"\W+", "_", text.strip("-")).strip("_") or "value"
    if not (name[0].isalpha() and name.isascii()):
        name = "p_" + re.sub(r"[^A-Za-z0-9_]", "", name)
    name = "my_" + name if name.startswith("ph_") else name
    return name + "_value" if name in RESERVED else name
