"""Submit one job: retry where the scheduler asks for it, and look the job up where the reply was lost."""

from __future__ import annotations

import time
from collections.abc import Sequence

from packhorse.cluster.queue import Queue
from packhorse.model.command import Command
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.project.reporter import Reporter

SUBMIT_SECONDS = 60.0  # a scheduler under load may take this long to reply
AGAIN_SECONDS = (1.0, 5.0, 15.0)  # between tries where the scheduler says that a retry can help
FIND_SECONDS = 12.0  # to look for a job whose reply was lost; later polls find it too


def submit_job(
    queue: Queue, argv: Sequence[str], token: str, reporter: Reporter, folder: str = ""
) -> str | SubmissionRefused:
    """Submit a job from a folder; return its number, or "" while that is not known."""
    reply: Submitted | SubmissionRefused | SubmissionUnknown = SubmissionRefused("", transient=True)
    for pause in (*AGAIN_SECONDS, 0.0):
        command = Command(argv=tuple(argv), timeout=SUBMIT_SECONDS, unset=queue.dialect.unset, folder=folder)
        reply = queue.dialect.read_submission(queue.ask(command))
        queue.shared.forget()
        if isinstance(reply, SubmissionRefused) and reply.transient and pause:
            reporter.say(f"the scheduler accepts no jobs at the moment ({reply.why}); trying again")
            time.sleep(pause)
            continue
        break
    if isinstance(reply, Submitted):
        return reply.job
    if isinstance(reply, SubmissionRefused):
        return reply
    reporter.warn(f"submission not confirmed ({reply.why}); looking for the job")
    return find_submitted_job(queue, token)


def find_submitted_job(queue: Queue, token: str) -> str:
    """Look for a job by its token for FIND_SECONDS; return its number, or "" where it was not found."""
    deadline = time.monotonic() + FIND_SECONDS
    while True:
        job = queue.find(token)
        if isinstance(job, str) or time.monotonic() > deadline:
            return job if isinstance(job, str) else ""
        time.sleep(min(2.0, queue.site.poll))
