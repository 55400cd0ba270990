"""The worker: claims leases, fills slots, writes the journal, keeps the deadline."""

import json
import os
import platform
import selectors
import shutil
import signal
import sys
import tempfile
import time

from packhorse.worker import limits, process
from packhorse.worker.channel import WELL
from packhorse.worker.deadline import Deadline
from packhorse.worker.disk import Disk, StillFull
from packhorse.worker.journal import Journal, journal_name
from packhorse.worker.lease import Leases, Positions, owner
from packhorse.worker.place import place_for_scratch, require_room, unpack
from packhorse.worker.ranges import PROBE_TASKS
from packhorse.worker.report import log_text
from packhorse.worker.slots import Slot
from packhorse.worker.supply import Supply
from packhorse.worker.workfile import keep_facts, load

STOP_SECONDS = 8.0  # for slots to end their tasks, longer than a launcher's patience with SIGTERM
HURRY_SECONDS = 1.5  # the same in a job that was told to end: a scheduler may kill it after 3 s
BATCH_SECONDS = 0.25  # work a slot is given at a time
ANSWERS = 50  # of a slot that may wait for each other, so that they fit a socket's buffer
PREFETCH_BELOW = 0.05  # tasks shorter than this are given before they are asked for
PACE_WINDOW = 100  # tasks over which the pace is averaged
LINGER, OF_JOB = (
    60.0,
    0.05,
)  # seconds, and share of a job's time, that a machine which is left out keeps its job


