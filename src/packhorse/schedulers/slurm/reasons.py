"""Why a job waits, in plain words, for the reason codes of Slurm's documentation (job_reason_codes.html) and source."""

from __future__ import annotations

import re
from typing import Literal

PLAIN = {
    "": "Slurm has not considered it yet",
    "None": "Slurm has not considered it yet",
    "Priority": "other jobs are before it",
    "Resources": "it is next, and waits for nodes to become free",
    "Dependency": "it waits for another job to end",
    "DependencyNeverSatisfied": "it waits for a job that did not end as it should, so it will never start",
    "BeginTime": "its earliest start time has not been reached; a requeued job waits a minute or two",
    "JobArrayTaskLimit": "as many elements of its array run as may run at a time",
    "JobHeldUser": "it is held",
    "JobHeldAdmin": "an administrator holds it",
    "JobHoldMaxRequeue": "it was started again too often, and is held",
    "job requeued in held state": "it was put back into the queue and is held",
    "launch failed requeued held": "it could not be started and is held",
    "JobLaunchFailure": "it could not be started; often the folder of its output does not exist on the node",
    "Licenses": "it waits for a licence",
    "Reservation": "its reservation has not begun",
    "ReservationDeleted": "its reservation was deleted, so it will never start",
    "ReservationInvalid": "its reservation is not valid, so it will never start",
    "ReservationMaint": "the nodes are reserved for maintenance",
    "ReqNodeNotAvail": "nodes it needs are down or reserved, perhaps for maintenance",
    "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions": (
        "the nodes it could use are down, or kept for jobs that go first"
    ),
    "NodeDown": "a node it needs is down",
    "PartitionDown": "the partition is closed",
    "PartitionInactive": "the partition is closed",
    "PartitionNodeLimit": "it asks for more nodes than the partition has or allows",
    "PartitionTimeLimit": "it asks for more time than the partition allows, so it will never start",
    "PartitionConfig": "it asks for something that the partition does not allow",
    "BadConstraints": "no node can ever give what it asks for",
    "Constraints": "no node can give what it asks for now",
    "AccountNotAllowed": "its account may not use this partition",
    "AccountingPolicy": "it is over a limit of your account",
    "InvalidAccount": "its account is not valid",
    "InvalidQOS": "its QOS is not valid",
    "QOSNotAllowed": "its QOS may not be used with this account or partition",
    "QOSUsageThreshold": "your account has used too much for this QOS",
    "QOSJobLimit": "as many jobs run as the QOS allows",
    "QOSResourceLimit": "as much is in use as the QOS allows",
    "QOSTimeLimit": "the QOS has no time left",
    "AssociationJobLimit": "as many of your jobs run as your account allows",
    "AssociationResourceLimit": "as much is in use as your account allows",
    "AssociationTimeLimit": "your account has no time left",
    "MaxMemPerLimit": "it asks for more memory than a core or a node may have",
    "Prolog": "its node is being prepared",
    "Cleaning": "its earlier start is still being cleaned up",
    "CONFIGURING": "its nodes are being started",
    "REQUEUED": "it will be started again",
    "EXPEDITING": "it will be started again",
    "REQUEUE_FED": "it will be started again",
    "REQUEUE_HOLD": "it was put back into the queue and is held",
    "SPECIAL_EXIT": "it was put back into the queue and is held",
    "RESV_DEL_HOLD": "its reservation was deleted, and it is held",
    "FrontEndDown": "no front end node is up",
    "SchedDefer": "Slurm looks at new jobs later",
    "BurstBufferOperation": "its burst buffer failed",
    "BurstBufferResources": "it waits for a burst buffer",
    "BurstBufferStageIn": "its burst buffer is being filled",
    "PowerNotAvail": "there is not enough electric power for it now",
    "PowerReserved": "the electric power is kept for others",
    "FedJobLock": "the clusters of the federation agree on where it runs",
    "DeadLine": "it cannot end before its deadline",
    "InactiveLimit": "it was inactive for too long",
    "NonZeroExitCode": "it ended with an exit status that is not 0",
    "OutOfMemory": "it needed more memory than it asked for",
    "TimeLimit": "it reached its time limit",
    "SystemFailure": "Slurm, a file system or the network failed",
}

