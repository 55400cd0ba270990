"""squeue's answers, real ones of three versions, and what no version has said yet."""

from __future__ import annotations

import re
from collections import Counter
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.command import Answer, Command
from packhorse.model.job import Job, JobState
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.queue import FORMAT
from schedulers.captured import TESTBED, VERSIONS, Case, cases, named, told

SLURM = scheduler("slurm")
PINNED = [
    case
    for case in named(r"squeue", versions=(*VERSIONS, TESTBED))
    if FORMAT in case.command and case.answer.status == 0
]
OTHERS = [case for case in named(r"squeue") if case not in PINNED]


def jobs_of(answer: Answer) -> list[Job] | NoReply:
    return run_dialogue(SLURM.jobs("alice"), lambda _: answer)


def read(answer: Answer) -> list[Job]:
    said = jobs_of(answer)
    assert not isinstance(said, NoReply), said
    return said


# What a case's name says: the state, and the reason, of each of its jobs.
EXPECTED: dict[str, list[tuple[str, str]]] = {
    "adminheld": [("QUEUED", "JobHeldAdmin")],
    "after_requeue": [("RUNNING", "")],  # COMPLETING: its processes may still write
    "after_user_suspend": [("RUNNING", "")],
    "array_task": [("RUNNING", "")],
    "array_task_unknown": [],
    "begin": [("QUEUED", "BeginTime")],
    "bob_limit": [("QUEUED", "AssocMaxJobsLimit"), ("RUNNING", "")],
    "closed": [("QUEUED", "PartitionDown")],
    "completing": [("RUNNING", "")],
    "dep": [("QUEUED", "Dependency")],
    "depnever": [("QUEUED", "DependencyNeverSatisfied")],
    "empty_noheader": [],
    "fill": [("RUNNING", "")],
    "gpu": [("RUNNING", "")],
    "held": [("QUEUED", "JobHeldUser")],
    "held_by_scontrol": [("QUEUED", "JobHeldUser")],
    "het": [("RUNNING", ""), ("RUNNING", "")],
    "lic2": [("QUEUED", "Licenses")],
    "job_finished": [],
    "job_two_unknown": [],
    "node_down": [("QUEUED", "ReqNodeNotAvail")],
    "nodedown": [("QUEUED", "ReqNodeNotAvail")],
    "oom_tall": [("GONE", ""), ("GONE", "")],
    "priority": [("QUEUED", "Nodes required")],
    "qos2": [("QUEUED", "QOSMaxJobsPerUserLimit")],
    "requeuehold": [("QUEUED", "job requeued in held state")],
    "resources": [("QUEUED", "Resources")],
    "run": [("RUNNING", "")],
    "run2n": [("RUNNING", "")],
    "running_after_hold": [("RUNNING", "")],
    "suspended": [("RUNNING", "")],
}


