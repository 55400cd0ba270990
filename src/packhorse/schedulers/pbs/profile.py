"""The site profile from TORQUE or OpenPBS: queues, nodes and limits. Nothing is changed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from packhorse.model.command import Command, Dialogue
from packhorse.model.site import Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import NodeKind, Partition
from packhorse.schedulers.pbs.queues import ACLS
from packhorse.schedulers.quantities import mebibytes, seconds
from packhorse.schedulers.scheduler import NoReply

FACTS = frozenset({"scheduler", "scheduler_version", "partitions", "max_array_index"})
PARTITION_FACTS = frozenset({"nodes", "cores", "memory", "gpus", "kinds", "default_time", "max_time"}) | {
    "max_nodes",
    "max_cores",
    "default",
    "by_request",
    "max_user_jobs",
    "max_user_queued",
}
_VERSION = re.compile(r"(?:Version|pbs_version)\s*[:=]\s*([\w.]+)", re.IGNORECASE)
_TITLE = re.compile(r"(?:Queue: |Server )?(\S+)")
_VALUE = re.compile(r"\s+([\w.]+) = ?(.*)")
_EACH_USER = re.compile(r"u:PBS_GENERIC=(\d+)")


def profile(_user: str) -> Dialogue[SiteFacts | NoReply]:
    """Ask for queues, nodes and the server's attributes."""
    queues = yield Command(argv=("qstat", "-Q", "-f"))
    if queues.status != 0:
        lines = (queues.stderr or queues.stdout).strip().splitlines()
        return NoReply(lines[-1] if lines else "qstat did not answer")
    nodes = yield Command(argv=("pbsnodes", "-a"))
    server = yield Command(argv=("qmgr", "-c", "list server"))
    version = yield Command(argv=("qstat", "--version"))
    about = next(blocks(server.stdout), ("", {}))[1]
    kinds = list(_nodes(nodes.stdout)) if nodes.status == 0 else []
    partitions = [
        _partition(name, attributes, about, kinds)
        for name, attributes in blocks(queues.stdout)
        if attributes.get("queue_type", "Execution") == "Execution"
    ]
    found = _VERSION.search(version.stdout + version.stderr)
    largest = _number(about.get("max_array_size") or about.get("max_job_array_size"))
    site = Site(
        name="",
        scheduler="openpbs" if found and found[0].startswith("pbs_version") else "torque",
        scheduler_version=found[1] if found else "",
        partitions=tuple(partitions),
        max_array_index=None if largest is None else largest - 1,
    )
    optional = {"pbsnodes": nodes, "qmgr": server}
    silent = [
        f"{name}: {answer.stderr.strip()[:200]}" for name, answer in optional.items() if answer.status != 0
    ]
    return SiteFacts(site=site, facts=FACTS, partition_facts=PARTITION_FACTS, silent=tuple(silent))


def blocks(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the values of each queue, node or server; long values continue in lines that begin with a tab."""
    joined = re.sub(r"\n\t", "", text) if not re.search(r"^\t\w+ = ", text, re.MULTILINE) else text
    for block in re.split(r"\n\s*\n", joined):
        lines = [line for line in block.splitlines() if line.strip()]
        title = _TITLE.fullmatch(lines[0].strip()) if lines else None
        if title:
            pairs = (_VALUE.fullmatch(line) for line in lines[1:])
            yield title[1], {pair[1]: pair[2].strip() for pair in pairs if pair}


def _partition(
    name: str,
    attributes: dict[str, str],
    server: dict[str, str],
    nodes: list[tuple[dict[str, str], NodeKind]],
) -> Partition:
    nodes_of_queue = _of_queue(name, attributes, nodes)
    kinds = [_several(kind, number) for kind, number in Counter(nodes_of_queue).most_common()]
    usual = kinds[0] if kinds else NodeKind(name="")
    closed = [users for key, users in ACLS.items() if attributes.get(key) == "True"]
    stopped = attributes.get("enabled") == "False" or attributes.get("started") == "False"
    return Partition(
        name=name,
        nodes=len(nodes_of_queue) or None,
        cores=usual.cores,
        memory=usual.memory,
        gpus=usual.gpus,
        kinds=tuple(kinds) if len(kinds) > 1 else (),
        default_time=seconds(attributes.get("resources_default.walltime", "")),
        max_time=seconds(attributes.get("resources_max.walltime", "")),
        max_nodes=_number(attributes.get("resources_max.nodect")),
        max_cores=_number(attributes.get("resources_max.ncpus") or attributes.get("resources_max.procs")),
        max_user_jobs=_number(attributes.get("max_user_run")) or _each_user(attributes.get("max_run")),
        max_user_queued=_number(attributes.get("max_user_queuable"))
        or _each_user(attributes.get("max_queued")),
        default=server.get("default_queue") == name,
        by_request=bool(closed),
        open_to=", ".join(closed),
        doubt="it is not enabled or not started" if stopped else "",
    )


def _of_queue(
    name: str, attributes: dict[str, str], nodes: list[tuple[dict[str, str], NodeKind]]
) -> list[NodeKind]:
    """Return the nodes on which a queue runs jobs: those that belong to no other queue and have its property."""
    node_property = attributes.get("resources_default.neednodes", "")
    return [
        kind
        for about, kind in nodes
        if about.get("queue", name) == name
        and (
            not node_property
            or node_property.isdigit()
            or node_property in about.get("properties", "").split(",")
        )
    ]


def _nodes(text: str) -> Iterator[tuple[dict[str, str], NodeKind]]:
    for _, attributes in blocks(text):
        status = dict(entry.partition("=")[::2] for entry in attributes.get("status", "").split(","))
        cores = _number(attributes.get("np") or attributes.get("resources_available.ncpus"))
        memory = mebibytes(status.get("physmem") or attributes.get("resources_available.mem") or "")
        gpus = _number(attributes.get("gpus") or attributes.get("resources_available.ngpus")) or 0
        name = f"{cores or '?'}core{memory or '?'}M" + (f"-{gpus}gpu" if gpus else "")
        yield attributes, NodeKind(name=name, cores=cores, memory=memory, gpus=gpus)


def _several(kind: NodeKind, number: int) -> NodeKind:
    return NodeKind(name=kind.name, nodes=number, cores=kind.cores, memory=kind.memory, gpus=kind.gpus)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _each_user(text: str | None) -> int | None:
    """Return the limit of every user of `[u:PBS_GENERIC=5]`."""
    found = _EACH_USER.search(text or "")
    return int(found[1]) if found else None
