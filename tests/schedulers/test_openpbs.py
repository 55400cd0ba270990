"""What OpenPBS said, every captured case of the commands that Packhorse types, and what the dialect makes of it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from msgspec.structs import replace

from packhorse.model.command import Answer, Command
from packhorse.model.errors import UsageError
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
from packhorse.schedulers.openpbs import queue
from packhorse.schedulers.openpbs.queue import records
from packhorse.schedulers.scheduler import NoReply
from packhorse.worker.waves.scheduler_commands import fill_command, matches, parse_job_id, placeholders
from schedulers.captured import Case, cases, named, told

PBS = scheduler("openpbs")
VERSION = "23.06.06"
KNOWN = cases(VERSION)

OPTION = "does not understand an option"
# What the name of a case says, in the words that a user reads.
NEVER = {
    "qsub-dep-afterok-on-array-element": OPTION,
    "qsub-interactive": "must be a terminal",
    "qsub-name-too-long": "the job's name is too long",
    "qsub-refused-afterokarray": OPTION,
    "qsub-refused-array-list": OPTION,
    "qsub-refused-array-not-rerunnable": OPTION,
    "qsub-refused-array-one-element": OPTION,
    "qsub-refused-array-too-big": "more elements than the site allows",
    "qsub-refused-bad-array-syntax": OPTION,
    "qsub-refused-bad-array-syntax2": OPTION,
    "qsub-refused-bad-dependency-syntax": OPTION,
    "qsub-refused-bad-directive": OPTION,
    "qsub-refused-bad-mail": OPTION,
    "qsub-refused-bad-mem": "a value that OpenPBS does not understand",
    "qsub-refused-bad-name": OPTION,
    "qsub-refused-bad-option": OPTION,
    "qsub-refused-bad-walltime-script": "a value that OpenPBS does not understand",
    "qsub-refused-dash-t": OPTION,
    "qsub-refused-directory-as-script": "cannot read the job script",
    "qsub-refused-missing-script": "cannot read the job script",
    "qsub-refused-select-and-nodes": OPTION,
    "qsub-refused-too-many-ncpus-queue-limit": "than the queue allows",
    "qsub-refused-too-many-nodes-queue-limit": "than the queue allows",
    "qsub-refused-unknown-queue": "there is no such queue",
    "qsub-refused-unknown-resource": "there is no such resource",
    "qsub-refused-unknown-resource-select": "there is no such resource",
    "qsub-refused-walltime-over-limit": "than the queue allows",
}
LATER = {
    "qsub-refused-dead-port": "cannot be reached",
    "qsub-refused-queue-disabled": "the queue accepts no jobs now",
    "qsub-server-stopped": "cannot be reached",
}
LOST = {
    "qsub-W-block": "61.pbs01",  # as captured: qsub waited, and ended with the status of the job
    "qsub-max-queued": "as many jobs as you may have",  # as captured: seven calls, of which five were taken
    "qsub-version": "pbs_version",
}


@pytest.mark.parametrize("case", named("^qsub", versions=(VERSION,)), ids=told)
def test_every_answer_of_qsub_has_its_meaning(case: Case) -> None:
    said = PBS.read_submission(case.answer)
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
    whole = KNOWN["qsub-max-queued"].answer
    said = PBS.read_submission(Answer(status=38, stderr=whole.stderr.splitlines()[-1]))
    assert isinstance(said, SubmissionRefused)
    assert said.transient


def as_json(text: str) -> str:
    """Return the text of `qstat -f` as `qstat -f -F json` says it, since most cases were captured as text."""
    jobs: dict[str, dict[str, Any]] = {}
    for block in text.replace("\n\t", "").split("Job Id: ")[1:]:
        number, _, rows = block.partition("\n")
        told = jobs.setdefault(number, {})
        for name, value in re.findall(r"^    ([\w.]+) = (.*)$", rows, re.MULTILINE):
            outer, _, inner = name.partition(".")
            said: Any = int(value) if re.fullmatch(r"-?\d+", value) else value
            if name == "Variable_List":
                said = dict(pair.partition("=")[::2] for pair in value.split(","))
            if inner:
                told.setdefault(outer, {})[inner] = said
            else:
                told[name] = said
    return json.dumps({"Jobs": jobs} if jobs else {})


def jsons(case: Case) -> Answer:
    """Return a case's answer as JSON."""
    answer = case.answer
    said = answer.stdout if "json" in case.command else as_json(answer.stdout)
    return Answer(status=answer.status, stdout=said, stderr=answer.stderr)


