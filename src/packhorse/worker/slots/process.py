"""Starting, measuring and ending process groups, with what the platform offers."""

import os
import signal
import sys
import time

try:
    import ctypes
except ImportError:  # a Python built without libffi
    ctypes = None

LINUX = sys.platform.startswith("linux")
PAGE = os.sysconf("SC_PAGE_SIZE")
PR_SET_PDEATHSIG = 1  # prctl(2)
PR_SET_CHILD_SUBREAPER = 36


def _prctl(option, value):
    if LINUX and ctypes:
        try:
            return ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) == 0
        except (OSError, AttributeError):
            pass
    return False


def adopt_orphans():
    """Become the parent of what our children leave behind, so that it can be ended; whether that is possible."""
    return _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent():
    """Ask the kernel to kill us when the parent dies, however it dies."""
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def children(pid):
    """Return the child processes of one process (Linux, else none)."""
    found = []
    try:
        for thread in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/children" % (pid, thread)) as stream:
                found.extend(int(word) for word in stream.read().split())
    except (OSError, ValueError):
        pass
    return found


def descendants(pid):
    """Return a process and all below it."""
    found, queue = [], [pid]
    while queue:
        one = queue.pop()
        found.append(one)
        queue.extend(children(one))
    return found


def resident(pid):
    """Return the resident memory of a process and all below it, in KiB (shared pages count in each)."""
    total = 0
    for one in descendants(pid):
        try:
            with open("/proc/%d/statm" % one) as stream:
                total += int(stream.read().split()[1])
        except (OSError, ValueError, IndexError):
            pass
    return total * PAGE // 1024


def kill(pid, number):
    """Signal a process; whether it was there."""
    try:
        os.kill(pid, number)
        return True
    except OSError:
        return False


def kill_group(pid, number):
    """Signal a process group; whether it was there."""
    try:
        os.killpg(pid, number)
        return True
    except OSError:
        return False


def end_orphans(spare=()):
    """Kill and reap what is still a child of ours, with its group; return how many there were.

    The processes to `spare` lead groups of their own, in which orphans of theirs may be.
    """
    ended = 0
    if not spare:
        try:  # the usual case, told by one call: no child at all
            ended += os.waitpid(-1, os.WNOHANG)[0] > 0
        except ChildProcessError:
            return 0
    give_up = time.monotonic() + 10
    while time.monotonic() < give_up:
        waiting = False
        for child in children(os.getpid()):
            if child not in spare:
                _kill_with_group(child, spare)
                if _reaped(child):
                    ended += 1
                else:
                    waiting = True
        if not waiting:
            break
        time.sleep(0.002)
    return ended


def _kill_with_group(pid, spare):
    """Kill a child of ours; as long as it is there, its group's number cannot be anybody else's."""
    try:
        group = os.getpgid(pid)
        if group not in spare and group != os.getpgrp():
            os.killpg(group, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
    except OSError:
        pass  # it has just ended


def _reaped(pid):
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def oom_kills():
    """Return the memory kills that our cgroup has counted (version 2, then 1), or 0."""
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


# Signals that we, or what started us, may ignore, and a task shall not.
DEFAULTS = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)

if hasattr(os, "posix_spawn"):  # novermin

    def spawn(path, argv, env):
        """Start a program in a session of its own, with our standard input and outputs.

        vfork semantics keep this cheap (glibc's posix_spawn), and so does leaving the descriptors as they are.
        """
        try:
            return os.posix_spawn(
                path, argv, env, setsid=True, setsigdef=DEFAULTS
            )  # novermin: inside hasattr
        except NotImplementedError:  # a libc without POSIX_SPAWN_SETSID
            return _fork(path, argv, env)

else:

    def spawn(path, argv, env):
        """Start a program in a session of its own, with our standard input and outputs (Python before 3.8)."""
        return _fork(path, argv, env)


def _fork(path, argv, env):
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.setsid()
            for number in DEFAULTS:
                signal.signal(number, signal.SIG_DFL)
            os.execve(path, argv, env)
        except OSError as error:
            os.write(writer, str(error.errno).encode())
        finally:
            os._exit(127)
    os.close(writer)
    said = os.read(reader, 16)
    os.close(reader)
    if said:
        os.waitpid(pid, 0)
        raise OSError(int(said), os.strerror(int(said)), path)
    return pid
