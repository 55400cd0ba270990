"""What is free in each partition, and who may send jobs there: answers of three versions of Slurm, and made ones."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.command import Answer, Command
from packhorse.model.job import SubmissionRefused
from packhorse.model.queues import QueueState, Start
from packhorse.runtime.dialogue import run_dialogue
from packhorse.schedulers import scheduler
from packhorse.schedulers.scheduler import NoReply
from packhorse.schedulers.slurm.partitions import FREE
from schedulers.captured import VERSIONS, Case, cases, named, told

SLURM = scheduler("slurm")
ALICE = "testbed|lab||big,normal,short\ntestbed|physics||normal\n"


def as_asked(text: str) -> str:
    """Return sinfo's answer to another format as it would be to ours: blanks are bars, the default has no star."""
    return text.replace("* ", "|").replace(" ", "|")


def accounts(version: str) -> Answer:
    """Return sacctmgr's answer to another format as it would be to ours."""
    rows = (line.split("|") for line in cases(version)["sacctmgr_show_assoc_user"].answer.stdout.splitlines())
    return Answer(status=0, stdout="\n".join("|".join(row[place] for place in (0, 1, 3, 4)) for row in rows))


def queues(answers: Mapping[str, Answer]) -> list[QueueState] | NoReply:
    """Return the queues by what each program answers."""

    def answer(command: Command) -> Answer:
        return answers[command.argv[0]]

    return run_dialogue(SLURM.queues("alice"), answer)


def of_version(version: str, **other: Answer) -> dict[str, QueueState]:
    known = cases(version)
    answers = {
        "scontrol": known["scontrol_show_partition_oneline"].answer,
        "sinfo": Answer(status=0, stdout=as_asked(known["sinfo_aiot"].answer.stdout)),
        "id": Answer(status=0, stdout="alice users\n"),
        "sacctmgr": accounts(version),
    }
    found = queues({**answers, **other})
    assert not isinstance(found, NoReply), found
    return {one.name: one for one in found}


@pytest.mark.parametrize("version", VERSIONS)
def test_partitions_are_those_of_the_cluster(version: str) -> None:
    found = of_version(version)
    assert {"bigmem", "general", "debug", "gpu", "scavenge", "closed"} <= found.keys()
    general, debug = found["general"], found["debug"]
    assert (general.default, general.open, general.may, general.rights) == (True, True, True, "")
    assert (general.cores, general.nodes, general.max_time, general.default_time) == (32, 4, 604800, 3600)
    assert (debug.max_nodes, debug.max_time, general.max_nodes) == (2, 14400, None)
    assert not found["closed"].open
    assert "starts none" in found["closed"].word


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_free_is_what_sinfo_says(version: str) -> None:
    found = of_version(version)
    for line in cases(version)["sinfo_aiot"].answer.stdout.splitlines():
        name, cores, nodes = line.split()
        _, idle, lost, total = map(int, cores.split("/"))
        one = found[name.rstrip("*")]
        assert (one.idle, one.lost, one.cores) == (idle, lost, total)
        assert one.idle_nodes == int(nodes.split("/")[1])


@pytest.mark.parametrize("version", VERSIONS)
def test_rights_by_qos_are_those_of_the_accounting(version: str) -> None:
    assert limited(version, AllowQos="short").rights == "with --qos=short"
    assert limited(version, AllowAccounts="physics", AllowQos="big").account == "physics"


def limited(version: str = "", groups: str = "alice", **said: str) -> QueueState:
    """Return a captured partition as another site might have it."""
    line = cases("25.11.7")["scontrol_show_partition_oneline"].answer.stdout.splitlines()[0]
    for name, value in said.items():
        line = re.sub(rf" {name}=\S*|$", f" {name}={value}", line, count=1)
    answers = {
        "scontrol": Answer(status=0, stdout=line),
        "sinfo": Answer(status=0, stdout="bigmem|0/4/0/4|0/1/0/1\nbigmem|2/1/1/4|0/0/1/1\n"),
        "id": Answer(status=0 if groups else 1, stdout=f"{groups}\n"),
        "sacctmgr": accounts(version) if version else Answer(status=0, stdout=ALICE),
    }
    found = queues(answers)
    assert not isinstance(found, NoReply)
    return found[0]


