"""Run a study on this machine or on a site."""

from __future__ import annotations

import time

from packhorse.cluster.monitor import StillRunning
from packhorse.execution.leave_site import leave_site
from packhorse.execution.run_model import Detached, Options, Outcome
from packhorse.execution.runner import Runner, open_run
from packhorse.execution.site_runner import SiteRunner
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.source import Source
from packhorse.rundir.lock import RunLock
from packhorse.runtime.survivors import end_survivors


def run_on_site(
    source: Source, options: Options, place: Place, reporter: Reporter, *, detach: bool
) -> Outcome | Detached:
    """Run what is missing of a study on a site; with `detach` return once it is submitted."""
    begun = time.monotonic()
    runner = SiteRunner(source, options, place, reporter)
    started, sent, joined = runner.submit()
    if sent is None:
        return runner.close(started, None, begun)
    if detach:
        return runner.detached(started, sent, joined=joined)
    try:
        return runner.follow(started, begun)
    except StillRunning as long:
        reporter.say(
            f"looked for {long}, after which {place.site.name} closes logins that nobody uses: the run goes on"
            f" without this command (packhorse connect {place.site.name} --keep looks on)"
        )
        return runner.detached(started, sent, joined=joined)


def run_study(source: Source, options: Options, reporter: Reporter) -> Outcome:
    """Run what is missing of a study on this machine and merge its table.

    Raises RunError where the run is locked or changed, CheckError where a check fails, and leaves it to the
    caller to judge failed tasks by the outcome.
    """
    begun = time.monotonic()
    directory = options.run or source.folder / "runs" / source.study.name
    run = open_run(directory, source)
    with RunLock(run.path) as lock:
        stays = leave_site(run)
        if stays:
            reporter.say(stays)
        ended = end_survivors(run.mark())
        if ended:
            reporter.say(f"ended {ended} process(es) that an interrupted run had left")
        runner = Runner(source, options, reporter, run, lock.descriptor)
        end = runner.work()
        return runner.close(end, begun)