def read(name: str) -> list[tuple[Any, dict[str, Any]]]:
    found = records(jsons(KNOWN[name]).stdout)
    assert found is not None
    return found


def rows(name: str, *numbers: str) -> list[Job]:
    return queue.jobs(read(name), numbers)


def test_text_and_json_say_the_same() -> None:
    (text,), (said,) = rows("qstat-f-running", "21"), rows("qstat-F-json-running", "21")
    assert replace(text, elapsed=38) == said, "captured 38 s later"
    held = rows("qstat-f-t-json-array", "27[]")
    assert len(held) == 4


# (state, the reason as it is told, what ends the wait)
CANCEL = "packhorse cancel RUN, correct what it asks for, and run it again"
WAITS: dict[str, tuple[str, str, str]] = {
    "qstat-f-array": ("QUEUED", "Not Running: Not enough free nodes available", ""),
    "qstat-f-array-element": ("QUEUED", "Not Running: Not enough free nodes available", ""),
    "qstat-f-array-element-running": ("RUNNING", "", ""),
    "qstat-f-array-element-short": ("QUEUED", "Not Running: Not enough free nodes available", ""),
    "qstat-f-array-running": ("RUNNING", "", ""),
    "qstat-f-dependency-array": ("QUEUED", "it waits for another job to end", ""),
    "qstat-f-dependency-held": ("QUEUED", "it waits for another job to end", ""),
    "qstat-f-held": ("QUEUED", "it is held", "qrls 'JOB' releases it"),
    "qstat-f-other-users-job": ("RUNNING", "", ""),
    "qstat-f-running": ("RUNNING", "", ""),
    "qstat-f-running-mom-dead": ("RUNNING", "", ""),
    "qstat-f-toobig": (
        "QUEUED",
        "Can Never Run: Insufficient amount of resource: ncpus (R: 198 A: 4 T: 4)",
        CANCEL,
    ),
    "qstat-f-toowide": (
        "QUEUED",
        "Can Never Run: Insufficient amount of resource: ncpus (R: 99 A: 4 T: 4)",
        CANCEL,
    ),
    "qstat-f-waiting": ("QUEUED", "its earliest start time has not been reached", ""),
    "qstat-xf-rerunnable-after-node-fail-requeue": (
        "QUEUED",
        "Not Running: Not enough free nodes available",
        "",
    ),
    "qstat-xf-rerunnable-after-mom-restart": (
        "QUEUED",
        "Not Running: Not enough free nodes available",
        "",
    ),
}
# (how, exit status, signal)
ENDS: dict[str, tuple[str, int | None, int | None]] = {
    "qstat-xf-bad-shell": ("failed", 254, None),
    "qstat-xf-cput-killed": ("failed", None, 9),
    "qstat-xf-deleted-queued": ("cancelled", None, None),
    "qstat-xf-deleted-running": ("cancelled", None, None),
    "qstat-xf-dependency-on-failed": ("cancelled", None, None),
    "qstat-xf-dependency-unknown-job": ("cancelled", None, None),
    "qstat-xf-directives": ("done", 0, None),
    "qstat-xf-exit127": ("failed", 127, None),
    "qstat-xf-exit255": ("failed", 255, None),
    "qstat-xf-exit3": ("failed", 3, None),
    "qstat-xf-keep": ("done", 0, None),
    "qstat-xf-keep-direct": ("done", 0, None),
    "qstat-xf-memkill": ("memory", None, None),
    "qstat-xf-nodes-ppn": ("done", 0, None),
    "qstat-xf-norerun-after-node-fail": ("node", None, None),
    "qstat-xf-ok": ("done", 0, None),
    "qstat-xf-output-dir-missing": ("failed", 127, None),
    "qstat-xf-place-chunks": ("done", 0, None),
    "qstat-xf-pmem-killed": ("done", 0, None),  # as captured: nothing limits it there
    "qstat-xf-segv": ("failed", None, 11),
    "qstat-xf-sigterm": ("failed", None, 15),
    "qstat-xf-vmem-killed": ("done", 0, None),
    "qstat-xf-walltime-killed": ("timeout", None, None),
    "qstat-xf-walltime-trap": ("timeout", None, None),
}
DETAILED = [
    case
    for case in named("^qstat-x?f-", versions=(VERSION,))
    if case.answer.stdout.strip() and not re.search("json|f-t-|array-finished|on-ok", case.name)
]


