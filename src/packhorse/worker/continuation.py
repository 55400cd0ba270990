"""The continuation: a job that starts when a wave's array has ended, and submits what it left missing.

It reads journals, decides, writes the next wave, and says to the scheduler what was rendered before the first
submission. A wave belongs to who makes its folder, so two of these never both plan.
"""

import datetime
import os
import re
import shutil
import time

from packhorse.worker import commands
from packhorse.worker.commands import sentence
from packhorse.worker.files import read_json, write_json
from packhorse.worker.history import History, settle
from packhorse.worker.ranges import count, spread, without
from packhorse.worker.rungs import choose
from packhorse.worker.words import TooNew

PROBE = 20  # first tasks, spread over the space, as a plan of the package has them
PLANNING = 30.0  # seconds between making a wave's folder and its plan, at most
PATIENCE = 120.0  # seconds in which another continuation that planned has also submitted
LATENCY = 30.0  # seconds until a file is seen by another machine, where the site does not say


DISK_SECONDS = 10.0  # between two tries on a disk that refuses
RELEASE_SECONDS = 5.0  # between two tries to release a job
PLAN_SECONDS = 180.0  # in which an element that plans for its whole array has done so


class Stop(Exception):
    """Nothing more is submitted."""

    def __init__(self, why, text):
        Exception.__init__(self, text)
        self.why, self.text = why, text


class NotOurs(Exception):
    """Somebody else goes on."""


def go_on(run, wave, seconds):
    """Submit another wave for what a wave left missing, or write down why not; return the exit status."""
    run = os.path.abspath(run)
    following = Continuation(run, wave, seconds)
    try:
        following.work_patiently()
    except Stop as stop:
        write_json(os.path.join(run, "stopped.json"), {"why": stop.why, "text": stop.text, "wave": wave})
        sentence("nothing more is submitted: %s" % stop.text)
        following.mail(stop)
    except NotOurs as other:
        sentence(str(other))
    except TooNew as error:
        sentence("nothing is submitted: %s; run `packhorse run` with the newer Packhorse" % error)
        return 1
    return 0


def take_over(run, wave, job, elements):
    """Plan what a wave left missing, for an array that was queued before anybody knew; tell whether there is anything.

    Where jobs may not submit jobs, waves are queued beforehand. The first element to come plans for all of them.
    """
    run, target = os.path.abspath(run), wave + 1
    if os.path.exists(os.path.join(run, "stopped.json")):
        sentence("this run is over; there is nothing to do")
        return False
    while wave > 1 and not os.path.exists(os.path.join(run, "waves", str(wave), "plan.json")):
        wave -= 1  # who should have planned that one died
    planning = Continuation(run, wave, PLAN_SECONDS)
    if not planning.claim(target):
        return planning.wait_for_plan(target)
    try:
        planning.plan_for(target, job, elements)
        return True
    except Stop as stop:
        os.rmdir(planning.path(target))
        write_json(os.path.join(run, "stopped.json"), {"why": stop.why, "text": stop.text, "wave": wave})
        sentence("nothing is left to do: %s" % stop.text)
        return False