# What ends a wait that never ends by itself. JOB is the job's number, RUN what commands call its run.
RELEASE = "scontrol release JOB releases it"
STAFF = "the site's staff can say why; packhorse cancel RUN removes it"
CANCEL = "packhorse cancel RUN, correct what it asks for, and run it again"
HELD = (
    "JobHeldUser",
    "JobHoldMaxRequeue",
    "job requeued in held state",
    "launch failed requeued held",
    "REQUEUE_HOLD",
    "SPECIAL_EXIT",
)
HELD_BY_STAFF = ("JobHeldAdmin", "RESV_DEL_HOLD")
STUCK = {
    **dict.fromkeys(HELD, RELEASE),
    **dict.fromkeys(HELD_BY_STAFF, STAFF),
    **dict.fromkeys(
        (
            "AccountNotAllowed",
            "BadConstraints",
            "DeadLine",
            "DependencyNeverSatisfied",
            "InvalidAccount",
            "InvalidQOS",
            "MaxMemPerLimit",
            "PartitionConfig",
            "PartitionTimeLimit",
            "QOSNotAllowed",
            "ReservationDeleted",
            "ReservationInvalid",
        ),
        CANCEL,
    ),
}

# AssocGrpCpuLimit, QOSMaxMemoryPerUser, MaxJobsPerAccount, QOSMinGRES: whose limit, on what, for whom.
_LIMIT = re.compile(
    r"(?P<whose>Assoc|QOS|)(?P<kind>Grp|Max|Min)"
    r"(?P<what>Submit|Jobs?|Cpu|CPU|Memory|Mem|Node|GRES|Wall|License|BB|Billing|Energy|Unknown)"
    r"(?:Jobs?|Duration)?(?P<minutes>RunMinutes|Minutes)?(?:Per(?P<unit>Job|Node|User|Account))?"
    r"(?:NotSatisfied)?(?:Limit)?"
)
_WHAT = {
    "Cpu": "cores",
    "CPU": "cores",
    "Mem": "memory",
    "Memory": "memory",
    "Node": "nodes",
    "GRES": "GPUs or the like",
    "Wall": "time",
    "License": "licences",
    "BB": "burst buffer space",
    "Billing": "billing units",
    "Energy": "energy",
    "Unknown": "a resource",
}
_SIGNAL = re.compile(r"RaisedSignal(?::(\d+))?.*")


def plain(word: str) -> str:
    """Return a reason in plain words; what is not known is returned as it is.

    Slurm adds details behind a comma, and joins the reasons of an array's elements with commas.
    """
    word = word.strip()
    known = _one(word)
    if known:
        return known
    head, comma, rest = word.partition(",")
    first = _one(head.strip())
    if not comma or not first:
        return word
    detail = rest.strip()
    if detail.startswith("UnavailableNodes:"):
        nodes = detail.partition(":")[2]
        return f"{first}: {nodes}" if nodes else first
    if detail == "May be reserved for other job":
        return first
    return f"{first}; {plain(detail)}"


def stuck(word: str) -> str:
    """Return what ends a wait that never ends by itself, or nothing: the wait may end."""
    for part in word.split(","):
        known = part.strip()
        if known in STUCK:
            return STUCK[known]
        limit = _LIMIT.fullmatch(known)
        if limit and _limit(limit).endswith("never start"):
            return CANCEL
    return ""


def waits(word: str) -> Literal["waiting", "held", "dependent"]:
    """Return whether a job waits for its turn, is held, or waits for another job."""
    parts = [part.strip() for part in word.split(",")]
    if any(part in (*HELD, *HELD_BY_STAFF) for part in parts):
        return "held"
    return "dependent" if any(part.startswith("Dependency") for part in parts) else "waiting"


def _one(word: str) -> str:
    if word in PLAIN:
        return PLAIN[word]
    limit = _LIMIT.fullmatch(word)
    if limit:
        return _limit(limit)
    signal = _SIGNAL.fullmatch(word)
    if signal:
        # sacct's 0:53 is no signal, but how slurmd says that it could not open the job's files.
        return PLAIN["JobLaunchFailure"] if signal[1] == "53" else f"it was ended by a signal ({word})"
    return ""


def _limit(limit: re.Match[str]) -> str:
    """Return what a limit means: reached for now by the jobs that run, or passed by this job for ever."""
    what, unit = limit["what"], limit["unit"]
    whose = "your account" if limit["whose"] == "Assoc" else "the QOS"
    if what in ("Submit", "Job", "Jobs"):
        doing = "wait and run" if what == "Submit" else "run"
        if limit["kind"] == "Max" and unit != "Account":
            return f"as many of your jobs {doing} as {whose} allows"
        return f"as many jobs {doing} as {whose} allows all its users together"
    stuff = _WHAT[what] + (" × time" if limit["minutes"] else "")
    if limit["kind"] == "Min":
        return f"it asks for less than the {stuff} that {whose} demands, so it will never start"
    if limit["kind"] == "Max" and unit not in ("User", "Account"):
        place = " on a node" if unit == "Node" else ""
        return f"it asks for more {stuff}{place} than {whose} allows a job, so it will never start"
    if limit["minutes"] == "Minutes":
        return f"{whose} has used up its {stuff}"
    whom = {"User": "you ", "Account": "your account "}.get(unit or "", "")
    return f"{whose} gives {whom}no more {stuff} until running jobs end"
