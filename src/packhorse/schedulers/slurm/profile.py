"""What a Slurm tells of its cluster: partitions, nodes and limits. Nothing is changed, and nothing is submitted."""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import replace

from packhorse.model.command import Command, Dialogue
from packhorse.model.site import Site
from packhorse.model.site_facts import SiteFacts
from packhorse.model.site_parts import NodeKind, Partition
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.fields import mebibytes, number, whole_seconds
from packhorse.schedulers.slurm.partitions import closed_to, partitions
from packhorse.schedulers.slurm.queue import ENV, UNSET
from packhorse.schedulers.slurm.refusals import understood

NODES = "%P|%a|%l|%D|%c|%m|%G|%T|%f"
QOS = "Name,Priority,MaxWall,MaxTRESPU,MaxJobsPU,MaxSubmitPU,MaxTRES,Flags"
ASSOCIATION = "Cluster,Account,User,Partition,QOS,DefaultQOS,MaxJobs,MaxSubmit,MaxWall,GrpTRES"

FACTS = frozenset({"scheduler", "scheduler_version", "partitions", "max_array_index", "default_memory"})
USER_FACTS = frozenset({"max_jobs", "max_user_cores", "max_user_memory"})
PARTITION_FACTS = frozenset(
    {
        "nodes",
        "cores",
        "memory",
        "gpus",
        "gres",
        "kinds",
        "default_time",
        "max_time",
        "min_nodes",
        "max_nodes",
    }
) | {"default", "whole_nodes", "by_request"}
PARTITION_USER_FACTS = frozenset({"max_user_jobs", "max_user_queued", "max_user_gpus"})

_SETTING = re.compile(r"^(\w+)\s+= (.*)$", re.MULTILINE)
_VALUE = re.compile(r"(\w+)=(\S*)")
_GPUS = re.compile(r"(gpu(?::[\w.+-]+)?):(\d+)(?:\([^)]*\))?")


class Limits(Struct, frozen=True, kw_only=True):
    """What a quality of service allows one user."""

    jobs: int | None = None  # running
    queued: int | None = None  # waiting and running
    time: int | None = None
    cores: int | None = None
    memory: int | None = None
    gpus: int | None = None


def profile(user: str) -> Dialogue[SiteFacts | NoReply]:
    """Ask a Slurm for its configuration, partitions and nodes, and its accounting, where it answers, for limits."""
    config = yield _asks("scontrol", "show", "config")
    if config.status != 0:
        return NoReply(understood(config)[0])
    shown = yield partitions()
    nodes = yield _asks("sinfo", "--noheader", "--exact", "--all", f"--format={NODES}")
    qos = yield _asks("sacctmgr", "-n", "-P", "show", "qos", f"format={QOS}")
    own = yield _asks("sacctmgr", "-n", "-P", "show", "assoc", f"user={user}", f"format={ASSOCIATION}")
    silent = [
        f"{command}: {understood(answer)[0]}"
        for command, answer in {"scontrol show partition": shown, "sinfo": nodes, "sacctmgr": qos}.items()
        if answer.status != 0
    ]
    accounting = qos.status == 0 and own.status == 0
    limits = _limits(qos.stdout) if accounting else {}
    site = _site(config.stdout)
    if accounting:
        site = _allowed(site, own.stdout, limits)
    site = replace(site, partitions=_partitions(shown.stdout, _kinds(nodes.stdout), limits))
    return SiteFacts(
        site=site,
        facts=FACTS | (USER_FACTS if accounting else frozenset()),
        partition_facts=PARTITION_FACTS | (PARTITION_USER_FACTS if accounting else frozenset()),
        silent=tuple(silent),
    )


def _asks(*argv: str) -> Command:
    return Command(argv=argv, env=ENV, unset=UNSET)


def _site(config: str) -> Site:
    said = {name: value.strip() for name, value in _SETTING.findall(config)}
    size = number(said.get("MaxArraySize", ""))
    return Site(
        name="",
        scheduler="slurm",
        scheduler_version=said.get("SLURM_VERSION", ""),
        max_array_index=None if size is None else size - 1,
        default_memory=number(said.get("DefMemPerCPU", "")),
    )


# --- Partitions ---


def _partitions(
    shown: str, kinds: dict[str, list[NodeKind]], limits: dict[str, Limits]
) -> tuple[Partition, ...]:
    """Return the partitions that the site shows to users."""
    found = []
    for line in shown.splitlines():
        said = dict(_VALUE.findall(line))
        if said.get("PartitionName") and said.get("Hidden") != "YES" and said.get("RootOnly") != "YES":
            one = _partition(said, kinds.get(said["PartitionName"], []))
            found.append(_limited(one, limits.get(said.get("QoS", "N/A"), Limits())))
    return tuple(found)


