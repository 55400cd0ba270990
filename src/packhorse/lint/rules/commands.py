"""Rules of the shell lines: programs, modules, environments, exit status."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.jobscript.lines import Edit
from packhorse.jobscript.shell import Arg, Command
from packhorse.jobscript.values import slurm_seconds
from packhorse.lint.job import Job, interpreter_of, note, source_of
from packhorse.lint.rule import Note, rule
from packhorse.text.amounts import counted

_RIGHT = {
    "rscript": "Rscript",
    "python": "python",
    "python3": "python3",
    "matlab": "matlab",
    "julia": "julia",
}


def _edit(word: Arg, text: str) -> tuple[Edit, ...]:
    return (Edit(word.line, word.start, word.end, text),)


@rule("J28", "error", "The program's name has the wrong capitals.")
def capitals(job: Job) -> Iterator[Note]:
    """Write `Rscript` and `python`: names of programs distinguish capitals.

    On a Mac `RScript` and `Python` work, since its file system ignores case; a cluster says `command not found`.

    The fix writes the right name. It is safe.
    """
    for command in job.shell.commands:
        word = command.program[0]
        right = _RIGHT.get(word.text.lower())
        if right and word.text != right and word.text not in job.shell.functions:
            yield Note(
                message=f"{word.text}: the program is called {right}",
                line=word.line,
                column=word.start,
                edits=_edit(word, right),
            )


# Words that these programs do not have, and what was meant.
_NO_SUCH = {
    ("module", "activate"): "module load",
    ("module", "install"): "module load",
    ("module", "import"): "module load",
    ("conda", "load"): "conda activate",
    ("conda", "source"): "conda activate",
    ("conda", "use"): "conda activate",
    ("mamba", "load"): "mamba activate",
    ("pyenv", "load"): "pyenv shell",
    ("pyenv", "use"): "pyenv shell",
    ("pipx", "activate"): "",
    ("conda", "start"): "conda activate",
    ("poetry", "source"): "poetry run",
    ("poetry", "activate"): "poetry run",
    ("pip", "activate"): "",
    ("uv", "activate"): "uv run",
}


@rule("J29", "error", "The program does not have this subcommand.")
def no_such_subcommand(job: Job) -> Iterator[Note]:
    """Use `module load` and `conda activate`.

    `module activate`, `module install`, `conda load` and some others do not exist; the script runs on without the
    software, with that of the system.
    """
    for command in job.shell.commands:
        if len(command.words) > 1 and command.name not in job.shell.functions:
            pair = (command.name, command.words[1].text)
            if pair in _NO_SUCH:
                meant = _NO_SUCH[pair]
                yield Note(
                    message=f"{' '.join(pair)} does not exist",
                    line=command.line,
                    column=command.start,
                    advice=f"did you mean {meant}?" if meant else "",
                )


@rule("J60", "warning", "An assignment has blanks around =.")
def blank_assignment(job: Job) -> Iterator[Note]:
    """Write `NAME=value` without blanks: the shell takes `NAME = value` for a program called NAME.

    The message is `NAME: command not found`, and the variable stays empty.

    The fix removes the blanks. It is safe.
    """
    for command in job.shell.commands:
        tokens = command.words
        if len(tokens) == 3 and tokens[1].raw == "=" and re.fullmatch(r"[A-Za-z_]\w*", tokens[0].raw):
            if tokens[0].line != tokens[2].line:
                continue
            edit = Edit(tokens[0].line, tokens[0].end, tokens[2].start, "=")
            yield Note(
                message=f"the shell runs a program {tokens[0].raw}; an assignment has no blanks around =",
                line=command.line,
                column=command.start,
                edits=(edit,),
            )


@rule("J45", "warning", "The script ends while its programs still run.")
def no_wait(job: Job) -> Iterator[Note]:
    """End a script that starts programs with `&` by `wait`.

    A job ends with its script; the scheduler then kills what it has started. A program that runs in the foreground
    after the last `&` keeps the job alive, so that helpers such as servers and monitors are not reported.

    Example: `for i in 1 2 3; do python fit.py $i & done` as the last line.

    The fix adds `wait` at the end. It is safe.
    """
    if not job.script.dialect or job.shell.errors:
        return
    outer = [one for one in job.shell.commands if not one.where.function and not one.where.substitution]
    behind = [one for one in outer if one.background]
    if not behind or any(one.name in {"wait", "sleep", "tail", "exec"} for one in outer):
        return
    after = [one for one in outer if one.line > behind[-1].line and one.name not in _SHORT]
    if after or any(not one.background and interpreter_of(one) for one in outer) or job.mentions(r"\bwait\b"):
        return
    if not all(interpreter_of(one) or one.launcher for one in behind):
        return
    last = job.script.lines[-1]
    yield Note(
        message="the job ends, and kills this, when the script has ended: wait is missing",
        line=behind[-1].line,
        column=behind[-1].start,
        edits=(Edit(last.number, 0, 0, f"{last.text}{last.end or chr(10)}wait\n", whole=True),),
    )


_SHORT = frozenset(["echo", "date", "printf", "done", "exit", "true", ":", "hostname"])


@rule("J44", "hint", "The exit status of the program is lost.")
def lost_status(job: Job) -> Iterator[Note]:
    """Add `set -o pipefail`, so that a failed program makes a failed job.

    The status of a pipeline is that of its last command: after `python fit.py | tee log` it is that of `tee`, and the
    scheduler reports COMPLETED for a program that failed.
    """
    settings = job.shell.settings()
    if not job.script.dialect or "pipefail" in settings or job.mentions(r"PIPESTATUS|pipefail"):
        return
    for command in job.shell.commands:
        if interpreter_of(command) and command.piped_to[-1:] == ("tee",) and not command.where.substitution:
            yield Note(
                message="the job's status is that of tee, also where the program fails",
                line=command.line,
                column=command.start,
                advice="set -o pipefail above",
            )
            return


@rule("J47", "warning", "Each task of the array installs packages.")
def install_in_task(job: Job) -> Iterator[Note]:
    """Install packages once, before the array is submitted.

    Tasks that install into one folder at the same time break each other's files, and nodes of many sites cannot reach
    the internet. Make the environment on a login node or in one job, and activate it in the tasks.
    """
    indices = job.indices
    if indices is None or indices.count < 2 or indices.at_a_time == 1:
        return
    for command in job.shell.commands:
        tokens = [word.text for word in command.program[:4]]
        text = " ".join(tokens)
        if command.where.conditional or "TMPDIR" in job.script.text:
            continue
        if re.match(r"(?:python[\d.]* -m )?(?:pip[\d.]*|conda|mamba|micromamba) install\b", text):
            yield Note(
                message=f"{counted(indices.count, 'task')} run {tokens[0]} install",
                line=command.line,
                column=command.start,
            )
            return


@rule("J32", "warning", "conda activate fails without its hook.")
def conda_without_hook(job: Job) -> Iterator[Note]:
    """Define `conda activate` before it is used: `source "$(conda info --base)/etc/profile.d/conda.sh"`.

    The shell of a job does not read `.bashrc`, so that `conda activate` says `Your shell has not been properly
    configured`. A login shell (`#!/bin/bash -l`), a sourced file, a module and `conda shell.bash hook` define it; the
    rule is silent there.
    """
    if job.script.interpreter not in {"bash", "sh"} or not job.script.dialect:
        return
    first = job.script.lines[0].text if job.script.lines else ""
    if re.search(r"\s-\w*l|--login|\s-\w*i", first):
        return
    for command in job.shell.commands:
        if (
            command.name in {"source", ".", "module", "ml", "eval", "spack", "use"}
            or "conda" in job.shell.functions
        ):
            return
        if command.name == "conda" and len(command.words) > 1 and command.words[1].text == "activate":
            yield Note(
                message="conda activate is not defined in the shell of a job",
                line=command.line,
                column=command.start,
                advice='source "$(conda info --base)/etc/profile.d/conda.sh" above',
            )
            return


@rule("J30", "warning", "The interpreter runs before its module is loaded.")
def before_module(job: Job) -> Iterator[Note]:
    """Load the module above the first line that uses it.

    Otherwise the interpreter of the system runs, which is old and lacks the packages.

    Example: `python fit.py`, and `module load python/3.11` below.
    """
    loads = [one for one in job.shell.commands if one.name in {"module", "ml"} and not one.where.conditional]
    first: dict[str, Command] = {}
    for command in job.programs:
        if command.program[0].text in {"python", "python3", "Rscript"} and not command.where.function:
            first.setdefault(interpreter_of(command), command)
    for kind, pattern in (("python", r"(?i)^(python|anaconda|miniconda)\d?(/|$)"), ("r", r"^[rR](/|$)")):
        used = first.get(kind)
        matching = [one for one in loads if any(re.match(pattern, word.text) for word in one.words[1:])]
        if used is not None and matching and min(one.line for one in matching) > used.line:
            yield Note(
                message=f"line {matching[0].line} loads the module of {used.program[0].text} only after this",
                line=used.line,
                column=used.start,
            )


_LOADS_CONDA = re.compile(r"(?i)(miniforge|miniconda|mambaforge|micromamba|conda)\d?(/|$)")
_USES_PACKAGES = re.compile(
    r"(?m)^\s*(?:import|from)\s+(torch|tensorflow|jax|sklearn|xgboost|lightgbm|statsmodels|numba|dask|polars|cvxpy)\b"
)


@rule("J73", "warning", "A module of conda is loaded, and no environment is activated.")
def no_environment(job: Job) -> Iterator[Note]:
    """Activate your environment after the module that provides conda: `source activate NAME`, or `conda run -n NAME`.

    The module alone gives the base environment, which lacks the packages that you installed: `ModuleNotFoundError`.

    Example: `module load miniforge`, then `python fit.py`, whose source imports torch.

    The rule speaks only of small distributions (miniforge, miniconda, conda), and of programs whose source imports a
    package that these lack. It is silent where the script activates, sources or evaluates anything, or sets PATH.
    """
    if not job.script.dialect or job.shell.errors or job.script.is_template:
        return
    names = {one.name for one in job.shell.commands}
    if names & {"source", ".", "eval", "conda", "mamba", "micromamba", "activate", "poetry", "uv", "spack"}:
        return
    if any(one.name in {"PATH", "PYTHONPATH", "VIRTUAL_ENV"} for one in job.shell.assignments):
        return
    loads = [one for one in job.shell.commands if one.name in {"module", "ml"}]
    loaded = [word.text for one in loads for word in one.words[1:] if word.text not in {"load", "add"}]
    if not loaded or not all(_LOADS_CONDA.match(one) for one in loaded if one != "purge"):
        return  # another module may provide the packages
    for command in job.programs:
        found = _USES_PACKAGES.search(job.sources.get(source_of(command), ""))
        if found and command.program[0].text in {"python", "python3"} and command.line > loads[0].line:
            yield Note(
                message=f"{loaded[-1]} alone does not have {found[1]}: no environment is activated",
                line=command.line,
                column=command.start,
                advice="source activate NAME above",
            )
            return


@rule("J74", "hint", "A job of days cannot continue where it stopped.")
def no_checkpoint(job: Job) -> Iterator[Note]:
    """Save the state of long programs from time to time, and read it when they start.

    A node that fails, and a time that is too short, lose days of work. `#SBATCH --signal=B:USR1@300` tells the job five
    minutes before its end.

    The rule speaks of jobs of two days and more, where it has read every program, and found no word of checkpoints,
    restarts, signals, or saving.
    """
    time = job.script.option("time")
    seconds = slurm_seconds(time.value or "") if time is not None and job.script.dialect == "slurm" else None
    if time is None or seconds is None or seconds < 2 * 86400 or not job.every_source_is_known:
        return
    if job.script.option("signal") or job.mentions(
        r"(?i)check_?point|ckpt|resum|restart|restor|signal|pickle|save|dump|load_state|warm_start|continue_from"
    ):
        return
    days = seconds // 86400
    yield note(time, f"{counted(days, 'day')}, and no program saves a state from which it could continue")
