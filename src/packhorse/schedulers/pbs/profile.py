"""What a TORQUE or an OpenPBS tells of its cluster: queues, nodes and limits. Nothing is changed."""

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
    """Ask for queues, nodes and what the server says of itself."""
    queues = yield Command(argv=("qstat", "-Q", "-f"))
    if queues.status != 0:
        said = (queues.stderr or queues.stdout).strip().splitlines()
        return NoReply(said[-1] if said else "qstat did not answer")
    nodes = yield Command(argv=("pbsnodes", "-a"))
    server = yield Command(argv=("qmgr", "-c", "list server"))
    version = yield Command(argv=("qstat", "--version"))
    about = next(blocks(server.stdout), ("", {}))[1]
    kinds = list(_nodes(nodes.stdout)) if nodes.status == 0 else []
    partitions = [
        _partition(name, said, about, kinds)
        for name, said in blocks(queues.stdout)
        if said.get("queue_type", "Execution") == "Execution"
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
    unanswered = {"pbsnodes": nodes, "qmgr": server}
    silent = [f"{name}: {one.stderr.strip()[:200]}" for name, one in unanswered.items() if one.status != 0]
    return SiteFacts(site=site, facts=FACTS, partition_facts=PARTITION_FACTS, silent=tuple(silent))


def blocks(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the name and the values of each queue, node or server; long values go on in lines that begin with a tab."""
    joined = re.sub(r"\n\t", "", text) if not re.search(r"^\t\w+ = ", text, re.MULTILINE) else text
    for block in re.split(r"\n\s*\n", joined):
        lines = [line for line in block.splitlines() if line.strip()]
        title = _TITLE.fullmatch(lines[0].strip()) if lines else None
        if title:
            pairs = (_VALUE.fullmatch(line) for line in lines[1:])
            yield title[1], {pair[1]: pair[2].strip() for pair in pairs if pair}


def _partition(
    name: str, said: dict[str, str], server: dict[str, str], nodes: list[tuple[dict[str, str], NodeKind]]
) -> Partition:
    own = _of_queue(name, said, nodes)
    kinds = [_several(kind, many) for kind, many in Counter(own).most_common()]
    usual = kinds[0] if kinds else NodeKind(name="")
    closed = [whom for key, whom in ACLS.items() if said.get(key) == "True"]
    stopped = said.get("enabled") == "False" or said.get("started") == "False"
    return Partition(
        name=name,
        nodes=len(own) or None,
        cores=usual.cores,
        memory=usual.memory,
        gpus=usual.gpus,
        kinds=tuple(kinds) if len(kinds) > 1 else (),
        default_time=seconds(said.get("resources_default.walltime", "")),
        max_time=seconds(said.get("resources_max.walltime", "")),
        max_nodes=_number(said.get("resources_max.nodect")),
        max_cores=_number(said.get("resources_max.ncpus") or said.get("resources_max.procs")),
        max_user_jobs=_number(said.get("max_user_run")) or _each_user(said.get("max_run")),
        max_user_queued=_number(said.get("max_user_queuable")) or _each_user(said.get("max_queued")),
        default=server.get("default_queue") == name,
        by_request=bool(closed),
        open_to=", ".join(closed),
        doubt="it takes or starts no jobs now" if stopped else "",
    )


def _of_queue(
    name: str, said: dict[str, str], nodes: list[tuple[dict[str, str], NodeKind]]
) -> list[NodeKind]:
    """Return the nodes on which a queue runs jobs: all that are bound to no other, with the property that it needs."""
    wanted = said.get("resources_default.neednodes", "")
    return [
        kind
        for about, kind in nodes
        if about.get("queue", name) == name
        and (not wanted or wanted.isdigit() or wanted in about.get("properties", "").split(","))
    ]


def _nodes(text: str) -> Iterator[tuple[dict[str, str], NodeKind]]:
    for _, said in blocks(text):
        status = dict(one.partition("=")[::2] for one in said.get("status", "").split(","))
        cores = _number(said.get("np") or said.get("resources_available.ncpus"))
        memory = mebibytes(status.get("physmem") or said.get("resources_available.mem") or "")
        gpus = _number(said.get("gpus") or said.get("resources_available.ngpus")) or 0
        name = f"{cores or '?'}core{memory or '?'}M" + (f"-{gpus}gpu" if gpus else "")
        yield said, NodeKind(name=name, cores=cores, memory=memory, gpus=gpus)


def _several(kind: NodeKind, many: int) -> NodeKind:
    return NodeKind(name=kind.name, nodes=many, cores=kind.cores, memory=kind.memory, gpus=kind.gpus)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() else None


def _each_user(text: str | None) -> int | None:
    """Return the limit of every user of `[u:PBS_GENERIC=5]`."""
    found = _EACH_USER.search(text or "")
    return int(found[1]) if found else None
