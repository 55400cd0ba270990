"""The next wave: whether there is one, what it runs, and how it is written down. Who submits it is another matter."""

import datetime
import os
import time

from packhorse.worker import commands
from packhorse.worker.commands import sentence
from packhorse.worker.files import read_json, write_json
from packhorse.worker.history import History, settle
from packhorse.worker.ranges import PROBE_TASKS, count, spread, without
from packhorse.worker.rungs import choose

LATENCY = 30.0  # seconds until a file is seen by another machine, where the site does not say
DISK_SECONDS = 10.0  # between two tries on a disk that refuses; the first come sooner


class Stop(Exception):
    """Nothing more is submitted."""

    def __init__(self, why, text):
        Exception.__init__(self, text)
        self.why, self.text = why, text


class NextWave(object):
    """What one wave of one run left to do."""

    def __init__(self, run, wave, seconds):
        self.run, self.wave = run, wave
        self.give_up = time.monotonic() + seconds
        self.said = read_json(os.path.join(run, "waves", "continue.json"))
        self.latency = min(float(self.said.get("latency") or LATENCY), seconds / 2.0)
        self.unset = self.said.get("unset", ())

    def path(self, wave, name=""):
        """Return a file of a wave, or its folder."""
        return os.path.join(self.run, "waves", str(wave), *([name] if name else []))

    def patiently(self, act):
        """Act, and once more where the disk refuses: it may be full, or its server away for a while."""
        pause = 1.0
        while True:
            try:
                return act()
            except OSError as error:
                if time.monotonic() + pause > self.give_up:
                    raise Stop("refused", "the run directory could not be used: %s" % error) from error
                sentence("the run directory cannot be used now (%s); trying again in %d s" % (error, pause))
                time.sleep(pause)
                pause = min(2 * pause, DISK_SECONDS)

    def check_wanted(self):
        """Raise Stop where the user wants no further wave."""
        if os.path.exists(os.path.join(self.run, "cancelled")):
            raise Stop("cancelled", "the run was cancelled")

    def over(self, stop):
        """Write down why nothing more is submitted."""
        said = {"why": stop.why, "text": stop.text, "wave": self.wave}
        try:
            write_json(os.path.join(self.run, "stopped.json"), said)
        except OSError as error:
            sentence("that could not be written down: %s" % error)

    def decide(self):
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

    def write(self, history, choice, wave):
        """Write the next wave, its plan last; return its submission."""
        rung, plan = choice.rung, _plan(history, choice, wave)
        submission = self._intent(history, choice, wave)
        os.makedirs(self.path(wave, "leases"), 0o700, exist_ok=True)  # this may be the second try
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
    places = max(PROBE_TASKS, choice.elements * choice.rung["slots"])
    cut = [index for index in sorted(history.words.cut) if _within(choice.tasks, index)][:places]
    rest = without(choice.tasks, [[index, index + 1] for index in cut])
    return cut + (spread(rest, places - len(cut)) if count(choice.tasks) > 2 * PROBE_TASKS else [])


def _within(ranges, index):
    return any(a <= index < b for a, b in ranges)