class Continuation(object):
    """What follows one wave of one run."""

    def __init__(self, run, wave, seconds):
        self.run, self.wave = run, wave
        self.give_up = time.monotonic() + seconds
        self.said = read_json(os.path.join(run, "waves", "continue.json"))
        self.latency = min(float(self.said.get("latency") or LATENCY), seconds / 2.0)
        self.unset = self.said.get("unset", ())

    def path(self, wave, name=""):
        """Return a file of a wave, or its folder."""
        return os.path.join(self.run, "waves", str(wave), *([name] if name else []))

    def work(self):
        """Decide and act; raise Stop or NotOurs where nothing is submitted."""
        if not os.path.exists(self.path(self.wave, "submission.json")):
            raise NotOurs("wave %d was not submitted to a scheduler" % self.wave)
        self._leave_to_newer()
        self._check_wanted()
        self._check_owner()
        history, choice = self._decide()
        wave = self._make_folder()
        self._submit(self._write(history, choice, wave))

    def work_patiently(self):
        """Work, and once more where the disk refuses: it may be full, or its server away for a while."""
        while True:
            try:
                return self.work()
            except OSError as error:
                if time.monotonic() + DISK_SECONDS > self.give_up:
                    raise Stop("refused", "the run directory could not be used: %s" % error) from error
                sentence(
                    "the run directory cannot be used now (%s); trying again in %d s" % (error, DISK_SECONDS)
                )
                time.sleep(DISK_SECONDS)

    def claim(self, wave):
        """Make a wave's folder; tell whether it was us."""
        try:
            os.mkdir(self.path(wave), 0o700)
            return True
        except FileExistsError:
            return False

    def wait_for_plan(self, wave):
        """Wait for who made a wave's folder; tell whether there is anything to do."""
        while time.monotonic() < self.give_up:
            if os.path.exists(self.path(wave, "plan.json")):
                return True
            if os.path.exists(os.path.join(self.run, "stopped.json")) or not os.path.isdir(self.path(wave)):
                return False
            time.sleep(0.5)
        sentence("nobody planned wave %d" % wave)
        return False

    def plan_for(self, target, job, elements):
        """Plan a wave for an array that runs already, which has the resources of the first rung."""
        self._check_wanted()
        self.said = dict(self.said, rungs=self.said["rungs"][:1])
        history, choice = self._decide()
        submission = self._write(history, choice, target)
        submission.update(job=job, elements=elements, submitted=time.time())
        write_json(self.path(target, "submission.json"), submission)

    def _decide(self):
        """Read what there is; return it and what is to be done; raise Stop where that is nothing."""
        silent = settle(self.run, self.wave, self.latency)
        if silent:
            sentence(
                "%d workers of wave %d left no last word; what they have written counts" % (silent, self.wave)
            )
        history = History(self.run, self.wave)
        choice = choose(history, self.said)
        if choice.tasks:  # else what was cancelled had nothing to do any more
            self._check_cancelled(history)
        self._judge(history, choice)
        return history, choice

    # Whether there is anything to do

    def _leave_to_newer(self):
        """Return the number of the next wave; raise NotOurs where another has been planned, submitted or not."""
        numbers = self._numbers()
        for number in numbers:
            if number > self.wave and self._is_planned(number):
                if self._half_made(number):
                    self._finish(read_json(self.path(number, "submission.json")))
                raise NotOurs("wave %d has been planned; this run goes on there" % number)
        return numbers[-1] + 1

    def _numbers(self):
        names = os.listdir(os.path.join(self.run, "waves"))
        return sorted(int(name) for name in names if name.isdigit())

    def _is_planned(self, number):
        """Wait until who made a wave's folder has planned it; a folder without a plan belongs to somebody who died."""
        age = max(0.0, time.time() - os.stat(self.path(number)).st_mtime)
        until = min(time.monotonic() + self.latency + PLANNING - age, self.give_up)
        while not os.path.exists(self.path(number, "plan.json")) and time.monotonic() < until:
            time.sleep(0.2)
        return os.path.exists(self.path(number, "plan.json"))

    def _finish(self, submission):
        """Do what a continuation that died had begun."""
        if submission["job"]:
            sentence("wave %d is held back; releasing it" % submission["wave"])
            if not submission["continuation"]:
                self._follow(submission)
            self._release(submission)
        else:
            sentence("wave %d was planned and not submitted; submitting it" % submission["wave"])
            self._submit(submission)

    def _half_made(self, number):
        """Tell whether a continuation of this wave planned another and died before that could start."""
        until = min(time.monotonic() + PATIENCE, self.give_up)
        while True:
            plan, said = (read_json(self.path(number, name)) for name in ("plan.json", "submission.json"))
            if not plan or plan.get("follows") != self.wave or not said:
                return False
            if said["job"] and (said.get("released") or not self.said.get("release")):
                return False
            if time.monotonic() > until:
                return True
            time.sleep(min(1.0, self.latency))

    def _check_wanted(self):
        if os.path.exists(os.path.join(self.run, "cancelled")):
            raise Stop("cancelled", "the run was cancelled")

    def _check_owner(self):
        """Wait for the array that works on the wave, where an answer was lost and the wave was submitted twice."""
        submission = read_json(self.path(self.wave, "submission.json"))
        try:
            with open(self.path(self.wave, "owner"), "rb") as stream:
                owner = stream.read().decode("utf-8")
        except FileNotFoundError:
            return
        if submission["job"] and _number(owner) != _number(submission["job"]):
            first = submission["job"]
            submission["job"] = owner
            write_json(self.path(self.wave, "submission.json"), submission)
            self._follow(submission)
            raise NotOurs(
                "job %s works on wave %d and not job %s; waiting for it" % (owner, self.wave, first)
            )

    def _check_cancelled(self, history):
        asked, submission = self.said.get("asked"), history.submissions[self.wave]
        if not asked or not submission["job"]:
            return
        argv = commands.filled(asked["argv"], {"job": submission["job"]})
        status, said, complaint = commands.ask(argv, self.unset)
        if status != 0:
            sentence("the scheduler does not say how the wave ended (%s)" % (complaint or status))
        elif commands.says(asked["cancelled"], said):
            raise Stop("cancelled", "jobs of wave %d were cancelled" % self.wave)

    def _judge(self, history, choice):
        """Raise Stop where another wave has no sense."""
        if not choice.tasks:
            raise Stop("done", _done(history, choice))
        if history.stops and not any(history.ok.values()):
            raise Stop("failing", history.stops[0] or "the first tasks all failed in one way")
        chain, idle = history.chain, self.said.get("idle") or 2
        if (
            len(chain) >= idle
            and not any(history.ok.get(wave) for wave in chain[:idle])
            and not history.saved()
        ):
            left = count(choice.tasks)
            raise Stop("idle", "%d waves in a row had no new result; %d tasks are left" % (idle, left))
        waves, hours = self.said.get("waves"), self.said.get("core_hours")
        if waves and len(chain) >= waves:
            raise Stop("cap", "%d waves were allowed, and %d tasks are left" % (waves, count(choice.tasks)))
        if hours and history.core_hours() >= hours:
            said = "%.1f core-hours of %.1f are used, and %d tasks are left"
            raise Stop("cap", said % (history.core_hours(), hours, count(choice.tasks)))

    # The next wave

    def _make_folder(self):
        """Make the next wave's folder and return its number."""
        while True:
            number = self._leave_to_newer()
            try:
                os.mkdir(self.path(number), 0o700)
                return number
            except FileExistsError:
                continue  # somebody was quicker

    def _write(self, history, choice, wave):
        """Write the next wave, its plan last; return its submission."""
        rung, plan = choice.rung, _plan(history, choice, wave)
        submission = self._intent(history, choice, wave)
        os.mkdir(self.path(wave, "leases"), 0o700)
        work = dict(read_json(self.path(self.wave, "work.json")), wave=wave, look=False)
        work["memory"] = rung.get("task_memory")
        work["avoid"] = submission["exclude"]
        write_json(self.path(wave, "work.json"), work)
        write_json(self.path(wave, "submission.json"), submission)
        write_json(self.path(wave, "plan.json"), plan)
        said = "wave %d: %d tasks in %d jobs of %d tasks at a time (%s)"
        sentence(said % (wave, plan["tasks"], submission["elements"], rung["slots"], choice.why))
        return submission

    def _intent(self, history, choice, wave):
        last, rung = history.submissions[self.wave], choice.rung
        return dict(
            last,
            wave=wave,
            token="packhorse-%s-%d" % (self.said["run"], wave),
            rung=rung["name"],
            elements=choice.elements,
            slots=rung["slots"],
            cores=rung["cores"],
            memory=rung.get("memory"),
            seconds=rung.get("seconds"),
            exclude=history.excluded(),
            argv=[],
            intended=time.time(),
            job="",
            submitted=0,
            released=0,
            continuation="",
            refused="",
        )

    def _submit(self, submission):
        """Submit a wave and then what follows it."""
        wave = submission["wave"]
        rung = next(one for one in self.said["rungs"] if one["name"] == submission["rung"])

        def argv_of(why):
            # A node that the site does not know, or knows no more, would be refused for ever.
            if any(word in why.lower() for word in self.said.get("node_words") or ()):
                submission["exclude"] = []
            said = {name: submission[name] for name in ("elements", "exclude")}
            places = commands.places(rung["script"], wave, submission["token"], **said)
            return commands.filled(self.said["submit"], places)

        logs = os.path.join(self.run, "logs")
        if not os.path.isdir(logs):
            sentence("the folder %s was gone, without which no job can start; it is there again" % logs)
            os.mkdir(logs, 0o700)
        submission["argv"] = argv_of("")
        write_json(self.path(wave, "submission.json"), submission)
        try:
            job = commands.submit(argv_of, self.unset, self.give_up, self._check_wanted)
        except commands.Refused as refused:
            if not refused.lost:  # nothing of this wave can ever start, so it never was
                shutil.rmtree(self.path(wave))
            raise Stop("refused", "the scheduler did not take wave %d: %s" % (wave, refused)) from refused
        except Stop:
            shutil.rmtree(self.path(wave))
            raise
        submission.update(job=job, submitted=time.time())
        write_json(self.path(wave, "submission.json"), submission)
        sentence("wave %d is job %s" % (wave, job))
        self._follow(submission)
        self._release(submission)

    def _follow(self, submission):
        """Submit the job that starts when a wave has ended; without it the wave still runs."""
        wave = submission["wave"]
        if self.said.get("compute_submits") is False:
            return
        script = os.path.join(self.run, "waves", "continue.sh")
        token = "packhorse-%s-%d-next" % (self.said["run"], wave)

        def argv_of(why):
            # The wave may be over and forgotten, and then there is nothing to wait for.
            job = "" if "dependency" in why.lower() else submission["job"]
            return commands.filled(self.said["after"], commands.places(script, wave, token, job=job))

        try:
            job = commands.submit(argv_of, self.unset, self.give_up, self._check_wanted)
        except commands.Refused as refused:
            said = "wave %d runs, but nothing will follow it by itself (%s); `packhorse run` goes on"
            sentence(said % (wave, refused))
            return
        submission["continuation"] = job
        write_json(self.path(wave, "submission.json"), submission)
        sentence("job %s follows it" % job)

    def _release(self, submission):
        """Let a wave start that was held back until something follows it."""
        if not self.said.get("release"):
            return
        argv = commands.filled(self.said["release"], {"job": submission["job"]})
        while True:
            status, _, complaint = commands.ask(argv, self.unset)
            if status == 0 or time.monotonic() + RELEASE_SECONDS > self.give_up:
                break
            sentence("job %s could not be released (%s)" % (submission["job"], complaint or status))
            time.sleep(RELEASE_SECONDS)
        if status == 0:
            submission["released"] = time.time()
            write_json(self.path(submission["wave"], "submission.json"), submission)

    # The end

    def mail(self, stop):
        """Let the scheduler send the run's one mail: it comes from a job that does nothing and has the news as its name."""
        asked = self.said.get("mail")
        if not asked or (asked["when"] == "fail" and stop.why == "done" and " failed" not in stop.text):
            return
        news = re.sub(asked["not_in_names"], "_", "%s: %s" % (asked["name"], stop.text))[:200]
        argv = commands.filled(asked["argv"], {"text": news})
        try:
            commands.submit(lambda _: argv, self.unset, self.give_up, lambda: None)
        except commands.Refused as refused:
            sentence("the mail could not be sent (%s)" % refused)


