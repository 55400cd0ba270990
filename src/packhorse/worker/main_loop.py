"""The main loop of a worker: it claims leases, gives tasks to slots, writes the journal and obeys the deadline."""

import json
import os
import platform
import selectors
import signal
import sys
import time

from packhorse.worker import calls, process
from packhorse.worker.amounts import counted
from packhorse.worker.deadline import Deadline
from packhorse.worker.disk import Disk, StillFull
from packhorse.worker.journal import Journal, journal_header, journal_name
from packhorse.worker.leases import Leases, Positions, wave_owner
from packhorse.worker.private_folder import PrivateFolder, remove_abandoned
from packhorse.worker.ranges import PROBE_TASKS, count
from packhorse.worker.slots.channel import SUCCESSES
from packhorse.worker.slots.live_output import LiveOutput
from packhorse.worker.slots.machine_limits import usable_slots
from packhorse.worker.slots.reporter import log_text
from packhorse.worker.slots.slot import Slot
from packhorse.worker.slots.unfinished import take_unfinished, write_unfinished
from packhorse.worker.supply import StreamSupply, Supply
from packhorse.worker.tasks.linked_data import LinkedData, input_states
from packhorse.worker.tasks.read_files import ReadFiles
from packhorse.worker.tasks.slot_folders import make_image, must_share, require_free_space, scratch_parent
from packhorse.worker.work_file import read_work_file, write_worker_facts

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from types import FrameType
    from typing import Any

    from packhorse.worker.journal import Entry
    from packhorse.worker.ranges import Ranges
    from packhorse.worker.work_file import Work

STOP_SECONDS = 8.0  # for slots to end their tasks, longer than a launcher waits after SIGTERM
HURRY_SECONDS = 1.5  # the same in a job that got a signal: a scheduler may kill it after 3 s
BATCH_SECONDS = 0.25  # work a slot is given at a time
ANSWERS = 50  # of a slot that may wait for each other, so that they fit a socket's buffer
PREFETCH_BELOW = 0.05  # tasks shorter than this are given before they are asked for
PACE_WINDOW = 100  # tasks over which the pace is averaged
# Seconds, and share of its time, that a job waits on a host that must not work.
AVOIDED_SECONDS, AVOIDED_SHARE = 60.0, 0.05
FOLLOW_SECONDS = (0.5, 5.0)  # between two looks for output that a user follows: here, in a job
WANTED_SECONDS = 5.0  # between two looks for whether the wave is still wanted, each a call to the file server
MAX_DEATHS = 5  # of a slot in a row, without an answer between them

# How a worker ends; the last line of its journal holds it.
DONE, DEADLINE, STOPPED = (
    "done",
    "deadline",
    "stopped",
)  # nothing left, no time left, a signal or its parent's end
FAILING, BROKEN, FULL, ERROR = "failing", "broken", "full", "error"
# `failing`: the first tasks failed in the same way; `broken`: a slot cannot start; `full`: the disk stayed full.

WAKE, PARENT = "wake", "parent"  # what a selector watches beside slots: the signal pipe and standard input


def _makes_calls(work: "Work") -> bool:
    function = work["function"] or {}
    return function.get("module") == calls.MODULE


