"""Partitions from scontrol, sinfo and sacctmgr: what is free, and whether a user may submit jobs."""

from __future__ import annotations

import re

from msgspec import Struct

from packhorse.model.command import Answer, Command
from packhorse.model.job import SubmissionRefused
from packhorse.model.queues import QueueState, Start
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.fields import number, whole_seconds
from packhorse.schedulers.slurm.queue import ENV, UNSET
from packhorse.schedulers.slurm.refusals import understood

FREE = "%R|%C|%F"  # name, cores and nodes as allocated/idle/other/total
SMALL_MINUTES = 60  # of the job whose start is asked for

_VALUE = re.compile(r"(\w+)=(\S*)")
_START = re.compile(r"Job \d+ to start at (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)")
_OPEN = {"ALL", "", "(null)"}
_STATES = {"DOWN": "queues jobs and starts none", "DRAIN": "accepts no new jobs", "INACTIVE": "is closed"}


class Mine(Struct, frozen=True, kw_only=True):
    """The groups of a user, and accounts with the QOS of each; None: not known."""

    groups: tuple[str, ...] | None = None
    accounts: dict[str, tuple[str, ...]] | None = None


def partitions() -> Command:
    """Return the query for partitions; without --all, those that are not open to the user are absent."""
    return _asks("scontrol", "--all", "--oneliner", "show", "partition")


def free() -> Command:
    """Return the query for free cores and nodes."""
    return _asks("sinfo", "--noheader", "--all", f"--format={FREE}")


def groups() -> Command:
    """Return the query for the user's groups."""
    return _asks("id", "-Gn")


def associations(user: str) -> Command:
    """Return the query for a user's accounts and QOS."""
    return _asks(
        "sacctmgr", "-n", "-P", "show", "assoc", f"user={user}", "format=Cluster,Account,Partition,QOS"
    )