def _number(job):
    """Return the digits that a job's number begins with: `85`, `85[].server`, `85[3].server` are one array."""
    found = re.match(r"\d+", job)
    return found.group() if found else job


def _done(history, choice):
    """Return how the run stands when nothing is left to run."""
    counts = dict(history.origin["before"])
    for word, number in history.words.counts().items():
        counts[word] = counts.get(word, 0) + number
    said = "%d of %d tasks ended well" % (counts.get("OK", 0), history.origin["total"])
    others = {"FAILED": "failed", "TIMEOUT": "met their time limit", "MEMORY": "ran out of memory"}
    for word, text in others.items():
        if counts.get(word):
            said += ", %d %s" % (counts[word], text)
    if choice.hopeless:
        said += "; %d met the deadline of a job that they had from its start" % count(choice.hopeless)
        said += " and saved no newer checkpoint: they need more time than the site gives"
    return said


def _plan(history, choice, wave):
    """Return the next wave's plan, in the form that the package writes."""
    last, tasks = history.plans[history.wave], choice.tasks
    before = dict(history.origin["before"])
    left = history.words.counts_without(tasks)
    for word, number in left.items():
        before[word] = before.get(word, 0) + number
    probe = _first(history, choice)
    return dict(
        last,
        wave=wave,
        follows=history.wave,
        kind="retry" if choice.overrules else "run",
        tasks=count(tasks),
        probe=probe,
        ranges=without(tasks, [[index, index + 1] for index in probe]),
        unreadable=[],
        before={word: number for word, number in before.items() if number and word != "MISSING"},
        created=datetime.datetime.now(datetime.timezone.utc).astimezone().replace(microsecond=0).isoformat(),
    )


def _first(history, choice):
    """Return the tasks to start first: what a deadline cut off, to have all of a job's time, then a spread of the rest."""
    places = max(PROBE, choice.elements * choice.rung["slots"])
    cut = [index for index in sorted(history.words.cut) if _within(choice.tasks, index)][:places]
    rest = without(choice.tasks, [[index, index + 1] for index in cut])
    return cut + (spread(rest, places - len(cut)) if count(choice.tasks) > 2 * PROBE else [])


def _within(ranges, index):
    return any(a <= index < b for a, b in ranges)
