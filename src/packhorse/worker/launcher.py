"""A slot of commands: a small process that starts one program after another and measures each.

It is small because wait4(2) of a child reports at least the size its parent had (vfork shares the parent's
memory until exec), and because starting a program costs the more the larger the starter is.
The main thread starts and waits; a second one reads messages, samples memory and keeps the limits.
"""

import collections
import errno
import itertools
import os
import queue
import select
import shutil
import signal
import sys
import threading
import time

from packhorse.worker import checkpoint, process
from packhorse.worker.channel import Messages
from packhorse.worker.fill import Task, base_environment, environment, fill, write_files
from packhorse.worker.keep import clear_artifacts, keep_artifacts, remove
from packhorse.worker.outcome import NoResult, from_file, from_output, starve
from packhorse.worker.place import clear
from packhorse.worker.report import Reporter, last_line, log_text
from packhorse.worker.running import DEADLINE, Running
from packhorse.worker.warm import Cold
from packhorse.worker.warm_start import WarmStarts

PATIENCE = 0.02  # seconds that short records may wait for each other
STDOUT, STDERR = 1, 2  # ours are the files of the tasks, so that a start need not change any descriptor

STOPPED = ("stop", "UNFINISHED")  # what ends a task when we end: no outcome, or the deadline's
ENDED = ("TIMEOUT", "MEMORY", "UNFINISHED")  # outcomes of tasks that we end

DRAFTS = 16  # starts that are prepared at a time