@pytest.mark.parametrize("case", DETAILED, ids=told)
def test_every_job_has_its_state_and_its_reason_or_its_end(case: Case) -> None:
    assert (case.name in WAITS) != (case.name in ENDS)
    found = records(jsons(case).stdout)
    assert found is not None
    numbers = [str(job.number) for job, _ in found]
    (job,), ends = queue.jobs(found, numbers), queue.ended_jobs(found, numbers)
    if case.name in WAITS:
        reason = PBS.explain_reason(job.reason) if job.state == "QUEUED" else ""
        assert (job.state, reason, PBS.remedy(job.reason)) == WAITS[case.name]
        assert ends == []
    else:
        assert job.state == "GONE"
        assert [(end.how, end.exit, end.signal) for end in ends] == [ENDS[case.name]]


def test_what_a_job_used_is_read() -> None:
    (end,) = queue.ended_jobs(read("qstat-xf-memkill"), ["22"])
    assert end == Ended(
        job="22.pbs01", how="memory", word="-27", cores=1, elapsed=10, cpu=end.cpu, memory=1211, node="pbs01", name="memjob",
        queue="workq", nodes=1, asked_memory=100, end=end.end,
    )  # fmt: skip
    assert end.end.startswith("2026-11-21T23:2")
    ends = queue.ended_jobs(read("qstat-xf-dependency-on-ok"), ["36", "37"])
    assert [end.how for end in ends] == ["done", "cancelled"]


def test_the_elements_of_an_array_are_told_one_by_one() -> None:
    found = rows("qstat-F-json-array-t", "47[]")
    assert [job.element for job in found] == list(range(1, 11))
    assert {job.job for job in found} == {"47[].pbs01"}
    assert [job.state for job in found] == ["RUNNING"] * 2 + ["QUEUED"] * 8
    assert PBS.explain_reason(found[5].reason).startswith("the first jobs of its array run")


def test_elements_of_an_array_that_is_held_wait_for_its_release() -> None:
    found = rows("qstat-f-t-json-array", "27[]")
    assert {job.state for job in found} == {"QUEUED"}
    assert {PBS.remedy(job.reason) for job in found} == {"qrls 'JOB' releases it"}


def test_elements_that_were_deleted_before_they_began_are_cancelled() -> None:
    ends = queue.ended_jobs(read("qstat-xft-array-deleted"), ["47[]"])
    assert {(end.element, end.how) for end in ends} == {(n, "cancelled") for n in (1, *range(3, 11))}
    ends = queue.ended_jobs(read("qstat-xft-array-finished-json"), ["26[]"])
    assert [(end.element, end.how, end.exit) for end in ends] == [(0, "done", 0), (3, "failed", 3), (6, "done", 0), (9, "failed", 3)]  # fmt: skip


@pytest.mark.parametrize(("letter", "state"), [("E", "RUNNING"), ("S", "RUNNING"), ("B", "RUNNING"), ("U", "QUEUED"), ("T", "QUEUED"), ("X", "GONE"), ("M", "UNKNOWN"), ("?", "UNKNOWN")])  # fmt: skip
def test_a_foreign_state_is_unknown_and_never_an_error(letter: str, state: str) -> None:
    text = KNOWN["qstat-F-json-running"].answer.stdout.replace('"job_state":"R"', f'"job_state":"{letter}"')
    found = records(text)
    assert found is not None
    assert queue.jobs(found, ["21"])[0].state == state


def test_foreign_words_are_told_as_they_are() -> None:
    text = jsons(KNOWN["qstat-xf-exit3"]).stdout
    for status, how in {
        '"x"': "unknown",
        "-99": "failed",
        "265": "failed",
        "-20": "node",
        "300": "failed",
    }.items():
        found = records(text.replace('"Exit_status": 3', f'"Exit_status": {status}'))
        assert found is not None
        assert queue.ended_jobs(found, ["19"])[0].how == how
    assert PBS.explain_reason("a hook says no") == "a hook says no"
    assert PBS.remedy("held o").startswith("the site's staff")
    assert PBS.explain_reason("held zz") == "held zz"