class Worker(object):
    """One worker of one wave."""

    def __init__(self, work_file, options):
        self.work_file = os.path.abspath(work_file)
        self.work, self.space = load(work_file)
        self.options = options
        self.archive = os.path.join(self.work["directory"], "worker.pyz")
        self.python = [sys.executable, "-S", "-E"]
        self.folder = os.path.dirname(self.work_file)
        with open(os.path.join(self.folder, "plan.json"), "rb") as stream:
            plan = json.loads(stream.read().decode("utf-8"))
        self.positions = Positions(plan["probe"], plan["ranges"])
        self.name = journal_name(self.work["wave"], options.element, options.restart)
        self.deadline = Deadline(options.seconds, options.margin)
        leases = Leases(os.path.join(self.folder, "leases"), self.positions.total, self.name)
        self.supply = Supply(leases, self.positions, self.deadline, options.elements)
        self.journal = self.disk = self.scratch = None
        self.slots = []
        self.totals = {"wall": 0.0, "cpu": 0.0, "longest": 0.0}
        self.records = []
        self.done = 0
        self.pace = 1.0
        self.first = []  # (outcome, exit, signal, cause) of the first tasks
        self.stopping = ""  # why the loop shall end
        self.ending = False
        self.looking = False  # whether the first slot, which looks at its first task, has yet to begin
        self.hurried = False  # whether a signal said so
        self.selector = selectors.DefaultSelector()

    def _header(self, slots):
        work = self.work
        return {
            "format": "packhorse-journal",
            "version": 1,
            "run": work["run"],
            "wave": work["wave"],
            "element": self.options.element,
            "restart": self.options.restart,
            "host": platform.node(),
            "pid": os.getpid(),
            "space": work["space_digest"],
            "code": work["code"],
            "environment": work["environment"],
            "started": round(time.time(), 3),
            "python": platform.python_version(),
            "slots": slots,
            "deadline": self.deadline.unix,
        }

    # Life

    def run(self):
        """Work until nothing is left or somebody says stop; return the exit status."""
        if not self._is_wanted():
            return 0
        process.adopt_orphans()
        self._listen()
        slots, note = self._bounded()
        self.journal = Journal(self.work["directory"], self.name, self._header(slots))
        if note:
            self.journal.say({"note": note})
        how = "error"  # also where a fault of our own ends it
        try:
            self._settle(slots)
            self._loop()
            how = self.stopping or ("deadline" if self.supply.closed else "done")
        except OSError as error:
            self.tell({"error": str(error)})
            self.journal.say({"note": str(error)})
        finally:
            whole = self._end(how)
        if not whole:
            self.tell(
                {"lost": "the disk is full; finished tasks could not all be written and will run again"}
            )
            return 3
        return 0 if how in ("done", "stopped", "deadline") else 4

    def _is_wanted(self):
        """Tell whether this wave is ours and has something left; an element that comes too late leaves no file."""
        options = self.options
        if options.owner:
            if os.path.exists(os.path.join(self.work["directory"], "cancelled")):
                sys.stdout.write("the run was cancelled; nothing is begun\n")
                return False
            job = owner(self.folder, options.owner, self.name)
            if job != options.owner:
                said = "wave %d belongs to job %s; job %s leaves it alone"
                sys.stdout.write(said % (self.work["wave"], job, options.owner) + "\n")
                return False
            if not self._is_welcome():
                return False
        self.supply.leases.look()
        if options.restart or options.owner:  # not every scheduler tells a job that it was started before
            self.supply.inherit(os.path.join(self.work["directory"], "journal"))
        if not self.supply.remaining():
            self.tell({"end": "done", "totals": self.totals})
            return False
        return True

    def _is_welcome(self):
        """Tell whether this machine may work; one that is to be left out takes no task.

        Where the scheduler cannot leave it out, it would send one element after another here at once.
        """
        host = platform.node().split(".")[0]
        if host not in self.work.get("avoid", ()):
            return True
        sys.stdout.write("every task failed on %s before; nothing is begun here\n" % host)
        sys.stdout.flush()
        time.sleep(min(LINGER, OF_JOB * self.options.seconds) if self.options.seconds else LINGER)
        return False

    def _bounded(self):
        """Return how many slots to have, and a note where that is not what was asked for."""
        asked, note = self.options.slots, ""
        if asked is None or self.options.owner:  # a user of this machine may ask for what he likes
            asked, note = limits.slots(asked, self.work["cpus"], self.work["memory"])
        return min(asked, self.positions.total), note

    def _settle(self, slots):
        """Make the folders of the slots and start them."""
        where = self.options.scratch or place_for_scratch()
        try:
            self.scratch = tempfile.mkdtemp(prefix="packhorse-", dir=where)
            facts = {"deadline": self.deadline.unix, "look": self.work["look"] and not self.options.element}
            facts["temporary"] = bool(self.options.owner)
            self.work.update(facts)
            self.looking = facts["look"]
            keep_facts(self.scratch, facts)
            self.disk = Disk((self.work["directory"], self.scratch), self.tell)
            if self.options.owner:
                require_room(self.scratch)
            self.unpacked = unpack(self._snapshot(), os.path.join(self.scratch, "code"))
            self.slots = [Slot(self, number) for number in range(slots)]
        except OSError as error:
            said = "%s on %s has no place for working copies (%s); name another folder with --scratch"
            raise OSError(said % (where, platform.node(), error)) from error
        for slot in self.slots:
            self._start(slot)

    def _snapshot(self):
        return os.path.join(self.work["directory"], self.work["snapshot"]) if self.work["snapshot"] else None

    def _listen(self):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        os.set_blocking(reader, False)
        signal.set_wakeup_fd(writer)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._signalled)
        self.selector.register(reader, selectors.EVENT_READ, "wake")
        if self.options.attached:
            self.selector.register(sys.stdin.fileno(), selectors.EVENT_READ, "parent")

    def _signalled(self, number, frame):
        self.hurried = True
        self.stopping = self.stopping or "stopped"

    def _start(self, slot):
        slot.start()
        self.selector.register(slot.socket, selectors.EVENT_READ, slot)

    def _end(self, how):
        self.ending = True
        self._save()
        self._end_slots(how)
        self._flush()
        if how == "deadline" or (how == "failing" and self.options.elements > 1):
            self.supply.close()
        whole = self.journal.close(how, self.totals)
        if self.scratch and not self.work["tee"]:  # else our parent has yet to show what was printed last
            shutil.rmtree(self.scratch, ignore_errors=True)
        self.tell({"end": how, "totals": self.totals})
        return whole

    def _save(self):
        """Make durable what is known, before anything that takes time: a kill may follow soon."""
        for key, _ in self.selector.select(0):
            if isinstance(key.data, Slot):
                self._hear(key.data)
        self._flush()
        self.journal.sync()

    def _end_slots(self, how):
        """Let slots end what they run and say what they have, then kill what is left."""
        alive = [slot for slot in self.slots if slot.process is not None]
        for slot in alive:
            slot.stop(how)
        begun = time.monotonic()
        while any(slot.process is not None for slot in alive):
            hurry = self.hurried and self.options.owner
            if time.monotonic() - begun > (HURRY_SECONDS if hurry else STOP_SECONDS):
                break
            for key, _ in self.selector.select(0.1):
                if isinstance(key.data, Slot):
                    self._hear(key.data)
        for slot in alive:
            if slot.process is not None:
                slot.kill()
                slot.process.wait()
        process.end_orphans()

    def tell(self, event):
        """Say something to whoever started us (a parent, or the job's log)."""
        try:
            sys.stdout.write(json.dumps(event) + "\n")
            sys.stdout.flush()
        except (OSError, ValueError):
            pass

    # The loop

    def _loop(self):
        while not self.stopping:
            if self.disk.since is None:
                self._feed_all()
                if not self.supply.remaining() and not any(slot.queue for slot in self.slots):
                    return
            else:
                self._wait_for_space()
            time.sleep(self._patience())
            self._listen_once()
            self._flush()

    def _feed_all(self):
        """Give every slot what it has room for, as long as that can end before the deadline as far as is known."""
        if not self.supply.closed and self.deadline.left() < self._needed():
            self.supply.close()
        for slot in self.slots:
            self._feed(slot)

    def _needed(self):
        """Return the seconds that a task needs to be worth its beginning."""
        longest = self.totals["longest"]
        return (
            longest / 10 if self.work["checkpoint"] else longest
        )  # the next wave goes on from what it saves

    def _listen_once(self):
        """Hear whoever speaks within a fifth of a second, and keep limits and deadline."""
        now = time.monotonic()
        for key, _ in self.selector.select(0.2):
            if key.data == "parent":
                if not os.read(key.fd, 1024):
                    self.stopping = "stopped"
            elif key.data == "wake":
                os.read(key.fd, 1024)
            else:
                self._hear(key.data)
        for slot in self.slots:
            slot.watch(now)
        if self.deadline.left() <= 0:
            self.stopping = self.stopping or "deadline"

    def _patience(self):
        """Return for how many seconds answers may gather, so that we do not wake for each: no slot shall run dry."""
        mean = self._mean()
        if mean > PREFETCH_BELOW:
            return 0.0
        return mean * min(ANSWERS, min(slot.load() for slot in self.slots) / 8.0)

    def _mean(self):
        """Return the mean seconds of slot time that recent tasks have taken."""
        return self.pace if self.done else 1.0

    def _feed(self, slot):
        if slot.process is None or not slot.ready or not self._first_looks(slot):
            return
        mean, load = self._mean(), slot.load()
        if load and (mean > PREFETCH_BELOW or load * mean > BATCH_SECONDS):
            return
        if not self.done and len(self.first) < PROBE_TASKS:
            size = 1
        else:
            left = self.supply.remaining()
            size = max(1, min(int(BATCH_SECONDS / max(mean, 1e-6)), left // (2 * len(self.slots)) or 1))
        ranges = self.supply.take(size, mean if self.done else None, len(self.slots))
        if ranges:
            if not load:
                slot.asked = time.monotonic()
            try:
                slot.give(ranges)
            except OSError:
                self._died(slot)

    def _first_looks(self, slot):
        """Tell whether a slot may begin: the first one, which looks at what a task leaves behind, begins first."""
        self.looking = self.looking and not self.slots[0].ready
        return slot.number == 0 or not self.looking

    # What slots say

    def _hear(self, slot):
        try:
            messages = slot.messages.receive(slot.socket)
        except OSError:
            messages = None
        if messages is None:
            self._died(slot)
            return
        for header, body in messages:
            if header is None:
                count, wall, cpu, longest = WELL.unpack_from(body)
                slot.answered_first(count)
                self._count(slot, "OK", wall, cpu, longest, count)
                self.records.append((body[WELL.size :], None))
            elif "record" in header:
                self._record(slot, header, body)
            elif "ready" in header:
                slot.ready = True
            elif "broken" in header:
                self.tell(header)
                self.journal.say({"note": header["broken"]})
                self.stopping = "broken"
            else:
                self.tell(header)
                self.journal.say({"note": "%s: %s" % (header["note"], ", ".join(header["files"]))})

    def _record(self, slot, header, body):
        record = header["record"]
        if self.disk.starved(record):
            slot.answered(record["index"])
            self.supply.again([[record["index"], record["index"] + 1]])
            self.disk.full("a task could not write: %s" % record["cause"])
            return
        log, packed = body[: header["log"]], None
        if header["pack"] >= 0:
            packed = body[header["log"] :]
        self._keep(slot, record, log, packed)

    def _keep(self, slot, record, log, packed=None):
        if log:
            place = self.journal.write_log(log)
            if place:
                record["log"] = place
        outcome = record.get("outcome", "OK")
        if len(self.first) < PROBE_TASKS:
            self._judge(record, outcome)
        slot.answered(record["index"])
        wall = record.get("wall", 0.0)
        self._count(slot, outcome, wall, record.get("cpu", 0.0), wall)
        self.records.append((record, packed))

    def _count(self, slot, outcome, wall, cpu, longest, count=1):
        now = time.monotonic()
        took, slot.asked = (now - slot.asked) / count, now
        weight = min(1.0, count / min(self.done + 1, PACE_WINDOW)) if self.done else 1.0
        self.pace += (took - self.pace) * weight
        self.done += count
        totals = self.totals
        totals[outcome] = totals.get(outcome, 0) + count
        totals["wall"] = round(totals["wall"] + wall, 6)
        totals["cpu"] = round(totals["cpu"] + cpu, 6)
        totals["longest"] = max(totals["longest"], round(longest, 6))
        if outcome == "OK" and len(self.first) < PROBE_TASKS:
            self.first = [None] * PROBE_TASKS

    def _judge(self, record, outcome):
        """Stop when the first tasks all fail in one way: a study that is wrong shall not burn hours."""
        self.first.append((outcome, record.get("exit"), record.get("signal"), record.get("cause")))
        if len(self.first) == PROBE_TASKS and outcome != "OK" and len(set(self.first)) == 1:
            self.stopping = "failing"
            self.tell({"failing": record.get("cause"), "count": PROBE_TASKS})
            if self.options.owner:  # nobody is there to hear it
                said = "the first %d tasks of a worker all failed in one way: %s"
                self.journal.say({"note": said % (PROBE_TASKS, record.get("cause"))})

    def _died(self, slot):
        """Write down the task that took a slot's process, and run the rest again."""
        if slot.process is None:
            return
        self.selector.unregister(slot.socket)
        record, printed = slot.autopsy()
        process.end_orphans([other.process.pid for other in self.slots if other.process is not None])
        if record is not None:
            record["seed"] = self.space.seeds(record["index"])[0]
            self._keep(slot, record, log_text(record["index"], 1, record["outcome"], printed, b""))
        self.supply.again(slot.queue)
        slot.queue = []
        slot.lives += 1
        if self.ending or self.stopping:
            return
        if slot.lives > 5:  # since it last answered for a task
            self.stopping = "broken"
            self.tell({"broken": "the slots' process ends at once; see the worker's log", "traceback": ""})
            return
        self._start(slot)

    def _wait_for_space(self):
        try:
            self.disk.again(lambda: self.journal.recover(self.totals))
        except StillFull:
            self.stopping = "full"

    def _flush(self):
        if self.records:
            records, self.records = self.records, []
            if not self.journal.write(records, self.totals):
                self.disk.full("the journal could not be written")
