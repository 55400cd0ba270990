"""The worker's side of a slot: its process, what it was given, and what it died of."""

import mmap
import os
import signal
import socket
import subprocess
import time

from packhorse.worker.slots import gpus, process
from packhorse.worker.slots.channel import Messages, message
from packhorse.worker.slots.function_server import CURRENT
from packhorse.worker.slots.running_command import DEADLINE
from packhorse.worker.tasks.slot_folders import Place
from packhorse.worker.tasks.task import base_environment


class Slot(object):
    """One slot: a launcher of commands or a server of functions."""

    def __init__(self, worker, number):
        self.worker = worker
        self.work = worker.work
        self.number = number
        self.place = Place(worker.scratch, number, self.work)
        self.place.make(worker.unpacked, self.work["links"])
        self.queue = []  # index ranges given and not yet answered, in order
        self.deaths = {}  # index -> how often the slot died in it
        self.process = self.socket = None
        self.checked = self.asked = 0.0
        self.lives = 0  # deaths since it last answered
        self.ready = False
        self.why = ""  # TIMEOUT or MEMORY when we end it
        self.blamed = None  # the task that we end for it
        with open(self.place.current, "r+b") as stream:
            self.current = mmap.mmap(stream.fileno(), CURRENT.size)

    def start(self):
        """Start the slot's process."""
        ours, theirs = socket.socketpair()
        for side in (ours, theirs):
            side.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        argv, variables = self._program()
        argv += ["slot", self.worker.work_file, self.worker.scratch, str(self.number), str(theirs.fileno())]
        CURRENT.pack_into(self.current, 0, 0, 0.0)
        self.why = ""
        self.ready = False
        self.process = subprocess.Popen(
            argv, env=variables, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL, start_new_session=True
        )
        theirs.close()
        self.socket = ours
        self.messages = Messages()

    def _program(self):
        environ = dict(os.environ)
        environ.update(gpus.part(environ, self.work.get("gpus"), self.number))
        if self.work["function"]:
            variables = base_environment(self.work, self.place, environ)
            return self.work["python"] + [self.worker.archive], variables
        # The mark also stands on the launcher, so that one that outlives its worker is found like its task.
        return self.worker.python + [self.worker.archive], dict(environ, PACKHORSE_RUN=self.work["mark"])

    def give(self, ranges):
        """Send index ranges."""
        self.queue.extend([a, b] for a, b in ranges)
        self.socket.sendall(message({"run": ranges}))

    def load(self):
        """Return how many tasks were given and not answered."""
        return sum(b - a for a, b in self.queue)

    def answered(self, index):
        """Strike one task off what was given."""
        self.lives = 0
        for number, (a, b) in enumerate(self.queue):
            if a <= index < b:
                rest = [[a, index], [index + 1, b]]
                self.queue[number : number + 1] = [pair for pair in rest if pair[0] < pair[1]]
                return

    def answered_first(self, count):
        """Strike the first tasks off what was given, since a slot answers in order."""
        self.lives = 0
        while count and self.queue:
            a, b = self.queue[0]
            done = min(count, b - a)
            count -= done
            if a + done == b:
                self.queue.pop(0)
            else:
                self.queue[0] = [a + done, b]

    def stop(self, why):
        """Ask the slot to end its task and go; functions cannot be asked, so their process ends.

        At the `deadline` the task is recorded UNFINISHED, else it is as if it had not begun.
        """
        if self.work["function"]:
            index, begun = CURRENT.unpack_from(self.current, 0)
            if why == "deadline" and index and begun:
                self.why, self.blamed = "UNFINISHED", index - 1
            process.kill_group(self.process.pid, signal.SIGKILL)
        else:
            try:
                self.socket.sendall(message({"stop": why}))
            except OSError:
                pass

    def kill(self):
        """End the slot's process group at once."""
        process.kill_group(self.process.pid, signal.SIGKILL)

    def watch(self, now):
        """Keep the limits of a function's task, which cannot keep them itself."""
        if not self.work["function"] or self.process is None or now - self.checked < 0.2:
            return
        self.checked = now
        index, begun = CURRENT.unpack_from(self.current, 0)
        if not index or not begun or (index, begun) != CURRENT.unpack_from(self.current, 0):
            return  # between two tasks, or read while it was being written
        self.blamed = index - 1
        limit = self.work["time_limit"]
        if limit and now - begun > limit:
            self.why = "TIMEOUT"
        elif self.work["memory"] and process.resident(self.process.pid) > self.work["memory"] * 1024:
            self.why = "MEMORY"
        else:
            return
        self.kill()

    def autopsy(self):
        """Reap the dead process; return (record, log) of the task that took it down, or (None, b"")."""
        self.socket.close()
        status = self.process.wait()
        process.kill_group(self.process.pid, signal.SIGKILL)
        self.process = None
        index, begun = CURRENT.unpack_from(self.current, 0)
        if not self.work["function"] or not index:
            return None, b""
        index -= 1
        if index != self.blamed:
            self.why = ""  # the task whose limit we kept had just ended, and the kill met the next one
        self.deaths[index] = self.deaths.get(index, 0) + 1
        killed = status in (-signal.SIGKILL, -signal.SIGTERM)
        if killed and not self.why and self.deaths[index] < 2:
            return None, b""  # somebody else's kill: once more
        wall = max(0.0, time.monotonic() - begun)
        record = {
            "index": index,
            "begin": round(time.time() - wall, 3),
            "wall": round(wall, 6),
            "slot": self.number,
        }
        if self.why:
            record.update(outcome=self.why, cause=_limit(self.why, self.work))
        elif status < 0:
            record.update(
                outcome="FAILED", signal=-status, cause="the interpreter died of signal %d" % -status
            )
        else:
            record.update(outcome="FAILED", exit=status, cause="the function ended the interpreter")
        return record, self._printed()

    def _printed(self):
        found = []
        for name in (self.place.stdout, self.place.stderr):
            with open(name, "r+b") as stream:
                found.append(stream.read())
                stream.truncate(0)
        return b"\n".join(found)


def _limit(why, work):
    if why == "UNFINISHED":
        return DEADLINE
    if why == "TIMEOUT":
        return "longer than the time limit of %g s" % work["time_limit"]
    return "more memory than the %d MiB asked for" % work["memory"]