@pytest.mark.parametrize("case", PINNED, ids=told)
def test_every_line_is_a_job_in_a_known_state(case: Case) -> None:
    found = read(case.answer)
    assert len(found) == len(case.answer.stdout.splitlines())
    for job, line in zip(found, case.answer.stdout.splitlines(), strict=True):
        assert line.startswith(f"{job.job}|")
        assert job.state != "UNKNOWN"
        assert job.word in line
        assert job.limit is not None
        assert job.state == "QUEUED" or not job.reason
        # Two cases show what an environment can do to times; our questions set it.
        if job.state == "RUNNING" and case.name not in ("squeue_epoch", "squeue_time_relative"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", job.start)


@pytest.mark.parametrize(
    "case",
    [case for case in PINNED if case.name.removeprefix("squeue_").removesuffix("_noarray") in EXPECTED],
    ids=told,
)
def test_a_case_means_what_its_name_says(case: Case) -> None:
    expected = EXPECTED[case.name.removeprefix("squeue_").removesuffix("_noarray")]
    found = read(case.answer)
    assert [job.state for job in found] == [state for state, _ in expected]
    for job, (_, reason) in zip(found, expected, strict=True):
        assert job.reason.startswith(reason)


def test_the_names_above_are_all_captured() -> None:
    seen = {case.name.removeprefix("squeue_").removesuffix("_noarray") for case in PINNED}
    assert set(EXPECTED) <= seen


@pytest.mark.parametrize("version", VERSIONS)
def test_one_row_for_waiting_elements_counts_as_many_as_a_row_each(version: str) -> None:
    each = read(cases(version)["squeue_all_pinned"].answer)
    together = read(cases(version)["squeue_all_pinned_noarray"].answer)
    assert len(together) < len(each)
    assert all(job.elements == 1 for job in each)
    counted: Counter[tuple[str, JobState]] = Counter()
    for job in together:
        counted[job.job, job.state] += job.elements
    assert counted == Counter((job.job, job.state) for job in each)
    assert [job.element for job in together if job.elements > 1] == [None, None]


@pytest.mark.parametrize("version", VERSIONS[1:])
def test_the_same_queue_reads_the_same_in_every_version(version: str) -> None:
    def meaning(version: str) -> dict[str, list[tuple[object, ...]]]:
        found: dict[str, list[tuple[object, ...]]] = {}
        for job in read(cases(version)["squeue_all_pinned_noarray"].answer):
            # How far the throttled array had come, and where jobs ran, was chance.
            count = (job.elements, job.element) if job.name != "throttle" else ()
            first = job.reason.partition(",")[0]
            found.setdefault(job.name, []).append((job.state, first, job.limit, *count))
        return {name: sorted(values, key=repr) for name, values in found.items()}

    old, new = meaning("22.05.8"), meaning(version)
    same = old.keys() & new.keys()
    assert len(same) >= 20
    differing = {name for name in same if old[name] != new[name]}
    assert differing <= {"throttle", "arrheld", "deadline", "priority"}, {
        name: (old[name], new[name]) for name in differing
    }


@pytest.mark.parametrize("case", named(r"^(ctlddown|hung|nomunge|noconf|nohost)_squeue"), ids=told)
def test_a_failed_question_is_never_an_empty_queue(case: Case) -> None:
    said = jobs_of(case.answer)
    if case.version == "22.05.8" and "--json" in case.command:
        assert isinstance(said, NoReply)  # it has status 0, and text that is no queue
        return
    assert isinstance(said, NoReply)
    words = {
        "ctlddown": "cannot be reached",
        "hung": "did not answer in time",
        "nomunge": "munge",
        "noconf": "configuration",
        "nohost": "cannot be reached",
    }
    assert words[case.name.partition("_")[0]] in said.why


@pytest.mark.parametrize("case", OTHERS, ids=told)
def test_answers_to_other_questions_break_nothing(case: Case) -> None:
    said = jobs_of(case.answer)
    if isinstance(said, NoReply):
        assert said.why
    else:
        assert all(job.state in get_args(JobState) for job in said)


@pytest.mark.parametrize("case", named(r"squeue_user_(unknown|none)$"), ids=told)
def test_a_user_whom_slurm_does_not_know_has_no_empty_queue(case: Case) -> None:
    if "Invalid user" in case.answer.stderr:
        assert isinstance(jobs_of(case.answer), NoReply)
    else:
        assert read(case.answer) == []


def test_silence_and_a_missing_command_are_told() -> None:
    assert jobs_of(Answer(status=None)) == NoReply("the command did not end in time")
    gone = jobs_of(Answer(status=None, stderr="squeue: not found"))
    assert isinstance(gone, NoReply)
    assert "not on this machine" in gone.why


def test_warnings_do_not_make_an_answer_a_failure() -> None:
    row = "9|N/A|9|RUNNING|None|2026-11-21T23:19:32|1-02:03:04|UNLIMITED|n1|x|(null)\n"
    found = read(Answer(status=0, stdout=row, stderr="squeue: error: plugin_load_from_file: old plugin\n"))
    assert [(job.elapsed, job.limit) for job in found] == [(93784, None)]


def row(**said: str) -> str:
    columns = {
        "F": "85", "K": "N/A", "i": "85", "T": "PENDING", "r": "Priority", "S": "N/A", "M": "0:00", "l": "1:00:00",
        "N": "", "j": "name", "k": "(null)",
    }  # fmt: skip
    assert set(said) <= set(columns)
    return "|".join({**columns, **said}.values())


@pytest.mark.parametrize(
    ("expression", "count"),
    [
        ("2-5%2", 4),
        ("7,9,20,22,24", 5),
        ("0-9999", 10000),
        ("0-12:2", 7),
        ("0-3,5,10-20:5%1", 8),
        ("3", 1),
        ("0,2,4,...", 3),
        ("", 1),
        ("λ", 1),
        ("9-2", 1),
    ],
)
def test_array_expressions_are_counted(expression: str, count: int) -> None:
    (job,) = read(Answer(status=0, stdout=row(K=expression, i=f"85_[{expression}]")))
    assert job.elements == count
    assert job.element == (3 if expression == "3" else None)


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("CONFIGURING", "QUEUED"),
        ("REQUEUED", "QUEUED"),
        ("REQUEUE_HOLD", "QUEUED"),
        ("SPECIAL_EXIT", "QUEUED"),
        ("EXPEDITING", "QUEUED"),
        ("STOPPED", "RUNNING"),
        ("SIGNALING", "RUNNING"),
        ("RESIZING", "RUNNING"),
        ("STAGE_OUT", "RUNNING"),
        ("BOOT_FAIL", "GONE"),
        ("DEADLINE", "GONE"),
        ("PREEMPTED", "GONE"),
        ("REVOKED", "UNKNOWN"),
        ("WARP", "UNKNOWN"),
        ("PEND", "UNKNOWN"),
        ("", "UNKNOWN"),
    ],
)
def test_states_that_were_not_captured(word: str, state: JobState) -> None:
    (job,) = read(Answer(status=0, stdout=row(T=word)))
    assert (job.state, job.word) == (state, word)


