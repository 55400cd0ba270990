"""Where a job works and writes: scontrol's answers of three versions, and the accounting's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.command import Answer, Command
from packhorse.model.job import Details
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.details import MARK, PLACES
from schedulers.captured import VERSIONS, Case, cases, named, told

SLURM = scheduler("slurm")
FOLDER = "/home/alice/project"
KNOWN = [
    case
    for case in named(r"^scontrol_job_")
    if case.answer.status == 0 and "-o " in case.command and "-d " not in case.command
]


def details(shown: Answer, kept: Answer | None = None) -> list[Details]:
    said = answered(shown, kept)
    assert not isinstance(said, NoReply), said
    return said


def answered(shown: Answer, kept: Answer | None = None) -> list[Details] | NoReply:
    def answer(command: Command) -> Answer:
        return shown if command.argv[0] == "scontrol" else kept or Answer(status=1)

    return run_dialogue(SLURM.details("1"), answer)


@pytest.mark.parametrize("case", KNOWN, ids=told)
def test_every_job_has_its_folder_script_and_files(case: Case) -> None:
    found = details(case.answer)
    lines = case.answer.stdout.splitlines()
    assert len(found) == len([line for line in lines if line.startswith("JobId=")])
    for one, line in zip(found, lines, strict=True):
        assert one.folder == FOLDER
        assert one.script.startswith(f"{FOLDER}/")
        assert re.search(rf" JobName={re.escape(one.name)} (HetJobIdSet=\S+ )?UserId=", line)
        assert "=" not in one.name
        assert f" JobState={one.word} " in line
        number = f"{one.job}_{one.element}" if one.element is not None else one.job
        if one.output:
            assert one.output in (f"{FOLDER}/slurm-{number}.out", *re.findall(r" StdOut=(\S+)", line))
            assert "4294967294" not in one.output
        else:
            assert "ArrayTaskId=" in line
        assert one.error == ""  # in none of these do errors go elsewhere


def test_the_captures_have_arrays_and_odd_names() -> None:
    assert {case.name for case in KNOWN} >= {
        "scontrol_job_arr",
        "scontrol_job_spacename",
        "scontrol_job_noout",
    }
    (odd,) = details(cases("25.11.7")["scontrol_job_spacename"].answer)
    assert odd.name == "name with spaces|pipe é"
    found = details(cases("22.05.8")["scontrol_job_arr"].answer)
    assert sorted(one.element or 0 for one in found) == [0, 1, 2, 3, 4]
    assert {one.job for one in found} == {"62"}


@pytest.mark.parametrize("case", named(r"^scontrol_job_(unknown|arrtask_unknown|garbage)$"), ids=told)
def test_an_unknown_job_is_nothing_where_the_accounting_is_off(case: Case) -> None:
    off = cases(case.version)["acctoff_sacct_P"].answer
    assert details(case.answer, off) == []


@pytest.mark.parametrize("case", named(r"^(ctlddown|hung|nomunge)_scontrol_job"), ids=told)
def test_a_scheduler_that_is_away_does_not_make_a_job_unknown(case: Case) -> None:
    assert isinstance(answered(case.answer), NoReply)


def kept(name: str, version: str = "22.05.8") -> Answer:
    """Return what sacct would print of a captured job for our fields."""
    header, *rows = (line.split("|") for line in cases(version)[name].answer.stdout.splitlines())
    lines = [
        MARK.join(row[header.index(field)] for field in PLACES)
        for row in rows
        if "." not in row[0] and len(row) == len(header)
    ]
    return Answer(status=0, stdout="\n".join(lines))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_job_that_only_the_accounting_knows(version: str) -> None:
    unknown = cases(version)["scontrol_job_unknown"].answer
    (done,) = details(unknown, kept("sacct_exit3", version))
    assert (done.name, done.word, done.folder) == ("exit3", "FAILED", FOLDER)
    assert done.output == f"{FOLDER}/slurm-{done.job}.out"
    elements = details(unknown, kept("sacct_arr", version))
    assert [one.output for one in elements] == [
        f"{FOLDER}/slurm-{one.job}_{one.element}.out" for one in elements
    ]
    (named_file,) = details(unknown, kept("sacct_noout", version))
    assert re.fullmatch(rf"{FOLDER}/nodir\d/such/{named_file.job}\.out", named_file.output)


@pytest.mark.parametrize(
    ("line", "output", "error"),
    [
        ("sbatch -o out.%x.%u.txt job.sh", "out.my job.alice.txt", ""),
        ("sbatch -oout%4j.txt -e /tmp/%N.err job.sh", "out0007.txt", "/tmp/n1.err"),
        ("sbatch --output=%A-%%.txt --error err job.sh", "7-%.txt", "err"),
        ("sbatch job.sh it's", "slurm-7.out", ""),
    ],
)
def test_files_that_a_command_line_names(line: str, output: str, error: str) -> None:
    row = {"JobID": "7", "JobIDRaw": "7", "State": "COMPLETED", "User": "alice", "NodeList": "n1,n2"}
    row |= {"SubmitLine": line, "WorkDir": "/w", "JobName": "my job"}
    text = MARK.join(row[field] for field in PLACES)
    (found,) = details(Answer(status=1), Answer(status=0, stdout=text))
    assert found.output == f"/w/{output}"
    assert found.error == (error if error.startswith("/") or not error else f"/w/{error}")


def test_a_file_in_a_folder_that_is_not_known_is_not_known() -> None:
    row = {"JobID": "7", "JobIDRaw": "7", "State": "COMPLETED", "User": "alice", "NodeList": "n1"}
    row |= {"SubmitLine": "sbatch -e /tmp/err job.sh", "WorkDir": "", "JobName": "x"}
    text = MARK.join(row[field] for field in PLACES)
    (found,) = details(Answer(status=1), Answer(status=0, stdout=text))
    assert (found.output, found.error, found.script) == ("", "/tmp/err", "")


LINES = sorted({line for case in KNOWN for line in case.answer.stdout.splitlines()})


@given(st.sampled_from(LINES), st.data())
def test_cut_lines_never_break_the_reading(line: str, data: st.DataObject) -> None:
    cut = line[: data.draw(st.integers(0, len(line)))]
    foreign = data.draw(st.text(max_size=40))
    details(Answer(status=0, stdout=f"{cut}\n{foreign}\n{cut}{foreign}"))
    details(Answer(status=1), Answer(status=0, stdout=cut.replace(" ", MARK) + foreign))


def test_elements_write_where_their_script_says() -> None:
    script = "#!/bin/bash\n#SBATCH -a 1,8-10:2 -o logs/%x-%3a.txt -e %A_%a.err -J fit\n"
    found = SLURM.script_outputs("77", script, FOLDER, "alice", "fit.sh")
    assert [(one.element, one.output, one.error) for one in found] == [
        (element, f"{FOLDER}/logs/fit-{element:03d}.txt", f"{FOLDER}/77_{element}.err")
        for element in (1, 8, 10)
    ]
    assert SLURM.script_outputs("77", script.replace("%3a", "%j"), FOLDER, "alice", "fit.sh") == []
