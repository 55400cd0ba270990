"""Starting, measuring and ending process groups, as far as the platform allows."""

import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from resource import struct_rusage

try:
    import ctypes
except ImportError:  # a Python built without libffi
    ctypes = None  # type: ignore[assignment]

LINUX = sys.platform.startswith("linux")
PAGE = os.sysconf("SC_PAGE_SIZE")
PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option: int, value: int) -> bool:
    if LINUX and ctypes is not None:
        try:
            return bool(ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0)
        except (OSError, AttributeError):
            pass
    return False


def adopt_orphans() -> bool:
    """Become the parent of the processes that our children leave behind, so that we can end them; return whether we are."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def children(pid: int) -> "list[int]":
    """Return the child processes of a process; none on systems without /proc."""
    if not HAS_CHILDREN:
        return [child for child, parent in _parents() if parent == pid]
    pids: "list[int]" = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread)) as stream:
                pids.extend(int(word) for word in stream.read().split())
    except (OSError, ValueError):
        pass
    return pids


# Absent from kernels without CONFIG_PROC_CHILDREN (proc(5)).
HAS_CHILDREN = os.path.exists("/proc/self/task/%d/children" % os.getpid())


def all_processes() -> "list[int]":
    """Return the processes of the system; none on systems without /proc."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []


def _parents() -> "Iterator[tuple[int, int]]":
    """Yield each process with its parent: fields 1 and 4 of /proc/PID/stat."""
    for pid in all_processes():
        try:
            with open("/proc/%d/stat" % pid) as stream:
                yield pid, int(stream.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            pass


def kill_group(pid: int, number: int) -> bool:
    """Send a signal to a process group; return whether it existed."""
    try:
        os.killpg(pid, number)
        return True
    except OSError:
        return False


def end_orphans(spare: "Collection[int]" = (), add: "Callable[[struct_rusage], None] | None" = None) -> None:
    """Kill and reap the children of this process, with their groups; `add` receives the usage of each.

    The processes in `spare` lead groups of their own, which may hold orphans of theirs.
    """
    if not spare:
        try:  # the usual case needs one call: there is no child
            pid, _, usage = os.wait4(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid and add:
            add(usage)
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        waiting = False
        for child in children(os.getpid()):
            if child not in spare:
                _kill_with_group(child, spare)
                waiting = not reap(child, add) or waiting
        if not waiting:
            break
        time.sleep(0.002)


def reap(pid: int, add: "Callable[[struct_rusage], None] | None" = None) -> bool:
    """Reap a child if it has ended, and give its usage to `add`; return whether it is gone."""
    try:
        ended, _, usage = os.wait4(pid, os.WNOHANG)
    except ChildProcessError:
        return True
    if ended and add:
        add(usage)
    return bool(ended)


def _kill_with_group(pid: int, spare: "Collection[int]") -> None:
    """Kill a child and its group; until the child is reaped, the system does not reuse the group's number."""
    try:
        group = os.getpgid(pid)
        if group not in spare and group != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass  # it has just ended


def oom_kills() -> int:
    """Return how many kills for memory our control group has counted (version 2, then 1), or 0."""
    try:
        with open("/proc/self/cgroup") as stream:
            for row in stream:
                _, controllers, path = row.rstrip("\n").split(":", 2)
                if controllers == "":
                    name = "/sys/fs/cgroup%s/memory.events" % path
                elif "memory" in controllers.split(","):
                    name = "/sys/fs/cgroup/memory%s/memory.oom_control" % path
                else:
                    continue
                with open(name) as events:
                    for event in events:
                        if event.startswith("oom_kill "):
                            return int(event.split()[1])
    except (OSError, ValueError, IndexError):
        pass
    return 0


# Signals that this process, or the one that started it, may ignore; a task must not inherit that.
DEFAULTS = (
    signal.SIGPIPE,
    signal.SIGXFSZ,
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
)

if hasattr(os, "posix_spawn"):  # novermin

    def spawn(path: str, argv: "list[str]", env: "Mapping[bytes, bytes]") -> int:
        """Start a program in a session of its own, with our standard input and outputs.

        vfork semantics keep this cheap (glibc's posix_spawn), and so does leaving the descriptors as they are.
        """
        try:
            return os.posix_spawn(
                path, argv, env, setsid=True, setsigdef=DEFAULTS
            )  # novermin: inside hasattr
        except NotImplementedError:  # a libc without POSIX_SPAWN_SETSID
            return fork_exec(path, argv, env, session=True)

else:

    def spawn(path: str, argv: "list[str]", env: "Mapping[bytes, bytes]") -> int:
        """Start a program in a session of its own, with our standard input and outputs (Python before 3.8)."""
        return fork_exec(path, argv, env, session=True)


def fork_exec(path: str, argv: "list[str]", env: "Mapping[bytes, bytes]", *, session: bool) -> int:
    """Start a program that dies with us, in a session of its own or in ours; raise OSError if it does not start."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            if session:
                os.setsid()
            die_with_parent()
            for number in DEFAULTS:
                signal.signal(number, signal.SIG_DFL)
            os.execve(path, argv, env)
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(writer)
    error_number = os.read(reader, 16)
    os.close(reader)
    if error_number:
        os.waitpid(pid, 0)
        raise OSError(int(error_number), os.strerror(int(error_number)), path)
    return pid
