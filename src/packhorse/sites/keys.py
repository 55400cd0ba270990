"""Every key of a site's file, said once: how it is read, and its JSON Schema for editors."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from packhorse.text import schema
from packhorse.text.node import (
    Node,
    as_choice,
    as_flag,
    as_integer,
    as_text,
    as_texts,
    as_word,
    found,
    refuse,
)
from packhorse.text.units import as_memory, as_time


class Key(Struct, frozen=True):
    """A key: its schema, and the function that reads a node, given what to call it in messages.

    A key without such a function needs more than its node; parse.py reads it.
    """

    schema: dict[str, Any]
    read: Callable[[Node, str], Any] | None = None


def schema_of(table: dict[str, Key]) -> schema.Table:
    """Return a table's schemas."""
    return {name: key.schema for name, key in table.items()}


def _text(description: str, *examples: str) -> Key:
    return Key(schema.text(description, *examples), as_text)


def _word(description: str, *examples: str) -> Key:
    return Key(schema.text(description, *examples), as_word)


def _count(description: str, least: int, *examples: int) -> Key:
    return Key(
        schema.whole(description, least, *examples), lambda node, what: as_integer(node, what, least, 10**9)
    )


def _memory(description: str, *examples: str) -> Key:
    return Key(schema.text(description, *examples), as_memory)


def _time(description: str, *examples: str) -> Key:
    return Key(schema.text(description, *examples), lambda node, what: math.ceil(as_time(node, what)))


def _moment(description: str, *examples: str) -> Key:
    return Key(schema.text(description, *examples), lambda node, what: float(as_time(node, what)))


def _flag(description: str, *, example: bool) -> Key:
    return Key(schema.flag(description, example=example), as_flag)


def _texts(description: str, *examples: Any) -> Key:
    return Key(schema.texts(description, *examples), as_texts)


def _read_hosts(node: Node, what: str) -> tuple[str, ...]:
    hosts = as_texts(node, what)
    for host in hosts:
        if not re.fullmatch(r"[\w.*?-]*[^\W_][\w.*?-]*", host, re.ASCII):
            hint = "Write names such as login*.example.org, with * and ? for what varies."
            refuse(node, f"'{host}' is no pattern of host names.", hint)
    return hosts


def _read_date(node: Node, what: str) -> str:
    if not re.fullmatch(r"\d{4}(-\d\d){0,2}", node.text, re.ASCII):
        refuse(node, f"{what} must be a date, but is {found(node)}.", "Write it as 2026-11-23, or 2026-11.")
    return node.text


def _read_scratch(node: Node, what: str) -> str:
    # It stands within double quotes in a job script, so that $TMPDIR there means what a job's shell says.
    said = as_text(node, what)
    if not re.fullmatch(r"[/$][\w$/{}.+@:-]*", said):
        hint = "Write an absolute path or a variable: $TMPDIR, /scratch/$USER."
        refuse(node, f"{what} cannot be {found(node)}.", hint)
    return said


PARTITION: dict[str, Key] = {
    "nodes": _count("How many nodes it has.", 1, 4),
    "cores": _count("Cores of one node.", 1, 128),
    "memory": _memory("Memory of one node that jobs may have, with its unit.", "512 GB"),
    "gpus": _count("GPUs of one node (default 0).", 0, 4),
    "gres": _word("What a GPU is called in a request (default: gpu).", "gpu:a100"),
    "default_time": _time("What a job gets that asks for no time.", "1 h"),
    "max_time": _time("The longest time that a job may ask for.", "7 days"),
    "max_nodes": _count("The most nodes that one job may have.", 1, 2),
    "default": _flag("Where a job goes that names no partition.", example=True),
    "test": _flag("Meant for short tests, so that jobs start sooner.", example=True),
    "by_request": _flag("Open only to whom the site has let in.", example=True),
    "whole_nodes": _flag("A job is given, and charged for, whole nodes.", example=True),
}

SCHEDULERS = ("slurm", "torque", "local")
SITE: dict[str, Key] = {
    "title": _text("What the site is, in a few words.", "The cluster of our department"),
    "extends": Key(schema.text("Another site, of which this one says only what differs.", "testbed")),
    "scheduler": Key(
        schema.choice("What jobs are given to (default: slurm).", list(SCHEDULERS), "torque"),
        lambda node, what: as_choice(node, what, SCHEDULERS),
    ),
    "hosts": Key(
        schema.texts(
            "Host names of the login nodes, with * and ? as in a shell; one without dots means a first label.",
            "login*.example.org",
            ["quartz.example.org", "login?"],
        ),
        _read_hosts,
    ),
    "partitions": Key(
        schema.said(
            "The partitions or queues by their names; null takes one away that `extends` brought.",
            {"general": {"nodes": 4, "cores": 8, "memory": "16 GB", "max_time": "7 days", "default": True}},
            type="object",
            additionalProperties={
                "anyOf": [
                    {"type": "object", "properties": schema_of(PARTITION), "additionalProperties": False},
                    {"type": "null"},
                ]
            },
        )
    ),
    "max_array_index": _count("The largest index of an array (Slurm: MaxArraySize - 1).", 0, 1000),
    "max_jobs": _count("Jobs and elements of arrays that a user may have waiting and running.", 1, 500),
    "default_memory": _memory("Memory that a job gets for each core where it asks for none.", "4 GB"),
    "account_needed": _flag("A job must name an account (default: false).", example=True),
    "array_mail": _flag("An array may ask for mail (default: true).", example=False),
    "compute_submits": _flag("A job may submit jobs (default: true).", example=False),
    "setup": _texts("Shell lines at the start of every job.", ["source /etc/profile"]),
    "scratch": Key(
        schema.text("A node's own folder, as a job's shell says it (default: $TMPDIR).", "$TMPDIR"),
        _read_scratch,
    ),
    "poll": _moment("Time between two questions to the scheduler (default: 1 min).", "30 s"),
    "latency": _moment("Time until what a node wrote is seen on the others (default: 30 s).", "5 s"),
    "source": _text("Where these facts are from.", "https://example.org/cluster"),
    "date": Key(schema.text("When these facts were true.", "2026-11-23"), _read_date),
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of site files (draft 2020-12)."""
    return schema.document(
        "Packhorse site",
        "A place to run: how it is reached, what its partitions have, and what it limits.",
        schema_of(SITE),
    )
