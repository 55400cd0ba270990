"""Every key of a site's file, said once: how it is read, and its JSON Schema for editors."""

from __future__ import annotations

import re
from typing import Any

from packhorse.sites.kinds import (
    Key,
    choice,
    commands,
    count,
    flag,
    matching,
    memory,
    moment,
    part,
    schema_of,
    text,
    texts,
    time,
    word,
    words,
)
from packhorse.sites.parts import PARTS, PATH, SOURCE
from packhorse.text import schema
from packhorse.text.node import Node, as_texts, refuse

# What ssh takes as a destination (ssh(1)); nothing that it would read as an option.
_USER = r"(?:\w[\w.+-]*@)?"
_HOST = r"(?:\w[\w.-]*|\[[0-9a-fA-F:]+\])"
_DESTINATION = (
    rf"{_USER}{_HOST}|ssh://{_USER}{_HOST}(?::\d{{1,5}})?",
    "where ssh logs in",
    "Write host.example.org, me@host.example.org, or ssh://me@host.example.org:2222.",
)


def _read_hosts(node: Node, what: str) -> tuple[str, ...]:
    hosts = as_texts(node, what)
    for host in hosts:
        if not re.fullmatch(r"[\w.*?-]*[^\W_][\w.*?-]*", host, re.ASCII):
            hint = "Write names such as login*.example.org, with * and ? for what varies."
            refuse(node, f"'{host}' is no pattern of host names.", hint)
    return hosts


SITE: dict[str, Key] = {
    "title": text("What the site is, in a few words.", "The cluster of our department"),
    "about": text("What it is for.", "General computing; GPUs are on another"),
    "aliases": words("Other words for it.", "dept", ["dept", "department"]),
    "extends": Key(schema.text("Another site, of which this one says only what differs.", "testbed")),
    "scheduler": choice(
        "What jobs are given to (default: slurm).", ("slurm", "torque", "openpbs", "local"), "torque"
    ),
    "scheduler_version": word("Its version.", "23.11.4"),
    "system": text("The operating system, and what machine it is.", "RHEL 8"),
    "interconnect": text("What connects its nodes.", "InfiniBand HDR"),
    "login": matching(
        "Where ssh logs in: host, user@host, or ssh://user@host:port.",
        _DESTINATION,
        "login.example.org",
        "ssh://me@login.example.org:2222",
    ),
    "hosts": Key(
        schema.texts(
            "Host names of the login nodes, with * and ? as in a shell; one without dots means a first label.",
            "login*.example.org",
            ["quartz.example.org", "login?"],
        ),
        _read_hosts,
    ),
    "partitions": part(
        "The partitions or queues by their names; null takes one away that `extends` brought.",
        PARTS["partitions"],
        {"general": {"nodes": 4, "cores": 8, "memory": "16 GB", "max_time": "7 days", "default": True}},
    ),
    "max_array_index": count("The largest index of an array (Slurm: MaxArraySize - 1).", 0, 1000),
    "max_jobs": count("Jobs and elements of arrays that a user may have waiting and running.", 1, 500),
    "max_user_cores": count("Cores of all running jobs of a user.", 1, 512),
    "max_user_memory": memory("Memory of all running jobs of a user.", "2 TB"),
    "default_memory": memory("Memory that a job gets for each core where it asks for none.", "4 GB"),
    "account_needed": flag("A job must name an account (default: false).", example=True),
    "account_about": text("Where the name of an account is found.", "your project's number"),
    "array_mail": flag("An array may ask for mail (default: true).", example=False),
    "mail": part("What the site says of mail.", PARTS["mail"], {"when": ["end", "fail"]}),
    "compute_submits": flag("A job may submit jobs (default: true).", example=False),
    "compute_internet": flag("A job reaches the internet.", example=True),
    "setup": texts("Shell lines at the start of every job.", ["source /etc/profile"]),
    "modules": part("How programs are loaded.", PARTS["modules"], {"load": "module add", "r": "r/4.5.1"}),
    "launcher": text("What starts a program on several nodes (default: the scheduler's own).", "mpirun"),
    "storage": part(
        "The places for files by names of your choice; the first with a purpose is the one for it.",
        PARTS["storage"],
        {"home": {"path": "$HOME", "purpose": "home", "quota": "10 GB", "backup": True}},
    ),
    "quota_commands": commands("Programs that say how much of the areas is used.", "quota -s", ["gpfsquota"]),
    "archive": part(
        "Where results are kept for years.", PARTS["archive"], {"title": "Tape", "quota": "50 TB"}
    ),
    "scratch": matching(
        "A node's own folder, as a job's shell says it (default: $TMPDIR).",
        # It stands within double quotes in a job script, so that $TMPDIR there means what a job's shell says.
        (PATH, "a path", "Write an absolute path or a variable: $TMPDIR, /scratch/$USER."),
        "$TMPDIR",
    ),
    "login_limits": part(
        "What processes on a login node may use.", PARTS["login_limits"], {"cpu_time": "20 min"}
    ),
    "build_on": choice("Where environments are built (default: login).", ("login", "job"), "job"),
    "idle": time("The time after which the site closes a login that does nothing.", "60 min"),
    "sessions": count("Sessions of ssh at a time, over all that Packhorse does (default: 6).", 1, 4),
    "poll": moment("Time between two questions to the scheduler (default: 1 min).", "30 s"),
    "latency": moment("Time until what a node wrote is seen on the others (default: 30 s).", "5 s"),
    "access": part(
        "Who may use it, and how one comes in.", PARTS["access"], {"who": "staff", "delay": "a day"}
    ),
    "maintenance": text("When it is regularly not there.", "second Sunday of a month, 7 to 19"),
    "rules": texts("What else is worth knowing before the first job.", "No jobs of seconds."),
    "documentation": words("Addresses of its pages.", "https://example.org/cluster"),
    "retired": part(
        "That it is gone, since `date`.", PARTS["retired"], {"successors": "quartz", "date": "2023"}
    ),
    **SOURCE,
    "sources": part(
        "Where single keys are from, by their names, where that is not the source of the whole.",
        PARTS["sources"],
        {"hosts": {"source": "https://example.org/login", "date": "2023-08"}},
    ),
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of site files (draft 2020-12)."""
    return schema.document(
        "Packhorse site",
        "A place to run: how it is reached, what its partitions have, and what it limits.",
        {name: schema.or_null(one) for name, one in schema_of(SITE).items()},
    )
