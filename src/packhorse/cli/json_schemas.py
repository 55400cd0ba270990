"""The JSON Schema of what each command prints with `--json`."""

from __future__ import annotations

from typing import Any

import msgspec

from packhorse.cli.json_types import JSON_TYPES
from packhorse.sites.keys import SITE

# The meaning of keys of types that describe no keys themselves, since they are more than output.
# Those of a site are in the table of its keys.
MEANINGS: dict[str, dict[str, str]] = {
    "Shape": {
        "partition": "The partition.",
        "elements": "Elements of the job array.",
        "slots": "Tasks that an element works on at a time.",
        "cores": "Cores of an element.",
        "memory": "MiB of an element; null: not requested.",
        "gpus": "GPUs of an element.",
        "seconds": "Time limit of an element.",
        "throttle": "Elements that may run at a time; 0: all.",
        "whole_nodes": "Whether the request is for whole nodes.",
    },
    "Rung": {
        "name": "Its name: base, or what the tasks need more of.",
        "elements": "Most elements of a wave.",
        "slots": "Tasks that an element works on at a time.",
        "cores": "Cores of an element.",
        "memory": "MiB of an element; null: not requested.",
        "task_memory": "MiB of a task; null: not limited.",
        "gpus": "GPUs of an element.",
        "seconds": "Time limit of an element.",
        "whole_nodes": "Whether the request is for whole nodes.",
    },
    "Cost": {
        "tasks": "Tasks to run.",
        "cores": "Cores at a time.",
        "waves": "Expected waves.",
        "waves_most": "Waves at most; null: not known.",
        "jobs": "Jobs of the expected waves, with those that submit the next wave.",
        "hours": "Expected hours, without the time in the queue.",
        "hours_most": "Hours at most; null: not known.",
        "core_hours": "Expected core-hours.",
        "core_hours_most": "Core-hours at most; null: not known.",
        "wave_core_hours": "Core-hours of one wave at most.",
        "gpu_hours": "Expected GPU-hours.",
    },
    "WaveRequest": {
        "cpus": "Cores of a task.",
        "memory": "MiB of a task; null: not requested.",
        "time": "Seconds of a task; null: not limited.",
        "cores": "Cores of a job; null: there was no job.",
        "seconds": "Time limit of a job; null: there was no job.",
    },
    "Used": {
        "attempts": "Attempts, also those that failed.",
        "ok": "Attempts with a result.",
        "ok_wall": "Their wall seconds.",
        "ok_cpu": "Their CPU seconds.",
        "wall": "Wall seconds of all attempts.",
        "cpu": "CPU seconds of all attempts.",
        "longest": "Wall seconds of the longest attempt.",
        "peak": "KiB of the largest attempt; 0: not measured.",
        "over_memory": "Attempts that needed more memory.",
        "over_time": "Attempts that needed more time.",
    },
    "Difference": {
        "index": "The task's index.",
        "column": "The column of the table.",
        "row": "The row of the task's result, from 0.",
        "first": "The first value, as text; empty: absent.",
        "second": "The value of this time, as text; empty: absent.",
    },
    "QueueState": {
        "name": "The queue or partition.",
        "default": "Whether jobs go there that name none.",
        "open": "Whether it starts jobs.",
        "word": "The scheduler's own name of that state.",
        "hidden": "Whether the scheduler hides it from users without access.",
        "cores": "Cores in total.",
        "idle": "Idle cores.",
        "lost": "Cores of nodes that are down or drained.",
        "nodes": "Nodes in total.",
        "idle_nodes": "Idle nodes.",
        "running": "Running jobs of all users.",
        "waiting": "Waiting jobs of all users.",
        "default_time": "Seconds of a job that requests no time.",
        "max_time": "Most seconds of a job.",
        "max_nodes": "Most nodes of a job.",
        "may": "Whether the user may use it; null: not reported.",
        "rights": "Why, as a sentence.",
        "account": "An account with which the user may use it, where not every one will do.",
    },
    "Request": {
        "name": "The job's name.",
        "token": "The token by which Packhorse finds the job.",
        "elements": "Elements of an array; 0: not an array.",
        "indices": "Indices of an array: first, last, step.",
        "throttle": "Elements that may run at a time; 0: all.",
        "partition": "The partition or queue.",
        "account": "The account to charge.",
        "qos": "The quality of service.",
        "nodes": "Nodes.",
        "tasks": "Processes on each node.",
        "cores": "Cores on each node; 0: as many as the site gives.",
        "memory": "MiB on each node; null: the site's default.",
        "core_memory": "MiB for each core, instead of memory.",
        "gpus": "GPUs on each node.",
        "gres": "The scheduler's name of a GPU.",
        "constraint": "A feature that the nodes must have.",
        "seconds": "The time limit; null: the site's default.",
        "whole_nodes": "Whether the request is for whole nodes.",
        "output": "File of the output.",
        "error": "File of the errors; empty: that of the output.",
        "exclude": "Nodes to avoid.",
        "after": "A job after whose end this one may start.",
        "waits": "The jobs to start after.",
        "mail": "The address for email.",
        "mail_when": "The events for email.",
        "requeue": "Whether the scheduler may start it again; null: the site's default.",
        "options": "Options as the scheduler itself spells them.",
    },
    "Wait": {"job": "The job's number.", "until": "The event: start, end, ok, fail or each."},
    "Change": {
        "how": "changed, renamed, gone, new or learned.",
        "partition": "The partition; empty: the site itself.",
        "key": "The key of the site's file.",
        "file": "The value in the file; empty: none.",
        "cluster": "The value of the cluster; empty: none.",
    },
    "LoginNode": {
        "host": "The host name.",
        "system": "The operating system.",
        "python": "The version of python3.",
        "rscript": "The version of Rscript.",
        "module_system": "lmod or environment-modules; empty: none or unknown.",
        "modules": "The modules.",
        "loaded": "The modules that a login shell loads.",
        "places": "Environment variables that name folders for files.",
        "rooms": "The file systems of the storage areas.",
        "quotas": "The output of the site's quota commands.",
    },
    "FileSystem": {
        "area": "The storage area.",
        "path": "Its path.",
        "size": "MiB in total.",
        "free": "Free MiB.",
        "files": "Files that may still be created.",
    },
    "Program": {
        "path": "Its path; empty: not found.",
        "version": "Its version.",
        "packages": "Packages, and whether each was found.",
    },
    "BuiltEnvironment": {
        "name": "Its name.",
        "bytes": "Its size in bytes.",
        "files": "Its files.",
        "python": "The version of Python.",
        "packages": "The number of its packages.",
        "made_of": "The lock file from which it was built.",
        "built": "When it was built, in Unix seconds; 0: incomplete.",
    },
}


def json_schema(command: str) -> dict[str, Any]:
    """Return the JSON Schema of what a command prints with `--json`; `command` is its words, such as "sites show"."""
    found, parts = msgspec.json.schema_components(JSON_TYPES[command], ref_template="#/$defs/{name}")
    for name, part in parts.items():
        for key, about in part.get("properties", {}).items():
            meaning = meaning_of(name, key)
            if meaning and "description" not in about:
                part["properties"][key] = {"description": meaning, **about}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"packhorse {command} --json",
        **(found[0] if len(found) == 1 else {"anyOf": list(found)}),
        "$defs": parts,
    }


def meaning_of(name: str, key: str) -> str:
    """Return the meaning of a key of a type that does not describe it itself; nothing where it is not known."""
    if key == "format":
        return "The name of this object, and the version of its keys."
    if name in ("Site", "SiteDescription"):
        return (
            "The site's name."
            if key == "name"
            else str(SITE[key].schema["description"])
            if key in SITE
            else ""
        )
    return MEANINGS.get(name, {}).get(key, "")
