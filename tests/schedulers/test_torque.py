"""What TORQUE said, every captured case of the commands that Packhorse types, and what the dialect makes of it."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from packhorse.model.command import Answer, Command
from packhorse.model.job import (
    Details,
    Ended,
    HeadOptions,
    Job,
    Request,
    SubmissionRefused,
    SubmissionUnknown,
    Submitted,
    Wait,
)
from packhorse.model.queues import QueueState
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.torque import queue
from packhorse.worker.waves.scheduler_commands import fill_command, matches, parse_job_id, placeholders
from schedulers.captured import FOLDER, Case, cases, named, told

TORQUE = scheduler("torque")
VERSION = "6.1.3"
HOST = "pbs01.example.org"
KNOWN = cases(VERSION)

# What the name of a case says, in the words that a user reads.
NEVER = {
    "qsub-P-proxy": "does not allow this to you",
    "qsub-as-root": "does not allow this to you",
    "qsub-dep-afterany-left-the-server": "the job to wait for",
    "qsub-dep-afterany-on-completed": "the job to wait for",
    "qsub-dep-afterok-left-the-server": "the job to wait for",
    "qsub-dep-before": "the job to wait for",
    "qsub-interactive": "must be a terminal",
    "qsub-refused-bad-account-mail": "does not understand an option (illegal -m value)",
    "qsub-refused-bad-array-syntax": "does not understand the array",
    "qsub-refused-bad-array-syntax2": "does not understand the array",
    "qsub-refused-bad-dependency-syntax": "does not understand an option",
    "qsub-refused-bad-dependency-unknown-job": "the job to wait for",
    "qsub-refused-bad-dependency-unknown-job-full": "the job to wait for",
    "qsub-refused-bad-directive": "does not understand an option (invalid option -- 'Z')",
    "qsub-refused-bad-mem": "a value that TORQUE does not understand",
    "qsub-refused-bad-name": "does not understand an option (illegal -N value)",
    "qsub-refused-bad-option": "does not understand an option",
    "qsub-refused-bad-walltime-script": "a value that TORQUE does not understand",
    "qsub-refused-dash-J": "does not understand an option",
    "qsub-refused-directory-as-script": "cannot read the job script",
    "qsub-refused-missing-script": "cannot read the job script",
    "qsub-refused-too-many-nodes": "no node has what the job asks for",
    "qsub-refused-too-many-nodes-queue-limit": "more nodes than the queue allows",
    "qsub-refused-too-many-ppn": "no node has what the job asks for",
    "qsub-refused-unknown-property": "no node has what the job asks for",
    "qsub-refused-unknown-queue": "there is no such queue",
    "qsub-refused-unknown-resource": "there is no such resource",
    "qsub-refused-walltime-over-limit": "more time than the queue allows",
    "qsub-workdir-missing": "does not understand an option (illegal -d value)",
}
LATER = {
    "qsub-refused-dead-port": "cannot be reached",
    "qsub-refused-queue-disabled": "the queue accepts no jobs now",
    "qsub-server-stopped": "cannot be reached",
}
LOST = {
    "qsub-array-too-big-aftermath": "lim1",  # as captured: a listing
    "qsub-max-user-queuable": "as many jobs as you may have",  # as captured: seven calls, of which five were taken
    "qsub-version": "Version",
    "qsub-z": "no message",
}


@pytest.mark.parametrize("case", named("^qsub", versions=(VERSION,)), ids=told)
def test_every_answer_of_qsub_has_its_meaning(case: Case) -> None:
    said = TORQUE.read_submission(case.answer)
    if case.name in LOST:
        assert isinstance(said, SubmissionUnknown)
        assert LOST[case.name] in said.why
    elif case.name in NEVER or case.name in LATER:
        assert isinstance(said, SubmissionRefused)
        assert (NEVER.get(case.name) or LATER[case.name]) in said.why
        assert said.transient == (case.name in LATER)
        assert "usage" not in said.why
    else:
        assert said == Submitted(case.answer.stdout.strip())
        assert parse_job_id(case.answer.stdout) == said.job, "the continuation reads the same"


def test_the_limit_on_jobs_is_one_that_passes() -> None:
    whole = KNOWN["qsub-max-user-queuable"].answer
    said = TORQUE.read_submission(Answer(status=228, stderr=whole.stderr.splitlines()[-1]))
    assert isinstance(said, SubmissionRefused)
    assert said.transient


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(status=None, stderr="qsub: did not answer within 60 s\n"), SubmissionUnknown),
        (Answer(status=None, stderr="qsub: not found"), SubmissionRefused),
        (Answer(status=0, stdout="Project lab: 12 hours left\n26[].pbs01.example.org\n"), Submitted),
        (Answer(status=0, stdout="2026\n0.pbs01.example.org\n"), Submitted),
        (Answer(status=0, stdout="welcome\n"), SubmissionUnknown),
        (Answer(status=11, stdout="7.pbs01\n", stderr="qsub: End of File\n"), SubmissionUnknown),
        (Answer(status=1, stderr="qsub: please say which project pays\n"), SubmissionRefused),
    ],
)
def test_a_job_that_may_be_in_the_queue_is_never_called_refused(answer: Answer, kind: type) -> None:
    said = TORQUE.read_submission(answer)
    assert isinstance(said, kind)
    if isinstance(said, Submitted):
        assert said.job.endswith(HOST), "the first job of a server has the number 0"


def rows(name: str, *numbers: str) -> list[Job]:
    return queue.jobs(queue.records(KNOWN[name].answer.stdout), numbers)


def asked(case: Case) -> list[str]:
    """Return the jobs that a case asked for."""
    return [word.strip("'") for word in case.command.split() if word.strip("'")[0].isdigit()]


# (state, the reason as it is told, what ends the wait)
WAITS: dict[str, tuple[str, str, str]] = {
    "qstat-f-1-array-element-running": ("RUNNING", "", ""),
    "qstat-f-array-element": ("QUEUED", "as many elements of its array run as may run at a time", ""),
    "qstat-f-array-element-running": ("RUNNING", "", ""),
    "qstat-f-array-element-short": ("QUEUED", "as many elements of its array run as may run at a time", ""),
    "qstat-f-dependency-held": ("QUEUED", "it waits for another job to end", ""),
    "qstat-f-dependency-never": ("QUEUED", "it waits for another job to end", ""),
    "qstat-f-held": ("QUEUED", "it is held", "qrls 'JOB' releases it"),
    "qstat-f-mem-killed-3procs": ("RUNNING", "", ""),
    "qstat-f-norerun-after-mom-restart-p": ("RUNNING", "", ""),
    "qstat-f-rerunnable-after-mom-restart-r": ("RUNNING", "", ""),
    "qstat-f-running": ("RUNNING", "", ""),
    "qstat-f-running-mom-dead": ("RUNNING", "", ""),
    "qstat-f-running-mom-dead-node-down": ("RUNNING", "", ""),
    "qstat-f-waiting": ("QUEUED", "its earliest start time has not been reached", ""),
    "qstat-f-with-comment-queued": (
        "QUEUED",
        "Not Running: Not enough of the right type of nodes are available",
        "",
    ),
}
# (how, exit status, signal)
ENDS: dict[str, tuple[str, int | None, int | None]] = {
    "qstat-f-bad-shell": ("failed", 254, None),
    "qstat-f-completed-directives": ("done", 0, None),
    "qstat-f-completed-ok": ("done", 0, None),
    "qstat-f-completed-select": ("done", 0, None),
    "qstat-f-cput-killed": ("timeout", None, None),
    "qstat-f-deleted-queued": ("cancelled", None, None),
    "qstat-f-deleted-running": ("cancelled", None, None),
    "qstat-f-exit127": ("failed", 127, None),
    "qstat-f-exit255": ("failed", 255, None),
    "qstat-f-exit3": ("failed", 3, None),
    "qstat-f-keep": ("done", 0, None),
    "qstat-f-mem-killed": ("failed", 12, None),  # a limit of one process: the program itself ended
    "qstat-f-mem3-after-mom-restart": ("done", 0, None),
    "qstat-f-other-users-job": ("failed", 3, None),
    "qstat-f-output-dir-missing": ("failed", 127, None),
    "qstat-f-pmem-killed": ("failed", 12, None),
    "qstat-f-pvmem-killed": ("failed", 12, None),
    "qstat-f-segv": ("failed", None, 11),
    "qstat-f-sigterm": ("failed", None, 15),
    "qstat-f-vmem-3procs": ("memory", None, None),
    "qstat-f-vmem-killed": ("failed", 12, None),
    "qstat-f-walltime-killed": ("timeout", None, None),
    "qstat-f-walltime-trap": ("timeout", None, None),
}
DETAILED = [
    case
    for case in named("^qstat-f", versions=(VERSION,))
    if case.answer.status == 0
    and " -x" not in case.command
    and not case.name.endswith(("-array", "impossible"))
]


@pytest.mark.parametrize("case", DETAILED, ids=told)
def test_every_job_has_its_state_and_its_reason_or_its_end(case: Case) -> None:
    assert (case.name in WAITS) != (case.name in ENDS)
    found = queue.jobs(queue.records(case.answer.stdout), asked(case))
    assert len(found) == len(asked(case))
    for job in found:
        if case.name in WAITS:
            reason = TORQUE.explain_reason(job.reason) if job.state == "QUEUED" else ""
            assert (job.state, reason, TORQUE.remedy(job.reason)) == WAITS[case.name]
            assert job.limit
        else:
            assert job.state == "GONE"
    ends = queue.ended_jobs(queue.records(case.answer.stdout), asked(case))
    assert [(end.how, end.exit, end.signal) for end in ends] == (
        [ENDS[case.name]] if case.name in ENDS else []
    )


def test_what_a_job_used_is_read() -> None:
    (end,) = queue.ended_jobs(queue.records(KNOWN["qstat-f-vmem-3procs"].answer.stdout), ["68"])
    assert end == Ended(
        job=f"68.{HOST}", how="memory", word="-10", cores=1, elapsed=3, cpu=0, memory=261, node="n01", name="vmem3",
        queue="batch", nodes=1, limit=3600, end="2026-11-21T23:19:05",
    )  # fmt: skip
    (end,) = queue.ended_jobs(queue.records(KNOWN["qstat-f-completed-directives"].answer.stdout), ["2"])
    assert (end.cores, end.node) == (2, "n02"), "exec_host = n02/0-1"
    (job,) = rows("qstat-f-norerun-after-mom-restart-p", "55")
    assert (job.start, job.elapsed, job.limit) == ("2026-11-21T23:18:08", 277, 3600)


def test_the_elements_of_an_array_are_told_one_by_one() -> None:
    found = rows("qstat-f-t-array", "27[]")
    assert [job.element for job in found] == list(range(1, 11))
    assert {job.job for job in found} == {f"27[].{HOST}"}
    assert [job.state for job in found] == ["QUEUED"] * 10
    assert [job.word for job in found] == ["Q"] * 2 + ["H"] * 8
    assert {TORQUE.remedy(job.reason) for job in found} == {""}, "a throttled element is not held by anybody"


def test_a_question_for_an_array_that_is_answered_with_everything_is_read_for_the_array_alone() -> None:
    # qstat -f 'ID[]' without -t: the id is ignored.
    whole = KNOWN["qstat-f-array"]
    assert whole.command == f"qstat -f '27[].{HOST}'"
    assert len(queue.jobs(queue.records(whole.answer.stdout), [str(number) for number in range(100)])) > 10
    assert {job.job for job in rows("qstat-f-array", "27[]")} <= {f"27[].{HOST}"}
    assert all("-t" in command.argv for command in queue.job_details(["27[]"]))
    assert queue.job_details([]) == [], "a question that names no job would be one for all jobs"


def test_jobs_that_were_deleted_with_what_they_waited_for() -> None:
    ends = queue.ended_jobs(
        queue.records(KNOWN["qstat-f-dependency-impossible"].answer.stdout), ["33", "34", "36", "37"]
    )
    assert [(end.job, end.how) for end in ends] == [(f"33.{HOST}", "cancelled"), (f"34.{HOST}", "cancelled")]


@pytest.mark.parametrize(("letter", "state"), [("Q", "QUEUED"), ("E", "RUNNING"), ("T", "QUEUED"), ("S", "RUNNING"), ("Z", "UNKNOWN"), ("", "UNKNOWN"), ("QQ", "UNKNOWN")])  # fmt: skip
def test_a_foreign_state_is_unknown_and_never_an_error(letter: str, state: str) -> None:
    text = KNOWN["qstat-f-running"].answer.stdout.replace("job_state = R", f"job_state = {letter}")
    (job,) = queue.jobs(queue.records(text), ["25"])
    assert job.state == state


def test_foreign_words_are_told_as_they_are() -> None:
    text = KNOWN["qstat-f-exit3"].answer.stdout
    for status, how in {
        "seven": "unknown",
        "-99": "failed",
        "265": "failed",
        "300": "failed",
        "-4": "node",
    }.items():
        (end,) = queue.ended_jobs(
            queue.records(text.replace("exit_status = 3", f"exit_status = {status}")), ["22"]
        )
        assert (end.how, end.word) == (how, status)
    assert (
        TORQUE.explain_reason("Job is in idle state and waits for dark")
        == "Job is in idle state and waits for dark"
    )
    assert TORQUE.explain_reason("held xyz") == "held xyz"
    assert TORQUE.remedy("held os").startswith("the site's staff")
    assert TORQUE.explain_reason("held ul") == "it is held", (
        "a hold of the user on an element that is throttled, too"
    )


def answers(*said: Answer | str) -> tuple[Any, list[tuple[str, ...]]]:
    """Return who answers the commands of a talk in turn, and the list of what was asked."""
    left = [one if isinstance(one, Answer) else KNOWN[one].answer for one in said]
    heard: list[tuple[str, ...]] = []

    def answer(command: Command) -> Answer:
        heard.append(command.argv)
        return left.pop(0)

    return answer, heard


TOKENS = "packhorse-0a1b-1"


def with_token(name: str, token: str = TOKENS) -> Answer:
    answer = KNOWN[name].answer
    text = answer.stdout.replace(
        "Variable_List = ", f"Variable_List = PACKHORSE_WAVE=1,PACKHORSE_TOKEN={token},"
    )
    return Answer(status=answer.status, stdout=text)


def test_a_users_jobs_are_those_that_wait_or_run_with_their_tokens() -> None:
    answer, heard = answers("qstat-u", with_token("qstat-f-t-array"))
    found = run_dialogue(TORQUE.jobs("alice"), answer)
    assert heard[0] == ("qstat", "-u", "alice")
    assert heard[1] == (
        "qstat",
        "-f",
        "-1",
        "-t",
        "27[]",
        "29[]",
        *(str(n) for n in (30, 31, 32, 33, 35, 36, 37)),
    )
    assert isinstance(found, list)
    assert {job.token for job in found} == {TOKENS}


def test_a_token_that_is_wrapped_is_found() -> None:
    text = KNOWN["qstat-f-running"].answer.stdout
    text = text.replace(
        "Variable_List = ", f"Variable_List = PACKHORSE_TOKEN={TOKENS[:12]}\n\t{TOKENS[12:]},"
    )
    assert queue.jobs(queue.records(text), ["25"])[0].token == TOKENS


def test_a_user_without_jobs_is_not_asked_further() -> None:
    answer, heard = answers(Answer(status=0))
    assert run_dialogue(TORQUE.jobs("alice"), answer) == []
    assert len(heard) == 1


def test_many_jobs_are_asked_for_in_several_questions() -> None:
    row = (
        "{}.pbs01.example.org    alice       batch    x      1     1      1       --   01:00:00 R  01:00:00\n"
    )
    table = "\n------\n" + "".join(map(row.format, range(120)))
    answer, heard = answers(Answer(status=0, stdout=table), *[Answer(status=0)] * 3)
    assert run_dialogue(TORQUE.jobs("alice"), answer) == []
    assert [len(argv) - 4 for argv in heard[1:]] == [50, 50, 20]


def test_jobs_that_go_between_two_questions_are_left_out() -> None:
    answer, _ = answers("qstat-u", Answer(status=153, stdout=KNOWN["qstat-f-held"].answer.stdout, stderr="qstat: Unknown Job Id Error 31\n"))  # fmt: skip
    found = run_dialogue(TORQUE.jobs("alice"), answer)
    assert isinstance(found, list)
    assert [job.job for job in found] == [f"30.{HOST}"]


FAILED = named("^qstat-(server|dead|unknown-host|bad-option)", versions=(VERSION,))


@pytest.mark.parametrize("case", FAILED, ids=told)
def test_no_answer_is_never_an_empty_queue(case: Case) -> None:
    for said in ([case.answer], [KNOWN["qstat-u"].answer, case.answer]):
        answer, _ = answers(*said)
        found = run_dialogue(TORQUE.jobs("alice"), answer)
        assert isinstance(found, NoReply)
        assert found.why
    answer, _ = answers(Answer(status=0, stdout="<html>maintenance</html>\n"))
    assert isinstance(run_dialogue(TORQUE.jobs("alice"), answer), NoReply)


def test_a_job_whose_answer_was_lost_is_found_by_its_token() -> None:
    answer, heard = answers("qstat-u", with_token("qstat-f-t-array"))
    assert run_dialogue(TORQUE.find(TOKENS, "alice"), answer) == f"27[].{HOST}"
    assert "0" in heard[1], "also those that have ended: the first job of all has the number 0"
    answer, _ = answers("qstat-u", with_token("qstat-f-t-array", "packhorse-0a1b-11"))
    assert run_dialogue(TORQUE.find(TOKENS, "alice"), answer) is None
    answer, _ = answers("qstat-server-stopped")
    assert isinstance(run_dialogue(TORQUE.find(TOKENS, "alice"), answer), NoReply)


def test_endings_are_asked_while_the_server_remembers() -> None:
    answer, heard = answers("qstat-f-walltime-killed")
    found = run_dialogue(TORQUE.ended([f"23.{HOST}", "nonsense"]), answer)
    assert heard == [("qstat", "-f", "-1", "-t", f"23.{HOST}")]
    assert isinstance(found, list)
    assert [end.how for end in found] == ["timeout"]
    answer, _ = answers("qstat-f-left-the-server")
    assert run_dialogue(TORQUE.ended([f"71.{HOST}"]), answer) == []
    answer, _ = answers("qstat-f-server-stopped")
    assert isinstance(run_dialogue(TORQUE.ended([f"71.{HOST}"]), answer), NoReply)


CANCELS = {
    "qdel-all-mix": "",  # both have ended
    "qdel-completed": "",
    "qdel-illegal": "illegally formed",
    "qdel-left-the-server": "",
    "qdel-m-message": "does not allow this to you",
    "qdel-mom-dead": "the node of the job does not answer",
    "qdel-other-users-job": "does not allow this to you",
    "qdel-server-stopped": "cannot be reached",
    "qdel-unknown": "",
}


@pytest.mark.parametrize("case", named("^qdel", versions=(VERSION,)), ids=told)
def test_every_answer_of_qdel_has_its_meaning(case: Case) -> None:
    answer, heard = answers(case.answer)
    said = run_dialogue(TORQUE.cancel([f"27[].{HOST}", "", "0.x"]), answer)
    assert heard == [("qdel", f"27[].{HOST}", "0.x")]
    expected = CANCELS.get(case.name, "")
    assert expected in said if expected else said == ""
    assert run_dialogue(TORQUE.cancel([]), answer) == ""


CANCELLED = {"qstat-f-deleted-queued", "qstat-f-deleted-running", "qstat-f-dependency-impossible"}
ENDED = [
    case
    for case in named("^qstat-f", versions=(VERSION,))
    if " -x" not in case.command and case.name != "qstat-f-array"  # which lists every job of the server
]


@pytest.mark.parametrize("case", ENDED, ids=told)
def test_the_continuation_knows_a_deleted_job(case: Case) -> None:
    argv, pattern = TORQUE.cancelled_query("{job}")
    assert argv == ["qstat", "-f", "-1", "-t", "{job}"]
    assert matches(pattern, case.answer.stdout) == (case.name in CANCELLED)


# Requests


FULL = Request(
    name="coverage study", token="packhorse-0a1b-3", elements=40, throttle=8, partition="batch", account="lab",
    qos="high", cores=4, memory=8000, gpus=2, gres="gpu:a100", seconds=5400, exclude=("n4",), whole_nodes=True,
    output="/home/alice/runs/x/logs/job-3-{element}.out", mail="alice@example.org", mail_when=("end", "fail"),
    options=("-W group_list=lab",),
)  # fmt: skip


def test_the_head_of_a_script() -> None:
    assert TORQUE.directives(replace(FULL, output="")) == [
        "#PBS -S /bin/bash",
        "#PBS -N coverage_study",
        "#PBS -A lab",
        "#PBS -q batch",
        "#PBS -l nodes=1:ppn=4:gpus=2:a100",
        "#PBS -l mem=8000mb",
        "#PBS -l walltime=01:30:00",
        "#PBS -l qos=high",
        "#PBS -l naccesspolicy=singlejob",
        "#PBS -r y",
        "#PBS -j oe",
        "#PBS -M alice@example.org",
        "#PBS -m ea",
        "#PBS -W group_list=lab",
    ]
    assert TORQUE.directives(Request(name="-λ", requeue=False, seconds=1)) == [
        "#PBS -S /bin/bash",
        "#PBS -N j-_",
        "#PBS -l nodes=1:ppn=1",
        "#PBS -l walltime=00:01:00",
        "#PBS -r n",
        "#PBS -j oe",
        "#PBS -m n",
    ]


def test_a_submission_says_what_differs_from_the_next() -> None:
    assert TORQUE.submit_argv("waves/job-base.sh", ["3", "39", "0"], FULL) == [
        "qsub",
        "-t0-39%8",
        "-vPACKHORSE_TOKEN=packhorse-0a1b-3,PACKHORSE_WAVE=3,PACKHORSE_LAST=39,PACKHORSE_FOLLOWS=0",
        "-o/home/alice/runs/x/logs/job-3",
        "waves/job-base.sh",
    ]
    assert TORQUE.submit_argv("job.sh", [], Request(name="x")) == ["qsub", "job.sh"]


def test_a_wave_is_submitted_held_and_its_follower_waits_for_the_array() -> None:
    asked = Request(
        name="x", token="{token}", elements=1, after="{job}", output="/r/job-{wave}-{element}.out"
    )
    wave = TORQUE.submit_template(asked)
    assert fill_command(wave, placeholders("job.sh", 3, "packhorse-0a1b-3", elements=1)) == [
        "qsub",
        "-h",
        "-t0-0",
        "-vPACKHORSE_TOKEN=packhorse-0a1b-3,PACKHORSE_WAVE=3,PACKHORSE_LAST=0,PACKHORSE_FOLLOWS=0",
        "-o/r/job-3",
        "job.sh",
    ]
    follow = Request(name="x", token="{token}", after="{job}", output="/r/continue-{wave}.out")
    after = TORQUE.submit_template(follow, after=True)
    assert fill_command(
        after, placeholders("continue.sh", 3, "packhorse-0a1b-3-next", job=f"26[].{HOST}")
    ) == [
        "qsub",
        f"-Wdepend=afteranyarray:26[].{HOST}",
        "-vPACKHORSE_TOKEN=packhorse-0a1b-3-next,PACKHORSE_WAVE=3",
        "-o/r/continue-3",
        "continue.sh",
    ]
    assert TORQUE.release_argv("26[].x") == ["qrls", "26[].x"]


@pytest.mark.parametrize(
    "path", ["/it's/job-{wave}-{element}.out", "/a b/x.out", "/a:b/x.out", "/a,b", "/λ/x.out"]
)
def test_a_path_that_means_something_to_qsub_is_not_given_to_it(path: str) -> None:
    assert TORQUE.submit_argv("job.sh", [], Request(name="x", output=path)) == [
        "qsub",
        "-o/dev/null",
        "job.sh",
    ]


def test_names_and_files_that_qsub_accepts() -> None:
    """`qsub -N "1 bad name"` is refused (captures); $PBS_JOBID_ is another variable, which is empty."""
    lines = TORQUE.directives(
        Request(name="10fold", output="out_{job}_.out", error="{job}.err", requeue=None)
    )
    assert "#PBS -N j10fold" in lines
    assert "#PBS -o out_${PBS_JOBID}_.out" in lines
    assert "#PBS -e $PBS_JOBID.err" in lines


def test_a_users_script_may_ask_for_an_array_and_wait() -> None:
    waits = (Wait("26[].x", "end"), Wait("27[].x", "start"), Wait("28.x", "ok"), Wait("29.x", "fail"))
    asked = Request(
        name="x", indices=((0, 9, 1), (12, 20, 4), (30, 30, 1)), throttle=2, waits=waits, cores=0, core_memory=500,
        output="/r/{job}-{element}.out", error="/r/{job}.err", requeue=None,
    )  # fmt: skip
    assert TORQUE.directives(asked) == [
        "#PBS -S /bin/bash",
        "#PBS -N x",
        "#PBS -t 0-9,12,16,20,30%2",
        "#PBS -W depend=afteranyarray:26[].x,afterstartarray:27[].x,afterok:28.x,afternotok:29.x",
        "#PBS -l nodes=1",
        "#PBS -l mem=500mb",
        "#PBS -o /r/$PBS_JOBID.out",
        "#PBS -e /r/$PBS_JOBID.err",
        "#PBS -m n",
    ]
    assert TORQUE.unsupported(asked) == []
    assert (
        len(TORQUE.unsupported(Request(name="two words", account="a b", output="/a b", options=("x",)))) == 4
    )
    assert TORQUE.unsupported(Request(name="x", waits=(Wait("x", "end"), Wait("1", "each"))))
    assert TORQUE.submit_script_argv("a.sh", ["1", "a b"], "token", "two words") == [
        "qsub",
        "-vPACKHORSE_TOKEN=token",
        "-Ntwo_words",
        "-F1 'a b'",
        "a.sh",
    ]
    wanted = HeadOptions(partition="short", account="lab", qos="high", seconds=1800, memory=2048)
    assert TORQUE.head_option_argv(wanted) == [
        "-qshort",
        "-Alab",
        "-lwalltime=00:30:00",
        "-lqos=high",
        "-lmem=2048mb",
    ]
    assert TORQUE.head_option_argv(HeadOptions()) == []


def test_a_jobs_number_is_told_from_its_elements() -> None:
    for word, said in {
        f"26[3].{HOST}": (f"26[].{HOST}", 3),
        "0": ("0", None),
        "26[]": ("26[]", None),
    }.items():
        assert TORQUE.is_job(word)
        assert TORQUE.split(word) == said
    assert not TORQUE.is_job("26_3")
    for typed, same in {
        "26": True,
        "26[]": True,
        f"26[].{HOST}": True,
        "26.other": False,
        "27": False,
        "x": False,
    }.items():
        assert TORQUE.same_job(typed, f"26[].{HOST}") == same
    assert not TORQUE.same_job("26[]", f"26.{HOST}")
    assert TORQUE.element_of(f"26[].{HOST}", 3) == f"26[3].{HOST}"
    assert TORQUE.element_of("26[]", 3) == "26[3]"


def test_where_a_job_works_and_writes() -> None:
    answer, _ = answers("qstat-f-completed-directives")
    assert run_dialogue(TORQUE.details("2"), answer) == [
        Details(
            job=f"2.{HOST}", name="train-net", word="C", folder="/home/alice", output="/home/alice/train.out"
        )
    ]
    answer, heard = answers("qstat-f-unknown-job", "qstat-f-t-array")
    found = run_dialogue(TORQUE.details("27"), answer)
    assert heard[1][-1] == "27[]", "an array without its brackets"
    assert isinstance(found, list)
    assert (len(found), found[0].waits, found[0].late) == (10, True, False)
    answer, _ = answers("qstat-f-running")
    (running,) = run_dialogue(TORQUE.details("25"), answer)  # type: ignore[misc]
    assert (running.waits, running.late) == (False, True), "its output comes at its end"
    answer, _ = answers("qstat-f-unknown-job")
    assert run_dialogue(TORQUE.details("99999.x"), answer) == []


def test_queues_and_what_they_allow() -> None:
    answer, _ = answers("qstat-Q-f")
    assert run_dialogue(TORQUE.queues("alice"), answer) == [
        QueueState(name="debug", running=0, waiting=0, default_time=1800, max_time=14400, max_nodes=1, may=True),
        QueueState(name="stopped", open=False, word="not enabled and not started", running=0, waiting=0, may=False, rights="it accepts no jobs now"),
        QueueState(name="batch", running=2, waiting=15, default_time=3600, may=True),
    ]  # fmt: skip
    answer, _ = answers("qstat-server-stopped")
    assert isinstance(run_dialogue(TORQUE.queues("alice"), answer), NoReply)
    assert isinstance(run_dialogue(TORQUE.estimate_start(QueueState(name="batch")), answer), NoReply)


def test_jobs_of_others_than_ours_are_remembered_for_a_while() -> None:
    answer, heard = answers("qstat-u", "qstat-f-exit3")
    found = run_dialogue(TORQUE.history("alice", 3), answer)
    assert "22" in heard[1]
    assert isinstance(found, list)
    assert [(end.job, end.name, end.how) for end in found] == [(f"22.{HOST}", "fail3.sh", "failed")]


@pytest.mark.parametrize(("word", "kind"), [("held u", "held"), ("held s", "dependent"), ("held l", "waiting"), ("held ul", "held"), ("", "waiting"), ("H", "held")])  # fmt: skip
def test_a_job_waits_is_held_or_depends(word: str, kind: str) -> None:
    assert TORQUE.wait_kind(word) == kind


DEAD = (FOLDER / "torque" / "live-6.1.3-dead-node.txt").read_text()  # one live session, command by command


def live(command: str) -> Answer:
    """Return what a live server answered to a command."""
    said = DEAD.partition(f"# command: {command}\n")[2].partition("# command: ")[0]
    text, _, status = said.partition("# exit code: ")
    stdout, stderr = ("", text) if text.startswith("q") else (text + status.partition("\n")[2], "")
    return Answer(status=int(status[:3] or 0), stdout=stdout, stderr=stderr)


def asked_of_dead(exceeded: int, nodes: str) -> tuple[list[Job], list[str]]:
    """Return the jobs of the live session, and the programs that were asked."""
    listing = "\nh:\nJob\n------\n57[].pbs01.exampl tess batch mom -- 1 4 464mb 00:10:00 R --\n"
    answers = {
        "qstat -u": Answer(status=0, stdout=listing, stderr=""),
        "qstat -f": Answer(
            status=0,
            stdout=live("qstat -f -1 -t 57[]").stdout.replace("Exceeded = -155", f"Exceeded = -{exceeded}"),
            stderr="",
        ),
        "pbsnodes -l": Answer(status=0, stdout=nodes, stderr=""),
    }
    programs: list[str] = []

    def ask(command: Command) -> Answer:
        programs.append(" ".join(command.argv[:2]))
        return answers[programs[-1]]

    found = run_dialogue(TORQUE.jobs("tess"), ask)
    assert isinstance(found, list)
    return found, programs


def test_a_job_that_is_overdue_on_a_dead_node_is_lost() -> None:
    (job,), programs = asked_of_dead(400, live("pbsnodes -l all").stdout)
    assert (job.job, job.element, job.name, job.state) == ("57[].pbs01.example.org", 1, "mom", "UNKNOWN")
    assert job.lost == "its time is over and its node n02 is down"
    assert programs == ["qstat -u", "qstat -f", "pbsnodes -l"]


@pytest.mark.parametrize(("exceeded", "nodes"), [(155, "n02 down\n"), (400, "n01 down\nn02 offline\n")])
def test_a_job_within_its_margin_or_on_a_living_node_is_not_lost(exceeded: int, nodes: str) -> None:
    (job,), programs = asked_of_dead(exceeded, nodes)
    assert (job.state, job.lost) == ("RUNNING", "")
    assert ("pbsnodes -l" in programs) == (exceeded > 300)
