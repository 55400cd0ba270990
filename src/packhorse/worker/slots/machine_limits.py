"""The cores and the memory that a job may really use, whatever it requested."""

import os

from packhorse.worker.amounts import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

WORKER_MEMORY = 64  # MiB for the worker itself
UNLIMITED = 1 << 60  # bytes; version 1 of control groups writes "no limit" as a number near 2^63


def cores() -> int:
    """Return how many cores this process may use: its affinity, or the control group's share of time."""
    number = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for line in _limits("", "cpu.max"):
        quota, _, period = line.partition(" ")
        if quota != "max":
            number = min(number, max(1, int(quota) // int(period)))
    for quota, period in zip(_limits("cpu", "cpu.cfs_quota_us"), _limits("cpu", "cpu.cfs_period_us")):
        if int(quota) > 0:
            number = min(number, max(1, int(quota) // int(period)))
    return number


def memory() -> "int | None":
    """Return the memory in MiB that the control groups allow, or None if they set no limit."""
    lines = [*_limits("", "memory.max"), *_limits("memory", "memory.limit_in_bytes")]
    limits = [int(line) for line in lines if line.isdigit() and int(line) < UNLIMITED]
    return min(limits) >> 20 if limits else None


def usable_slots(requested: "int | None", cpus: int, task_memory: "int | None") -> "tuple[int, str]":
    """Return how many tasks to run at a time, and a note if that is less than requested.

    `requested` is a number or None for as many as fit; `task_memory` is the MiB of a task or None.
    """
    core_limit, memory_limit = cores(), memory()
    fitting, reason = max(1, core_limit // max(1, cpus)), "it may use %s" % counted(core_limit, "core")
    if memory_limit and task_memory:
        by_memory = max(1, (memory_limit - WORKER_MEMORY) // task_memory)
        if by_memory < fitting:
            fitting, reason = by_memory, "it has %d MiB" % memory_limit
    if requested is None or requested <= fitting:
        return requested or fitting, ""
    return fitting, "a job runs %s at a time and not %d: %s" % (counted(fitting, "task"), requested, reason)


def _limits(controller: str, name: str) -> "Iterator[str]":
    """Yield the contents of a limit's file from our control group up to the root (cgroups(7), both versions)."""
    try:
        with open("/proc/self/cgroup") as stream:
            rows = [row.rstrip("\n").split(":", 2) for row in stream]
    except OSError:
        return
    for _, controllers, group in rows:
        if controller not in controllers.split(","):
            continue
        root = "/sys/fs/cgroup" + ("/" + controller if controller else "")
        parts = [part for part in group.split("/") if part]
        for depth in range(len(parts), -1, -1):
            try:
                with open(os.path.join(root, *(parts[:depth] + [name]))) as stream:
                    yield stream.read().strip()
            except OSError:
                pass  # the root has no such file, and in a container the upper groups cannot be seen
