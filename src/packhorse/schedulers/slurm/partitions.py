"""Reading sinfo, scontrol and sacctmgr: what is free in each partition, and whether a user may send jobs there."""

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
_STATES = {"DOWN": "queues jobs and starts none", "DRAIN": "takes no new jobs", "INACTIVE": "is closed"}


class Mine(Struct, frozen=True, kw_only=True):
    """What a user has: groups here, and accounts with the QOS of each; None where nobody answers."""

    groups: tuple[str, ...] | None = None
    accounts: dict[str, tuple[str, ...]] | None = None


def partitions() -> Command:
    """Return the question what partitions there are; --all, or those that are not open to the user would be absent."""
    return _asks("scontrol", "--all", "--oneliner", "show", "partition")


def free() -> Command:
    """Return the question what is free."""
    return _asks("sinfo", "--noheader", "--all", f"--format={FREE}")


def groups() -> Command:
    """Return the question which groups the user has."""
    return _asks("id", "-Gn")


def associations(user: str) -> Command:
    """Return the question which accounts and QOS a user has."""
    return _asks(
        "sacctmgr", "-n", "-P", "show", "assoc", f"user={user}", "format=Cluster,Account,Partition,QOS"
    )


def trial(partition: str, account: str, longest: int | None) -> Command:
    """Return the question when a job of one core would start; nothing is submitted (sbatch(1), --test-only)."""
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
    found = _START.search(answer.stderr) or _START.search(answer.stdout)
    if answer.status == 0 and found:
        return Start(found[1])
    why, verdict = understood(answer)
    if answer.status is None or verdict == "lost":
        return NoReply(why)
    return SubmissionRefused(why, transient=verdict == "later")


def mine(group_answer: Answer, association_answer: Answer) -> Mine:
    """Return what a user has; an account that is bound to a partition is bound to no other."""
    mine_groups = tuple(group_answer.stdout.split()) if group_answer.status == 0 else None
    if association_answer.status != 0:
        return Mine(groups=mine_groups)
    accounts: dict[str, tuple[str, ...]] = {}
    for line in association_answer.stdout.splitlines():
        fields = line.split("|")
        if len(fields) >= 4 and fields[1]:
            accounts[fields[1]] = tuple(
                {**dict.fromkeys(accounts.get(fields[1], ())), **dict.fromkeys(_words(fields[3]))}
            )
    return Mine(groups=mine_groups, accounts=accounts or None)


def states(shown: str, free_text: str, user: Mine) -> list[QueueState]:
    """Return the partitions of scontrol's answer, with what is free by sinfo's."""
    free_now = _free(free_text)
    found = []
    for line in shown.splitlines():
        said = dict(_VALUE.findall(line))
        if said.get("PartitionName"):
            found.append(_state(said, free_now.get(said["PartitionName"], {}), user))
    return found


def _state(said: dict[str, str], free_now: dict[str, int], user: Mine) -> QueueState:
    word = said.get("State", "")
    may, rights, account = _rights(said, user)
    return QueueState(
        name=said["PartitionName"],
        default=said.get("Default") == "YES",
        open=word == "UP",
        word=_STATES.get(word, word.lower()) if word != "UP" else "",
        hidden=said.get("Hidden") == "YES",
        cores=number(said.get("TotalCPUs", "")),
        idle=free_now.get("idle"),
        lost=free_now.get("lost"),
        nodes=number(said.get("TotalNodes", "")),
        idle_nodes=free_now.get("idle_nodes"),
        default_time=whole_seconds(said.get("DefaultTime", "")),
        max_time=whole_seconds(said.get("MaxTime", "")),
        max_nodes=number(said.get("MaxNodes", "")),
        may=may,
        rights=rights,
        account=account,
    )


def _free(text: str) -> dict[str, dict[str, int]]:
    """Return the cores and nodes of each partition; one may have several rows, of nodes that are not alike."""
    found: dict[str, dict[str, int]] = {}
    for line in text.splitlines():
        name, _, rest = line.partition("|")
        numbers = [number(word) for part in rest.split("|") for word in part.split("/")]
        if len(numbers) == 8 and None not in numbers:
            _, idle, lost, _, _, idle_nodes, _, _ = (one or 0 for one in numbers)
            row = found.setdefault(name, dict.fromkeys(("idle", "lost", "idle_nodes"), 0))
            for key, value in (("idle", idle), ("lost", lost), ("idle_nodes", idle_nodes)):
                row[key] += value
    return found


def _rights(said: dict[str, str], user: Mine) -> tuple[bool | None, str, str]:
    """Return whether a user may use a partition, why, and with which account where not every one will do."""
    if said.get("RootOnly") == "YES":
        return False, "only administrators send jobs here", ""
    wanted = _words(said.get("AllowGroups", ""))
    if wanted and user.groups is not None and not set(wanted) & set(user.groups):
        return False, f"open only to {_group(wanted)}, and you are in none of them", ""
    doubts = [f"open only to {_group(wanted)}"] if wanted and user.groups is None else []
    may, why, account = _by_account(said, user)
    if may is False:
        return False, why, ""
    doubts += [why] if may is None else []
    if may is None or doubts:
        return None, "; ".join(doubts), account
    needs_reservation = "with a reservation only" if said.get("ReqResv") == "YES" else ""
    return True, "; ".join(filter(None, (why, needs_reservation))), account


def _group(names: tuple[str, ...]) -> str:
    return f"the group{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _by_account(said: dict[str, str], user: Mine) -> tuple[bool | None, str, str]:
    """Return the same by accounts and QOS, of which one has to be allowed, or none denied."""
    allowed, denied = _words(said.get("AllowAccounts", "")), _words(said.get("DenyAccounts", ""))
    qos, no_qos = _words(said.get("AllowQos", "")), _words(said.get("DenyQos", ""))
    if not any((allowed, denied, qos, no_qos)):
        return True, "", ""
    told = _told(allowed, denied, qos, no_qos)
    if user.accounts is None:
        return None, f"{told}; which ones are yours is not known", ""
    for account, own in user.accounts.items():
        if (allowed and account not in allowed) or account in denied:
            continue
        usable = [one for one in own if (not qos or one in qos) and one not in no_qos]
        if (qos or no_qos) and not usable:
            continue
        words = [f"with --account={account}"] if allowed or denied else []
        words += [f"with --qos={usable[0]}"] if qos or no_qos else []
        return True, " ".join(words), account if allowed or denied else ""
    return False, f"{told}, and you have none of them" if allowed or qos else told, ""


def closed_to(said: dict[str, str]) -> str:
    """Return to whom alone a partition is open, nothing where it is open to all."""
    groups = _words(said.get("AllowGroups", ""))
    names = ("AllowAccounts", "DenyAccounts", "AllowQos", "DenyQos")
    allowed, denied, qos, no_qos = (_words(said.get(name, "")) for name in names)
    told = _told(allowed, denied, qos, no_qos)
    return "; ".join(filter(None, (f"open only to {_group(groups)}" if groups else "", told)))


def _told(
    allowed: tuple[str, ...], denied: tuple[str, ...], qos: tuple[str, ...], no_qos: tuple[str, ...]
) -> str:
    lists = (
        ("open only to the account", allowed),
        ("closed to the account", denied),
        ("open only to the QOS", qos),
        ("closed to the QOS", no_qos),
    )
    return "; ".join(f"{words} {', '.join(names)}" for words, names in lists if names)


def _words(text: str) -> tuple[str, ...]:
    return () if text in _OPEN else tuple(word for word in text.split(",") if word)
