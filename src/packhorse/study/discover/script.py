"""What the source of a script shows: a guess that its author can correct."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

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


class ScriptFacts(Struct, frozen=True, kw_only=True):
    """The arguments that a script reads and the files that it writes; file names may contain `{parameter}`.

    `json` is true if it prints JSON; `seed32` if its generator takes seeds of 32 bits at most. `subcommand` are the words
    that choose what the script does. `constants` are set at its top, and `configs` the files of settings that it reads.
    """

    parameters: tuple[Parameter, ...] = ()
    files: tuple[str, ...] = ()
    json: bool = False
    seed32: bool = False
    subcommand: tuple[str, ...] = ()
    constants: tuple[Parameter, ...] = ()
    configs: tuple[str, ...] = ()
    hydra: bool = False
    note: str = ""


def role_of(name: str) -> Literal["parameter", "seed", "output"]:
    """Return the role of an argument, by its name."""
    plain = re.sub(r"[-.]", "_", name.lower().strip("-"))
    if plain in SEEDS:
        return "seed"
    return "output" if plain in OUTPUTS else "parameter"


def parameter_name(text: str) -> str:
    """Return a valid name of a parameter for the name of an argument."""
    name = re.sub(r"\W+", "_", text.strip("-")).strip("_") or "value"
    if not (name[0].isalpha() and name.isascii()):
        name = "p_" + re.sub(r"[^A-Za-z0-9_]", "", name)
    name = "my_" + name if name.startswith("ph_") else name
    return name + "_value" if name in RESERVED else name