class Launcher(object):
    """Runs the commands of one slot."""

    def __init__(self, channel, work, space, place, number):
        self.channel, self.work, self.space, self.place = channel, work, space, place
        self.reporter = Reporter(channel, PATIENCE)
        self.number = number
        self.inbox = queue.Queue()
        self.lock = threading.Lock()
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.running = None
        self.coming = collections.deque()  # indices given and not begun
        self.drafts = {}  # what the next tasks start with, made while another one runs
        self.stopping = ""  # deadline, or why else we shall end
        self.programs = {}
        self.kills = process.oom_kills()
        self.adopts = process.adopt_orphans()
        self.warm = WarmStarts(work, place, number, self.adopts)
        base = base_environment(work, place, os.environ)
        self.path = base.get("PATH")
        self.base = {_bytes(name): _bytes(value) for name, value in base.items()}
        self.result = work["result"]
        self.output = os.path.join(place.root, "output")  # where packhorse.task writes
        self.scratch_changed = os.stat(place.scratch).st_mtime_ns
        self.first = place.state() if number == 0 and work["look"] else None
        os.chdir(place.folder)

    def serve(self):
        """Run what the worker sends until it goes away."""
        self._until_gone(self._work)
        if self.stopping == "gone":
            self.listener.join()  # it ends what tasks left behind, and then this process

    def _work(self):
        self.reporter.say({"ready": True})
        self.listener.start()
        while True:
            ranges = self.inbox.get()
            if ranges is None:
                break
            for start, stop in ranges:
                self.coming.extend(range(start, stop))
            while self.coming and not self.stopping:
                self._task(self.coming.popleft())
            if self.stopping or self.inbox.empty():
                self.reporter.flush()
            if self.stopping:
                return

    # The second thread

    def _listen(self):
        self._until_gone(self._hear)
        self._leave()

    def _until_gone(self, action):
        """Do something until the worker is gone, however that shows: what it had not read is ECONNRESET or EPIPE."""
        try:
            action()
        except (BrokenPipeError, ConnectionResetError):
            self._leave()

    def _hear(self):
        messages = Messages()
        channel = self.channel.fileno()
        while True:
            wait = self._watch()
            self.reporter.flush()
            if not select.select([channel], [], [], wait)[0]:
                continue
            said = messages.receive(self.channel)
            if said is None:
                return
            for header, _ in said:
                if header.get("stop"):
                    self._stop(header["stop"])
                else:
                    self.inbox.put(header["run"])

    def _leave(self):
        """End at once: the worker is gone, and nobody would write down what we do."""
        with self.lock:
            self.stopping = "gone"
            if self.running and not self.running.ended:
                self.running.kill()
        process.end_orphans()
        os._exit(1)

    def _stop(self, why):
        self.stopping = why
        with self.lock:
            if self.running and not self.running.ended:
                self.running.terminate(STOPPED[why == "deadline"])
        self.inbox.put(None)

    def _watch(self):
        """Look at the running task; return the seconds until the next look."""
        with self.lock:
            running = self.running
            return 0.1 if running is None or running.ended else running.look()

    # The main thread

    def _task(self, index):
        """Run one task to its final record."""
        if self.warm.setting is True and self.warm.why:
            self.reporter.say({"broken": "tasks cannot start warm: %s" % self.warm.why, "traceback": ""})
            self.stopping = "broken"
            return
        attempt, free, earlier = 1, 1, []
        while True:
            if attempt == 1 and self.warm.is_open():
                record, log, packed = self._trial(index)
            else:
                record, log, packed = self._attempt(index, attempt)
            if record is None:
                return  # stopped: an interruption is not an outcome
            outcome = record.get("outcome", "OK")
            killed = record.get("signal") in (signal.SIGKILL, signal.SIGTERM) and outcome == "FAILED"
            if killed and free:
                free -= 1  # somebody else's kill: once more, without counting it as a retry
                continue
            if outcome != "FAILED" or attempt > self.work["retries"]:
                break
            earlier.append(record["cause"])
            attempt += 1
        if earlier:
            record["earlier"] = earlier
        if self.first is not None:
            self._look()  # before the record, after which the worker may have nothing left to hear
        self.reporter.add(record, log, packed)

    def _meanwhile(self):
        """Do what need not wait for the task that has just been started."""
        self.reporter.flush_if_due()
        if not self.drafts:
            # Several in a row cost less than one at a time, since the caches are warm for all but the first.
            for index in itertools.islice(self.coming, DRAFTS):
                self.drafts[index] = self._draft(index)

    def _draft(self, index):
        """Return (task, arguments, variables, error): all that a task's start needs."""
        task = Task(self.work, self.space, self.place, index)
        try:
            return task, [fill(parts, task) for parts in self.work["command"]], self._variables(task), None
        except ValueError as error:  # a format that does not fit the value
            return task, None, None, error

    def _trial(self, index):
        """Run a task once for its record, and again to find out whether the script may start warm."""
        _, argv, variables, error = self.drafts.get(index) or self._draft(index)
        if error is not None:
            return self._attempt(index, 1)
        return self.warm.trial(lambda: self._attempt(index, 1), argv, self._program(argv[0]), variables)

    def _attempt(self, index, attempt):
        task, argv, variables, error = self.drafts.pop(index, None) or self._draft(index)
        record = {"index": index, "seed": task.seed, "begin": round(time.time(), 3), "slot": self.number}
        if attempt > 1:
            record["attempt"] = attempt
        begun = time.perf_counter()
        try:
            if error is not None:
                raise error
            target = self._prepare(task)
            running = self._start(argv, variables)
        except (OSError, ValueError) as error:
            record.update(outcome="FAILED", exit=127, wall=0.0, cause=_cannot_start(error))
            return record, b"", None
        if running is None:
            return None, b"", None
        ended = self._wait(running, record, begun)
        if self.stopping and ended.why != "UNFINISHED" and (ended.why == "stop" or record.get("signal")):
            self._empty()
            return None, b"", None
        return self._finish(task, record, ended, target, attempt)

    def _prepare(self, task):
        """Write parameter files and remove what an earlier task left at the result's place; return that place."""
        if self.work["files"]:
            write_files(task, self.work["files"])
        if task.checkpoint:
            checkpoint.prepare(task)
        target = None
        if self.result["kind"] == "file":
            target = os.path.join(self.place.folder, fill(self.result["file"], task))
            os.makedirs(os.path.dirname(target), exist_ok=True)
            remove(target)
        elif self.result["kind"] in ("auto", "json"):
            target = self.output
        clear_artifacts(self.work, self.place)
        return target

    def _variables(self, task):
        """Return the task's environment as bytes, which start a program without being encoded once more."""
        variables = dict(self.base)
        for name, value in environment(task, {}).items():
            variables[_bytes(name)] = _bytes(value)
        return variables

    def _start(self, argv, variables):
        """Start a program and return it under way; None when we end, since nobody would end it after us."""
        with self.lock:
            if self.stopping:
                return None
            program = self._program(argv[0])
            pid = self.warm.spawn(argv, program, variables)
            is_warm = pid is not None
            if not is_warm:
                pid = self._spawn(argv, program, variables)
            self.running = Running(pid, self.work, (STDOUT, STDERR), is_warm)
            return self.running

    def _program(self, name):
        program = self.programs.get(name)
        if program is None:
            program = self.programs[name] = shutil.which(name, path=self.path) or name
        return program

    def _spawn(self, argv, program, variables):
        try:
            return process.spawn(program, argv, variables)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            # A script without '#!': what a shell would do with it.
            return process.spawn("/bin/sh", ["/bin/sh", program] + argv[1:], variables)

    def _wait(self, running, record, begun):
        self._meanwhile()
        status, cpu, peak = self._reap(running)
        record["wall"] = round(time.perf_counter() - begun, 6)
        record["cpu"] = round(cpu, 6)
        # Kibibytes on Linux, bytes on macOS (getrusage(2)).
        record["memory"] = max(peak if process.LINUX else peak // 1024, running.peak)
        if running.is_warm:
            record["start"] = "warm"
        process.end_orphans(self.warm.pids())  # also what is left of the group
        if os.WIFSIGNALED(status):
            record["signal"] = os.WTERMSIG(status)
            if record["signal"] == signal.SIGKILL and self._was_memory():
                running.why = running.why or "MEMORY"
        elif os.WEXITSTATUS(status):
            record["exit"] = os.WEXITSTATUS(status)
        return running

    def _was_memory(self):
        """Tell whether the system has killed for memory since we last asked."""
        before, self.kills = self.kills, process.oom_kills()
        return self.kills > before

    def _reap(self, running):
        """Wait for the task's leader, with which its group ends; return (status, seconds of CPU, peak of memory)."""
        if running.is_warm:
            try:
                ended = self.warm.wait(running.pid)
            except Cold:
                ended = signal.SIGKILL, 0.0, 0  # what has killed the warm process has killed the task
            with self.lock:
                running.ended = True
            return ended
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, running.pid, os.WEXITED | os.WNOWAIT)
            with self.lock:
                running.ended = True
            if not self.adopts:  # else what is left of the group is our child, and is ended by that
                running.kill()  # the leader is still a zombie, so its group's number cannot be anybody else's
        _, status, usage = os.wait4(running.pid, 0)
        if not running.ended:  # macOS before Python 3.13 has no waitid
            with self.lock:
                running.ended = True
            running.kill()
        return status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss

    def _finish(self, task, record, ended, target, attempt):
        full = self.place.is_full()  # asked before anything is removed
        stdout, stderr = self._printed(STDOUT), self._printed(STDERR)
        packed = None
        if ended.why in ENDED:
            record["outcome"] = ended.why
            record["cause"] = self._limit(ended.why, record)
        elif "signal" in record or "exit" in record:
            record["outcome"] = "FAILED"
            record["cause"] = last_line(stderr) or last_line(stdout)
        else:
            packed, stdout = self._result(record, target, stdout)
            self._artifacts(task, record)
        if full and ended.why not in ENDED:
            starve(record)
            packed = None
        log = log_text(task.index, attempt, record.get("outcome", "OK"), stdout, stderr)
        self._tidy()
        if target and "outcome" in record:
            remove(target)  # where it is OK, its result has been taken away
        if task.checkpoint and "outcome" not in record:
            shutil.rmtree(task.checkpoint, ignore_errors=True)
        return record, log, packed

    def _tidy(self):
        """Empty the scratch folder where it was written to."""
        changed = os.stat(self.place.scratch).st_mtime_ns
        if changed != self.scratch_changed:
            clear(self.place.scratch)
            self.scratch_changed = os.stat(self.place.scratch).st_mtime_ns

    def _limit(self, why, record):
        if why == "UNFINISHED":
            return DEADLINE
        if why == "TIMEOUT":
            return "longer than the time limit of %g s" % self.work["time_limit"]
        if self.work["memory"]:
            return "more memory than the %d MiB asked for" % self.work["memory"]
        return "killed by the system for memory"

    def _result(self, record, target, stdout):
        """Frame the result's bytes; return (what goes to the pack, what of stdout is left for the log)."""
        kind = self.result["kind"]
        try:
            if kind == "file" or (target and os.path.exists(target)):
                return from_file(record, target, self.result.get("format", "json")), stdout
            if kind in ("auto", "json"):
                return from_output(record, stdout, kind)
        except NoResult as why:
            record.update(outcome="FAILED", exit=0, cause=str(why))
        return None, stdout

    def _artifacts(self, task, record):
        if "outcome" in record:
            return
        before = (self.first or {}) if self.work["everything"] else None
        try:
            kept = keep_artifacts(self.work, self.place, task.index, before)
        except OSError as error:
            record.update(outcome="FAILED", exit=0, cause="the artifacts could not be kept: %s" % error)
            return
        if kept:
            record["artifacts"] = kept

    def _look(self):
        """After the first task, tell of files that nothing names."""
        before, self.first = self.first, None
        if self.work["everything"]:
            return
        after = self.place.state()
        new = sorted(name for name in after if name not in before)
        changed = sorted(name for name in after if name in before and after[name] != before[name])
        if new:
            self.reporter.say({"note": "new files", "files": new[:20], "count": len(new)})
        if changed:
            self.reporter.say({"note": "changed files", "files": changed[:20], "count": len(changed)})

    def _empty(self):
        for descriptor in (STDOUT, STDERR):
            self._printed(descriptor)

    def _printed(self, descriptor):
        """Return what was printed, and make the file empty for the next task."""
        size = os.lseek(descriptor, 0, os.SEEK_END)  # cheaper than fstat; who appends does not care
        if not size:
            return b""
        data = os.pread(descriptor, size, 0)
        if not self.work["tee"]:
            os.ftruncate(descriptor, 0)
        return data


FILE_SYSTEM = sys.getfilesystemencoding()


def _bytes(text):
    return text.encode(FILE_SYSTEM, "surrogateescape")


def _cannot_start(error):
    name = getattr(error, "filename", None)
    if isinstance(error, OSError) and error.errno == errno.ENOENT:
        return "command not found: %s" % (name or error)
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return "the parameters are too long for a command line; use {params.json}"
    return "cannot start: %s" % error


def main(channel, work, space, place, number):
    """Serve commands over `channel` until the worker closes it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stderr = os.fdopen(os.dup(STDERR), "w")  # for what we say ourselves
    for descriptor, name in ((STDOUT, place.stdout), (STDERR, place.stderr)):
        file = os.open(name, os.O_RDWR | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    try:
        with open("/proc/self/oom_score_adj", "w") as stream:
            stream.write("200")
    except OSError:
        pass
    sys.setswitchinterval(0.001)
    Launcher(channel, work, space, place, number).serve()
