"""The continuation: a job that starts when a wave's array has ended, and submits what it left missing.

It reads journals, decides, writes the next wave, and says to the scheduler what was rendered before the first
submission. A wave belongs to who makes its folder, so two of these never both plan.
"""

import os
import re
import shutil
import time

from packhorse.worker.json_files import read_json, write_json
from packhorse.worker.waves import scheduler_commands as commands
from packhorse.worker.waves.next_wave import NextWave, Stop
from packhorse.worker.waves.outcomes import TooNew
from packhorse.worker.waves.scheduler_commands import sentence

PLANNING = 30.0  # seconds between making a wave's folder and its plan, at most
PATIENCE = 120.0  # seconds in which another continuation that planned has also submitted
RELEASE_SECONDS = 5.0  # between two tries to release a job


class NotOurs(Exception):
    """Somebody else goes on."""


def go_on(run, wave, seconds):
    """Submit another wave for what a wave left missing, or write down why not; return the exit status."""
    run = os.path.abspath(run)
    following = Continuation(run, wave, seconds)
    try:
        following.patiently(following.work)
    except Stop as stop:
        sentence("nothing more is submitted: %s" % stop.text)
        following.over(stop)
        following.mail(stop)
    except NotOurs as other:
        sentence(str(other))
    except TooNew as error:
        sentence("nothing is submitted: %s; run `packhorse run` with the newer Packhorse" % error)
        return 1
    return 0


class Continuation(NextWave):
    """What follows one wave of one run."""

    def work(self):
        """Decide and act; raise Stop or NotOurs where nothing is submitted."""
        if not os.path.exists(self.path(self.wave, "submission.json")):
            raise NotOurs("wave %d was not submitted to a scheduler" % self.wave)
        self._leave_to_newer()
        self.check_wanted()
        self._check_owner()
        history, choice = self.decide()
        wave = self._make_folder()
        self._submit(self.write(history, choice, wave))

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
            job = commands.submit(argv_of, self.unset, self.give_up, self.check_wanted)
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
            job = commands.submit(argv_of, self.unset, self.give_up, self.check_wanted)
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
