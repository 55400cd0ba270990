"""Sending one job to a scheduler: asked again where that can help, and looked for where nobody knows."""

from __future__ import annotations

import time
from collections.abc import Sequence

from packhorse.cluster.queue import Queue
from packhorse.model.command import Command
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.project.reporter import Reporter

SUBMIT_SECONDS = 60.0  # a scheduler under load may take this long to answer
AGAIN_SECONDS = (1.0, 5.0, 15.0)  # between tries where the scheduler says that asking again can help
FIND_SECONDS = 12.0  # how long a job whose answer was lost is looked for at once; later looks find it too


def send_job(
    queue: Queue, argv: Sequence[str], token: str, reporter: Reporter, folder: str = ""
) -> str | SubmissionRefused:
    """Submit a job from a folder; return its number, or "" where nobody knows it yet."""
    said: Submitted | SubmissionRefused | SubmissionUnknown = SubmissionRefused("", transient=True)
    for pause in (*AGAIN_SECONDS, 0.0):
        command = Command(argv=tuple(argv), timeout=SUBMIT_SECONDS, unset=queue.dialect.unset, folder=folder)
        said = queue.dialect.read_submission(queue.ask(command))
        queue.shared.forget()
        if isinstance(said, SubmissionRefused) and said.transient and pause:
            reporter.say(f"the scheduler does not take jobs now ({said.why}); asking again")
            time.sleep(pause)
            continue
        break
    if isinstance(said, Submitted):
        return said.job
    if isinstance(said, SubmissionRefused):
        return said
    reporter.warn(f"nobody knows whether the scheduler took the job ({said.why}); looking for it")
    return find_job(queue, token)


def find_job(queue: Queue, token: str) -> str:
    """Look for a job by its token; return its number, or "" while it is not to be found."""
    give_up = time.monotonic() + FIND_SECONDS
    while True:
        found = queue.find(token)
        if isinstance(found, str) or time.monotonic() > give_up:
            return found if isinstance(found, str) else ""
        time.sleep(min(2.0, queue.site.poll))
