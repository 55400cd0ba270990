"""A queue as TORQUE and OpenPBS report it: its limits, and who may use it. Neither reports its nodes."""

from __future__ import annotations

import re
from collections.abc import Mapping

from packhorse.model.queues import QueueState
from packhorse.schedulers.quantities import seconds

_COUNT = re.compile(r"(\w+):(\d+)")
# pbs_queue_attributes(7B).
ACLS = {
    "acl_user_enable": "named users",
    "acl_group_enable": "named groups",
    "acl_host_enable": "named hosts",
}


def queue_state(name: str, attributes: Mapping[str, str]) -> QueueState:
    """Return a queue by its attributes, such as `resources_max.walltime`."""
    counts = {word: int(count) for word, count in _COUNT.findall(attributes.get("state_count", ""))}
    closed = [word for word in ("enabled", "started") if attributes.get(word, "True") != "True"]
    open_to = [users for key, users in ACLS.items() if attributes.get(key) == "True"]
    nodes = attributes.get("resources_max.nodect", "")
    return QueueState(
        name=name,
        open="started" not in closed,
        word=" and ".join(f"not {word}" for word in closed),
        running=counts.get("Running", 0) + counts.get("Exiting", 0),
        waiting=sum(counts.get(word, 0) for word in ("Queued", "Held", "Waiting", "Transit")),
        default_time=seconds(attributes.get("resources_default.walltime", "")),
        max_time=seconds(attributes.get("resources_max.walltime", "")),
        max_nodes=int(nodes) if nodes.isdigit() else None,
        may=False if "enabled" in closed else (None if open_to else True),
        rights=_rights(closed, open_to),
    )


def _rights(closed: list[str], open_to: list[str]) -> str:
    if "enabled" in closed:
        return "it accepts no jobs now"
    return f"open only to {', '.join(open_to)}; whether you are among them is not known" if open_to else ""
