"""Warm starts of one slot: what the run knows of its script, the warm process, and the trial that makes the proof.

The first slot that finds no proof in the run directory makes it, with one task: cold, cold, in an interpreter that has
imported nothing (which learns what the script loads), warm, warm. The others run cold until it is there.
"""

import json
import os
import re
import shutil
import time

from packhorse.worker import process
from packhorse.worker.amounts import counted
from packhorse.worker.warm import reasons
from packhorse.worker.warm.command import Cold, understand
from packhorse.worker.warm.facts import facts_file, read_facts, write_facts
from packhorse.worker.warm.proof import verdict, written_files
from packhorse.worker.warm.python_process import WarmPython
from packhorse.worker.warm.r_process import WarmR
from packhorse.worker.warm.warm_process import Ended, Unfit

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Union

    from packhorse.worker.tasks.restore import Restorer
    from packhorse.worker.tasks.slot_folders import SlotFolders
    from packhorse.worker.warm.command import Command
    from packhorse.worker.warm.facts import WarmFacts
    from packhorse.worker.warm.proof import Trace
    from packhorse.worker.warm.warm_process import Variables, WarmProcess
    from packhorse.worker.work_file import Work

    Attempt = tuple[
        Union[dict[str, Any], None], bytes, Union[bytes, None]
    ]  # record, log, bytes of the result


STARTS = ("cold", "cold", "learn", "warm", "warm")
LONGEST = 20.0  # seconds of a task; of longer ones the start is a small part
FEWEST = 12  # tasks of a study for which a trial is made
MORE_STARTS = 4  # of the trial, beside the one that counts
SAVED, SAVED_SHARE = 0.5, 0.5  # seconds, and share of a short task, that a warm start saves at a guess
MOST_FAILURES = 3  # of the warm process before the slot goes on cold
MOST_LEFT_OUT = 3  # packages that must not be in a warm process, before it is given up
LOOK_AGAIN = 0.5  # seconds between two looks for the proof of another slot
HANGS = 30.0  # seconds, beside ten times those of the cold start, after which a start of the trial hangs
# Variables that an interpreter or a library reads at its start; a study that sets one for each task starts cold.
STARTUP = re.compile(
    r"^(PYTHON|LD_|LC_|LANG|OMP_|MKL_|OPENBLAS_|NUMEXPR_|MPL|R_|TZ$|HOME$|PATH$|CUDA|JAX|TF_|TORCH)"
)


class NoTrial(Exception):
    """The trial ends, since its task did not end OK or was stopped: nothing was found out."""


