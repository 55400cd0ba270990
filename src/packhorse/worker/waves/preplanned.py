"""Waves whose arrays are queued before they are planned, at sites where jobs cannot submit jobs.

The first element of such an array to start plans, for all of them, the tasks that the wave before it left unfinished.
"""

import os
import shutil
import time

from packhorse.worker.json_files import write_json
from packhorse.worker.waves.next_wave import REFUSED, NextWave, Stop
from packhorse.worker.waves.scheduler_commands import print_message

PLAN_SECONDS = 180.0  # in which an element that plans for its whole array must finish


def plan_queued_wave(run: str, wave: int, job: str, elements: int) -> bool:
    """Plan the wave after `wave` for the array job that runs already; return whether it has tasks."""
    run, target = os.path.abspath(run), wave + 1
    if os.path.exists(os.path.join(run, "stopped.json")):
        print_message("this run has ended; no task is left")
        return False
    while wave > 1 and not os.path.exists(os.path.join(run, "waves", str(wave), "plan.json")):
        wave -= 1  # the element that had to plan that wave died
    return QueuedWave(run, wave, target, PLAN_SECONDS).plan(job, elements)


class QueuedWave(NextWave):
    """A wave whose array runs before it is planned."""

    def __init__(self, run: str, wave: int, target: int, seconds: float) -> None:
        NextWave.__init__(self, run, wave, seconds)
        self.target = target
        self.folder = self.path(target)

    def plan(self, job: str, elements: int) -> bool:
        """Plan the wave, or wait for the element that does; return whether it has tasks."""
        try:
            if not self.with_retries(self._claim):
                return self._wait()
            self.with_retries(lambda: self._write_plan(job, elements))
            return True
        except Stop as stop:
            shutil.rmtree(self.folder, ignore_errors=True)  # elements that wait see that no plan will come
            if stop.why == REFUSED:  # the wave that is queued behind this one tries again
                print_message("wave %d is skipped: %s" % (self.target, stop.text))
                return False
            self.write_stop(stop)
            print_message("no task is left: %s" % stop.text)
            return False

    def _claim(self) -> bool:
        """Make the wave's folder; return False if another element has made it."""
        try:
            os.mkdir(self.folder, 0o700)
            return True
        except FileExistsError:
            return False

    def _wait(self) -> bool:
        """Wait for the element that made the wave's folder; return whether the wave has tasks."""
        while time.monotonic() < self.give_up:
            if os.path.exists(self.path(self.target, "plan.json")):
                return True
            if os.path.exists(os.path.join(self.run, "stopped.json")) or not os.path.isdir(self.folder):
                return False
            time.sleep(0.5)
        print_message("no element planned wave %d in time" % self.target)
        return False

    def _write_plan(self, job: str, elements: int) -> None:
        """Plan the wave with the resources of the first rung, which its array has."""
        self.check_wanted()
        self.settings = dict(self.settings, rungs=self.settings["rungs"][:1])
        history, choice = self.decide()
        submission = self.write(history, choice, self.target)
        submission.update(job=job, elements=elements, submitted=time.time())
        write_json(self.path(self.target, "submission.json"), submission)
