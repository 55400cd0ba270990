"""The keys inside the parts of a site file: partitions, storage areas, access and others."""

from __future__ import annotations

from typing import get_args

from packhorse.model import site_parts as made
from packhorse.text.keys import (
    Key,
    Part,
    choice,
    choices,
    flag,
    integer,
    matching,
    memory,
    number,
    part,
    positive_number,
    text,
    texts,
    whole_seconds,
    word,
    word_list,
)

# Variables in a path are expanded by the shell of a job or a user.
PATH = r"[/$][\w$/{}.+@:-]*"
_PATH = (PATH, "a path", "Write an absolute path or a variable: $HOME, /scratch/$USER, /projects/{project}.")
_DATE = (r"\d{4}(-\d\d){0,2}", "a date", "Write it as 2026-11-23, or 2026-11.")

MOST_COUNT = 10**9


def count(description: str, least: int, *examples: int) -> Key:
    """Return a key for a number of things."""
    return integer(description, least, *examples, most=MOST_COUNT)


SOURCE: dict[str, Key] = {
    "source": text("The source of these facts.", "https://example.org/cluster"),
    "date": matching("The date of these facts.", _DATE, "2026-11-23"),
    "doubt": text("What has not been verified.", "another page says 40 cores"),
}

KIND: dict[str, Key] = {
    "nodes": count("The number of nodes of this kind.", 1, 8),
    "cores": count("Cores of one node.", 1, 32),
    "memory": memory("Memory of one node.", "192 GB"),
    "gpus": count("GPUs of one node (default 0).", 0, 3),
    "gres": word("The name of such a GPU in a request.", "gpu:v100"),
    "gpu": text("The model of its GPUs.", "NVIDIA V100, 32 GB"),
    "constraint": word("The feature that a job requests to get such a node.", "node_type=10Geth64G"),
    **SOURCE,
}
_KINDS = Part(KIND, made.NodeKind, "kind of nodes", named=True)

PARTITION: dict[str, Key] = {
    "about": text("Its purpose, in a few words.", "For short tests on one node"),
    "purpose": choices(
        "The jobs that it is meant for; `test` also sets `test: true`.",
        get_args(made.Purpose),
        "serial",
        ["parallel", "gpu"],
    ),
    "nodes": count("The number of its nodes.", 1, 4),
    "cores": count("Cores of one node.", 1, 128),
    "memory": memory("Memory of one node that jobs may use, with a unit.", "512 GB"),
    "gpus": count("GPUs of one node (default 0).", 0, 4),
    "gres": word("The name of a GPU in a request (default: gpu).", "gpu:a100"),
    "gpu": text("The model of its GPUs.", "NVIDIA A100, 40 GB"),
    "kinds": part(
        "Kinds of nodes, where nodes differ; jobs are sized by the cores, memory, gpus and gres above.",
        _KINDS,
        {"v100": {"nodes": 8, "gpus": 3, "gres": "gpu:v100"}},
    ),
    "default_time": whole_seconds("Time limit of a job that requests none.", "1 h"),
    "max_time": whole_seconds("The longest time limit that a job may request.", "7 days"),
    "min_nodes": count("The minimum number of nodes per job.", 1, 2),
    "max_nodes": count("The maximum number of nodes per job.", 1, 2),
    "max_cores": count("The maximum number of cores per job.", 1, 128),
    "max_gpus": count("The maximum number of GPUs per job.", 1, 1),
    "max_user_jobs": count("The maximum number of running jobs per user.", 1, 10),
    "max_user_queued": count("The maximum number of queued and running jobs per user.", 1, 50),
    "max_user_gpus": count("The maximum number of GPUs in use per user.", 1, 6),
    "default": flag("Jobs that name no partition go here.", example=True),
    "test": flag("Meant for short tests; jobs start sooner here.", example=True),
    "by_request": flag("Open only to users that the site has admitted.", example=True),
    "open_to": text("Which users the site admits, and how to apply.", "members of grand-challenge projects"),
    "whole_nodes": flag("A job gets whole nodes, and is charged for them.", example=True),
    "machine": word("The machine type of its nodes, as uname -m prints it.", "aarch64"),
    "exclusive_kind": word(
        "The kind that an exclusive job gets that requests none; with all its memory, whatever it requests.",
        "small",
    ),
    "by_gpu": flag("Cores and memory follow the number of GPUs that a job requests.", example=True),
    "was": word_list("Former names, which are refused now.", "hopper"),
    **SOURCE,
}

