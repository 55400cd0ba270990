"""sacct's answers: rows as three versions really gave them, cut to the fields that are asked for."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.command import Answer, Command
from packhorse.model.job import Ended
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.accounting import FIELDS, MORE
from packhorse.schedulers.slurm.queue import FORMAT
from schedulers.captured import TESTBED, VERSIONS, Case, cases, named, told

SLURM = scheduler("slurm")
# These asked for all the fields that every version has, -D shows earlier starts of a job too.
WIDE = [
    case
    for case in named(r"^sacct_", versions=(*VERSIONS, TESTBED))
    if set(FIELDS) <= set(case.answer.stdout.partition("\n")[0].split("|"))
]


def asked_for(case: Case, fields: tuple[str, ...] = FIELDS) -> str:
    """Return the case as sacct would have printed it for our fields."""
    header, *rows = (line.split("|") for line in case.answer.stdout.splitlines())
    places = [header.index(field) for field in fields]
    found = []
    for row in rows:
        # A name, a comment and a command line that hold the separator push the rest to the right; that is why no free
        # text is asked for but the name, as the last. What we ask for stands behind the name and before the comment.
        shift = 1 if row[2:4] == ["name with spaces", "pipe é"] else 0
        found.append("|".join(row[place + (shift if place > 2 else 0)] for place in places))
    return "\n".join(found)


def ended(text: str, jobs: list[str] | None = None) -> list[Ended]:
    known = jobs or sorted(
        {line.partition("|")[0].partition("_")[0].partition(".")[0] for line in text.splitlines()}
    )
    said = run_dialogue(SLURM.ended(known), lambda _: Answer(status=0, stdout=text))
    assert not isinstance(said, NoReply), said
    return said


# (how, exit, signal, by) of each job or element, in the order of the rows; the steps are no rows of their own.
EXPECTED: dict[str, list[tuple[object, ...]]] = {
    "arr": [("done", 0, None, ""), ("done", 0, None, ""), ("failed", 4, None, ""), ("done", 0, None, ""), ("done", 0, None, "")],
    "arrthr": [],
    "carr": [("cancelled", None, None, "1001")] * 3,
    "cpend": [("cancelled", None, None, "1001")],
    "croot": [("cancelled", None, None, "0")],
    "crun": [("cancelled", None, None, "1001")],
    "csig": [("failed", None, 10, "")],
    "duplicates_nodefailrq": [("node", None, None, "")],  # it runs again
    "duplicates_ok": [("requeued", None, None, ""), ("done", 0, None, "")],
    "duplicates_requeued": [("requeued", None, None, "")],
    "duplicates_requeuehold": [("requeued", None, None, "")],
    "exit3": [("failed", 3, None, "")],
    "held": [],
    "nodefail": [("node", None, None, "")],
    "nodefailrq": [],
    "nointerp": [("failed", 2, None, "")],
    "ok": [("done", 0, None, "")],
    "oom": [("memory", None, 9, "")],
    "oomcg": [("memory", None, None, "")],
    "oomcgstep": [("memory", 0, None, "")],
    "oomstep": [("memory", 0, None, "")],
    "preempted": [("preempted", None, None, "")],
    "requeued": [],
    "run": [],
    "running_steps": [],
    "segv": [("failed", None, 11, "")],
    "selfterm": [("failed", None, 15, "")],
    "spacename": [("done", 0, None, "")],
    "steps": [("done", 0, None, "")],
    "timeout": [("timeout", None, None, "")],
    "timeout_step": [("timeout", None, None, "")],
}  # fmt: skip
# What differs: 22.05 does not make the folder of a job's output; cgroups were on in the testbed.
DIFFERENT: dict[tuple[str, str], list[tuple[object, ...]]] = {
    ("22.05.8", "noout"): [("failed", None, 53, "")],
    ("23.11.11", "noout"): [("done", 0, None, "")],
    ("25.11.7", "noout"): [("done", 0, None, "")],
    ("22.05.8", "deadline"): [],
    ("23.11.11", "deadline"): [],
    ("25.11.7", "deadline"): [("timeout", None, None, "")],
    ("22.05.8", "cstep"): [("failed", 9, None, "")],
    ("23.11.11", "cstep"): [("failed", 9, None, "")],
    ("25.11.7", "cstep"): [("failed", 137, None, "")],
    # 23.11: its node failed when it had been started again; 25.11 repeated one that had ended well.
    ("23.11.11", "duplicates_requeued"): [("requeued", None, None, ""), ("node", None, None, "")],
    ("25.11.7", "duplicates_ok"): [("done", 0, None, "")],
    (TESTBED, "arr"): [("done", 0, None, ""), ("done", 0, None, ""), ("failed", 4, None, "")],
    (TESTBED, "oom"): [("memory", None, None, "")],
}
# Our jobs have no second component.
WITHOUT_MEANING = {"het"}


@pytest.mark.parametrize("case", WIDE, ids=told)
def test_every_case_means_what_its_name_says(case: Case) -> None:
    name = case.name.removeprefix("sacct_")
    if name in WITHOUT_MEANING:
        assert ended(asked_for(case)) == []
        return
    expected = DIFFERENT.get((case.version, name), EXPECTED.get(name))
    found = ended(asked_for(case))
    assert [(one.how, one.exit, one.signal, one.by) for one in found] == expected


@pytest.mark.parametrize("version", VERSIONS)
def test_numbers_of_a_job_and_its_steps(version: str) -> None:
    (killed,) = ended(asked_for(cases(version)["sacct_oom"]))
    assert killed.word == "FAILED"
    assert killed.memory is not None
    assert 300 < killed.memory < 1100  # the peak of its step: 337724K to 985368K
    assert killed.cores == 1
    assert killed.cpu == 0.002
    assert killed.node.startswith("n")
    (slow,) = ended(asked_for(cases(version)["sacct_timeout"]))
    assert slow.elapsed in (74, 76)
    (never,) = ended(asked_for(cases(version)["sacct_cpend"]))
    assert (never.node, never.elapsed, never.memory) == ("", 0, None)


@pytest.mark.parametrize("version", VERSIONS)
def test_elements_that_never_started_are_told_one_by_one(version: str) -> None:
    found = ended(asked_for(cases(version)["sacct_carr"]))
    assert [one.element for one in found] == [0, 1, 3]
    assert len({one.job for one in found}) == 1


@pytest.mark.parametrize("case", named(r"^(acctoff|dbddown|noconf|nomunge)_sacct(_|$)"), ids=told)
def test_an_accounting_that_is_off_or_away_is_silent(case: Case) -> None:
    said = run_dialogue(SLURM.ended(["1"]), lambda _: case.answer)
    if case.answer.status == 0:
        return  # 22.05 answers some questions with an empty document
    assert isinstance(said, NoReply)
    words = {
        "acctoff": "no accounting",
        "dbddown": "cannot be reached",
        "noconf": "configuration",
        "nomunge": "munge",
    }
    assert words[case.name.partition("_")[0]] in said.why


@pytest.mark.parametrize("case", named(r"^sacct_(bad|garbage|field)_"), ids=told)
def test_a_question_that_sacct_refuses_is_silent(case: Case) -> None:
    said = run_dialogue(SLURM.ended(["1"]), lambda _: case.answer)
    assert isinstance(said, NoReply) == (case.answer.status != 0)


@pytest.mark.parametrize("case", named(r"sacct_unknown_job_noheader$"), ids=told)
def test_a_job_that_the_accounting_does_not_know_is_absent(case: Case) -> None:
    assert ended(case.answer.stdout, ["999999"]) == []


@pytest.mark.parametrize("case", [case for case in named(r"sacct") if case not in WIDE], ids=told)
def test_answers_to_other_questions_break_nothing(case: Case) -> None:
    said = run_dialogue(SLURM.ended(["1", "61"]), lambda _: case.answer)
    assert isinstance(said, list | NoReply)


def test_nothing_is_asked_where_there_is_nothing_to_ask() -> None:
    def never(_: object) -> Answer:
        raise AssertionError("asked")

    assert run_dialogue(SLURM.ended([]), never) == []
    assert run_dialogue(SLURM.ended(["", "no number", "٣"]), never) == []


def history(text: str, queue: str = "", *, off: bool = False) -> list[Ended]:
    def answer(command: Command) -> Answer:
        if command.argv[0] == "squeue":
            return Answer(status=0, stdout=queue)
        assert "--starttime=now-3days" in command.argv
        return Answer(status=1 if off else 0, stdout=text)

    said = run_dialogue(SLURM.history("alice", 3), answer)
    assert not isinstance(said, NoReply), said
    return said


@pytest.mark.parametrize("case", WIDE, ids=told)
def test_the_history_says_the_same_with_names_and_what_was_asked_for(case: Case) -> None:
    found, lean = history(asked_for(case, MORE)), ended(asked_for(case))
    assert [(one.job, one.element, one.how, one.memory) for one in found] == [
        (one.job, one.element, one.how, one.memory) for one in lean
    ]
    for one in found:
        assert one.name
        assert re.fullmatch(r"2026-11-2\dT\d\d:\d\d:\d\d|None|Unknown", one.end)
        if one.cores and one.how != "cancelled":
            assert one.asked_memory in (50, 100, 150, 200, 300, 1024)
            assert one.limit
            assert one.queue in ("general", "debug", "gpu", "scavenge", "bigmem")


def test_a_job_that_has_just_ended_is_known_to_squeue_alone() -> None:
    def queued(job: str, word: str) -> str:
        assert FORMAT.startswith("%F|%K|%i|%T|")
        return f"{job}|N/A|{job}|{word}|None|2026-11-21T23:18:30|1:00|1:00:00|n1|a name|(null)"

    accounted = "61|COMPLETED|0:0|2026-11-21T23:19:30|1|1|00:01|5M|n1|1|cpu=1,mem=100M|60|general|a | name"
    queue = "\n".join([queued("61", "COMPLETED"), queued("62", "OUT_OF_MEMORY"), queued("63", "RUNNING")])
    found = history(accounted, queue)
    assert [(one.job, one.how, one.name, one.asked_memory) for one in found] == [
        ("61", "done", "a | name", 100),
        ("62", "memory", "a name", None),
    ]
    alone = history("", queue, off=True)
    assert [(one.job, one.how) for one in alone] == [("61", "done"), ("62", "memory")]
    again = history(accounted, queued("61", "RUNNING"))
    assert again == []  # it was put back into the queue


def test_a_number_given_twice_is_the_newer_job() -> None:
    older = "61|FAILED|5:0|2026-11-21T23:19:30|1|1|00:01|5M|n1|1|cpu=1,mem=100M|60|general|bad.sh"
    newer = "61|N/A|61|CANCELLED|None|2026-11-21T23:19:32|0:09|1:00:00|n1|long sleep|(null)"
    assert [(one.how, one.name) for one in history(older, newer)] == [("cancelled", "long sleep")]
    known = "61|CANCELLED by 7|0:0|2026-11-21T23:19:41|9|1|00:01|5M|n1|1|cpu=1,mem=100M|60|general|long sleep"
    assert [(one.how, one.asked_memory) for one in history(known, newer)] == [("cancelled", 100)]
    # Cancelled before it began: no start, and an end that the accounting may not have.
    waited = newer.replace("2026-11-21T23:19:32", "N/A")
    assert [one.how for one in history(known, waited)] == ["cancelled"]


def test_a_history_that_nobody_tells_is_silent() -> None:
    said = run_dialogue(SLURM.history("alice", 3), lambda _: Answer(status=1, stderr="squeue: error: x"))
    assert isinstance(said, NoReply)


def row(**said: str) -> str:
    usual = {
        "JobID": "61", "State": "COMPLETED", "ExitCode": "0:0", "End": "2026-11-21T23:19:30", "ElapsedRaw": "1",
        "AllocCPUS": "1", "TotalCPU": "00:00.003", "MaxRSS": "", "NodeList": "n1",
    }  # fmt: skip
    assert set(said) <= set(usual)
    return "|".join({**usual, **said}[field] for field in FIELDS)


@pytest.mark.parametrize(
    ("state", "end", "how"),
    [
        ("WARP", "2026-11-21T23:19:30", "unknown"),
        ("WARP", "Unknown", None),
        ("SUSPENDED", "Unknown", None),
        ("COMPLETING", "2026-11-21T23:19:30", None),
        ("REQUEUED", "2026-11-21T23:19:30", "requeued"),
        ("BOOT_FAIL", "2026-11-21T23:19:30", "node"),
        ("LAUNCH_FAILED", "2026-11-21T23:19:30", "failed"),
    ],
)
def test_states_that_were_not_captured(state: str, end: str, how: str | None) -> None:
    found = ended(row(State=state, End=end))
    assert [one.how for one in found] == ([how] if how else [])


@pytest.mark.parametrize(
    ("total", "seconds"),
    [("00:00.003", 0.003), ("01:02:03", 3723.0), ("2-00:00:01", 172801.0), ("61:30.5", 3690.5), ("", None), ("INVALID", None)],
)  # fmt: skip
def test_times(total: str, seconds: float | None) -> None:
    assert ended(row(TotalCPU=total))[0].cpu == seconds


@pytest.mark.parametrize(
    ("size", "mebibytes"),
    [("4812K", 5), ("4.50M", 5), ("985368K", 963), ("2G", 2048), ("1.5T", 1572864), ("4927488", 5), ("0", None), ("", None), ("many", None)],
)  # fmt: skip
def test_sizes(size: str, mebibytes: int | None) -> None:
    assert ended(row() + "\n" + row(JobID="61.batch", MaxRSS=size))[0].memory == mebibytes


def test_the_largest_step_counts() -> None:
    rows = [
        row(),
        *(
            row(JobID=f"61.{step}", MaxRSS=size)
            for step, size in (("batch", "3M"), ("0", "9M"), ("extern", "1M"))
        ),
    ]
    assert ended("\n".join(rows))[0].memory == 9


def test_a_step_that_root_ended_otherwise_was_not_killed_for_memory() -> None:
    step = row(JobID="61.0", State="CANCELLED by 0", ExitCode="0:15")
    assert ended(row() + "\n" + step)[0].how == "done"


def test_each_start_of_a_job_counts_for_itself() -> None:
    first = [row(State="PREEMPTED"), row(JobID="61.batch", State="CANCELLED", MaxRSS="900M")]
    last = [row(), row(JobID="61.batch", MaxRSS="5M")]
    found = ended("\n".join(first + last))
    assert [(one.how, one.memory) for one in found] == [("preempted", 900), ("done", 5)]
    # A job whose number came round again is another one.
    assert [one.how for one in ended("\n".join([row(State="FAILED"), row()]))] == ["done"]


def test_rows_of_other_jobs_are_left_out() -> None:
    text = "\n".join([row(JobID="61_0"), row(JobID="62_0")])
    assert [one.job for one in ended(text, ["62"])] == ["62"]


LINES = sorted({line for case in WIDE if case.name != "sacct_het" for line in asked_for(case).splitlines()})


@given(st.sampled_from(LINES), st.data())
def test_cut_lines_and_foreign_words_never_break_the_reading(line: str, data: st.DataObject) -> None:
    columns = line.split("|")
    columns[data.draw(st.integers(1, len(columns) - 1))] = data.draw(st.text(max_size=20))
    lines = [line[: data.draw(st.integers(0, len(line)))], "|".join(columns), data.draw(st.text(max_size=40))]
    for one in ended("\n".join(lines)):
        assert one.job in line
