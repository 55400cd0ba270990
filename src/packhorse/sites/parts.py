"""The keys of a site's parts: partitions, storage areas, access and what else has keys of its own."""

from __future__ import annotations

from typing import get_args

from packhorse.model import site_parts as made
from packhorse.sites.kinds import (
    Key,
    Part,
    choice,
    choices,
    count,
    flag,
    matching,
    memory,
    part,
    text,
    texts,
    time,
    word,
    words,
)

# In a path, variables mean what they mean in the shell of a job or a user.
PATH = r"[/$][\w$/{}.+@:-]*"
_PATH = (PATH, "a path", "Write an absolute path or a variable: $HOME, /scratch/$USER, /projects/{project}.")
_DATE = (r"\d{4}(-\d\d){0,2}", "a date", "Write it as 2026-11-23, or 2026-11.")

SOURCE: dict[str, Key] = {
    "source": text("Where these facts are from.", "https://example.org/cluster"),
    "date": matching("When these facts were true.", _DATE, "2026-11-23"),
    "doubt": text("What of this nobody has verified.", "another page says 40 cores"),
}

KIND: dict[str, Key] = {
    "nodes": count("How many nodes are of this kind.", 1, 8),
    "cores": count("Cores of one node.", 1, 32),
    "memory": memory("Memory of one node.", "192 GB"),
    "gpus": count("GPUs of one node (default 0).", 0, 3),
    "gres": word("What such a GPU is called in a request.", "gpu:v100"),
    "gpu": text("The model of its GPUs.", "NVIDIA V100, 32 GB"),
    "constraint": word("What a job asks for to get such a node.", "node_type=10Geth64G"),
    **SOURCE,
}
_KINDS = Part(KIND, made.NodeKind, "kind of nodes", named=True)

PARTITION: dict[str, Key] = {
    "about": text("What it is for, in a few words.", "For short tests on one node"),
    "purpose": choices(
        "What jobs it is meant for; test also says `test: true`.",
        get_args(made.Purpose),
        "serial",
        ["parallel", "gpu"],
    ),
    "nodes": count("How many nodes it has.", 1, 4),
    "cores": count("Cores of one node.", 1, 128),
    "memory": memory("Memory of one node that jobs may have, with its unit.", "512 GB"),
    "gpus": count("GPUs of one node (default 0).", 0, 4),
    "gres": word("What a GPU is called in a request (default: gpu).", "gpu:a100"),
    "gpu": text("The model of its GPUs.", "NVIDIA A100, 40 GB"),
    "kinds": part(
        "Nodes by kind, where not all are alike; jobs are sized by the cores, memory, gpus and gres above.",
        _KINDS,
        {"v100": {"nodes": 8, "gpus": 3, "gres": "gpu:v100"}},
    ),
    "default_time": time("What a job gets that asks for no time.", "1 h"),
    "max_time": time("The longest time that a job may ask for.", "7 days"),
    "min_nodes": count("The fewest nodes that one job may have.", 1, 2),
    "max_nodes": count("The most nodes that one job may have.", 1, 2),
    "max_cores": count("The most cores that one job may have.", 1, 128),
    "max_gpus": count("The most GPUs that one job may have.", 1, 1),
    "max_user_jobs": count("Jobs of one user that run at a time, at most.", 1, 10),
    "max_user_queued": count("Jobs of one user that wait or run, at most.", 1, 50),
    "max_user_gpus": count("GPUs that one user has at a time, at most.", 1, 6),
    "default": flag("Where a job goes that names no partition.", example=True),
    "test": flag("Meant for short tests, so that jobs start sooner.", example=True),
    "by_request": flag("Open only to whom the site has let in.", example=True),
    "open_to": text("Whom the site lets in, and how one asks.", "members of grand-challenge projects"),
    "whole_nodes": flag("A job is given, and charged for, whole nodes.", example=True),
    "by_gpu": flag("Cores and memory follow the GPUs that a job asks for.", example=True),
    "was": words("Names that it had, and that are refused now.", "hopper"),
    **SOURCE,
}