@pytest.mark.parametrize(
    ("said", "may", "rights", "account"),
    [
        ({"AllowAccounts": "physics,chem"}, True, "with --account=physics", "physics"),
        ({"AllowAccounts": "chem"}, False, "open only to the account chem, and you have none of them", ""),
        ({"DenyAccounts": "lab"}, True, "with --account=physics", "physics"),
        ({"DenyAccounts": "lab,physics"}, False, "closed to the account lab, physics", ""),
        ({"AllowQos": "short"}, True, "with --qos=short", ""),
        ({"AllowQos": "gold"}, False, "open only to the QOS gold, and you have none of them", ""),
        ({"AllowAccounts": "physics", "AllowQos": "short"}, False, "open only to the account physics; open only to the QOS short, and you have none of them", ""),
        ({"RootOnly": "YES"}, False, "only administrators send jobs here", ""),
        ({"ReqResv": "YES"}, True, "with a reservation only", ""),
    ],
)  # fmt: skip
def test_rights_by_account_and_qos(said: dict[str, str], may: bool, rights: str, account: str) -> None:
    found = limited(**said)
    assert (found.may, found.rights, found.account) == (may, rights, account)


def test_a_partition_of_a_group_is_closed_to_who_is_not_in_it() -> None:
    closed = limited(AllowGroups="root,staff")
    assert closed.may is False
    assert closed.rights == "open only to the groups root, staff, and you are in none of them"
    assert limited(AllowGroups="root,staff", groups="alice staff").may is True
    unknown = limited(AllowGroups="root,staff", groups="")
    assert (unknown.may, unknown.rights) == (None, "open only to the groups root, staff")


def test_nodes_that_are_not_alike_are_added_up() -> None:
    found = limited()
    assert (found.idle, found.lost, found.idle_nodes) == (5, 1, 1)


def test_without_an_accounting_nobody_knows_whose_accounts_are_whose() -> None:
    off = cases("22.05.8")["acctoff_sacctmgr"].answer
    shown = "PartitionName=a AllowGroups=ALL AllowAccounts=lab State=UP\nPartitionName=b State=UP"
    answers = {"scontrol": Answer(status=0, stdout=shown), "sinfo": Answer(status=1), "id": Answer(status=1)}
    found = queues({**answers, "sacctmgr": off})
    assert not isinstance(found, NoReply)
    assert [(one.may, one.rights) for one in found] == [
        (None, "open only to the account lab; which ones are yours is not known"),
        (True, ""),
    ]
    assert [one.idle for one in found] == [None, None]


@pytest.mark.parametrize("case", named(r"^(ctlddown|hung|nomunge)_scontrol"), ids=told)
def test_a_scheduler_that_is_away_has_no_empty_list_of_queues(case: Case) -> None:
    if case.answer.status != 0:
        assert isinstance(queues({"scontrol": case.answer}), NoReply)


@pytest.mark.parametrize("case", named(r"^(sbatch_testonly|ctlddown_sbatch_testonly)"), ids=told)
def test_a_trial_gives_a_start_or_a_refusal(case: Case) -> None:
    found = run_dialogue(SLURM.estimate_start(QueueState(name="general")), lambda _: case.answer)
    if case.answer.status == 0:
        assert isinstance(found, Start)
        assert re.fullmatch(r"2026-11-2\dT\d\d:\d\d:\d\d", found.at)
    else:
        assert isinstance(found, SubmissionRefused)
        assert found.why
    assert isinstance(found, Start) == ("_ok" in case.name or case.answer.status == 0)


def test_the_questions_change_nothing_and_name_hidden_partitions() -> None:
    asked: list[Command] = []

    def answer(command: Command) -> Answer:
        asked.append(command)
        return Answer(status=0)

    run_dialogue(SLURM.queues("alice"), answer)
    run_dialogue(SLURM.estimate_start(QueueState(name="a", account="lab", max_time=600)), answer)
    assert [command.argv[0] for command in asked] == ["scontrol", "sinfo", "id", "sacctmgr", "sbatch"]
    assert "--all" in asked[0].argv
    assert "--all" in asked[1].argv
    assert f"--format={FREE}" in asked[1].argv
    assert {"--test-only", "--partition=a", "--account=lab", "--time=10"} <= set(asked[4].argv)
    assert "SBATCH_*" in asked[4].unset


@given(st.sampled_from(sorted(cases("22.05.8")["scontrol_show_partition_oneline"].answer.stdout)), st.text())
def test_foreign_text_never_breaks_the_reading(cut: str, foreign: str) -> None:
    whole = cases("22.05.8")["scontrol_show_partition_oneline"].answer.stdout
    text = whole.replace(cut, foreign)
    answers = dict.fromkeys(("scontrol", "sinfo", "id", "sacctmgr"), Answer(status=0, stdout=text))
    assert isinstance(queues(answers), list)