class Worker(object):
    """One worker of one wave."""

    journal: Journal  # opened by `run`, once there is work
    disk: Disk

    def __init__(self, work_file: str, options: "argparse.Namespace") -> None:
        self.work_file = os.path.abspath(work_file)
        self.work, self.space = read_work_file(work_file)
        self.options = options
        self.folder = os.path.dirname(self.work_file)
        with open(os.path.join(self.folder, "plan.json"), "rb") as stream:
            plan = json.loads(stream.read().decode("utf-8"))
        self.positions = Positions(plan["probe"], plan["ranges"])
        self.name = journal_name(self.work["wave"], options.element, options.restart)
        self.deadline = Deadline(options.seconds, options.margin)
        leases = Leases(os.path.join(self.folder, "leases"), self.positions.total, self.name)
        # A worker of calls gets its tasks from the process that started it, as they are made.
        self.stream = StreamSupply() if options.stream else None
        self.leased = Supply(leases, self.positions, self.deadline, options.elements)
        self.supply: "Supply | StreamSupply" = self.stream or self.leased
        self.scratch = ""
        self.data: "LinkedData | None" = None
        self.private: "PrivateFolder | None" = None
        self.slots: "list[Slot]" = []
        self.read: "ReadFiles | None" = None
        self.live = LiveOutput(self.work["directory"], FOLLOW_SECONDS[bool(options.owner)])
        self.totals: "dict[str, Any]" = {"wall": 0.0, "cpu": 0.0, "longest": 0.0}
        self.records: "list[Entry]" = []
        self.done, self.taken_back = 0, 0  # tasks that have ended; that a busy slot had and no slot has now
        self.pace = 1.0
        # (outcome, exit, signal, cause) of the first tasks; those of calls have nothing in common
        self.first: "list[Any]" = [None] * PROBE_TASKS if _makes_calls(self.work) else []
        self.stopping = ""  # why the loop must end
        self.ending = False
        self.looking = False  # whether the first slot, which watches its first task, has yet to begin
        self.hurried = False  # whether a signal ends us
        self.selector = selectors.DefaultSelector()
        self.wanted_at = time.monotonic()  # when we looked last for whether the wave is still wanted

    # Start and end

    def run(self) -> int:
        """Work until no task is left or something stops the worker; return the exit status."""
        if not self._has_work():
            return 0
        process.adopt_orphans()
        self._watch_signals()
        slots, note = self._usable_slots()
        header = journal_header(self.work, self.options.element, self.options.restart)
        header.update(slots=slots, deadline=self.deadline.unix)
        self.journal = Journal(self.work["directory"], self.name, header)
        if self.stream:
            self.report({"journal": self.name})
        if note:
            self.journal.write_event({"note": note})
        end = ERROR  # also if a fault of our own ends it
        try:
            self._start_slots(slots)
            self._loop()
            end = self.stopping or (DEADLINE if self.supply.closed else DONE)
        except OSError as error:
            self.report({"error": str(error)})
            self.journal.write_event({"note": str(error)})
        finally:
            complete = self._end(end)
        if not complete:
            self.report(
                {"lost": "the disk is full; some finished tasks could not be recorded and will run again"}
            )
            return 3
        return 0 if end in (DONE, STOPPED, DEADLINE) else 4

    def _has_work(self) -> bool:
        """Return whether this wave is ours and has tasks left; a worker without work leaves no file."""
        options = self.options
        if self.stream:
            return True
        if options.owner:
            unwanted = self._unwanted()
            if unwanted:
                sys.stdout.write("%s; no task begins\n" % unwanted)
                return False
            job = wave_owner(self.folder, options.owner, self.name)
            if job != options.owner:
                text = "wave %d belongs to job %s; job %s runs no task\n"
                sys.stdout.write(text % (self.work["wave"], job, options.owner))
                return False
            if self._is_avoided():
                return False
        self.leased.leases.refresh()
        if options.restart or options.owner:  # not every scheduler tells a job that it was started before
            self.leased.inherit(os.path.join(self.work["directory"], "journal"))
        if not self.supply.remaining():
            self.report({"end": DONE, "totals": self.totals})
            return False
        return True

    def _unwanted(self) -> str:
        """Return why no further task of the wave may begin, or an empty text.

        A scheduler may fail to end a job, as on a node that does not answer, or start it again when the tasks of its
        wave are already in a later one.
        """
        if os.path.exists(os.path.join(self.work["directory"], "cancelled")):
            return "the run was cancelled"
        waves = os.path.dirname(self.folder)
        later = [name for name in os.listdir(waves) if name.isdigit() and int(name) > self.work["wave"]]
        if any(os.path.exists(os.path.join(waves, name, "plan.json")) for name in later):
            return "a later wave has the tasks of wave %d" % self.work["wave"]
        return ""

    def _check_wanted(self) -> None:
        """Stop a job's worker whose wave is no longer wanted."""
        if self.options.owner and time.monotonic() - self.wanted_at > WANTED_SECONDS:
            self.wanted_at = time.monotonic()
            unwanted = self._unwanted()
            if unwanted:
                sys.stdout.write("%s; this worker ends\n" % unwanted)
                self.stopping = self.stopping or STOPPED

    def _is_avoided(self) -> bool:
        """Return whether this host must not work on the wave; if so, wait first.

        A scheduler that cannot exclude the host would otherwise send one element after another here at once.
        """
        host = platform.node().split(".")[0]
        if host not in self.work.get("avoid", ()):
            return False
        sys.stdout.write("every task failed on %s before; no task begins here\n" % host)
        sys.stdout.flush()
        seconds = self.options.seconds
        time.sleep(min(AVOIDED_SECONDS, AVOIDED_SHARE * seconds) if seconds else AVOIDED_SECONDS)
        return True

    def _usable_slots(self) -> "tuple[int, str]":
        """Return how many slots to start, and a note if that is not the number requested."""
        number, note = self.options.slots, ""
        if number is None or self.options.owner:  # on their own machine, users may request what they like
            number, note = usable_slots(number, self.work["cpus"], self.work["memory"])
        return number if self.stream else min(number, self.positions.total), note

    def _start_slots(self, number: int) -> None:
        """Make the folders of the slots and start them."""
        parent = self.options.scratch or scratch_parent()
        try:
            remove_abandoned(parent)
            self.private = PrivateFolder(parent)
            self.scratch = self.private.path
            look = self.work["look"] and not self.options.element
            self.looking = look
            self.disk = Disk((self.work["directory"], self.scratch), self.report)
            if self.options.owner:
                require_free_space(self.scratch)
            snapshot = self.work["snapshot"]
            archive = os.path.join(self.work["directory"], snapshot) if snapshot else None
            image = make_image(self.work, archive, self.scratch)
            share = must_share(image, number)
            facts: "dict[str, Any]" = {
                "deadline": self.deadline.unix,
                "look": look,
                "share": share,
                # for the worker that finds the folder if this one is killed
                "work_file": self.work_file,
                "element": self.options.element,
                "restart": self.options.restart,
            }
            facts["input_states"] = self.work["input_states"] = input_states(self.work.get("inputs", {}))
            self.work["deadline"], self.work["look"], self.work["share"] = self.deadline.unix, look, share
            write_worker_facts(self.scratch, facts)
            if self.work["links"] and not self.options.element:
                self.data = LinkedData(self.work["links"])
            self.slots = [
                Slot(self.work, self.work_file, self.scratch, image, slot) for slot in range(number)
            ]
            self.read = ReadFiles([slot.folders.code for slot in self.slots])
        except OSError as error:
            text = "%s on %s has no space for working copies (%s); name another folder with --scratch"
            raise OSError(text % (parent, platform.node(), error)) from error
        if self.work["tee"]:
            self.report({"copies": self.scratch})
        self.journal.write_event({"copies": self.scratch})
        for slot in self.slots:
            self._start(slot)

    def _watch_signals(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self.selector.register(reader, selectors.EVENT_READ, WAKE)
        if self.options.attached:
            self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, PARENT)

    def _on_signal(self, number: int, frame: "FrameType | None") -> None:
        self.hurried = True
        self.stopping = self.stopping or STOPPED

    def _start(self, slot: Slot) -> None:
        slot.start()
        self.selector.register(slot.socket, selectors.EVENT_READ, slot)

    def _end(self, end: str) -> bool:
        """End the slots and the journal; return whether all records are on disk."""
        self.ending = True
        self._save()
        self._end_slots(end)
        self._flush()
        self._keep_unfinished(end)
        self._note_read()
        if end == DEADLINE or (end == FAILING and self.options.elements > 1):
            self.supply.close()
        if self.data and self.data.changed():
            self._note_files("changed data", self.data.changed())
        complete = self.journal.close(end, self.totals)
        if self.private:
            self.private.close(keep=self.work["tee"])  # our parent has yet to show what was printed last
        self.report({"end": end, "totals": self.totals})
        return complete

    def _save(self) -> None:
        """Make durable what is known, before anything that takes time: a kill may follow soon."""
        for key, _ in self.selector.select(0):
            if isinstance(key.data, Slot):
                self._receive(key.data)
        self._flush()
        self.journal.sync()

    def _end_slots(self, end: str) -> None:
        """Let slots end their tasks and send their records, then kill what is left."""
        alive = [slot for slot in self.slots if slot.process is not None]
        for slot in alive:
            slot.stop(end)
        begun = time.monotonic()
        while any(slot.process is not None for slot in alive):
            hurry = self.hurried and self.options.owner
            if time.monotonic() - begun > (HURRY_SECONDS if hurry else STOP_SECONDS):
                break
            for key, _ in self.selector.select(0.1):
                if isinstance(key.data, Slot):
                    self._receive(key.data)
        for slot in alive:
            if slot.process is not None:
                slot.kill()
                slot.process.wait()
        process.end_orphans()

    def _note_read(self) -> None:
        """Record which files of the snapshot tasks read: only a change of these concerns finished tasks."""
        names = self.read.found() if self.read and self.done else None
        if names is not None:
            self.journal.write_event({"read": names})

    def _keep_unfinished(self, end: str) -> None:
        """Keep what running tasks wrote and printed, after all records are safe; the tasks run again."""
        cause = "stopped by a signal or its user" if end == STOPPED else "its worker ended: %s" % end
        for slot in self.slots:
            unfinished = take_unfinished(self.work, slot.folders, cause)
            if unfinished is not None:
                write_unfinished(self.journal, *unfinished)

    def report(self, event: "dict[str, Any]") -> None:
        """Write an event to standard output, which the parent process reads, or the job's log keeps."""
        try:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            pass

    # The loop

    def _loop(self) -> None:
        while not self.stopping:
            if self.disk.since is None:
                self._feed_all()
                if self._is_done():
                    return
            else:
                self._wait_for_space()
            time.sleep(self._gather_seconds())
            self._select_once()
            self._flush()
            self._check_wanted()

    def _is_done(self) -> bool:
        """Return whether no task is left, and none will come."""
        if self.supply.remaining() or any(slot.queue for slot in self.slots):
            return False
        return self.stream is None or self.stream.ended or self.supply.closed

    def _feed_all(self) -> None:
        """Give every slot tasks, as long as they can end before the deadline as far as is known."""
        if not self.supply.closed and self.deadline.left() < self._needed():
            self.supply.close()
        for slot in self.slots:
            self._feed(slot)
        if not self.supply.closed and not self.supply.remaining():
            self._relieve()

    def _relieve(self) -> None:
        """Where slots are idle and no task is left, take back what waits behind a long task of another slot."""
        if all(slot.queue or not slot.ready for slot in self.slots):
            return
        for slot in self.slots:
            try:
                self._put_back(slot.take_back(time.monotonic()))
            except OSError:
                self._handle_death(slot)

    def _put_back(self, ranges: "Ranges") -> None:
        """Let slots have tasks that were behind a long one; they may be as long, so each is given by itself."""
        self.supply.put_back(ranges)
        self.taken_back += count(ranges)

    def _needed(self) -> float:
        """Return the seconds that must be left for another task to begin."""
        longest: float = self.totals["longest"]
        # With checkpoints, the next wave continues what a task has saved.
        return longest / 10 if self.work["checkpoint"] else longest

    def _select_once(self) -> None:
        """Receive what arrives within a fifth of a second, and enforce limits and deadline."""
        now = time.monotonic()
        for key, _ in self.selector.select(0.2):
            if key.data == PARENT:
                data = os.read(key.fd, 1 << 16)
                if not data:
                    self.stopping = STOPPED
                elif self.stream:
                    self.stream.receive(data)
            elif key.data == WAKE:
                os.read(key.fd, 1024)
            else:
                self._receive(key.data)
        for slot in self.slots:
            slot.enforce_limits(now, self._orphans)
        self.live.copy(self.slots, now)
        if self.deadline.left() <= 0:
            self.stopping = self.stopping or DEADLINE

    def _orphans(self) -> "list[int]":
        """Return the processes that tasks have lost to this one."""
        slots = {slot.process.pid for slot in self.slots if slot.process is not None}
        return [pid for pid in process.children(os.getpid()) if pid not in slots]

    def _gather_seconds(self) -> float:
        """Return how long answers may gather, so that we do not wake for each; no slot must run out of tasks."""
        mean = self._mean()
        if mean > PREFETCH_BELOW:
            return 0.0
        return mean * min(ANSWERS, min(slot.load() for slot in self.slots) / 8.0)

    def _mean(self) -> float:
        """Return the mean seconds of slot time that recent tasks have taken."""
        return self.pace if self.done else 1.0

    def _feed(self, slot: Slot) -> None:
        if slot.process is None or not slot.ready or slot.asked_back or not self._may_begin(slot):
            return
        mean, load = self._mean(), slot.load()
        if load and (self.taken_back or mean > PREFETCH_BELOW or load * mean > BATCH_SECONDS):
            return
        if self.taken_back or (not self.done and len(self.first) < PROBE_TASKS):
            size = 1
        else:
            left = self.supply.remaining()
            size = max(1, min(int(BATCH_SECONDS / max(mean, 1e-6)), left // (2 * len(self.slots)) or 1))
        ranges = self.supply.take(size, mean if self.done else None, len(self.slots))
        if ranges:
            self.taken_back = max(0, self.taken_back - count(ranges))
            if not load:
                slot.asked = time.monotonic()
            try:
                slot.send_ranges(ranges)
            except OSError:
                self._handle_death(slot)

    def _may_begin(self, slot: Slot) -> bool:
        """Return whether a slot may begin: the first one, which watches what a task leaves behind, begins first."""
        self.looking = self.looking and not self.slots[0].ready
        return slot.number == 0 or not self.looking

    # Messages of slots

    def _receive(self, slot: Slot) -> None:
        try:
            messages = slot.messages.receive(slot.socket)
        except OSError:
            messages = None
        if messages is None:
            self._handle_death(slot)
            return
        for header, body in messages:
            if header is None:
                count, wall, cpu, longest = SUCCESSES.unpack_from(body)
                slot.mark_first_done(count)
                self._count(slot, "OK", wall, cpu, longest, count)
                self.records.append((body[SUCCESSES.size :], None))
            elif "record" in header:
                self._receive_record(slot, header, body)
            elif "ready" in header:
                slot.ready = True
                self._put_back(slot.take_dropped())
            elif "broken" in header:
                self.report(header)
                self.journal.write_event({"note": header["broken"]})
                self.stopping = BROKEN
            else:
                self._note_files(header["note"], header["files"], header["count"], header.get("patterns", []))

    def _note_files(
        self, note: str, files: "list[str]", count: int = 0, patterns: "Sequence[str]" = ()
    ) -> None:
        """Report files that a task wrote or changed; `patterns` match those that other tasks write in their place."""
        facts = {"note": note, "files": files[:20], "count": count or len(files)}
        self.report(dict(facts, patterns=patterns) if patterns else facts)
        self.journal.write_event({"note": "%s: %s" % (note, ", ".join(files[:20]))})

    def _receive_record(self, slot: Slot, header: "dict[str, Any]", body: bytes) -> None:
        record = header["record"]
        if self.disk.failed_for_space(record):
            slot.mark_done(record["index"])
            self.supply.put_back([[record["index"], record["index"] + 1]])
            self.disk.begin_wait("a task could not write: %s" % record["cause"])
            return
        log, packed = body[: header["log"]], None
        if header["pack"] >= 0:
            packed = body[header["log"] :]
        self._add_record(slot, record, log, packed)

    def _add_record(
        self, slot: Slot, record: "dict[str, Any]", log: bytes, packed: "bytes | None" = None
    ) -> None:
        if log:
            extent = self.journal.write_log(log)
            if extent:
                record["log"] = extent
        outcome = record.get("outcome", "OK")
        if len(self.first) < PROBE_TASKS:
            self._check_first(record, outcome)
        slot.mark_done(record["index"])
        wall = record.get("wall", 0.0)
        self._count(slot, outcome, wall, record.get("cpu", 0.0), wall)
        self.records.append((record, packed))

    def _count(
        self, slot: Slot, outcome: str, wall: float, cpu: float, longest: float, count: int = 1
    ) -> None:
        now = time.monotonic()
        seconds, slot.asked = (now - slot.asked) / count, now
        weight = min(1.0, count / min(self.done + 1, PACE_WINDOW)) if self.done else 1.0
        self.pace += (seconds - self.pace) * weight
        self.done += count
        totals = self.totals
        totals[outcome] = totals.get(outcome, 0) + count
        totals["wall"] = round(totals["wall"] + wall, 6)
        totals["cpu"] = round(totals["cpu"] + cpu, 6)
        totals["longest"] = max(totals["longest"], round(longest, 6))
        if outcome == "OK" and len(self.first) < PROBE_TASKS:
            self.first = [None] * PROBE_TASKS

    def _check_first(self, record: "dict[str, Any]", outcome: str) -> None:
        """Stop if the first tasks all fail in the same way: a faulty study must not use up hours."""
        self.first.append((outcome, record.get("exit"), record.get("signal"), record.get("cause")))
        if len(self.first) == PROBE_TASKS and outcome != "OK" and len(set(self.first)) == 1:
            self.stopping = FAILING
            self.report({"failing": record.get("cause"), "count": PROBE_TASKS})
            if self.options.owner:  # a job has no parent that reads the event
                tasks = counted(PROBE_TASKS, "task")
                note = "the first %s of a worker all failed in the same way: %s" % (
                    tasks,
                    record.get("cause"),
                )
                self.journal.write_event({"note": note})

    def _handle_death(self, slot: Slot) -> None:
        """Record the task in which a slot's process died, and run its other tasks again."""
        if slot.process is None:
            return
        self.selector.unregister(slot.socket)
        record, output = slot.reap()
        process.end_orphans([other.process.pid for other in self.slots if other.process is not None])
        if record is not None:
            record["seed"] = self.space.seeds(record["index"])[0]
            self._add_record(slot, record, log_text(record["index"], 1, record["outcome"], output, b""))
        self.supply.put_back(slot.queue)
        slot.queue = []
        slot.deaths_in_row += 1
        if self.ending or self.stopping:
            return
        if slot.deaths_in_row > MAX_DEATHS:
            self.stopping = BROKEN
            self.report(
                {"broken": "the process of a slot exits at once; see the worker's log", "traceback": ""}
            )
            return
        self._start(slot)

    def _wait_for_space(self) -> None:
        try:
            self.disk.try_resume(lambda: self.journal.recover(self.totals))
        except StillFull:
            self.stopping = FULL

    def _flush(self) -> None:
        if self.records:
            records, self.records = self.records, []
            if not self.journal.write(records, self.totals):
                self.disk.begin_wait("the journal could not be written")
            elif self.stream:
                self.report({"wrote": self.done})