STORAGE: dict[str, Key] = {
    "path": matching(
        "Where it is, as a user's shell says it; {account} and {project} stand for yours.",
        _PATH,
        "/scratch/$USER",
    ),
    "purpose": choices(
        "What it is right for; Packhorse puts runs, environments and data where this says so.",
        get_args(made.Use),
        "home",
        ["runs", "data"],
    ),
    "quota": memory("How much fits, with its unit.", "200 GB"),
    "inodes": count("How many files and folders fit.", 1, 6400000),
    "quota_per": choice("Whose quota it is (default: user).", ("user", "project"), "project"),
    "backup": flag("Whether it is backed up.", example=True),
    "retention": text("How long backups and files are kept.", "backups for 90 days"),
    "purge": time("The time after which files are deleted.", "28 days"),
    "purge_clock": choice(
        "Since when: the last write or access (default: write).", ("write", "access"), "access"
    ),
    "local": flag("It is a node's own, and no other node sees it.", example=True),
    "speed": text("How fast it is, and for what.", "slow for many small files"),
    "about": text("What else is worth knowing.", "each file takes 32 KB at least"),
    **SOURCE,
}

ARCHIVE: dict[str, Key] = {
    "title": text("What it is called.", "Scholarly Data Archive"),
    "quota": memory("How much fits, with its unit.", "50 TB"),
    "modules": words("Modules that bring its programs.", "hpss"),
    "min_file": memory("Smaller files belong into a bundle.", "1 MB"),
    "max_file": memory("The largest file within a bundle.", "68 GB"),
    "closed": text("When it is not there.", "Sundays 7 to 10"),
    "about": text("What else is worth knowing.", "a bundle overwrites one of its name"),
    **SOURCE,
}

MODULES: dict[str, Key] = {
    "system": choice("Which program they are.", ("lmod", "environment-modules"), "lmod"),
    "load": text("How one is loaded (default: module load).", "module add"),
    "setup": texts(
        "Shell lines after which `module` is there, in a shell that is no login.", "source /etc/profile"
    ),
    "loaded": words("Modules that are loaded by default.", "xalt"),
    "known": words("Modules that are worth knowing.", ["r/4.5.1", "conda"]),
    "python": word("The module that brings python3.", "python/3.13.5"),
    "r": word("The module that brings Rscript.", "r/4.5.1"),
    **SOURCE,
}

MAIL: dict[str, Key] = {
    "when": choices("What jobs may ask mail for.", get_args(made.MailWhen), ["end", "fail"]),
    "addresses": word("What an address must end with.", "@example.org"),
    "about": text("What else is worth knowing.", "the mail at the end has a summary"),
    **SOURCE,
}

LOGIN_LIMITS: dict[str, Key] = {
    "cpu_time": time("CPU time after which a process is killed.", "20 min"),
    "memory": memory("Memory of all processes of a user.", "8 GB"),
    "processes": count("Processes of a user.", 1, 100),
    "about": text("What else is worth knowing.", "tmux does not help"),
    **SOURCE,
}

ACCESS: dict[str, Key] = {
    "who": text("Who may use it.", "staff and students"),
    "steps": texts("What to do to get an account, in order.", ["Ask your supervisor.", "Fill in the form."]),
    "delay": text("How long it takes until the account can be used.", "a few hours, up to a day"),
    "asks": text("What a login asks for.", "password, then a push to your phone"),
    "keys": text("What the site says of SSH keys.", "not accepted"),
    "denied": text(
        "What 'permission denied' means on a fresh account.", "the account is not yet there: wait"
    ),
    "help": text("Whom to ask.", "hpc@example.org"),
    "help_not": text("When not to ask.", "before a day is over"),
    **SOURCE,
}

RETIRED: dict[str, Key] = {
    "successors": words("The sites that took its place.", "quartz", ["quartz", "bigred200"]),
    "about": text("What became of it.", "no logins after this day"),
    **SOURCE,
}

PARTS = {
    "partitions": Part(PARTITION, made.Partition, "partition", named=True),
    "storage": Part(STORAGE, made.Storage, "storage area", named=True),
    "archive": Part(ARCHIVE, made.Archive, "archive"),
    "modules": Part(MODULES, made.Modules, "modules"),
    "mail": Part(MAIL, made.Mail, "mail"),
    "login_limits": Part(LOGIN_LIMITS, made.LoginLimits, "login_limits"),
    "access": Part(ACCESS, made.Access, "access"),
    "retired": Part(RETIRED, made.Retired, "retired"),
    "sources": Part(SOURCE, made.Sourced, "fact", named=True),
}