def trial(partition: str, account: str, longest: int | None) -> Command:
    """Return the query for the start of a job of one core; nothing is submitted (sbatch(1), --test-only)."""
    minutes = min(SMALL_MINUTES, max(1, (longest or SMALL_MINUTES * 60) // 60))
    charged = (f"--account={account}",) if account else ()
    return Command(
        argv=(
            "sbatch",
            "--test-only",
            f"--partition={partition}",
            *charged,
            "--ntasks=1",
            f"--time={minutes}",
            "--wrap=true",
        ),
        env=ENV,
        unset=(*UNSET, "SBATCH_*"),
    )


def _asks(*argv: str) -> Command:
    return Command(argv=argv, env=ENV, unset=UNSET)


def start(answer: Answer) -> Start | SubmissionRefused | NoReply:
    """Read the answer to `trial`; sbatch prints it on standard error."""
    match = _START.search(answer.stderr) or _START.search(answer.stdout)
    if answer.status == 0 and match:
        return Start(match[1])
    why, verdict = understood(answer)
    if answer.status is None or verdict == "lost":
        return NoReply(why)
    return SubmissionRefused(why, transient=verdict == "later")


def mine(group_answer: Answer, association_answer: Answer) -> Mine:
    """Return a user's groups and accounts."""
    mine_groups = tuple(group_answer.stdout.split()) if group_answer.status == 0 else None
    if association_answer.status != 0:
        return Mine(groups=mine_groups)
    accounts: dict[str, tuple[str, ...]] = {}
    for line in association_answer.stdout.splitlines():
        fields = line.split("|")
        if len(fields) >= 4 and fields[1]:
            accounts[fields[1]] = tuple(
                {**dict.fromkeys(accounts.get(fields[1], ())), **dict.fromkeys(_names(fields[3]))}
            )
    return Mine(groups=mine_groups, accounts=accounts or None)


def states(shown: str, free_text: str, user: Mine) -> list[QueueState]:
    """Return the partitions of scontrol's answer, with what is free by sinfo's."""
    free_now = _free(free_text)
    states = []
    for line in shown.splitlines():
        attributes = dict(_VALUE.findall(line))
        if attributes.get("PartitionName"):
            states.append(_state(attributes, free_now.get(attributes["PartitionName"], {}), user))
    return states


def _state(attributes: dict[str, str], free_now: dict[str, int], user: Mine) -> QueueState:
    word = attributes.get("State", "")
    may, rights, account = _rights(attributes, user)
    return QueueState(
        name=attributes["PartitionName"],
        default=attributes.get("Default") == "YES",
        open=word == "UP",
        word=_STATES.get(word, word.lower()) if word != "UP" else "",
        hidden=attributes.get("Hidden") == "YES",
        cores=number(attributes.get("TotalCPUs", "")),
        idle=free_now.get("idle"),
        lost=free_now.get("lost"),
        nodes=number(attributes.get("TotalNodes", "")),
        idle_nodes=free_now.get("idle_nodes"),
        default_time=whole_seconds(attributes.get("DefaultTime", "")),
        max_time=whole_seconds(attributes.get("MaxTime", "")),
        max_nodes=number(attributes.get("MaxNodes", "")),
        may=may,
        rights=rights,
        account=account,
    )


def _free(text: str) -> dict[str, dict[str, int]]:
    """Return the free cores and nodes of each partition; one with different nodes has several rows."""
    free_now: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition("|")
        numbers = [number(word) for part in rest.split("|") for word in part.split("/")]
        if len(numbers) == 8 and None not in numbers:
            _, idle, lost, _, _, idle_nodes, _, _ = (value or 0 for value in numbers)
            row = free_now.setdefault(name, dict.fromkeys(("idle", "lost", "idle_nodes"), 0))
            for key, value in (("idle", idle), ("lost", lost), ("idle_nodes", idle_nodes)):
                row[key] += value
    return free_now


def _rights(attributes: dict[str, str], user: Mine) -> tuple[bool | None, str, str]:
    """Return whether a user may use a partition, why, and the account if only some are allowed."""
    if attributes.get("RootOnly") == "YES":
        return False, "only administrators submit jobs here", ""
    groups_allowed = _names(attributes.get("AllowGroups", ""))
    if groups_allowed and user.groups is not None and not set(groups_allowed) & set(user.groups):
        return False, f"open only to {_group(groups_allowed)}, and you are in none of them", ""
    doubts = [f"open only to {_group(groups_allowed)}"] if groups_allowed and user.groups is None else []
    may, why, account = _by_account(attributes, user)
    if may is False:
        return False, why, ""
    doubts += [why] if may is None else []
    if may is None or doubts:
        return None, "; ".join(doubts), account
    needs_reservation = "with a reservation only" if attributes.get("ReqResv") == "YES" else ""
    return True, "; ".join(filter(None, (why, needs_reservation))), account


def _group(names: tuple[str, ...]) -> str:
    return f"the group{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _by_account(attributes: dict[str, str], user: Mine) -> tuple[bool | None, str, str]:
    """Return the same by accounts and QOS, of which one must be allowed, or not denied."""
    allowed, denied = _names(attributes.get("AllowAccounts", "")), _names(attributes.get("DenyAccounts", ""))
    qos, no_qos = _names(attributes.get("AllowQos", "")), _names(attributes.get("DenyQos", ""))
    if not any((allowed, denied, qos, no_qos)):
        return True, "", ""
    restrictions = _restrictions(allowed, denied, qos, no_qos)
    if user.accounts is None:
        return None, f"{restrictions}; which ones are yours is not known", ""
    for account, account_qos in user.accounts.items():
        if (allowed and account not in allowed) or account in denied:
            continue
        usable = [value for value in account_qos if (not qos or value in qos) and value not in no_qos]
        if (qos or no_qos) and not usable:
            continue
        options = [f"with --account={account}"] if allowed or denied else []
        options += [f"with --qos={usable[0]}"] if qos or no_qos else []
        return True, " ".join(options), account if allowed or denied else ""
    return False, f"{restrictions}, and you have none of them" if allowed or qos else restrictions, ""


def closed_to(attributes: dict[str, str]) -> str:
    """Return the users to which a partition is restricted; "" for no restriction."""
    groups = _names(attributes.get("AllowGroups", ""))
    names = ("AllowAccounts", "DenyAccounts", "AllowQos", "DenyQos")
    allowed, denied, qos, no_qos = (_names(attributes.get(name, "")) for name in names)
    restrictions = _restrictions(allowed, denied, qos, no_qos)
    return "; ".join(filter(None, (f"open only to {_group(groups)}" if groups else "", restrictions)))


def _restrictions(
    allowed: tuple[str, ...], denied: tuple[str, ...], qos: tuple[str, ...], no_qos: tuple[str, ...]
) -> str:
    lists = (
        ("open only to the account", allowed),
        ("closed to the account", denied),
        ("open only to the QOS", qos),
        ("closed to the QOS", no_qos),
    )
    return "; ".join(f"{label} {', '.join(names)}" for label, names in lists if names)


def _names(text: str) -> tuple[str, ...]:
    return () if text in _OPEN else tuple(word for word in text.split(",") if word)
