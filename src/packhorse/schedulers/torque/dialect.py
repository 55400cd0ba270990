"""TORQUE: what its qsub, qstat and qdel do differently from those of OpenPBS."""

from __future__ import annotations

from collections.abc import Sequence

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import Details, Ended, HeadOptions, Job, Request
from packhorse.model.queues import QueueState
from packhorse.schedulers.pbs.dialect import PBS, UNKNOWN_JOB, first_with_token, shell, variables
from packhorse.schedulers.pbs.queue import Record
from packhorse.schedulers.pbs.reasons import COMMON_REASONS, WaitReasons
from packhorse.schedulers.pbs.unsupported import unsupported
from packhorse.schedulers.reply_rules import final_refusals
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.torque import options, queue, refusals

WRONG_STATE = 170  # PBSE_BADSTATE, of which a shell sees the last byte


class Torque(PBS):
    """TORQUE 4.2 and 6.1: no accounting, and a server that remembers ended jobs for keep_completed seconds."""

    name = "torque"
    title = "TORQUE"
    variables = variables('"${PBS_ARRAYID:-0}"')  # qsub(1B)
    shell = shell("PBS_ARRAYID")
    memory_words: tuple[str, ...] = tuple(
        f"job killed: {limit} " for limit in ("mem", "vmem", "pmem", "pvmem")
    )
    cores_variable = "PBS_NUM_PPN"
    qstat_unset = queue.UNSET
    unset = (*queue.UNSET, *PBS.unset)
    qstat_ended = frozenset({UNKNOWN_JOB})
    qdel_ended = frozenset({UNKNOWN_JOB, WRONG_STATE})
    ended_messages = ("nonexistent job id", "Unknown Job Id", "state for job - COMPLETE")
    # Of a deleted element: the server's signal where it ran, no status at all where it waited.
    cancelled = r"exit_status = 271$|\A(?![\s\S]*exit_status)[\s\S]*job_state = C$"
    meanings = refusals.MEANINGS
    final_refusals = final_refusals(refusals.MEANINGS)
    purge = "qdel -p 'JOB'"  # qdel(8B)
    reasons = WaitReasons(
        texts={
            **COMMON_REASONS,
            # `l` is not documented: the limit of an array's elements that may run.
            "held l": "as many elements of its array run as may run at a time",
        },
        order="ousl",
        staff="o",
    )

    def directives(self, request: Request) -> list[str]:
        """Return the #PBS lines of a job script."""
        return options.directives(request)

    def unsupported(self, request: Request) -> list[str]:
        """Return what the #PBS lines cannot express as requested."""
        return list(unsupported(request, self.title))

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script, with what differs from one submission to the next."""
        last = str(request.elements - 1) if request.elements else ""
        return options.submission(script, arguments, request, last)

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit_argv` with places to fill, one argument each; a wave is submitted held."""
        if after:
            return options.submission("{script}", ["{wave}"], request, "")
        arguments = ["{wave}", "{last}", "{follows}"]
        return options.submission("{script}", arguments, request, "{last}", held=True)

    def submit_script_argv(self, script: str, arguments: list[str], token: str, name: str = "") -> list[str]:
        """Return the argv that submits a user's script, whose own header says what it asks for."""
        return options.user_script(script, arguments, token, name)

    def head_option_argv(self, wanted: HeadOptions) -> list[str]:
        """Return the options of qsub that overrule those in the script's head."""
        return options.head_options(wanted)

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script under the name {text}, which the email about it contains."""
        return ["qsub", "-N{text}", "-o/dev/null", script]

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask for all of a user's jobs that wait or run; where one is overdue, also which nodes are down.

        A job on a dead node runs for ever, as far as the server knows.
        """
        found = yield from super().jobs(user)
        if isinstance(found, NoReply) or not any(map(queue.is_overdue, found)):
            return found
        answer = yield queue.NODES
        return queue.without_lost(found, queue.nodes_down(answer.stdout)) if answer.status == 0 else found

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the job that has a token in its variables, also one that ended within keep_completed seconds."""
        found = yield from self._user_jobs(user, self.read_jobs, ended=True)
        return found if isinstance(found, NoReply) else first_with_token(found, token)

    def queues(self, _user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which queues there are. TORQUE does not say what is free in them."""
        answer = yield queue.QUEUES
        return queue.queues(answer.stdout) if answer.status == 0 else self._no_reply(answer)

    def error_lines(self, text: str) -> list[str]:
        """Return the lines of an error message that say what went wrong."""
        return refusals.error_lines(text)

    def job_list(self, user: str, *, ended: bool) -> Command:  # noqa: ARG002 - the list always has both
        """Return the question for the numbers of a user's jobs, also of those that have ended."""
        return queue.user_jobs(user)

    def job_details(self, numbers: Sequence[str], *, ended: bool) -> list[Command]:  # noqa: ARG002 - as above
        """Return the questions for all attributes of some jobs and of each element of an array."""
        return queue.job_details(numbers)

    def read_records(self, answer: Answer) -> list[Record] | NoReply:
        """Return the jobs of `qstat -f`."""
        return queue.records(answer.stdout)

    def read_jobs(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Job]:
        """Return the jobs that were asked for."""
        return queue.jobs(records, numbers)

    def read_ended(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Ended]:
        """Return how the jobs that were asked for ended."""
        return queue.ended_jobs(records, numbers)

    def read_details(self, records: Sequence[Record], numbers: Sequence[str]) -> list[Details]:
        """Return where the jobs that were asked for work and write."""
        return queue.details(records, numbers)
