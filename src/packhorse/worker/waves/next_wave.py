"""The next wave: whether there is one, what it runs, and its files; `continuation` and `preplanned` start it."""

import datetime
import os
import time

from packhorse.worker.amounts import counted
from packhorse.worker.json_files import read_json, write_json
from packhorse.worker.ranges import PROBE_TASKS, count, spread, without
from packhorse.worker.waves.history import History, wait_for_journals
from packhorse.worker.waves.rungs import choose
from packhorse.worker.waves.scheduler_commands import fill_command, matches, print_message, run_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from packhorse.worker.ranges import Ranges
    from packhorse.worker.waves.rungs import Choice

    Result = TypeVar("Result")

LATENCY = 30.0  # seconds until another machine sees a new file, if the site's file does not give them
DISK_SECONDS = 10.0  # between two tries on a disk that refuses; the first come sooner

# Why a run ends; stopped.json holds it.
DONE, CANCELLED, REFUSED = "done", "cancelled", "refused"  # no task left; by the user; by scheduler or disk
FAILING, IDLE, CAP = (
    "failing",
    "idle",
    "cap",
)  # the first tasks failed alike; no new result; a cap of the user


class Stop(Exception):
    """No further wave is submitted; `why` is DONE or another of the reasons above, `text` is for the user."""

    def __init__(self, why: str, text: str) -> None:
        Exception.__init__(self, text)
        self.why, self.text = why, text


