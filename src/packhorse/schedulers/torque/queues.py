"""Reading `qstat -Q -f`: the queues of a TORQUE server."""

from __future__ import annotations

from packhorse.model.command import Command
from packhorse.model.queues import QueueState
from packhorse.schedulers.pbs.queues import queue_state
from packhorse.schedulers.torque.fields import attributes

QUESTION = Command(argv=("qstat", "-Q", "-f"))


def states(text: str) -> list[QueueState]:
    """Return the queues of an answer."""
    return [queue_state(name, told) for name, told in attributes(text, "Queue: ")]