STORAGE: dict[str, Key] = {
    "path": matching(
        "Its path; shell variables are expanded, and {account} and {project} are replaced by yours.",
        _PATH,
        "/scratch/$USER",
    ),
    "purpose": choices(
        "What it is suited for; decides where Packhorse puts runs, environments and data.",
        get_args(made.Use),
        "home",
        ["runs", "data"],
    ),
    "quota": memory("The quota, with a unit.", "200 GB"),
    "inodes": count("The maximum number of files and folders.", 1, 6400000),
    "quota_per": choice(
        "Whether the quota is per user or per project (default: user).", ("user", "project"), "project"
    ),
    "backup": flag("Whether it is backed up.", example=True),
    "retention": text("How long backups and files are kept.", "backups for 90 days"),
    "purge": whole_seconds("Time after which files are deleted.", "28 days"),
    "purge_clock": choice(
        "The event from which that time counts: the last write or access (default: write).",
        ("write", "access"),
        "access",
    ),
    "local": flag("Local to one node, and not visible from others.", example=True),
    "speed": text("How fast it is, and for which files.", "slow for many small files"),
    "about": text("Other useful facts.", "each file takes 32 KB at least"),
    **SOURCE,
}

ARCHIVE: dict[str, Key] = {
    "title": text("Its name.", "Scholarly Data Archive"),
    "quota": memory("The quota, with a unit.", "50 TB"),
    "modules": word_list("Modules that provide its programs.", "hpss"),
    "min_file": memory("The smallest file to store by itself; smaller files must be bundled.", "1 MB"),
    "max_file": memory("The largest file in a bundle.", "68 GB"),
    "closed": text("When it is unavailable.", "Sundays 7 to 10"),
    "about": text("Other useful facts.", "a bundle overwrites one of its name"),
    **SOURCE,
}

MODULES: dict[str, Key] = {
    "system": choice("The module system.", ("lmod", "environment-modules"), "lmod"),
    "load": text("The command that loads a module (default: module load).", "module add"),
    "conda": text(
        "The command that activates a conda environment (default: conda activate).", "source activate"
    ),
    "setup": texts(
        "Shell lines that define `module` in a shell that is not a login shell.", "source /etc/profile"
    ),
    "loaded": word_list("Modules that are loaded by default.", "xalt"),
    "known": word_list("Modules worth knowing.", ["r/4.5.1", "conda"]),
    "python": word("The module that provides python3.", "python/3.13.5"),
    "r": word("The module that provides Rscript.", "r/4.5.1"),
    **SOURCE,
}

MAIL: dict[str, Key] = {
    "when": choices("The events for which jobs may request email.", get_args(made.MailWhen), ["end", "fail"]),
    "addresses": word("The suffix that an address must have.", "@example.org"),
    "about": text("Other useful facts.", "the mail at the end has a summary"),
    **SOURCE,
}

LOGIN_LIMITS: dict[str, Key] = {
    "cpu_time": whole_seconds("CPU time after which a process is killed.", "20 min"),
    "memory": memory("Memory of all processes of a user.", "8 GB"),
    "processes": count("The maximum number of processes of a user.", 1, 100),
    "about": text("Other useful facts.", "tmux does not help"),
    **SOURCE,
}

ENERGY: dict[str, Key] = {
    "core": positive_number("Power of a core at work, in W.", 7.5),
    "memory": positive_number("Power of a GB of memory, in W.", 0.37),
    "pue": number(
        "Energy of the data centre over that of its computers (power usage effectiveness).", 1.2, least=1
    ),
    "carbon": number("Grams of CO2 equivalents that a kWh emits.", 231, least=0),
    "price": number("Price of a core-hour.", 0.02, least=0),
    "currency": word("The currency of the price.", "EUR"),
    "about": text("Other useful facts.", "hydropower"),
    **SOURCE,
}

ACCESS: dict[str, Key] = {
    "who": text("Who may use it.", "staff and students"),
    "steps": texts("What to do to get an account, in order.", ["Ask your supervisor.", "Fill in the form."]),
    "delay": text("How long it takes until a new account works.", "a few hours, up to a day"),
    "asks": text("What a login requires.", "password, then a push to your phone"),
    "keys": text("The site's rules for SSH keys.", "not accepted"),
    "denied": text(
        "The meaning of 'permission denied' on a new account.", "the account does not exist yet: wait"
    ),
    "help": text("Contact for questions.", "hpc@example.org"),
    "help_not": text("When not to contact them.", "before a day is over"),
    **SOURCE,
}

RETIRED: dict[str, Key] = {
    "successors": word_list("The sites that replaced it.", "quartz", ["quartz", "bigred200"]),
    "about": text("What happened to it.", "no logins after this day"),
    **SOURCE,
}

PARTS = {
    "partitions": Part(PARTITION, made.Partition, "partition", named=True),
    "storage": Part(STORAGE, made.Storage, "storage area", named=True),
    "archive": Part(ARCHIVE, made.Archive, "archive"),
    "modules": Part(MODULES, made.Modules, "modules"),
    "mail": Part(MAIL, made.Mail, "mail"),
    "login_limits": Part(LOGIN_LIMITS, made.LoginLimits, "login_limits"),
    "energy": Part(ENERGY, made.Energy, "energy"),
    "access": Part(ACCESS, made.Access, "access"),
    "retired": Part(RETIRED, made.Retired, "retired"),
    "sources": Part(SOURCE, made.Sourced, "fact", named=True),
}
