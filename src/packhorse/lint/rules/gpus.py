"""Rules of GPUs: requested and not used, or needed and not requested."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator

from packhorse.jobscript.options import Option
from packhorse.lint.job import Job, note
from packhorse.lint.rule import Note, rule
from packhorse.lint.source import PythonSource
from packhorse.model.site import Partition

_OPTIONS = ("gres", "gpus", "gpus-per-node", "gpus-per-task", "gpus-per-socket")
# Packages that use no GPU. All others may.
_ON_CPU = frozenset(
    [
        "numpy",
        "scipy",
        "pandas",
        "sklearn",
        "statsmodels",
        "matplotlib",
        "seaborn",
        "tqdm",
        "yaml",
        "networkx",
    ]
)
_R_ON_GPU = re.compile(
    r"(?i)torch|keras|tensorflow|cuda|gpu|opencl|xgboost|lightgbm|reticulate|rcpp|dyn\.load|system2?\(|source\("
)


def _gpu_options(job: Job) -> Iterator[Option]:
    for option in map(job.script.option, _OPTIONS):
        if option is not None and (option.name != "gres" or "gpu" in (option.value or "")):
            yield option


def _partition(job: Job) -> Partition | None:
    """Return the one partition of the job at the site; None: several, not known, or its facts are in doubt."""
    if job.site is None or job.script.dialect != "slurm" or job.script.is_template:
        return None
    name = job.script.value("partition")
    if not name:
        return next((one for one in job.site.partitions if one.default), None)
    return job.site.partition(name)


@rule("J25", "warning", "The request and the GPUs of the partition do not fit.")
def gpu_request(job: Job) -> Iterator[Note]:
    """Request the GPU in a partition with GPUs, by a name that the site knows.

    A job in a GPU partition sees no GPU that it did not request. A type that the site does not have is refused, or the
    job never starts.

    Example: `#SBATCH --partition=gpu` alone; add `--gres=gpu:1`.

    The rule needs `--site`. It is silent for partitions that give whole nodes, for jobs with `--exclusive`, and where the
    site's file names no types. GPUs that the partition does not have at all are rule J21.
    """
    partition = _partition(job)
    if partition is None or not partition.gpus:
        return
    requested = list(_gpu_options(job))
    alone = partition.whole_nodes or partition.by_gpu or job.script.option("exclusive")
    named = job.script.option("partition")
    if not requested and named is not None and not alone and not job.script.option("tres-per-task"):
        gres = partition.gres if partition.gres.startswith("gpu") else "gpu"
        yield note(
            named,
            f"{partition.name} is for jobs that use GPUs, and none is requested",
            advice=f"--gres={gres}:1",
        )
    names = (partition.gres, *(one.gres for one in partition.kinds))
    types = {one.removeprefix("gpu:") for one in names if one.startswith("gpu:")}
    for option in requested:
        asked = _type_of(option)
        if types and asked and asked.lower() not in {one.lower() for one in types}:
            yield note(
                option,
                f"{partition.name} has no GPU called {asked}",
                advice=", ".join(f"gpu:{one}" for one in sorted(types)),
            )


def _type_of(option: Option) -> str:
    """Return the type of a request for GPUs: a100 of gpu:a100:2, or of --gpus=a100:2."""
    parts = (option.value or "").split(":")
    if option.name == "gres":
        if parts[0] != "gpu" or "," in (option.value or ""):
            return ""
        parts = parts[1:]
    return parts[0] if parts and not parts[0].isdigit() and re.fullmatch(r"[\w.-]+", parts[0]) else ""


@rule("J26", "warning", "A GPU is requested, and the program does not use one.")
def idle_gpu(job: Job) -> Iterator[Note]:
    """Run programs that use no GPU in a partition without.

    An idle GPU is charged, keeps others waiting, and some sites cancel jobs that do not use theirs.

    The rule speaks only where it has read every program that the job runs, and where these load only packages that
    cannot use a GPU: the standard library, numpy, scipy, pandas, scikit-learn and some others; R without GPU packages.
    """
    option = next(_gpu_options(job), None)
    if option is None or not job.every_source_is_known or _names_gpu(job):
        return
    if re.search(r"gpu:0\b|^0$", option.value or ""):
        return
    if all(_stays_on_cpu(path, text) for path, text in job.sources.items()):
        programs = ", ".join(sorted(job.sources))
        yield note(
            option,
            f"{programs} cannot use a GPU",
            advice="remove the line, and name a partition without GPUs",
        )


def _names_gpu(job: Job) -> bool:
    """Return whether the body of the script, or a program, has a word of GPUs."""
    body = "".join(line.text + "\n" for line in job.script.lines if not line.text.startswith("#"))
    return any(re.search(r"(?i)cuda|nvidia|gpu|opencl", text) for text in (body, *job.sources.values()))


def _stays_on_cpu(path: str, text: str) -> bool:
    if not path.lower().endswith(".py"):
        return not _R_ON_GPU.search(text)
    tree = PythonSource(text).tree
    loaded = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            loaded |= {one.name.partition(".")[0] for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            loaded.add("" if node.level else (node.module or "").partition(".")[0])
    starts = {"subprocess", "ctypes", "importlib", "runpy"} & loaded or re.search(
        r"os\.(system|exec|popen|spawn)", text
    )
    return bool(tree.body) and not starts and loaded <= _ON_CPU | sys.stdlib_module_names
