"""All keys of a site file, and its JSON Schema for editors."""

from __future__ import annotations

import re
from typing import Any

from packhorse.sites.parts import PARTS, PATH, SOURCE, count
from packhorse.text import schema
from packhorse.text.keys import (
    Key,
    choice,
    flag,
    matching,
    memory,
    part,
    programs,
    schema_of,
    seconds,
    text,
    texts,
    whole_seconds,
    word,
    word_list,
)
from packhorse.text.node import Node, as_texts, refuse

# Destinations of ssh(1), and nothing that ssh would read as an option.
_USER = r"(?:\w[\w.+-]*@)?"
_HOST = r"(?:\w[\w.-]*|\[[0-9a-fA-F:]+\])"
_DESTINATION = (
    rf"{_USER}{_HOST}|ssh://{_USER}{_HOST}(?::\d{{1,5}})?",
    "a destination of ssh",
    "Write host.example.org, me@host.example.org, or ssh://me@host.example.org:2222.",
)


def _read_hosts(node: Node, what: str) -> tuple[str, ...]:
    hosts = as_texts(node, what)
    for host in hosts:
        if not re.fullmatch(r"[\w.*?-]*[^\W_][\w.*?-]*", host, re.ASCII):
            hint = "Write names such as login*.example.org, with * and ? as wildcards."
            refuse(node, f"'{host}' is not a pattern of host names.", hint)
    return hosts


SITE: dict[str, Key] = {
    "title": text("The site's title, in a few words.", "The cluster of our department"),
    "about": text("Its purpose.", "General computing; GPUs are on another site"),
    "aliases": word_list("Other names for it.", "dept", ["dept", "department"]),
    "extends": Key(schema.text("Another site; this file gives only the differences from it.", "testbed")),
    "scheduler": choice(
        "The scheduler of its jobs (default: slurm).", ("slurm", "torque", "openpbs", "local"), "torque"
    ),
    "scheduler_version": word("The version of the scheduler.", "23.11.4"),
    "system": text("The operating system and the machine type.", "RHEL 8"),
    "interconnect": text("The network between its nodes.", "InfiniBand HDR"),
    "login": matching(
        "The ssh destination: host, user@host, or ssh://user@host:port.",
        _DESTINATION,
        "login.example.org",
        "ssh://me@login.example.org:2222",
    ),
    "hosts": Key(
        schema.texts(
            "Host names of the login nodes, with * and ? as in a shell; one without dots matches a first label.",
            "login*.example.org",
            ["quartz.example.org", "login?"],
        ),
        _read_hosts,
    ),
    "partitions": part(
        "The partitions or queues by name; null removes one that `extends` has added.",
        PARTS["partitions"],
        {"general": {"nodes": 4, "cores": 8, "memory": "16 GB", "max_time": "7 days", "default": True}},
    ),
    "max_array_index": count("The largest index of an array (Slurm: MaxArraySize - 1).", 0, 1000),
    "max_jobs": count("The maximum number of queued and running jobs and array elements per user.", 1, 500),
    "max_user_cores": count("The maximum number of cores of all running jobs of a user.", 1, 512),
    "max_user_memory": memory("The maximum memory of all running jobs of a user.", "2 TB"),
    "default_memory": memory("Memory per core of a job that requests none.", "4 GB"),
    "account_needed": flag("A job must name an account (default: false).", example=True),
    "account_about": text("Where to find the name of an account.", "your project's number"),
    "array_mail": flag("An array may request email (default: true).", example=False),
    "mail": part("The scheduler's email.", PARTS["mail"], {"when": ["end", "fail"]}),
    "compute_submits": flag("A job may submit jobs (default: true).", example=False),
    "compute_internet": flag("Jobs have internet access.", example=True),
    "setup": texts("Shell lines at the start of every job.", ["source /etc/profile"]),
    "modules": part("The module system.", PARTS["modules"], {"load": "module add", "r": "r/4.5.1"}),
    "launcher": text(
        "The command that starts a program on several nodes (default: the scheduler's own).", "mpirun"
    ),
    "storage": part(
        "The storage areas by names of your choice; the first one with a purpose serves it.",
        PARTS["storage"],
        {"home": {"path": "$HOME", "purpose": "home", "quota": "10 GB", "backup": True}},
    ),
    "quota_commands": programs(
        "Programs that print how much of the areas is used.", "quota -s", ["gpfsquota"]
    ),
    "archive": part("The archive for results.", PARTS["archive"], {"title": "Tape", "quota": "50 TB"}),
    "scratch": matching(
        "A folder local to the node, as written in a job's shell (default: $TMPDIR).",
        # A job script has it in double quotes, so the job's shell expands $TMPDIR.
        (PATH, "a path", "Write an absolute path or a variable: $TMPDIR, /scratch/$USER."),
        "$TMPDIR",
    ),
    "login_limits": part(
        "Limits for processes on a login node.", PARTS["login_limits"], {"cpu_time": "20 min"}
    ),
    "energy": part(
        "Power, carbon and price, for packhorse cost.",
        PARTS["energy"],
        {"core": 7.5, "pue": 1.2, "carbon": 231},
    ),
    "build_on": choice(
        "Where environments are built: on the login node or in a job (default: login).",
        ("login", "job"),
        "job",
    ),
    "idle": whole_seconds("Time after which the site closes an idle login.", "60 min"),
    "sessions": count(
        "The maximum number of ssh sessions at a time, over all Packhorse processes (default: 6).", 1, 4
    ),
    "poll": seconds("Interval between two queries to the scheduler (default: 1 min).", "30 s"),
    "latency": seconds(
        "Time until a file written on one node is visible on the others (default: 30 s).", "5 s"
    ),
    "access": part(
        "Who may use it, and how to get an account.", PARTS["access"], {"who": "staff", "delay": "a day"}
    ),
    "maintenance": text("Regular maintenance times.", "second Sunday of a month, 7 to 19"),
    "rules": texts("Other rules to know before the first job.", "No jobs of seconds."),
    "documentation": word_list("URLs of its documentation.", "https://example.org/cluster"),
    "retired": part("Its retirement, on `date`.", PARTS["retired"], {"successors": "quartz", "date": "2023"}),
    **SOURCE,
    "sources": part(
        "The sources of single keys, by key, where they differ from the site's source.",
        PARTS["sources"],
        {"hosts": {"source": "https://example.org/login", "date": "2023-08"}},
    ),
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of site files (draft 2020-12)."""
    return schema.document(
        "Packhorse site",
        "A machine or cluster that runs jobs: its login, its partitions and its limits.",
        {name: schema.or_null(entry) for name, entry in schema_of(SITE).items()},
    )
