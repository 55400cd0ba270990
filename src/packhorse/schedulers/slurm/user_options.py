"""A user's own options of sbatch: which of them go with every job of a run, and which contradict Packhorse."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packhorse.schedulers.script_headers import Option, header_options

# sbatch(1): who is charged, and what is reserved for them.
CHARGED = ("--account", "--qos", "--reservation", "--wckey", "--gid")

_ELSEWHERE = "the job goes to another cluster than the one that is asked for it"
# Options with which a job is not found again, by the reason.
LOSES_JOB = {
    "--clusters": _ELSEWHERE,
    "--cluster-constraint": _ELSEWHERE,
    "--help": "sbatch prints its help and submits nothing",
    "--quiet": "sbatch prints no job number",
    "--test-only": "sbatch submits nothing",
    "--usage": "sbatch prints its usage and submits nothing",
    "--version": "sbatch prints its version and submits nothing",
    "--wait": "sbatch would not answer before the job has ended",
}
# Options that contradict what Packhorse sets for the jobs of a study, by the reason, with what to write instead.
CONTRADICTS = {
    **LOSES_JOB,
    "--array": "Packhorse submits its own array; write the parameters of the study, and max_jobs:",
    "--comment": "Packhorse finds its jobs by their comment",
    "--cpus-per-task": "Packhorse sets the cores; write cpus: under resources:",
    "--dependency": "Packhorse sets what a job waits for",
    "--error": "Packhorse reads the output of its jobs where it writes it",
    "--gpus": "Packhorse sets the GPUs; write gpus: under resources:",
    "--gpus-per-node": "Packhorse sets the GPUs; write gpus: under resources:",
    "--gpus-per-task": "Packhorse sets the GPUs; write gpus: under resources:",
    "--hold": "the waves would never start",
    "--job-name": "Packhorse names its jobs; write name:",
    "--mem": "Packhorse sets the memory; write memory: under resources:",
    "--mem-per-cpu": "Packhorse sets the memory; write memory: under resources:",
    "--mem-per-gpu": "Packhorse sets the memory; write memory: under resources:",
    "--nodes": "an element of a study has one node",
    "--ntasks": "an element of a study has one process; write cpus: under resources:",
    "--ntasks-per-node": "an element of a study has one process; write cpus: under resources:",
    "--output": "Packhorse reads the output of its jobs where it writes it",
    "--parsable": "Packhorse sets it",
    "--partition": "Packhorse checks the limits of the partition; write partition:",
    "--time": "Packhorse sets the time; write job_time:",
    "--wrap": "Packhorse submits a script",
}
_SHORTEST = 5  # characters of an abbreviation, --arr


def long_name(name: str, known: Iterable[str]) -> str:
    """Return the full name of an option; one that sbatch finds ambiguous is taken for the first of `known`."""
    if name in known or len(name) < _SHORTEST:
        return name
    return next((option for option in known if option.startswith(name)), name)


def read(options: Iterable[str], known: Iterable[str]) -> Iterator[Option]:
    """Yield each option in a user's lines, with its long name where it is one of `known`."""
    for line in options:
        for option in header_options(f"#SBATCH {line}", "#SBATCH"):
            yield Option(long_name(option.name, known), option.value, option.line)


def charged(options: Iterable[str]) -> tuple[str, ...]:
    """Return the options that say who is charged and what is reserved for them."""
    return tuple(
        f"{option.name}={option.value}" for option in read(options, CHARGED) if option.name in CHARGED
    )


def excluded(options: Iterable[str]) -> tuple[str, ...]:
    """Return the nodes, or lists of nodes, that a user's own options exclude."""
    found = (option.value for option in read(options, ("--exclude",)) if option.name == "--exclude")
    return tuple(filter(None, found))


def contradictions(options: Iterable[str]) -> list[str]:
    """Return a sentence for each option that a study cannot have."""
    return [
        f"{option.name} in options: {CONTRADICTS[option.name]}"
        for option in read(options, CONTRADICTS)
        if option.name in CONTRADICTS
    ]