class NextWave(object):
    """The decision on the wave that follows one wave of a run, and its files."""

    def __init__(self, run: str, wave: int, seconds: float) -> None:
        self.run, self.wave = run, wave
        self.give_up = time.monotonic() + seconds
        self.settings: "dict[str, Any]" = read_json(os.path.join(run, "waves", "continue.json"))
        self.latency = min(float(self.settings.get("latency") or LATENCY), seconds / 2.0)
        self.unset: "list[str]" = self.settings.get("unset", [])

    def path(self, wave: int, name: str = "") -> str:
        """Return the path of a file of a wave, or of its folder."""
        return os.path.join(self.run, "waves", str(wave), *([name] if name else []))

    def with_retries(self, action: "Callable[[], Result]") -> "Result":
        """Call a function, and again if the disk refuses: it may be full, or its server may be down for a while."""
        pause = 1.0
        while True:
            try:
                return action()
            except OSError as error:
                if time.monotonic() + pause > self.give_up:
                    raise Stop(REFUSED, "cannot use the run directory: %s" % error) from error
                print_message("cannot use the run directory now (%s); trying again in %d s" % (error, pause))
                time.sleep(pause)
                pause = min(2 * pause, DISK_SECONDS)

    def check_wanted(self) -> None:
        """Raise Stop if the user has cancelled the run."""
        if os.path.exists(os.path.join(self.run, "cancelled")):
            raise Stop(CANCELLED, "the run was cancelled")

    def write_stop(self, stop: Stop) -> None:
        """Write why no further wave is submitted."""
        content = {"why": stop.why, "text": stop.text, "wave": self.wave}
        try:
            write_json(os.path.join(self.run, "stopped.json"), content)
        except OSError as error:
            print_message("cannot write stopped.json: %s" % error)

    def decide(self) -> "tuple[History, Choice]":
        """Read the history and return it with the choice for the next wave; raise Stop if there is none."""
        unclosed = wait_for_journals(self.run, self.wave, self.latency)
        if unclosed:
            print_message(
                "%s of wave %d did not close a journal; the records in it count"
                % (counted(unclosed, "worker"), self.wave)
            )
        history = History(self.run, self.wave)
        choice = choose(history, self.settings)
        if choice.tasks:  # else it does not matter whether jobs were cancelled
            self._check_cancelled(history)
        self._check_limits(history, choice)
        return history, choice

    def _check_cancelled(self, history: History) -> None:
        query, submission = self.settings.get("asked"), history.submissions[self.wave]
        if not query or not submission["job"]:
            return
        argv = fill_command(query["argv"], {"job": submission["job"]})
        status, output, errors = run_command(argv, self.unset)
        if status != 0:
            print_message("the scheduler does not tell how the wave ended (%s)" % (errors or status))
        elif matches(query["cancelled"], output):
            raise Stop(CANCELLED, "jobs of wave %d were cancelled" % self.wave)

    def _check_limits(self, history: History, choice: "Choice") -> None:
        """Raise Stop if no task is left, or another wave would be in vain or exceed a cap."""
        if not choice.tasks:
            raise Stop(DONE, _summary(history, choice))
        if history.stops and not any(history.ok.values()) and not self._has_more_memory(history, choice):
            raise Stop(FAILING, history.stops[0] or "the first tasks all failed in the same way")
        chain, idle = history.chain, self.settings.get("idle") or 2
        if (
            len(chain) >= idle
            and not any(history.ok.get(wave) for wave in chain[:idle])
            and not history.saved()
        ):
            in_a_row = counted(idle, "wave")
            raise Stop(IDLE, "%s in a row had no new result; %s left" % (in_a_row, _left(choice)))
        waves, hours = self.settings.get("waves"), self.settings.get("core_hours")
        if waves and len(chain) >= waves:
            raise Stop(CAP, "the limit of %s is reached; %s left" % (counted(waves, "wave"), _left(choice)))
        if hours and history.core_hours() >= hours:
            text = "%.1f core-hours of %.1f are used; %s left"
            raise Stop(CAP, text % (history.core_hours(), hours, _left(choice)))

    def _has_more_memory(self, history: History, choice: "Choice") -> bool:
        """Return whether a wave of which all tasks ran out of memory is followed by one with more of it."""
        before = (history.submissions.get(self.wave) or {}).get("memory") or 0
        return history.only_out_of_memory() and (choice.rung.get("memory") or 0) > before

    def write(self, history: History, choice: "Choice", wave: int) -> "dict[str, Any]":
        """Write the files of the next wave, its plan last; return its submission."""
        rung, plan = choice.rung, _plan(history, choice, wave)
        submission = self._intent(history, choice, wave)
        os.makedirs(self.path(wave, "leases"), 0o700, exist_ok=True)  # this may be the second try
        work = dict(read_json(self.path(self.wave, "work.json")), wave=wave, look=False)
        work["memory"] = rung.get("task_memory")
        work["avoid"] = submission["exclude"]
        write_json(self.path(wave, "work.json"), work)
        write_json(self.path(wave, "submission.json"), submission)
        write_json(self.path(wave, "plan.json"), plan)
        jobs, at_a_time = counted(submission["elements"], "job"), counted(rung["slots"], "task")
        text = "wave %d: %s in %s of %s at a time (%s)"
        print_message(text % (wave, counted(plan["tasks"], "task"), jobs, at_a_time, choice.why))
        return submission

    def _intent(self, history: History, choice: "Choice", wave: int) -> "dict[str, Any]":
        """Return the submission of a wave before it is submitted."""
        last, rung = history.submissions[self.wave], choice.rung
        return dict(
            last,
            wave=wave,
            token="packhorse-%s-%d" % (self.settings["run"], wave),
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


def _left(choice: "Choice") -> str:
    number = count(choice.tasks)
    return "%s %s" % (counted(number, "task"), "is" if number == 1 else "are")


def _summary(history: History, choice: "Choice") -> str:
    """Return the outcomes of a run in a sentence, when no task is left to run."""
    counts: "dict[str, int]" = dict(history.origin["before"])
    for outcome, number in history.outcomes.counts().items():
        counts[outcome] = counts.get(outcome, 0) + number
    summary = "%d of %s succeeded" % (counts.get("OK", 0), counted(history.origin["total"], "task"))
    others = {"FAILED": "failed", "TIMEOUT": "timed out", "MEMORY": "ran out of memory"}
    for outcome, text in others.items():
        if counts.get(outcome):
            summary += ", %d %s" % (counts[outcome], text)
    if choice.hopeless:
        summary += "; %d had the whole time of a job and saved no newer checkpoint" % count(choice.hopeless)
        summary += ": they need more time than the site gives"
    return summary


def _plan(history: History, choice: "Choice", wave: int) -> "dict[str, Any]":
    """Return the next wave's plan, in the format that the package writes."""
    last, tasks = history.plans[history.wave], choice.tasks
    before: "dict[str, int]" = dict(history.origin["before"])
    for outcome, number in history.outcomes.counts_without(tasks).items():
        before[outcome] = before.get(outcome, 0) + number
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
        before={outcome: n for outcome, n in before.items() if n and outcome != "MISSING"},
        created=datetime.datetime.now(datetime.timezone.utc).astimezone().replace(microsecond=0).isoformat(),
    )


def _first(history: History, choice: "Choice") -> "list[int]":
    """Return the tasks to start first: unfinished ones, to have all of a job's time, then a spread of the others."""
    number = max(PROBE_TASKS, choice.elements * choice.rung["slots"])
    unfinished = [i for i in sorted(history.outcomes.unfinished) if _within(choice.tasks, i)][:number]
    rest = without(choice.tasks, [[index, index + 1] for index in unfinished])
    return unfinished + (
        spread(rest, number - len(unfinished)) if count(choice.tasks) > 2 * PROBE_TASKS else []
    )


def _within(ranges: "Ranges", index: int) -> bool:
    return any(a <= index < b for a, b in ranges)
