"""What of the machine a job really has, whatever it asked for: cores and memory."""

import os

WORKER_MEMORY = 64  # MiB for the worker itself
UNLIMITED = 1 << 60  # bytes; version 1 says "no limit" as a number near 2^63


def cores():
    """Return the cores that this process may use: its affinity, or the control group's share of time."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    for said in _limits("", "cpu.max"):
        quota, _, period = said.partition(" ")
        if quota != "max":
            found = min(found, max(1, int(quota) // int(period)))
    for said, period in zip(_limits("cpu", "cpu.cfs_quota_us"), _limits("cpu", "cpu.cfs_period_us")):
        if int(said) > 0:
            found = min(found, max(1, int(said) // int(period)))
    return found


def memory():
    """Return the memory in MiB that the control groups allow, or None where nothing limits it."""
    said = [*_limits("", "memory.max"), *_limits("memory", "memory.limit_in_bytes")]
    found = [int(word) for word in said if word.isdigit() and int(word) < UNLIMITED]
    return min(found) >> 20 if found else None


def slots(asked, cpus, task_memory):
    """Return how many tasks to run at a time, and a note where that is less than was asked.

    `asked` is a number or None for all that fits; `task_memory` is in MiB a task or None.
    """
    have, limit = cores(), memory()
    fitting, why = max(1, have // max(1, cpus)), "it may use %d cores" % have
    if limit and task_memory:
        by_memory = max(1, (limit - WORKER_MEMORY) // task_memory)
        if by_memory < fitting:
            fitting, why = by_memory, "it has %d MiB" % limit
    if asked is None or asked <= fitting:
        return asked or fitting, ""
    return fitting, "a job runs %d tasks at a time and not %d: %s" % (fitting, asked, why)


def _limits(controller, name):
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