def answers(*said: Answer | str) -> tuple[Any, list[tuple[str, ...]]]:
    """Return who answers the commands of a talk in turn, and the list of what was asked."""
    left = [one if isinstance(one, Answer) else jsons(KNOWN[one]) for one in said]
    heard: list[tuple[str, ...]] = []

    def answer(command: Command) -> Answer:
        heard.append(command.argv)
        return left.pop(0)

    return answer, heard


LISTED = KNOWN["qstat-u"].answer
TOKEN = "packhorse-0a1b-1"


def with_token(name: str, token: str = TOKEN) -> Answer:
    answer = jsons(KNOWN[name])
    said = re.sub(r'"Variable_List": ?\{', f'"Variable_List":{{"PACKHORSE_TOKEN":"{token}",', answer.stdout)
    return Answer(status=answer.status, stdout=said)


def test_a_users_jobs_are_those_that_wait_or_run_with_their_tokens() -> None:
    answer, heard = answers(LISTED, with_token("qstat-f-t-json-array"))
    found = run_dialogue(PBS.jobs("alice"), answer)
    assert heard == [
        ("qstat", "-u", "alice"),
        ("qstat", "-f", "-t", "-F", "json", "11", "12", "17", "21", "27[]"),
    ]
    assert isinstance(found, list)
    assert [(job.element, job.token) for job in found] == [(n, TOKEN) for n in range(1, 5)]


def test_a_user_without_jobs_is_not_asked_further() -> None:
    answer, heard = answers(Answer(status=0))
    assert run_dialogue(PBS.jobs("alice"), answer) == []
    assert len(heard) == 1


@pytest.mark.parametrize("name", ["qstat-xf-json-unknown-and-known", "qstat-F-json-unknown-job", "qstat-F-json-finished-without-x"])  # fmt: skip
def test_jobs_that_go_between_two_questions_are_left_out(name: str) -> None:
    answer, _ = answers(LISTED, name)
    assert run_dialogue(PBS.jobs("alice"), answer) == []


FAILED = named("^qstat-(server|dead|unknown-host|bad-option|F-json-server)", versions=(VERSION,))


@pytest.mark.parametrize("case", FAILED, ids=told)
def test_no_answer_is_never_an_empty_queue(case: Case) -> None:
    for said in ([case.answer], [LISTED, case.answer]):
        answer, _ = answers(*said)
        found = run_dialogue(PBS.jobs("alice"), answer)
        assert isinstance(found, NoReply)
        assert found.why


