"""The processes of a task, and the memory and the processor time that all of them use; nothing on systems without /proc.

A task's processes may leave its process group (setsid) and its parent: a double fork, as R's makeCluster does, gives
them to the nearest subreaper (prctl(2)), or to the first process of the system.
"""

import os
import resource

from packhorse.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from packhorse.worker.tasks.slot_folders import SlotFolders

TICKS = float(os.sysconf("SC_CLK_TCK"))
KIB = 1 if process.LINUX else 1024  # what getrusage(2) counts memory in: kibibytes on Linux, bytes on macOS


class Usage(object):
    """Processor seconds of processes that have ended, and the largest peak of one of them in KiB."""

    def __init__(self) -> None:
        self.cpu = 0.0
        self.peak = 0

    def add(self, ended: "resource.struct_rusage") -> None:
        """Add a process that was reaped, with those that it has reaped itself."""
        self.count(ended.ru_utime + ended.ru_stime, ended.ru_maxrss)

    def count(self, cpu: float, peak: int) -> None:
        """Add seconds and a peak, which is in the unit of getrusage(2)."""
        self.cpu += cpu
        self.peak = max(self.peak, peak // KIB)


def below(pids: "Iterable[int]", spare: "Collection[int]" = ()) -> "list[int]":
    """Return some processes and all below them, each once, without those in `spare` and what is below them."""
    found: "dict[int, None]" = {}
    queue = list(pids)
    while queue:
        pid = queue.pop()
        if pid not in found and pid not in spare:
            found[pid] = None
            queue.extend(process.children(pid))
    return list(found)


def slot_mark(folders: "SlotFolders") -> bytes:
    """Return NAME=VALUE that only the tasks of one slot have in their environment."""
    return b"PACKHORSE_SCRATCH=" + os.fsencode(folders.scratch)


def lost_processes(leader: int, mark: bytes, candidates: "Iterable[int]") -> "list[int]":
    """Return the candidates that a task started and that are no longer below its leader.

    They are in the session of the leader, or have `mark` (NAME=VALUE) in their environment.
    """
    return [pid for pid in candidates if pid != leader and (_session(pid) == leader or _has(pid, mark))]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except OSError:
        return -1


def _has(pid: int, mark: bytes) -> bool:
    try:
        with open("/proc/%d/environ" % pid, "rb") as stream:
            return mark in stream.read().split(b"\0")
    except OSError:
        return False


def memory(pids: "list[int]", known: int, *, mapped: bool = False) -> int:
    """Return the memory of processes in KiB; pages that they share count once, if the system tells (Linux 4.14).

    That is slow to ask, so it is not asked where the answer cannot be more than `known` KiB. With `mapped`, pages of files
    do not count: tasks map their inputs, and the system takes such pages back when it needs memory.
    """
    total = sum(_resident(pid) for pid in pids)
    if total <= known or (len(pids) < 2 and not mapped):
        return total
    return sum(_proportional(pid, ("Pss_Anon:", "Pss_Shmem:") if mapped else ("Pss:",)) for pid in pids)


def _resident(pid: int) -> int:
    try:
        with open("/proc/%d/statm" % pid) as stream:
            return int(stream.read().split()[1]) * process.PAGE // 1024
    except (OSError, ValueError, IndexError):
        return 0


def _proportional(pid: int, fields: "tuple[str, ...]") -> int:
    """Return a process's memory in KiB with its share of what it shares (proc(5)), else its resident memory.

    Pss_Anon and Pss_Shmem are known from Linux 5.4 on.
    """
    try:
        with open("/proc/%d/smaps_rollup" % pid) as stream:
            values = [int(line.split()[1]) for line in stream if line.startswith(fields)]
        if len(values) == len(fields):
            return sum(values)
    except (OSError, ValueError, IndexError):
        pass
    return _resident(pid)


def own_peak(*, mapped: bool) -> int:
    """Return the peak of this process's memory in KiB; with `mapped` its memory now, without pages of files."""
    if mapped:
        return memory([os.getpid()], 0, mapped=True)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB


def cpu_seconds(pids: "Iterable[int]") -> float:
    """Return the processor time of processes that are alive, and of those that they have reaped."""
    ticks = 0
    for pid in pids:
        try:
            with open("/proc/%d/stat" % pid) as stream:
                # proc(5): fields 14 to 17, and the name in parentheses is field 2.
                ticks += sum(map(int, stream.read().rpartition(")")[2].split()[11:15]))
        except (OSError, ValueError):
            pass
    return ticks / TICKS


class OthersTime(object):
    """The processor time of the processes that this one has started, and of those that it has lost."""

    def __init__(self, lost: float) -> None:
        self.before = 0.0
        self.elapsed(lost)

    def elapsed(self, lost: float) -> float:
        """Return the seconds since the last call; `lost` are all those of lost processes."""
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        alive = cpu_seconds(below(process.children(os.getpid())))
        before, self.before = self.before, ended.ru_utime + ended.ru_stime + alive + lost
        return max(0.0, self.before - before)
