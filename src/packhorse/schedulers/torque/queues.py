"""Reading `qstat -Q -f`: the queues of a TORQUE server, what they allow, and who may use them."""

from __future__ import annotations

import re

from packhorse.model.command import Command
from packhorse.model.queues import QueueState
from packhorse.schedulers.amounts import seconds
from packhorse.schedulers.torque.words import attributes

QUESTION = Command(argv=("qstat", "-Q", "-f"))
_COUNT = re.compile(r"(\w+):(\d+)")
# pbs_queue_attributes(7B).
ACLS = {
    "acl_user_enable": "named users",
    "acl_group_enable": "named groups",
    "acl_host_enable": "named hosts",
}


def states(text: str) -> list[QueueState]:
    """Return the queues of an answer. TORQUE does not say which nodes a queue has."""
    return [_state(name, told) for name, told in attributes(text, "Queue: ")]


def _state(name: str, told: dict[str, str]) -> QueueState:
    counts = {word: int(count) for word, count in _COUNT.findall(told.get("state_count", ""))}
    closed = [word for word in ("enabled", "started") if told.get(word, "True") != "True"]
    open_to = [whom for key, whom in ACLS.items() if told.get(key) == "True"]
    nodes = told.get("resources_max.nodect", "")
    return QueueState(
        name=name,
        open="started" not in closed,
        word=" and ".join(f"not {word}" for word in closed),
        running=counts.get("Running", 0) + counts.get("Exiting", 0),
        waiting=sum(counts.get(word, 0) for word in ("Queued", "Held", "Waiting", "Transit")),
        default_time=seconds(told.get("resources_default.walltime", "")),
        max_time=seconds(told.get("resources_max.walltime", "")),
        max_nodes=int(nodes) if nodes.isdigit() else None,
        may=False if "enabled" in closed else (None if open_to else True),
        rights=_rights(closed, open_to),
    )


def _rights(closed: list[str], open_to: list[str]) -> str:
    if "enabled" in closed:
        return "it takes no jobs now"
    return f"open only to {', '.join(open_to)}; whether you are among them is not known" if open_to else ""
