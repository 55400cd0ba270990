"""Warm starts of one slot: what the run knows of its script, the warm process, and the trial that makes the proof.

The first slot that finds no proof in the run directory makes it, with one task: cold, cold, in an interpreter that has
imported nothing (which learns what the script loads), warm, warm. The others run cold until it is there.
"""

import hashlib
import json
import os
import re
import shutil
import time

from packhorse.worker.json_files import read_json, write_json
from packhorse.worker.slots import process
from packhorse.worker.warm import interpreter
from packhorse.worker.warm.proof import digests, verdict

STARTS = ("cold", "cold", "learn", "warm", "warm")
LONGEST = (
    10.0  # seconds of a task; of longer ones the start is a small part, and the trial takes five of them
)
WORTH_IT = 32  # tasks of a study from which on the trial, four starts more, is soon paid back
MOST_FAILURES = 3  # of the warm process before the slot goes on cold
MOST_LEFT_OUT = 3  # packages that must not be in a warm process, before it is given up
LOOK_AGAIN = 0.5  # seconds between two looks for the proof of another slot
# Variables that an interpreter or a library reads at its start; a study that sets one for each task starts cold.
STARTUP = re.compile(
    r"^(PYTHON|LD_|LC_|LANG|OMP_|MKL_|OPENBLAS_|NUMEXPR_|MPL|R_|TZ$|HOME$|PATH$|CUDA|JAX|TF_|TORCH)"
)


class WarmStarts(object):
    """Decides for each task how it starts, and holds the warm process."""

    def __init__(self, work, folders, number, adopts):
        self.work, self.folders = work, folders
        self.setting = work.get("warm", "auto")
        self.why = self._why_never(adopts)  # why tasks start cold; "" where that is not so
        self.proves = number == 0
        self.facts = None  # what the proof says: {"warm": bool, "why": ..., "modules": [...], "key": [...]}
        self.looked = 0.0
        self.mode = None  # what a trial wants of the next start
        self.server = self.bare = self.learnt = None
        self.failures = 0
        self.file = os.path.join(work["directory"], "warm-%s.json" % _digest(work))

    def _why_never(self, adopts):
        if self.setting is False:
            return "warm: false"
        if not process.LINUX or not adopts:
            return "warm starts need Linux"
        if self.work["total"] < WORTH_IT and self.setting is not True:
            return "the study has fewer than %d tasks" % WORTH_IT
        variable = (self.work["index_variable"] or {}).get("name", "")
        if STARTUP.match(variable):
            return "%s differs from task to task" % variable
        return ""

    def is_open(self):
        """Tell whether it is not known yet if the script may start warm, and this slot shall find out."""
        if self.why or self.facts is not None:
            return False
        now = time.monotonic()
        if now - self.looked > LOOK_AGAIN or self.proves:
            self.looked = now
            self._read()
        return self.facts is None and self.proves

    def _read(self):
        try:
            facts = read_json(self.file)
        except (OSError, ValueError):
            return
        if facts is not None:
            self._take(facts)

    def _take(self, facts):
        self.facts = facts
        if not facts["warm"]:
            self.why = facts["why"]

    def decide(self, facts):
        """Keep the proof with the run, for all its slots."""
        facts = dict({"format": "packhorse-warm", "version": 1}, **facts)
        try:
            write_json(self.file, facts)
        except OSError:
            pass  # the disk is full: the next slot proves it again
        self._take(facts)

    def spawn(self, argv, program, variables):
        """Start a task warm and return its process id, or None where it must start cold."""
        mode = self.mode or ("warm" if self.facts is not None and not self.why else "cold")
        if mode == "cold":
            return None
        try:
            command = interpreter.understand(argv, program)
            if mode == "learn":
                self.bare = self._process(command, variables)
                self.bare.warm(())
                return self.bare.start(command, variables, True)
            if json.loads(json.dumps(command.key)) != self.facts["key"]:
                return None  # another script than that of the proof
            if self.server is None:
                self.server = self._process(command, variables)
                self.server.warm(self.facts["modules"])
            return self.server.start(command, variables)
        except (interpreter.Cold, interpreter.Unfit, OSError) as error:
            self.close()
            process.end_orphans()  # it may have forked before it died
            self.failures += 1
            if self.mode:
                raise
            if self.failures >= MOST_FAILURES:
                self.why = "the warm process failed: %s" % error
            return None

    def _process(self, command, variables):
        name = command.interpreter[0]
        path = os.fsdecode(variables.get(b"PATH", b"")) or None
        return interpreter.WarmPython(command, shutil.which(name, path=path) or name, self.folders.root, variables)

    def wait(self, pid):
        """Wait for a task that was started warm; return (status, seconds of CPU, peak memory)."""
        status, cpu, peak, modules = (self.bare or self.server).wait(pid)
        if self.bare is not None:
            self.learnt = modules
            self.bare.close()
            self.bare = None
        return status, cpu, peak

    def pids(self):
        """Return the warm processes, which are children of the launcher for longer than a task."""
        return [one.pid for one in (self.server, self.bare) if one is not None]

    def close(self):
        """End the warm processes."""
        for one in (self.server, self.bare):
            if one is not None:
                one.close()
        self.server = self.bare = None

    # The trial

    def trial(self, attempt, argv, program, variables):
        """Run one task five times and decide; return what the first cold start returned.

        `attempt()` runs the task as `self.mode` says and returns (record, log, bytes of the result).
        """
        first = None
        traces = {"cold": [], "learn": [], "warm": []}
        try:
            command = interpreter.understand(argv, program)
        except interpreter.Cold as error:
            self.decide({"warm": False, "why": str(error)})
            return attempt()
        try:
            for mode in STARTS:
                if mode == "warm" and not traces["warm"]:
                    left_out = self._prepare(command, variables)
                before = self.folders.state()
                self.mode = mode
                found = attempt()
                self.mode = None
                first = first or found
                after = self.folders.state()
                why = _no_trial(found, before, after)
                if found[0] is None or why is None:
                    return first
                if why:
                    raise interpreter.Cold(why)
                traces[mode].append(trace(found, self.folders, self.work, before, after))
                if mode != "warm" or len(traces["warm"]) < 2:
                    _restore(self.folders, before, after)
            why = verdict(traces["cold"], traces["learn"] + traces["warm"])
            facts = {"warm": not why, "why": why, "key": command.key, "modules": self.facts["modules"]}
            self.decide(dict(facts, left_out=left_out))
        except (interpreter.Cold, interpreter.Unfit, OSError) as error:
            self.decide({"warm": False, "why": str(error)})
        finally:
            self.mode = None
            if self.why:
                self.close()
        return first or attempt()

    def _prepare(self, command, variables):
        """Warm a process by what was learnt; return the packages that had to be left out, with the reasons."""
        if not self.learnt:
            raise interpreter.Cold("the script leaves in a way of its own, so that nothing can be learnt of it")
        own = self.setting if isinstance(self.setting, list) else []
        modules, left_out, server = self.learnt + own, {}, None
        while True:
            kept = [name for name in modules if name.partition(".")[0] not in left_out]
            try:
                server = self._process(command, variables)
                server.warm(kept)
                break
            except interpreter.Unfit as error:
                server.close()
                if len(left_out) == MOST_LEFT_OUT or len(kept) < len(modules) // 2:
                    raise interpreter.Cold("%s %s" % next(iter(left_out.items()))) from None
                left_out[error.module.partition(".")[0]] = error.why
        self.server = server
        self.facts = {"key": json.loads(json.dumps(command.key)), "modules": kept, "warm": True, "why": ""}
        return left_out