def test_a_state_tells_why_a_job_waits_where_slurm_gives_no_reason() -> None:
    (job,) = read(Answer(status=0, stdout=row(T="CONFIGURING", r="None")))
    assert SLURM.explain_reason(job.reason) == "its nodes are being started"
    (job,) = read(Answer(status=0, stdout=row(T="PENDING", r="None")))
    assert job.reason == ""


def test_names_and_comments_may_hold_anything() -> None:
    ours = row(j="my study", k="packhorse-0a1b-12")
    text = "\n".join(
        [
            row(j="a | b", k="a comment, with | and 'quotes'"),
            row(j="two", k="lines\nof a comment|x"),
            ours,
            row(j="billed", k="project=7;packhorse-0a1b-12-next"),
        ]
    )
    found = read(Answer(status=0, stdout=text))
    assert [(job.name, job.token) for job in found] == [
        ("a ", ""),
        ("two", ""),
        ("my study", "packhorse-0a1b-12"),
        ("billed", "packhorse-0a1b-12-next"),
    ]


LINES = sorted({line for case in PINNED for line in case.answer.stdout.splitlines()})


@given(st.sampled_from(LINES), st.data())
def test_cut_lines_and_foreign_words_never_break_the_reading(line: str, data: st.DataObject) -> None:
    cut = line[: data.draw(st.integers(0, len(line)))]
    columns = line.split("|")
    columns[data.draw(st.integers(0, len(columns) - 1))] = data.draw(st.text(max_size=20))
    foreign = "|".join(columns)
    whole = Answer(status=0, stdout="\n".join([line, cut, foreign, data.draw(st.text(max_size=50))]))
    found = read(whole)
    assert found[0] == read(Answer(status=0, stdout=line))[0]
    assert all(job.elements >= 1 for job in found)


def find(text: str, token: str) -> str | NoReply | None:
    return run_dialogue(SLURM.find(token, "alice"), lambda _: Answer(status=0, stdout=text))


def test_a_job_is_found_by_its_token_also_when_it_has_just_ended() -> None:
    ended = row(F="85", T="COMPLETED", k="packhorse-0a1b-1")
    other = row(F="86", k="packhorse-0a1b-11")
    follow = row(F="87", k="packhorse-0a1b-1-next")
    text = "\n".join([other, follow, ended])
    assert find(text, "packhorse-0a1b-1") == "85"
    assert find(text, "packhorse-0a1b-1-next") == "87"
    assert find(text, "packhorse-0a1b-2") is None
    assert find("", "packhorse-0a1b-2") is None


def test_of_a_job_that_was_submitted_twice_the_first_that_lives_is_named() -> None:
    token = "packhorse-0a1b-1"
    ended, second, third = row(F="99", T="CANCELLED", k=token), row(F="900", k=token), row(F="1000", k=token)
    assert find("\n".join([third, second, ended]), token) == "900"
    assert find(ended, token) == "99"


def test_a_look_up_without_an_answer_is_not_an_absent_job() -> None:
    said = run_dialogue(
        SLURM.find("packhorse-0a1b-1", "alice"), lambda _: Answer(status=1, stderr="slurm_load_jobs error: x")
    )
    assert isinstance(said, NoReply)


def test_the_look_up_asks_for_ended_jobs_too() -> None:
    commands: list[Command] = []

    def answer(command: Command) -> Answer:
        commands.append(command)
        return Answer(status=0)

    run_dialogue(SLURM.find("packhorse-0a1b-1", "alice"), answer)
    run_dialogue(SLURM.jobs("alice"), answer)
    assert "--states=all" in commands[0].argv
    assert "--states=all" not in commands[1].argv
    for command in commands:
        assert "--user=alice" in command.argv
        assert command.env["SLURM_BITSTR_LEN"] == "0"
        assert "SQUEUE_*" in command.unset
        assert "SLURM_CONF" not in command.unset


@pytest.mark.parametrize("case", named(r"^squeue_(job_finished|oom|nodefail)_tall$"), ids=told)
def test_states_of_elements_answer_whether_somebody_cancelled(case: Case) -> None:
    _, words = SLURM.cancelled_query("61")
    printed = [line.split("|")[3] for line in case.answer.stdout.splitlines()]  # the %T of what is asked
    assert printed
    assert not set(printed) & set(words)
    assert "CANCELLED" in words
