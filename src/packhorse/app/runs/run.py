"""Run a study on this machine or on a site."""

from __future__ import annotations

import time
from msgspec import Struct
from packhorse.execution.run_model import OnSite
from packhorse.execution.site_setup import arrive
from packhorse.remote.run_store import ANNOUNCE_BYTES, RunStore
from packhorse.cluster.monitor import Monitor, StillRunning
from packhorse.rundata.task_log import log_of
from packhorse.cluster.queue import Queue
from packhorse.remote.transport import SshTransport, transport_for
from packhorse.cluster.job_scripts import Caps, render
from packhorse.execution.leave_site import leave_site
from packhorse.execution.run_model import Options, Todo
from packhorse.execution.runner import Runner, open_run
from packhorse.project.placement import Place, Proposal, propose
from packhorse.project.source import Source
from packhorse.cluster.job_state import JobState, job_state, job_state_line
from packhorse.cluster.submit_wave import Submitter
from packhorse.execution.run_model import Outcome
from packhorse.project.reporter import Reporter
from packhorse.rundata.progress import WaveEnd
from packhorse.model.errors import RunError, Stopped
from packhorse.model.submission import ClusterRun, Submission, token_of
from packhorse.plan.waves import count
from packhorse.results.fold import Fold
from packhorse.rundir.directory import RunDirectory
from packhorse.rundir.leases import close_leases
from packhorse.rundir.lock import RunLock
from packhorse.rundir.submissions import Submissions
from packhorse.execution.run_model import Detached
from packhorse.execution.site_runner import SiteRunner
from pathlib import Path
from typing import TYPE_CHECKING, Any
import msgspec
from msgspec.structs import replace
from packhorse.execution.missing_inputs import missing_inputs
from packhorse.preflight.compatibility import Changes
from packhorse.preflight.checks import run_checks
from packhorse.rundata.table import has_results, merge_table, table_notes
from packhorse.preflight.login_node import MINUTE, check_minute, login_site, too_much
from packhorse.execution.preparation import Prepared, code_files, prepare
from packhorse.execution.local_worker import run_worker
from packhorse.rundata.outcomes import read_outcomes
from packhorse.execution.work_file import work_file
from packhorse.model.errors import RunError
from packhorse.model.plan import Identity, Plan
from packhorse.model.site import Site
from packhorse.model.space import ParameterSpace, inherit
from packhorse.model.study import Study
from packhorse.plan.waves import IndexRange, count, joined, local_slots, plan_wave
from packhorse.results.table import MergeReport
from packhorse.rundir.worker_archive import keep_archive, task_library
from packhorse.rundir.directory import RunDirectory, now
from packhorse.rundir.files import write
from packhorse.runtime.local_worker import cores, memory
from packhorse.snapshot.snapshot import changed_files, pack
from packhorse.runtime.survivors import end_survivors
if TYPE_CHECKING:  # runs on this machine need none of it
    from packhorse.remote.run_store import RunStore
from packhorse.execution.run_model import Options


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