def trace(found, folders, work, before, after):
    """Return what one start of a task left, for the proof."""
    record, log, packed = found
    names = ("exit", "signal", "outcome", "artifacts", "cause")
    left = {"exit status": json.dumps([record.get(name) for name in names]).encode()}
    left["result"] = (
        packed or json.dumps([_text(record.get("json")), record.get("text"), record.get("format")]).encode()
    )
    left["output"] = log
    left.update(digests(folders.study, before, after))
    folder = os.path.join(work["directory"], "artifacts", str(record["index"]))
    if record.get("artifacts"):
        for where, _, names in os.walk(folder):
            for name in names:
                path = os.path.relpath(os.path.join(where, name), folder)
                left.update(digests(folder, {}, {path: True}))
    return left


def _text(value):
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _no_trial(found, before, after):
    """Return why a task cannot be tried again; "" where it can, None where it ended for a reason outside of it."""
    record = found[0]
    if record is None or record.get("outcome", "OK") not in ("OK", "FAILED"):
        return None
    if record["wall"] > LONGEST:
        return "a task takes longer than %g s, of which the start is a small part" % LONGEST
    for path in before:
        if after.get(path) != before[path]:
            return "it changes %s in its working copy" % path
    return ""


def _restore(folders, before, after):
    """Remove what a start of the trial has made, so that the next one begins as it did."""
    for path in after:
        if path not in before:
            os.unlink(os.path.join(folders.study, path))


def _digest(work):
    facts = [
        work["environment"],
        work["code"],
        work["command"],
        work.get("warm", "auto"),
        work["cpus"],
        work["unset"],
    ]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode("utf-8")).hexdigest()[:16]
