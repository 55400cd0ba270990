"""OpenPBS and PBS Pro: what their qsub, qstat and qdel do differently from those of TORQUE."""

from __future__ import annotations

from collections.abc import Sequence

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import Details, Ended, HeadOptions, Job, Request
from packhorse.model.queues import QueueState
from packhorse.schedulers.openpbs import options, queue, refusals
from packhorse.schedulers.pbs.dialect import (
    PBS,
    UNKNOWN_JOB,
    first_with_token,
    shell,
    unreadable,
    variables,
)
from packhorse.schedulers.pbs.queue import Record
from packhorse.schedulers.pbs.reasons import COMMON_REASONS, WaitReasons
from packhorse.schedulers.reply_rules import final_refusals
from packhorse.schedulers.scheduler import NoReply

HISTORY = 35  # PBSE_HISTJOBID, of which a shell sees the last byte


class OpenPBS(PBS):
    """OpenPBS and PBS Pro from version 19; ended jobs are in their history, where the site keeps one."""

    name = "openpbs"
    title = "OpenPBS"
    variables = variables('"${PBS_ARRAY_INDEX:-0}"')  # qsub(1B)
    shell = shell("PBS_ARRAY_INDEX")
    memory_words: tuple[str, ...] = ("job killed: mem ", "job killed: vmem ")
    cores_variable = "NCPUS"
    qstat_ended = frozenset({UNKNOWN_JOB, HISTORY})
    qdel_ended = qstat_ended
    ended_messages = ("Unknown Job Id", "Job has finished")
    # Of a deleted element: the server's signal where it ran; where it waited, a substate or a comment.
    cancelled = r"Exit_status = 271$|substate = 91$|comment = Subjob finished$"
    meanings = refusals.MEANINGS
    final_refusals = final_refusals(refusals.MEANINGS)
    purge = "qdel -W force 'JOB'"  # qdel(8B)
    reasons = WaitReasons(
        texts={
            **COMMON_REASONS,
            queue.ARRAY_BEGAN: "the first jobs of its array run, and more start as there is room",
            "U": "the owner of the machine is at work",
            "held p": "a password is missing or wrong",
        },
        order="opus",
        staff="op",
        never="Can Never Run",
    )

    def directives(self, request: Request) -> list[str]:
        """Return the #PBS lines of a job script."""
        return options.directives(request)

    def unsupported(self, request: Request) -> list[str]:
        """Return what the #PBS lines cannot express as requested."""
        return options.unsupported(request)

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script, with what differs from one submission to the next."""
        return options.submission(script, arguments, request)

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit_argv` with places to fill, one argument each; a wave is submitted held."""
        arguments = ["{wave}"] if after else ["{wave}", "{last}", "{follows}"]
        return options.template(arguments, request, wave=not after)

    def submit_script_argv(self, script: str, arguments: list[str], token: str, name: str = "") -> list[str]:
        """Return the argv that submits a user's script, whose own header says what it asks for."""
        return options.user_script(script, arguments, token, name)

    def head_option_argv(self, wanted: HeadOptions) -> list[str]:
        """Return the options of qsub that overrule those in the script's head."""
        return options.head_options(wanted)

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script under the name {text}, which the email about it contains."""
        return ["qsub", "-f", "-N{text}", "-o/dev/null", script]

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the job that has a token in its variables; the history is a second question, which a site may refuse."""
        found = yield from self._user_jobs(user, self.read_jobs, ended=False)
        history = yield from self._user_jobs(user, self.read_jobs, ended=True)
        if isinstance(found, NoReply):
            return found
        return first_with_token([*found, *([] if isinstance(history, NoReply) else history)], token)

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return what prints all attributes of an array's elements as text, and the pattern of a cancelled one."""
        return ["qstat", "-x", "-f", "-t", job], self.cancelled

    def queues(self, _user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which queues there are. OpenPBS does not say what is free in them."""
        answer = yield queue.QUEUES
        found = queue.queues(answer.stdout) if answer.status == 0 else None
        return self._no_reply(answer) if found is None else found

    def job_list(self, user: str, *, ended: bool) -> Command:
        """Return the question for the numbers of a user's jobs, also of those that have `ended`."""
        return queue.user_jobs(user, ended=ended)

    def job_details(self, numbers: Sequence[str], *, ended: bool) -> list[Command]:
        """Return the questions for all attributes of some jobs and of each element of an array."""
        return queue.job_details(numbers, ended=ended)

    def read_records(self, answer: Answer) -> list[Record] | NoReply:
        """Return the jobs of `qstat -f -F json`.

        A server without a history prints nothing, with status 0; with another status, all of the jobs have ended.
        """
        if not answer.stdout.strip():
            return [] if answer.status else self._no_reply(answer)
        found = queue.records(answer.stdout)
        return unreadable(answer) if found is None else found

    def read_jobs(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Job]:
        """Return the jobs that were asked for."""
        return queue.jobs(records, numbers)

    def read_ended(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Ended]:
        """Return how the jobs that were asked for ended."""
        return queue.ended_jobs(records, numbers)

    def read_details(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Details]:
        """Return where the jobs that were asked for work and write."""
        return queue.details(records, numbers)
