"""A user's own options of qsub: which of them go with every job of a run, and which contradict Packhorse."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from packhorse.schedulers.script_headers import Option, header_options

# qsub(1B), and the resource managers beside it: who is charged, and what is reserved for them.
CHARGED = ("-A", "-P")
CHARGED_ATTRIBUTES = ("group_list", "x")  # of -W; x=FLAGS:ADVRES:NAME is a reservation of Moab and Maui
CHARGED_RESOURCES = ("qos", "advres", "reservation")  # of -l
_RESERVATION = re.compile(r"[RSM]\d+(\.\S+)?")  # pbs_rsub(1): a reservation is the name of a queue

# Options with which a job is not found again, by the reason.
LOSES_JOB = {
    "-I": "an interactive job has no number and no output",
    "-X": "only an interactive job has windows",
    "-z": "qsub prints no job number",
    "-W block": "qsub would not answer before the job has ended",
}
# Options that contradict what Packhorse sets for the jobs of a study, by the reason, with what to write instead.
CONTRADICTS = {
    **LOSES_JOB,
    "-C": "Packhorse writes #PBS lines",
    "-J": "Packhorse submits its own array; write the parameters of the study, and max_jobs:",
    "-N": "Packhorse names its jobs; write name:",
    "-S": "Packhorse's scripts are for bash",
    "-W depend": "Packhorse sets what a job waits for",
    "-e": "Packhorse reads the output of its jobs where it writes it",
    "-h": "the waves would never start",
    "-j": "Packhorse reads the output of its jobs where it writes it",
    "-l gpus": "Packhorse sets the GPUs; write gpus: under resources:",
    "-l mem": "Packhorse sets the memory; write memory: under resources:",
    "-l ncpus": "Packhorse sets the cores; write cpus: under resources:",
    "-l ngpus": "Packhorse sets the GPUs; write gpus: under resources:",
    "-l nodes": "an element of a study has one node; write cpus: under resources:",
    "-l procs": "an element of a study has one node; write cpus: under resources:",
    "-l select": "an element of a study has one node; write cpus: under resources:",
    "-l walltime": "Packhorse sets the time; write job_time:",
    "-o": "Packhorse reads the output of its jobs where it writes it",
    "-q": "Packhorse checks the limits of the queue; write partition:",
    "-t": "Packhorse submits its own array; write the parameters of the study, and max_jobs:",
    "-v": "Packhorse finds its jobs by their variables; write env:",
}


def read(options: Iterable[str]) -> Iterator[Option]:
    """Yield each option in a user's lines; of the lists of -W and -l each entry, named `-W depend`, `-l walltime`."""
    for line in options:
        for option in header_options(f"#PBS {line}", "#PBS"):
            yield from split(option)


def split(option: Option) -> Iterator[Option]:
    """Yield an option, or each entry of one that is a list."""
    if option.name not in ("-W", "-l"):
        yield option
        return
    for entry in option.value.split(","):
        name, _, value = entry.partition("=")
        yield Option(f"{option.name} {name}", value, option.line)


def charged(options: Iterable[str]) -> tuple[str, ...]:
    """Return the options that say who is charged and what is reserved for them."""
    lists = {
        *(f"-W {name}" for name in CHARGED_ATTRIBUTES),
        *(f"-l {name}" for name in CHARGED_RESOURCES),
    }
    found = []
    for option in read(options):
        if option.name in CHARGED or _is_reservation(option):
            found.append(f"{option.name} {option.value}")
        elif option.name in lists:
            found.append(f"{option.name}={option.value}")
    return tuple(found)


def contradictions(options: Iterable[str]) -> list[str]:
    """Return a sentence for each option that a study cannot have."""
    return [
        f"{option.name} in options: {CONTRADICTS[option.name]}"
        for option in read(options)
        if option.name in CONTRADICTS and not _is_reservation(option)
    ]


def _is_reservation(option: Option) -> bool:
    return option.name == "-q" and _RESERVATION.fullmatch(option.value) is not None