class WarmStarts(object):
    """Decides for each task how it starts, and holds the warm process."""

    def __init__(
        self, work: "Work", folders: "SlotFolders", number: int, *, adopts: bool, wanted: "Callable[[], bool]"
    ) -> None:
        """`adopts`: whether we become the parent of orphans; `wanted` returns whether tasks may still begin."""
        self.work, self.folders, self.wanted = work, folders, wanted
        setting = work.get("warm", "auto")
        self.must = setting is True
        self.own = setting if isinstance(setting, list) else []  # modules of the study to import as well
        self.why = self._why_never(setting, adopts=adopts)  # why tasks start cold; "" where that is not so
        self.proves = number == 0
        self.facts: "WarmFacts | None" = None
        self.looked = 0.0
        self.mode = ""  # what the trial wants of the next start: cold, learn or warm
        self.repeats = False  # whether this start only repeats one that counts
        self.first_wall = 0.0  # seconds of the trial's first start
        self.files: "Trace | None" = None  # what the last start of the trial wrote
        self.server: "WarmProcess | None" = None
        self.bare: "WarmProcess | None" = None
        self.learnt: "list[str] | None" = None
        self.failures = 0
        self.accidents = 0  # trials that were cut off
        self.folder = (
            folders.root + ".warm"
        )  # beside the slot's folder, in which only tasks may change anything
        self.file = facts_file(work)

    def _why_never(self, setting: "Any", *, adopts: bool) -> str:
        if setting is False:
            return reasons.SWITCHED_OFF
        if not adopts:  # which only Linux lets us do
            return reasons.NOT_LINUX
        if self.work["total"] < FEWEST and setting is not True:
            return reasons.FEW_TASKS % counted(FEWEST, "task")
        if self.work["checkpoint"]:
            return reasons.CHECKPOINTS
        variable: str = (self.work["index_variable"] or {}).get("name", "")
        if STARTUP.match(variable):
            return reasons.VARIABLE_DIFFERS % variable
        return ""

    def is_open(self) -> bool:
        """Return whether it is not known yet if the script may start warm, and this slot must find out."""
        if self.why or self.facts is not None:
            return False
        now = time.monotonic()
        if now - self.looked > LOOK_AGAIN or self.proves:
            self.looked = now
            facts = read_facts(self.file)
            if facts is not None:
                self._take(facts)
                return False
        return self.proves

    def _take(self, facts: "WarmFacts") -> None:
        self.facts = facts
        if not facts["warm"]:
            self.why = facts["why"]

    def decide(self, facts: "WarmFacts") -> None:
        """Keep the proof with the run, for all its slots."""
        try:
            write_facts(self.file, facts)
        except OSError:
            pass  # the disk is full: the next slot proves it again
        self._take(facts)

    # Starts

    def prepare(self, argv: "list[str]", program: "Callable[[str], str]", variables: "Variables") -> None:
        """Make the warm process if the task needs it and it is not there: importing takes time."""
        if not argv or self.mode or self.why or self.facts is None or self.server is not None:
            return
        try:
            command = self._proven(argv, program(argv[0]))
            if command is not None:
                self.server = self._process(command, variables)
                self.server.warm(self.facts["modules"], self.folders.start, self.wanted)
        except (Cold, Unfit, OSError) as error:
            self._fail(error)
            self._drop_output()

    def spawn(self, argv: "list[str]", program: str, variables: "Variables") -> "int | None":
        """Start a task warm and return its process id, or None where it must start cold."""
        try:
            if self.mode == "learn":
                command = understand(argv, program)
                self.bare = self._process(command, variables)
                self.bare.warm((), self.folders.start, self.wanted)
                return self.bare.start(command, variables, self.folders.start, learns=True)
            if self.server is None or self.mode == "cold":
                return None
            proven = self._proven(argv, program)
            return None if proven is None else self.server.start(proven, variables, self.folders.start)
        except (Cold, Unfit, OSError) as error:
            self._fail(error)
            self._drop_output()
            if self.mode:
                kind = Ended if isinstance(error, (Ended, OSError)) else Cold
                raise kind(str(error)) from error
            return None

    def _proven(self, argv: "list[str]", program: str) -> "Command | None":
        """Return a command if it is the one of the proof."""
        command = understand(argv, program)
        assert self.facts is not None
        return command if _key(command) == self.facts["key"] else None

    def _fail(self, error: Exception) -> None:
        self.close()
        process.end_orphans()  # it may have forked before it died
        self.failures += 1
        if self.failures >= MOST_FAILURES:
            self.why = reasons.FAILED % (self.failures, error)

    def _drop_output(self) -> None:
        """Remove what a warm process that failed has printed: its outputs are those of the task, which has yet to start."""
        if not self.work["tee"]:
            for descriptor in (1, 2):
                os.ftruncate(descriptor, 0)

    def _process(self, command: "Command", variables: "Variables") -> "WarmProcess":
        os.makedirs(self.folder, exist_ok=True)
        return new_process(command, self.folder, variables)

    def wait(self, pid: int) -> "tuple[int, float, int]":
        """Wait for a task that was started warm; return (status, seconds of CPU, peak memory)."""
        server = self.bare or self.server
        assert server is not None
        try:
            status, cpu, peak, modules = server.wait(pid)
        except Cold as error:
            self._fail(error)
            raise
        if not server.alive:
            self._fail(Cold(reasons.ENDED))
        elif server is self.bare:
            self.learnt = modules
            self.bare.close()
            self.bare = None
        return status, cpu, peak

    def is_worth(self, wall: float) -> bool:
        """Return whether warm starts save more than a trial costs with a task that takes so many seconds."""
        saved = min(SAVED, SAVED_SHARE * wall) * self.work["total"]
        return self.must or (wall <= LONGEST and MORE_STARTS * wall <= saved)

    def limit(self, limit: "float | None") -> "float | None":
        """Return the time limit of a start in seconds: one that hangs only in the trial must end."""
        if not self.repeats:
            return limit
        return min(limit or HANGS + 10 * LONGEST, HANGS + 10 * self.first_wall)

    def pids(self) -> "list[int]":
        """Return the warm processes, which are children of the launcher for longer than a task."""
        return [one.pid for one in (self.server, self.bare) if one is not None]

    def close(self) -> None:
        """End the warm processes."""
        for one in (self.server, self.bare):
            if one is not None:
                one.close()
        self.server = self.bare = None

    # The trial

    def trial(
        self,
        attempt: "Callable[[], Attempt]",
        argv: "list[str]",
        program: str,
        variables: "Variables",
    ) -> "Attempt":
        """Run one task five times and decide; return what the first cold start returned.

        `attempt()` runs the task as `self.mode` says and returns (record, log, bytes of the result).
        """
        try:
            command = understand(argv, program)
        except Cold as error:
            self.decide({"warm": False, "why": str(error)})
            return attempt()
        starts = Starts(self, attempt)
        try:
            starts.run("cold")
            starts.run("cold")
            starts.run("learn")
            tried = self._warm_up(command, variables)
            starts.run("warm")
            starts.run("warm")
            why = verdict(starts.traces["cold"], starts.traces["learn"] + starts.traces["warm"])
            self.decide(dict(tried, warm=not why, why=why))  # type: ignore[arg-type]
        except NoTrial:
            self.facts = None
        except (Ended, OSError) as error:
            # A kill, or a full disk, says nothing about the script, unless it happens again and again.
            self.facts, self.accidents = None, self.accidents + 1
            if self.accidents == MOST_FAILURES:
                self.decide({"warm": False, "why": str(error)})
        except (Cold, Unfit) as error:
            self.decide({"warm": False, "why": str(error)})
        finally:
            self.mode, self.repeats = "", False
            self.failures = 0
            if self.why or self.facts is None:
                self.close()
        return starts.first or attempt()

    def note_files(self, restorer: "Restorer") -> None:
        """Look at what a start of the trial wrote, before its result and its artifacts are taken away."""
        changes = restorer.changed()
        self.files = None if changes is None else written_files(self.folders, changes)

    def _warm_up(self, command: "Command", variables: "Variables") -> "WarmFacts":
        """Make a warm process with what was learnt, without packages that must not be in it; return the facts."""
        if not self.learnt:
            raise Cold(reasons.NOTHING_LEARNT)
        modules = self.learnt + self.own
        left_out: "dict[str, str]" = {}
        while True:
            chosen = [name for name in modules if package_of(command, name) not in left_out]
            try:
                self.server = self._process(command, variables)
                self.server.warm(chosen, self.folders.start, self.wanted)
                break
            except Unfit as error:
                self.close()
                if len(left_out) == MOST_LEFT_OUT or len(chosen) < len(modules) // 2:
                    first = next(iter(left_out.items())) if left_out else (error.module, error.why)
                    raise Cold("%s %s" % first) from None
                left_out[package_of(command, error.module)] = error.why
        language = "R" if command.kind == "R" else "Python"
        self.facts = {
            "warm": True, "why": "", "key": _key(command), "language": language, "modules": chosen,
            "left_out": left_out,
        }  # fmt: skip
        return self.facts


