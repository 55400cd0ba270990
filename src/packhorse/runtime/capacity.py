"""Cores and memory that this machine allows us to use."""

from __future__ import annotations

import os
from pathlib import Path


def usable_cores() -> int:
    """Return the number of cores we may use: the CPU affinity, or the cgroup's CPU limit where that is lower."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = _cgroup_limit("cpu.max")  # "QUOTA PERIOD" in microseconds, or "max PERIOD"
    if limit is not None:
        fields = limit.split()
        if len(fields) == 2 and fields[0] != "max":
            return max(1, min(affinity, int(fields[0]) // int(fields[1]) or 1))
    return affinity


def available_memory() -> int | None:
    """Return the memory available now, in MiB, or None where it is unknown."""
    limits: list[int] = []
    try:
        for row in Path("/proc/meminfo").read_text().splitlines():
            if row.startswith("MemAvailable:"):
                limits.append(int(row.split()[1]) // 1024)
    except OSError:
        pass
    limit = _cgroup_limit("memory.max")  # bytes, or "max"
    if limit is not None and limit.strip().isdigit():
        limits.append(int(limit) >> 20)
    return min(limits) if limits else None


def _cgroup_limit(name: str) -> str | None:
    """Return the content of a control file of our cgroup (version 2; kernel documentation, cgroup-v2)."""
    try:
        for row in Path("/proc/self/cgroup").read_text().splitlines():
            if row.startswith("0::"):
                return (Path("/sys/fs/cgroup") / row[3:].lstrip("/") / name).read_text()
    except OSError:
        pass
    return None
