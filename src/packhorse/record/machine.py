"""Facts of the machine: host, operating system, processor, cores and memory."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "MC_CORES")


def describe(
    env: Mapping[str, str], proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")
) -> dict[str, Any]:
    """Return facts of the machine that results may depend on; memory in bytes, cores as seen by this process."""
    system = platform.uname()
    return {
        "host": socket.gethostname(),
        "os": _system_name(),
        "kernel": f"{system.system} {system.release}",
        "architecture": system.machine,
        "libc": " ".join(platform.libc_ver()).strip(),
        "cpu": _cpu_model(proc),
        "cores": _cores(proc, cgroups),
        "memory": _memory(proc),
        "memory_limit": min(
            _limits(proc, cgroups, "memory.max", "memory/memory.limit_in_bytes"), default=None
        ),
        "packhorse_python": platform.python_version(),
        "threads": {name: env[name] for name in THREADS if name in env},
    }


def _system_name() -> str:
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return platform.system()


def _cpu_model(proc: Path) -> str:
    if sys.platform == "darwin":
        return _sysctl("machdep.cpu.brand_string")
    written = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", _text(proc / "cpuinfo"), re.MULTILINE)
    return written[1].strip() if written else platform.processor() or platform.machine()


def _cores(proc: Path, cgroups: Path) -> dict[str, float | int | None]:
    physical = {
        tuple(re.findall(r"^(?:physical id|core id)\s*:\s*(\d+)$", block, re.MULTILINE))
        for block in _text(proc / "cpuinfo").split("\n\n")
    }
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "logical": os.cpu_count(),
        "physical": len(physical - {()}) or None,
        "allowed": allowed,
        "limit": _cpu_limit(proc, cgroups),
    }


def _cpu_limit(proc: Path, cgroups: Path) -> float | None:
    """Return the number of cores that the control groups allow, or None without a limit."""
    quotas = []
    for place in _groups(proc, cgroups):
        quota, _, period = _text(place / "cpu.max").strip().partition(" ")
        if quota.isdigit() and period.isdigit():
            quotas.append(int(quota) / int(period))
    old = _text(cgroups / "cpu" / "cpu.cfs_quota_us").strip()
    period = _text(cgroups / "cpu" / "cpu.cfs_period_us").strip()
    if old.isdigit() and period.isdigit():
        quotas.append(int(old) / int(period))
    return min(quotas, default=None)


def _limits(proc: Path, cgroups: Path, name: str, version1: str) -> Iterator[int]:
    """Yield the limits of all control groups of this process, in bytes."""
    for place in (*(group / name for group in _groups(proc, cgroups)), cgroups / version1):
        text = _text(place).strip()
        # Version 1 writes "no limit" as the largest multiple of a page below 2^63.
        if text.isdigit() and int(text) < 2**62:
            yield int(text)


def _groups(proc: Path, cgroups: Path) -> Iterator[Path]:
    """Yield the control group (version 2) of this process and its parents, each of which may set a limit."""
    match = re.search(r"^0::/(.*)$", _text(proc / "self" / "cgroup"), re.MULTILINE)
    place = cgroups / match[1] if match else cgroups
    yield place
    while place != cgroups and cgroups in place.parents:
        place = place.parent
        yield place


def _memory(proc: Path) -> int | None:
    if sys.platform == "darwin":
        size = _sysctl("hw.memsize")
        return int(size) if size.isdigit() else None
    written = re.search(r"^MemTotal:\s*(\d+) kB$", _text(proc / "meminfo"), re.MULTILINE)
    return int(written[1]) * 1024 if written else None


def _sysctl(name: str) -> str:
    try:
        done = subprocess.run(
            ["sysctl", "-n", name],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
