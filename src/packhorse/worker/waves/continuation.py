"""The continuation: a job that starts when a wave's array has ended, and submits the tasks that it left unfinished.

It reads journals, decides, writes the next wave, and runs the scheduler commands that were rendered before the first
submission. The process that makes a wave's folder owns the wave, so two continuations never both plan it.
"""

import os
import re
import shutil
import time

from packhorse.worker.json_files import read_json, write_json
from packhorse.worker.waves.next_wave import DONE, REFUSED, NextWave, Stop
from packhorse.worker.waves.outcomes import TooNew
from packhorse.worker.waves.scheduler_commands import (
    SubmissionRefused,
    fill_command,
    placeholders,
    print_message,
    run_command,
    submit,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Submission = dict[str, Any]

PLANNING = 30.0  # seconds between making a wave's folder and its plan, at most
PATIENCE = 120.0  # seconds in which another continuation that planned has also submitted
RELEASE_SECONDS = 5.0  # between two tries to release a job


class NotOurs(Exception):
    """Another process continues the run."""


def continue_run(run: str, wave: int, seconds: float) -> int:
    """Submit another wave for the unfinished tasks of a wave, or write why not; return the exit status."""
    run = os.path.abspath(run)
    continuation = Continuation(run, wave, seconds)
    try:
        continuation.with_retries(continuation.work)
    except Stop as stop:
        print_message("no further wave is submitted: %s" % stop.text)
        continuation.write_stop(stop)
        continuation.send_mail(stop)
    except NotOurs as other:
        print_message(str(other))
    except TooNew as error:
        print_message("no wave is submitted: %s; run `packhorse run` with the newer Packhorse" % error)
        return 1
    return 0


class Continuation(NextWave):
    """The continuation of one wave of a run."""

    def work(self) -> None:
        """Decide and act; raise Stop or NotOurs if no wave is submitted."""
        if not os.path.exists(self.path(self.wave, "submission.json")):
            raise NotOurs("wave %d was not submitted to a scheduler" % self.wave)
        self._next_number()
        self.check_wanted()
        self._check_owner()
        history, choice = self.decide()
        wave = self._make_folder()
        self._submit(self.write(history, choice, wave))

    # Whether there is work

    def _next_number(self) -> int:
        """Return the number of the next wave; raise NotOurs if another process has planned a later wave."""
        names = os.listdir(os.path.join(self.run, "waves"))
        numbers = sorted(int(name) for name in names if name.isdigit())
        for number in numbers:
            if number > self.wave and self._is_planned(number):
                if self._is_half_made(number):
                    self._finish(read_json(self.path(number, "submission.json")))
                raise NotOurs("wave %d is planned already and continues this run" % number)
        return numbers[-1] + 1

    def _is_planned(self, number: int) -> bool:
        """Wait for the plan of a wave's folder; return False if its maker died before it planned."""
        age = max(0.0, time.time() - os.stat(self.path(number)).st_mtime)
        until = min(time.monotonic() + self.latency + PLANNING - age, self.give_up)
        while not os.path.exists(self.path(number, "plan.json")) and time.monotonic() < until:
            time.sleep(0.2)
        return os.path.exists(self.path(number, "plan.json"))

    def _finish(self, submission: "Submission") -> None:
        """Finish what a continuation that died had begun."""
        if submission["job"]:
            print_message("wave %d is held; releasing it" % submission["wave"])
            if not submission["continuation"]:
                self._submit_continuation(submission)
            self._release(submission)
        else:
            print_message("wave %d was planned and not submitted; submitting it" % submission["wave"])
            self._submit(submission)

    def _is_half_made(self, number: int) -> bool:
        """Return whether a continuation of this wave planned another and died before that could start."""
        until = min(time.monotonic() + PATIENCE, self.give_up)
        while True:
            plan, submission = (
                read_json(self.path(number, name)) for name in ("plan.json", "submission.json")
            )
            if not plan or plan.get("follows") != self.wave or not submission:
                return False
            if submission["job"] and (submission.get("released") or not self.settings.get("release")):
                return False
            if time.monotonic() > until:
                return True
            time.sleep(min(1.0, self.latency))

    def _check_owner(self) -> None:
        """Wait for the array that owns the wave, if a reply got lost and the wave was submitted twice."""
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
            self._submit_continuation(submission)
            raise NotOurs(
                "wave %d belongs to job %s and not to job %s; waiting for it" % (self.wave, owner, first)
            )

    # The next wave

    def _make_folder(self) -> int:
        """Make the next wave's folder and return its number."""
        while True:
            number = self._next_number()
            try:
                os.mkdir(self.path(number), 0o700)
                return number
            except FileExistsError:
                continue  # another process was faster

    def _submit(self, submission: "Submission") -> None:
        """Submit a wave and then its continuation."""
        wave = submission["wave"]
        rung = next(rung for rung in self.settings["rungs"] if rung["name"] == submission["rung"])

        def argv_of(why: str) -> "list[str]":
            # A node that the site does not know, or no longer knows, would be refused every time.
            if any(text in why.lower() for text in self.settings.get("node_words") or ()):
                submission["exclude"] = []
            more = {name: submission[name] for name in ("elements", "exclude")}
            values = placeholders(rung["script"], wave, submission["token"], **more)
            return fill_command(self.settings["submit"], values)

        logs = os.path.join(self.run, "logs")
        if not os.path.isdir(logs):
            print_message("the folder %s was missing, and no job can start without it; made it again" % logs)
            os.mkdir(logs, 0o700)
        submission["argv"] = argv_of("")
        write_json(self.path(wave, "submission.json"), submission)
        try:
            job = submit(argv_of, self.settings, self.give_up, self.check_wanted)
        except SubmissionRefused as refused:
            if not refused.lost:  # no job of this wave can ever start, so it never was
                shutil.rmtree(self.path(wave))
            raise Stop(REFUSED, "the scheduler did not accept wave %d: %s" % (wave, refused)) from refused
        except Stop:
            shutil.rmtree(self.path(wave))
            raise
        submission.update(job=job, submitted=time.time())
        write_json(self.path(wave, "submission.json"), submission)
        print_message("wave %d is job %s" % (wave, job))
        self._submit_continuation(submission)
        self._release(submission)

    def _submit_continuation(self, submission: "Submission") -> None:
        """Submit the job that starts when a wave has ended; without it the wave still runs."""
        wave = submission["wave"]
        if self.settings.get("compute_submits") is False or not self.settings["after"]:
            return
        script = os.path.join(self.run, "waves", "continue.sh")
        token = "packhorse-%s-%d-next" % (self.settings["run"], wave)

        def argv_of(why: str) -> "list[str]":
            # The scheduler may have forgotten a wave that has ended, and then there is nothing to wait for.
            job = "" if "dependency" in why.lower() else submission["job"]
            return fill_command(self.settings["after"], placeholders(script, wave, token, job=job))

        try:
            job = submit(argv_of, self.settings, self.give_up, self.check_wanted)
        except SubmissionRefused as refused:
            text = "wave %d runs, but no job continues the run after it (%s); `packhorse run` does"
            print_message(text % (wave, refused))
            return
        submission["continuation"] = job
        write_json(self.path(wave, "submission.json"), submission)
        print_message("job %s follows it" % job)

    def _release(self, submission: "Submission") -> None:
        """Release a wave that was submitted held until its continuation was submitted."""
        if not self.settings.get("release"):
            return
        argv = fill_command(self.settings["release"], {"job": submission["job"]})
        while True:
            status, _, errors = run_command(argv, self.unset)
            if status == 0 or time.monotonic() + RELEASE_SECONDS > self.give_up:
                break
            print_message("cannot release job %s (%s)" % (submission["job"], errors or status))
            time.sleep(RELEASE_SECONDS)
        if status == 0:
            submission["released"] = time.time()
            write_json(self.path(submission["wave"], "submission.json"), submission)

    # The end

    def send_mail(self, stop: Stop) -> None:
        """Submit a job that does nothing and has the news as its name, so that the scheduler mails it at its end."""
        mail, good = self.settings.get("mail"), stop.why == DONE and _all_succeeded(stop.text)
        if not mail or not mail["when"] or (mail["when"] == "fail" and good):
            return
        news = re.sub(mail["not_in_names"], "_", "%s: %s" % (mail["name"], stop.text))[:200]
        argv = fill_command(mail["argv"] if good else mail["failed"], {"text": news})
        try:
            submit(lambda _: argv, self.settings, self.give_up, lambda: None)
        except SubmissionRefused as refused:
            print_message("cannot send the mail (%s)" % refused)


def _all_succeeded(summary: str) -> bool:
    """Return whether a summary, as `next_wave` writes it, is that of a run without another outcome than OK."""
    numbers = re.match(r"(\d+) of (\d+) tasks? succeeded", summary)
    return bool(numbers and numbers.group(1) == numbers.group(2))


def _number(job: str) -> str:
    """Return the digits that a job id begins with: `85`, `85[].server`, `85[3].server` are one array."""
    digits = re.match(r"\d+", job)
    return digits.group() if digits else job