class Starts(object):
    """The starts of one trial and what each left."""

    def __init__(self, warm: WarmStarts, attempt: "Callable[[], Attempt]") -> None:
        self.warm, self.attempt = warm, attempt
        self.first: "Attempt | None" = None
        self.traces: "dict[str, list[Trace]]" = {"cold": [], "learn": [], "warm": []}

    def run(self, mode: str) -> None:
        """Run the task once more. Raise NoTrial if it was stopped, Cold if it cannot be tried, Ended if a process died."""
        self.warm.mode, self.warm.repeats, self.warm.files = mode, self.first is not None, None
        failures = self.warm.failures
        found = self.attempt()
        self.warm.mode = ""
        if self.warm.failures > failures:
            raise Ended(reasons.ENDED)  # with or after its task
        record = found[0]
        if self.first is None:
            self.first = found
            if record is None or "outcome" in record:
                raise NoTrial  # what a task loads before it fails says little about the others
            self.warm.first_wall = record["wall"]
            if not self.warm.is_worth(record["wall"]):
                raise Cold(reasons.LONG_TASKS % (record["wall"], counted(self.warm.work["total"], "task")))
        if record is None or not self.warm.wanted():
            raise NoTrial
        if self.warm.files is None:
            raise Cold(reasons.FILES_UNKNOWN)
        self.traces[mode].append(trace(found, self.warm.files))


def trace(found: "Attempt", files: "Trace") -> "Trace":
    """Return what one start of a task left, for the proof."""
    record, log, packed = found
    assert record is not None
    names = ("exit", "signal", "outcome", "cause")
    left = {"exit status": json.dumps([record.get(name) for name in names]).encode("ascii")}
    result = [record.get(name) for name in ("text", "format", "parts")]
    left["result"] = packed or json.dumps(result).encode("ascii")
    left["output"] = log
    left.update(files)
    return left


def new_process(command: "Command", folder: str, variables: "Variables") -> "WarmProcess":
    """Start a warm process for a command, with its files in a folder; raise Cold or OSError where that fails."""
    name = command.interpreter[0]
    path = os.fsdecode(variables.get(b"PATH", b"")) or None
    kind = WarmR if command.kind == "R" else WarmPython
    return kind(command, shutil.which(name, path=path) or name, folder, variables)


def package_of(command: "Command", module: str) -> str:
    """Return the package to which a module of Python, or an object PACKAGE::NAME of R, belongs."""
    return module.partition("::" if command.kind == "R" else ".")[0]


def _key(command: "Command") -> "list[Any]":
    key: "list[Any]" = json.loads(json.dumps(command.key))
    return key
