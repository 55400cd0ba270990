"""The dialect of Slurm: its argv, and its dialogues about jobs, queues and the site."""

from __future__ import annotations

import re
from typing import Literal

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.model.job import (
    Details,
    Ended,
    HeadOptions,
    Job,
    Request,
    SubmissionRefused,
    SubmissionUnknown,
    Submitted,
)
from packhorse.model.queues import QueueState, Start
from packhorse.model.site_facts import SiteFacts
from packhorse.schedulers import reply_rules
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.script import Shell, Variables
from packhorse.schedulers.script_headers import ScriptHeader, header_words
from packhorse.schedulers.slurm import (
    accounting,
    details,
    header,
    options,
    partitions,
    profile,
    queue,
    reasons,
    refusals,
    unsupported,
    user_options,
)
from packhorse.schedulers.slurm.fields import number

_JOB = re.compile(r"\d+(?:_\d+)?", re.ASCII)


class Slurm:
    """Slurm 22.05 and later. Needs sbatch, squeue and scancel; sacct is optional."""

    name = "slurm"
    programs: tuple[str, ...] = ("sbatch", "squeue", "scancel")
    # sbatch(1), OUTPUT ENVIRONMENT VARIABLES.
    variables = Variables(
        element='"${SLURM_ARRAY_TASK_ID:-0}"',
        job='"${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}"',
        restart='"${SLURM_RESTART_COUNT:-0}"',
    )
    shell = Shell(
        submit="sbatch",
        index="SLURM_ARRAY_TASK_ID",
        launcher="srun",
        log="{name}-{job}-{element}.out",
        # srun(1): from 22.05 to 23.02 it did not take over how many cores the job has for each process.
        launch=('export SRUN_CPUS_PER_TASK="${SLURM_CPUS_PER_TASK:-1}"',),
    )
    # Of clusters without control groups: JobAcctGatherParams=OverMemoryKill in slurm.conf(5).
    memory_words: tuple[str, ...] = ("exceeded job memory limit", "exceeded memory limit")
    node_words: tuple[str, ...] = ("invalid node name",)
    final_refusals: tuple[str, ...] = reply_rules.final_refusals(refusals.MEANINGS)
    ending_words = frozenset({"COMPLETING"})
    purge = "scontrol update nodename=NODE state=down reason=dead"
    not_in_names = r"[^\w .,;:()-]"
    # sbatch(1), INPUT ENVIRONMENT VARIABLES: SBATCH_* override a script's directives. A job's environment
    # reaches the jobs that it submits: they would use its restart count and array index.
    unset: tuple[str, ...] = (
        *queue.UNSET,
        "SBATCH_*",
        "SLURM_HINT",
        "SLURM_ARRAY_*",
        "SLURM_JOB_*",
        "SLURM_JOBID",
        "SLURM_RESTART_COUNT",
    )

    def directives(self, request: Request) -> list[str]:
        """Return the #SBATCH lines of a job script."""
        return options.directives(request)

    def startup_lines(self, _output: str, /) -> list[str]:
        """Return no lines: Slurm writes a job's output while it runs, to the file in its directives."""
        return []

    def unsupported(self, request: Request) -> list[str]:
        """Return what the #SBATCH lines cannot express as requested."""
        return unsupported.unsupported(request)

    def charged_options(self, options: tuple[str, ...], /) -> tuple[str, ...]:
        """Return account, QOS, reservation and workload key among a user's options."""
        return user_options.charged(options)

    def contradictions(self, options: tuple[str, ...], /) -> list[str]:
        """Return a sentence for each of a user's options that a study cannot have."""
        return user_options.contradictions(options)

    def threads(self, request: Request) -> str:
        """Return the cores of a process; SLURM_CPUS_PER_TASK is set only if the script asks for cores."""
        return '"${SLURM_CPUS_PER_TASK:-1}"' if request.cores else '"${SLURM_CPUS_ON_NODE:-1}"'

    def submit_argv(self, script: str, arguments: list[str], request: Request) -> list[str]:
        """Return the argv that submits a script, with what differs from one submission to the next."""
        last = str(request.elements - 1) if request.elements else ""
        return options.submission(script, arguments, request, last)

    def submit_template(self, request: Request, *, after: bool = False) -> list[str]:
        """Return the argv of `submit` with places to fill, one argument each."""
        arguments = ["{wave}"] if after else ["{wave}", "{last}", "{follows}"]
        return options.submission("{script}", arguments, request, "" if after else "{last}")

    def release_argv(self, _job: str, /) -> list[str]:
        """Return no argv: a dependency on a job that has ended is met, or refused."""
        return []

    def notification_argv(self, script: str) -> list[str]:
        """Return the argv that submits a script under the name {text}, which is in the subject of the email about it."""
        return ["sbatch", "--parsable", "--job-name={text}", "--output=/dev/null", script]

    def interactive_argv(self, request: Request) -> list[str]:
        """Return the argv that waits for a job and opens its shell; srun(1), --pty."""
        return ["srun", *header_words(self.directives(request)), "--pty", "bash", "-l"]

    def read_submission(self, answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
        """Read sbatch's answer."""
        return refusals.submitted(answer)

    def jobs(self, user: str) -> Dialogue[list[Job] | NoReply]:
        """Ask squeue for all of a user's jobs that wait or run; waiting elements of an array are one row."""
        return _queue(queue.user_jobs(user))

    def find(self, token: str, user: str) -> Dialogue[str | NoReply | None]:
        """Ask for the job that has a token in its comment, also one that ended within MinJobAge (slurm.conf(5))."""
        found = yield from _queue(queue.user_jobs(user, "--states=all"))
        if isinstance(found, NoReply):
            return found
        ours = [job for job in found if job.token == token]
        alive = [job for job in ours if job.state != "GONE"]
        return min((job.job for job in alive or ours), key=int, default=None)

    def cancelled_query(self, job: str) -> tuple[list[str], str]:
        """Return what prints the state of each element of an array, and the pattern of a cancelled one.

        It needs no accounting. For a job that Slurm has forgotten, squeue fails without output.
        """
        argv = queue.squeue("--array", "--states=all", f"--jobs={job}", "--format=%T").argv
        return list(argv), r"\bCANCELLED"

    def ended(self, jobs: list[str]) -> Dialogue[list[Ended] | NoReply]:
        """Ask sacct how jobs ended. NoReply without accounting, or if the database cannot be reached.

        For seconds after the end, some elements of an array are absent, and one may have no number.
        """
        known = [job for job in jobs if number(job) is not None]
        if not known:
            return []
        answer = yield accounting.sacct(known)
        if answer.status != 0:
            return NoReply(refusals.understood(answer)[0])
        return [ended for ended in accounting.endings(answer.stdout) if ended.job in known]

    def cancel(self, jobs: list[str]) -> Dialogue[str]:
        """Cancel jobs with all their elements, or elements. scancel ignores jobs that have ended."""
        known = [job for job in jobs if self.is_job(job)]
        if not known:
            return ""
        answer = yield Command(argv=("scancel", *known), env=queue.ENV, unset=queue.UNSET)
        if answer.status == 0 or _all_ended(answer.stderr):
            return ""
        return refusals.understood(answer)[0]

    def is_job(self, word: str) -> bool:
        """Return whether a word is the number of a job, or of an element of an array: 12, 12_3."""
        return _JOB.fullmatch(word) is not None

    def split(self, word: str) -> tuple[str, int | None]:
        """Return a job's number and that of the element."""
        job, _, element = word.partition("_")
        return job, number(element)

    def same_job(self, typed: str, job: str) -> bool:
        """Return whether a number is that of a job."""
        return typed == job

    def element_of(self, job: str, element: int) -> str:
        """Return the number of an element of an array: 12_3."""
        return f"{job}_{element}"

    def submit_script_argv(self, script: str, arguments: list[str], token: str, name: str = "") -> list[str]:
        """Return the argv that submits a user's script, whose own header says what it asks for."""
        named = [f"--job-name={name}"] if name else []
        return ["sbatch", "--parsable", f"--comment={token}", *named, script, *arguments]

    def head_option_argv(self, wanted: HeadOptions) -> list[str]:
        """Return the options of sbatch that overrule those in the script's head."""
        return options.head_options(wanted)

    def read_header(self, text: str) -> ScriptHeader:
        """Return what the #SBATCH lines of a user's script ask for."""
        return header.read_header(text)

    def history(self, user: str, days: int, /) -> Dialogue[list[Ended] | NoReply]:
        """Ask how a user's jobs of the last days ended: from sacct, and from squeue for the newest or without accounting."""
        newest = yield from _queue(queue.user_jobs(user, "--states=all"))
        answer = yield accounting.of_days(user, days)
        if answer.status != 0 and isinstance(newest, NoReply):
            return newest
        known = accounting.endings(answer.stdout, accounting.MORE) if answer.status == 0 else []
        seen = [] if isinstance(newest, NoReply) else newest
        alive = {(job.job, job.element) for job in seen if job.state != "GONE"}
        fresh = [accounting.of_queue(job) for job in seen if job.state == "GONE"]
        # A slurmctld that was killed may give the last number once more, and sacct then knows the job before it alone.
        started = {(job.job, job.element): job.start for job in seen if job.state == "GONE"}
        known = [ended for ended in known if ended.end >= started.get((ended.job, ended.element), "")]
        places = {(ended.job, ended.element) for ended in known}
        return [
            *(ended for ended in known if (ended.job, ended.element) not in alive),
            *(ended for ended in fresh if (ended.job, ended.element) not in places),
        ]

    def details(self, job: str, script: str = "") -> Dialogue[list[Details] | NoReply]:
        """Ask where a job works and writes, an element each; nothing for an unknown job."""
        answer = yield details.scontrol_query(job)
        if answer.status == 0:
            return details.of_scontrol(answer.stdout)
        older = yield details.sacct_query(job)
        if older.status == 0:
            return details.of_sacct(older.stdout, script)
        known = "Invalid job id" in answer.stderr or "not found" in answer.stdout + answer.stderr
        return [] if known else NoReply(refusals.understood(answer)[0])

    def script_outputs(self, job: str, script: str, folder: str, user: str, name: str) -> list[Details]:
        """Return where the elements of an array write, by its script."""
        return details.of_script(job, script, folder, user, name)

    def queues(self, user: str, /) -> Dialogue[list[QueueState] | NoReply]:
        """Ask which partitions there are, what is free in them, and which of them the user may use."""
        shown = yield partitions.partitions()
        if shown.status != 0:
            return NoReply(refusals.understood(shown)[0])
        free = yield partitions.free()
        groups = yield partitions.groups()
        associations = yield partitions.associations(user)
        return partitions.states(shown.stdout, free.stdout, partitions.mine(groups, associations))

    def estimate_start(self, queue: QueueState, /) -> Dialogue[Start | SubmissionRefused | NoReply]:
        """Ask when a job of one core, of one hour or the partition's limit, would start."""
        answer = yield partitions.trial(queue.name, queue.account, queue.max_time)
        return partitions.start(answer)

    def profile(self, user: str, /) -> Dialogue[SiteFacts | NoReply]:
        """Ask for partitions, nodes and limits."""
        return profile.profile(user)

    def explain_reason(self, word: str) -> str:
        """Return why a job waits, in plain words; an unknown word is returned as it is."""
        return reasons.plain(word)

    def wait_kind(self, word: str) -> Literal["waiting", "held", "dependent"]:
        """Return by a reason whether a job waits for its turn, is held, or waits for another job."""
        return reasons.waits(word)

    def never_starts(self, word: str) -> bool:
        """Return whether a job with this reason can never start."""
        return reasons.stuck(word) == reasons.CANCEL

    def remedy(self, word: str) -> str:
        """Return what ends a wait that lasts until a user acts, with JOB and RUN in it; "" where it may end by itself."""
        return reasons.stuck(word)


def _queue(question: Command) -> Dialogue[list[Job] | NoReply]:
    """Ask squeue. Warnings are ignored; an unknown user, and an answer in another format, are errors."""
    answer = yield question
    if answer.status != 0:
        return NoReply(refusals.understood(answer)[0])
    if "Invalid user" in answer.stderr:  # with status 0 and an empty queue
        return NoReply(f"Slurm does not know the user ({answer.stderr.strip()})")
    found = queue.rows(answer.stdout)
    if not found and answer.stdout.strip():
        return NoReply(f"squeue's answer cannot be read: {answer.stdout.strip()[:200]!r}")
    return found


def _all_ended(text: str) -> bool:
    """Return whether scancel reports only jobs that have ended, as some versions do."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(
        "Invalid job id" in line or "already completing or completed" in line for line in lines
    )