def _partition(said: dict[str, str], kinds: list[NodeKind]) -> Partition:
    usual = kinds[0] if kinds else NodeKind(name="")
    fewest = number(said.get("MinNodes", ""))
    closed = closed_to(said)
    state = said.get("State", "UP")
    return Partition(
        name=said["PartitionName"],
        nodes=number(said.get("TotalNodes", "")),
        cores=_least(usual.cores, number(said.get("MaxCPUsPerNode", ""))),
        memory=_least(usual.memory, number(said.get("MaxMemPerNode", ""))),
        gpus=usual.gpus,
        gres=usual.gres or "gpu",
        kinds=tuple(kinds) if len(kinds) > 1 else (),
        default_time=whole_seconds(said.get("DefaultTime", "")),
        max_time=whole_seconds(said.get("MaxTime", "")),
        min_nodes=fewest if fewest is not None and fewest > 1 else None,
        max_nodes=number(said.get("MaxNodes", "")),
        default=said.get("Default") == "YES",
        by_request=bool(closed),
        open_to=closed,
        whole_nodes=said.get("OverSubscribe", "").startswith("EXCLUSIVE"),
        doubt="" if state == "UP" else f"its state was {state}",
    )


def _least(*numbers: int | None) -> int | None:
    return min((one for one in numbers if one is not None), default=None)


def _limited(one: Partition, limits: Limits) -> Partition:
    return replace(
        one,
        max_time=_least(one.max_time, limits.time),
        max_user_jobs=limits.jobs,
        max_user_queued=limits.queued,
        max_user_gpus=limits.gpus,
    )


def _kinds(nodes: str) -> dict[str, list[NodeKind]]:
    """Return the kinds of nodes of each partition, the most frequent first; one row of sinfo is one kind and state."""
    counts: dict[str, dict[tuple[int | None, int | None, int, str], int]] = {}
    for line in nodes.splitlines():
        fields = line.split("|")
        if len(fields) < 7 or number(fields[3]) is None:
            continue
        gpus, gres = _gpus(fields[6])
        size = (number(fields[4]), number(fields[5]), gpus, gres)
        partition = counts.setdefault(fields[0].rstrip("*"), {})
        partition[size] = partition.get(size, 0) + int(fields[3])
    found = {}
    for name, sizes in counts.items():
        ordered = sorted(sizes.items(), key=lambda one: -one[1])
        found[name] = [_kind(size, many) for size, many in ordered]
    return found


def _kind(size: tuple[int | None, int | None, int, str], nodes: int) -> NodeKind:
    cores, memory, gpus, gres = size
    name = f"{cores or '?'}core{memory or '?'}M" + (
        f"-{gpus}{gres.partition(':')[2] or 'gpu'}" if gpus else ""
    )
    return NodeKind(name=name, nodes=nodes, cores=cores, memory=memory, gpus=gpus, gres=gres)


def _gpus(gres: str) -> tuple[int, str]:
    """Return the GPUs of `gpu:a100:4(S:0-1),gpu:t4:1`, of which the most frequent count, and what they are called."""
    found = [(int(many), name) for name, many in _GPUS.findall(gres)]
    return max(found, default=(0, ""))


# --- What the accounting allows a user ---


def _limits(qos: str) -> dict[str, Limits]:
    rows = (line.split("|") for line in qos.splitlines())
    return {
        fields[0]: Limits(
            time=whole_seconds(fields[2]),
            jobs=number(fields[4]),
            queued=number(fields[5]),
            **_resources(fields[3]),
        )
        for fields in rows
        if len(fields) >= 6
    }


def _resources(text: str) -> dict[str, int | None]:
    """Return cores, memory (MiB) and GPUs of `cpu=512,mem=2T,gres/gpu=6`."""
    said = dict(one.partition("=")[::2] for one in text.split(","))
    return {
        "cores": number(said.get("cpu", "")),
        "memory": mebibytes(said.get("mem", "")),
        "gpus": number(said.get("gres/gpu", "")),
    }


def _allowed(site: Site, associations: str, limits: dict[str, Limits]) -> Site:
    """Return a site with what a user may have at a time, in the account that allows the most."""
    found = []
    for line in associations.splitlines():
        fields = line.split("|")
        if len(fields) >= 8:
            usual = limits.get(fields[5] or _usual(fields[4]), Limits())
            found.append((_least(number(fields[7]), usual.queued), usual))
    if not found:
        return site
    queued = None if None in {one for one, _ in found} else max(one or 0 for one, _ in found)
    _, usual = max(found, key=lambda one: float("inf") if one[0] is None else one[0])
    return replace(site, max_jobs=queued, max_user_cores=usual.cores, max_user_memory=usual.memory)


def _usual(qos: str) -> str:
    """Return the quality of service of a job that names none, of those that a user has."""
    names = qos.split(",")
    return "normal" if "normal" in names else names[0]