def test_an_answer_that_is_cut_short_is_no_answer() -> None:
    whole = KNOWN["qstat-F-json-all"].answer.stdout
    for text in (whole[: len(whole) // 2], "[]", "<html>maintenance</html>", '"x"'):
        answer, _ = answers(LISTED, Answer(status=0, stdout=text))
        assert isinstance(run_dialogue(PBS.jobs("alice"), answer), NoReply)


def test_a_job_whose_answer_was_lost_is_found_by_its_token() -> None:
    answer, heard = answers(LISTED, with_token("qstat-f-t-json-array"), Answer(status=0))
    assert run_dialogue(PBS.find(TOKEN, "alice"), answer) == "27[].pbs01"
    assert heard[2] == ("qstat", "-x", "-u", "alice")
    over = with_token("qstat-xft-array-finished-json")
    listed = Answer(status=0, stdout=LISTED.stdout.replace("27[]", "26[]"))
    answer, _ = answers(Answer(status=0), listed, over)
    assert run_dialogue(PBS.find(TOKEN, "alice"), answer) == "26[].pbs01", "it ended in between"
    answer, _ = answers(Answer(status=0), "qstat-x-no-history")
    assert run_dialogue(PBS.find(TOKEN, "alice"), answer) is None
    answer, _ = answers("qstat-server-stopped", "qstat-server-stopped")
    assert isinstance(run_dialogue(PBS.find(TOKEN, "alice"), answer), NoReply)


def test_endings_are_asked_where_there_is_a_history() -> None:
    answer, heard = answers("qstat-xf-walltime-killed")
    found = run_dialogue(PBS.ended(["20.pbs01", "nonsense"]), answer)
    assert heard == [("qstat", "-x", "-f", "-t", "-F", "json", "20.pbs01")]
    assert isinstance(found, list)
    assert [end.how for end in found] == ["timeout"]
    empty = KNOWN["qstat-xf-no-history"].answer
    answer, _ = answers(empty)
    silent = run_dialogue(PBS.ended(["64.pbs01"]), answer)
    assert isinstance(silent, NoReply)
    assert "keeps no history" in silent.why


CANCELS = {
    "qdel-illegal": "does not understand",
    "qdel-other-users-job": "does not allow this to you",
    "qdel-server-stopped": "cannot be reached",
}


@pytest.mark.parametrize("case", named("^qdel", versions=(VERSION,)), ids=told)
def test_every_answer_of_qdel_has_its_meaning(case: Case) -> None:
    answer, heard = answers(case.answer)
    said = run_dialogue(PBS.cancel(["47[].pbs01", ""]), answer)
    assert heard == [("qdel", "47[].pbs01")]
    expected = CANCELS.get(case.name, "")
    assert expected in said if expected else said == ""


CANCELLED = {"qstat-xf-deleted-queued", "qstat-xf-deleted-running", "qstat-xft-after-array-deletes", "qstat-xft-array-deleted"}  # fmt: skip


@pytest.mark.parametrize("case", [case for case in named("^qstat-xf", versions=(VERSION,)) if "json" not in case.command], ids=told)  # fmt: skip
def test_the_continuation_knows_a_deleted_job(case: Case) -> None:
    argv, pattern = PBS.cancelled_query("{job}")
    assert argv == ["qstat", "-x", "-f", "-t", "{job}"]
    assert matches(pattern, case.answer.stdout) == (case.name in CANCELLED)


# Requests


FULL = Request(
    name="coverage study", token="packhorse-0a1b-3", elements=40, throttle=8, partition="workq", account="lab",
    qos="high", cores=4, memory=8000, gpus=2, seconds=5400, exclude=("n4",), whole_nodes=True, requeue=False,
    output="/home/alice/runs/x/logs/job-3-{element}.out", mail="alice@example.org", mail_when=("begin", "end"),
    options=("-P project",),
)  # fmt: skip


def test_the_head_of_a_script() -> None:
    assert PBS.directives(replace(FULL, output="")) == [
        "#PBS -S /bin/bash",
        "#PBS -N coverage_study",
        "#PBS -A lab",
        "#PBS -q workq",
        "#PBS -l select=1:ncpus=4:mem=8000mb:ngpus=2",
        "#PBS -l place=excl",
        "#PBS -l walltime=01:30:00",
        "#PBS -l qos=high",
        "#PBS -r y",
        "#PBS -j oe",
        "#PBS -M alice@example.org",
        "#PBS -m be",
        "#PBS -P project",
    ]
    assert "#PBS -l place=scatter" in PBS.directives(Request(name="x", nodes=2))
    assert "#PBS -r n" in PBS.directives(Request(name="x", requeue=False))


def test_a_submission_says_what_differs_from_the_next() -> None:
    assert PBS.submit_argv("waves/job-base.sh", ["3", "39", "0"], FULL) == [
        "qsub",
        "-f",
        "-J0-39%8",
        "-vPACKHORSE_TOKEN=packhorse-0a1b-3,PACKHORSE_WAVE=3,PACKHORSE_LAST=39,PACKHORSE_FOLLOWS=0",
        "-o/home/alice/runs/x/logs/job-3-^array_index^",
        "waves/job-base.sh",
    ]
    assert PBS.submit_argv("job.sh", [], Request(name="x", elements=1)) == ["qsub", "-f", "job.sh"]


@pytest.mark.parametrize("elements", [1, 2])
def test_a_wave_is_submitted_held_and_one_element_is_no_array(elements: int) -> None:
    output = "/r/job-{wave}-{element}.out"
    asked = Request(name="x", token="{token}", elements=1, throttle=8, after="{job}", output=output)
    filling = placeholders("job.sh", 3, "packhorse-0a1b-3", elements=elements, job="7[].x")
    wave = fill_command(PBS.submit_template(asked), filling)
    assert wave == [
        "qsub",
        "-f",
        "-h",
        *(["-J0-1%8"] if elements == 2 else []),
        "-Wdepend=afterany:7[].x",
        f"-vPACKHORSE_TOKEN=packhorse-0a1b-3,PACKHORSE_WAVE=3,PACKHORSE_LAST={elements - 1},PACKHORSE_FOLLOWS=0",
        "-o/r/job-3-^array_index^" if elements == 2 else "-o/r/job-3-0",
        "job.sh",
    ]
    assert PBS.release_argv("26[].x") == ["qrls", "26[].x"]


def test_a_users_script_may_ask_for_an_array_and_wait() -> None:
    waits = (Wait("26[].x", "end"), Wait("28.x", "start"))
    asked = Request(
        name="x", indices=((0, 9, 3),), throttle=2, waits=waits, cores=4, tasks=2, core_memory=500,
        output="/r/{element}.out", error="/r/x.err", requeue=False,
    )  # fmt: skip
    assert PBS.directives(asked) == [
        "#PBS -S /bin/bash",
        "#PBS -N x",
        "#PBS -J 0-9:3%2",
        "#PBS -W depend=afterany:26[].x,after:28.x",
        "#PBS -l select=1:ncpus=4:mpiprocs=2:mem=2000mb",
        "#PBS -r y",
        "#PBS -o /r/^array_index^.out",
        "#PBS -e /r/x.err",
        "#PBS -m n",
    ]
    assert PBS.unsupported(asked) == []
    assert len(PBS.unsupported(Request(name="x", indices=((0, 1, 1), (5, 6, 1)), output="/r/{job}"))) == 2
    assert PBS.unsupported(Request(name="x", indices=((3, 3, 1),)))
    assert PBS.submit_script_argv("a.sh", ["1"], "token") == [
        "qsub",
        "-f",
        "-vPACKHORSE_TOKEN=token",
        "a.sh",
        "1",
    ]
    assert PBS.head_option_argv(HeadOptions(partition="short", seconds=90)) == [
        "-qshort",
        "-lwalltime=00:01:30",
    ]
    with pytest.raises(UsageError, match="cannot overrule the memory"):
        PBS.head_option_argv(HeadOptions(memory=2048))


def test_where_a_job_works_and_writes() -> None:
    answer, heard = answers("qstat-xf-directives")
    found = run_dialogue(PBS.details("2.pbs01"), answer)
    assert heard == [("qstat", "-x", "-f", "-t", "-F", "json", "2.pbs01")]
    assert found == [
        Details(
            job="2.pbs01", name="train-net", word="F", folder="/home/alice", output="/home/alice/train.out"
        )
    ]
    answer, _ = answers("qstat-xft-array-finished-json")
    found = run_dialogue(PBS.details("26[]"), answer)
    assert isinstance(found, list)
    assert [one.output.rpartition("/")[2] for one in found] == [f"stp.o26.{n}" for n in (0, 3, 6, 9)]


def test_queues_and_what_they_allow() -> None:
    answer, _ = answers(KNOWN["qstat-Q-f-json"].answer)
    assert run_dialogue(PBS.queues("alice"), answer) == [
        QueueState(name="workq", running=1, waiting=4, may=True),
        QueueState(name="debug", running=0, waiting=0, default_time=1800, max_time=14400, max_nodes=1, may=True),
        QueueState(name="stopped", open=False, word="not enabled and not started", running=0, waiting=0, may=False, rights="it accepts no jobs now"),
    ]  # fmt: skip
    answer, _ = answers(KNOWN["qstat-F-json-server-stopped"].answer, Answer(status=0, stdout="oops"))
    assert isinstance(run_dialogue(PBS.queues("alice"), answer), NoReply)
    assert isinstance(run_dialogue(PBS.queues("alice"), answer), NoReply)
    assert isinstance(run_dialogue(PBS.estimate_start(QueueState(name="workq")), answer), NoReply)


def test_jobs_of_others_than_ours_are_in_the_history() -> None:
    answer, heard = answers(LISTED, "qstat-F-json-history")
    found = run_dialogue(PBS.history("alice", 3), answer)
    assert heard[0] == ("qstat", "-x", "-u", "alice")
    assert isinstance(found, list)
    assert all(end.how for end in found)


@pytest.mark.parametrize(("word", "kind"), [("held u", "held"), ("held s", "dependent"), ("held p", "held"), ("array began", "waiting"), ("H", "held")])  # fmt: skip
def test_a_job_waits_is_held_or_depends(word: str, kind: str) -> None:
    assert PBS.wait_kind(word) == kind
