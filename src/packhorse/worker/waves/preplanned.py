"""Waves that were queued before anybody knew whether they would be needed, where jobs may not submit jobs.

The first element of such an array to come plans for all of them what the wave before it left missing.
"""

import os
import shutil
import time

from packhorse.worker.json_files import write_json
from packhorse.worker.waves.next_wave import NextWave, Stop
from packhorse.worker.waves.scheduler_commands import sentence

PLAN_SECONDS = 180.0  # in which an element that plans for its whole array has done so


def take_over(run, wave, job, elements):
    """Plan what a wave left missing, for an array that runs already; tell whether there is anything to do."""
    run, target = os.path.abspath(run), wave + 1
    if os.path.exists(os.path.join(run, "stopped.json")):
        sentence("this run is over; there is nothing to do")
        return False
    while wave > 1 and not os.path.exists(os.path.join(run, "waves", str(wave), "plan.json")):
        wave -= 1  # who should have planned that one died
    return Queued(run, wave, target, PLAN_SECONDS).take_over(job, elements)


class Queued(NextWave):
    """A wave whose array runs before it is planned."""

    def __init__(self, run, wave, target, seconds):
        NextWave.__init__(self, run, wave, seconds)
        self.target = target
        self.folder = self.path(target)

    def take_over(self, job, elements):
        """Plan, or wait for who does; tell whether there is anything to do."""
        try:
            if not self.patiently(self._claim):
                return self._wait()
            self.patiently(lambda: self._plan(job, elements))
            return True
        except Stop as stop:
            shutil.rmtree(self.folder, ignore_errors=True)  # those who wait see that nobody plans any more
            if stop.why == "refused":  # the wave that is queued behind this one tries again
                sentence("wave %d is left out: %s" % (self.target, stop.text))
                return False
            self.over(stop)
            sentence("nothing is left to do: %s" % stop.text)
            return False

    def _claim(self):
        """Make the wave's folder; tell whether it was us."""
        try:
            os.mkdir(self.folder, 0o700)
            return True
        except FileExistsError:
            return False

    def _wait(self):
        """Wait for who made the wave's folder; tell whether there is anything to do."""
        while time.monotonic() < self.give_up:
            if os.path.exists(self.path(self.target, "plan.json")):
                return True
            if os.path.exists(os.path.join(self.run, "stopped.json")) or not os.path.isdir(self.folder):
                return False
            time.sleep(0.5)
        sentence("nobody planned wave %d" % self.target)
        return False

    def _plan(self, job, elements):
        """Plan the wave, which has the resources of the first rung, as its array has."""
        self.check_wanted()
        self.said = dict(self.said, rungs=self.said["rungs"][:1])
        history, choice = self.decide()
        submission = self.write(history, choice, self.target)
        submission.update(job=job, elements=elements, submitted=time.time())
        write_json(self.path(self.target, "submission.json"), submission)
