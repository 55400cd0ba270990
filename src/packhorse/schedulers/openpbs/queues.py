"""Reading `qstat -Q -f -F json`: the queues of an OpenPBS server."""

from __future__ import annotations

import json
from typing import Any

from packhorse.model.command import Command
from packhorse.model.queues import QueueState
from packhorse.schedulers.pbs.queues import queue_state

QUESTION = Command(argv=("qstat", "-Q", "-f", "-F", "json"))


def states(text: str) -> list[QueueState] | None:
    """Return the queues of an answer, None where nobody can read it."""
    try:
        queues = json.loads(text).get("Queue", {})
        return [queue_state(name, _flat(told)) for name, told in queues.items()]
    except (ValueError, AttributeError, TypeError):
        return None


def _flat(told: dict[str, Any]) -> dict[str, str]:
    """Return attributes with those of an attribute beside them, as text says them: `resources_max.walltime`."""
    found: dict[str, str] = {}
    for name, said in told.items():
        inner = said.items() if isinstance(said, dict) else [("", said)]
        found |= {f"{name}.{one}" if one else name: str(value) for one, value in inner}
    return found
