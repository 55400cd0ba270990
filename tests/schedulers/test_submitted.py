"""sbatch's answers, real ones of three versions: each has a meaning, and none is left out."""

from __future__ import annotations

import pytest

from packhorse.model.command import Answer
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.schedulers import scheduler
from schedulers.captured import Case, named, told

SLURM = scheduler("slurm")
SUBMISSIONS = [
    case
    for case in named(r"sbatch")
    if not any(option in case.command for option in ("--test-only", "--version", "--wait"))
]

# What the name of a case says, in the words that a user reads.
NEVER = {
    "account_not_mine": "cannot read the job script",  # as captured: bob cannot read alice's file
    "array_backwards": "the array has more elements than the site allows",
    "array_garbage": "the array has more elements than the site allows",
    "array_index_over_max": "the array has more elements than the site allows",
    "array_too_large": "the array has more elements than the site allows",
    "bad_cpus": "does not understand an option",
    "bad_mem": "does not understand an option",
    "bad_nodes": "does not understand an option",
    "bad_ntasks": "does not understand an option",
    "bad_option": "does not understand an option",
    "bad_option_in_script": "does not understand an option",
    "bad_partition": "there is no such partition",
    "bad_qos": "no such QOS",
    "bad_time": "does not understand an option",
    "bad_time_in_script": "does not understand an option",
    "begin_bad": "does not understand an option",
    "cluster_unknown": "No cluster 'nosuch'",
    "comment_cluster_constraint": "No cluster ''",
    "constraint": "no node has the features",
    "crlf": "cannot read the job script",
    "deadline_past": "more than the partition allows",
    "dependency_garbage": "the job to wait for",
    "dependency_type": "the job to wait for",
    "dependency_unknown_job": "the job to wait for",
    "directory_script": "cannot read the job script",
    "empty_script": "cannot read the job script",
    "empty_stdin": "cannot read the job script",
    "export_file_bad": "/no/such",  # Slurm 23.11 has no such option
    "gres_count": "no node of the partition has what the job asks for",
    "gres_not_here": "no node of the partition has what the job asks for",
    "gres_unknown": "no such GPUs",
    "invalid_account": "you may not use this account",
    "license_unknown": "no such licence",
    "mail_type_bad": "does not understand an option",
    "missing_script": "cannot read the job script",
    "no_association": "you may not use this account",
    "no_shebang": "cannot read the job script",
    "nodelist_other_partition": "not in the partition",
    "nodelist_unknown": "not in the partition",
    "partition_group": "not open to you",
    "qos_denied": "you may not use this QOS",
    "qos_tres": "more cores than your account or QOS may have",
    "reservation": "the reservation cannot be used",
    "time_over_limit": "more than the partition allows",
    "time_over_limit_debug": "more than the partition allows",
    "too_many_cpus": "more cores or nodes than the partition has",
    "too_many_nodes": "more cores or nodes than the partition has",
    "too_many_nodes_debug": "more nodes than one job may have",
    "too_many_tasks": "more cores or nodes than the partition has",
    "too_much_mem_per_cpu": "does not understand an option",  # as captured: --mem and --mem-per-cpu together
    "too_much_memory": "no node of the partition has this much memory",
    "unreadable_script": "cannot read the job script",
}
LATER = {
    "sbatch_refused_assoc_submit_limit": "as many jobs as you may have",
    "sbatch_refused_qos_submit_limit": "as many jobs as you may have",
    "ctlddown_sbatch": "the Slurm controller cannot be reached",
    "nohost_sbatch": "the Slurm controller cannot be reached",
    "nomunge_sbatch": "munge",
    "noconf_sbatch": "configuration cannot be read",
}
LOST = {"hung_sbatch": "did not answer in time", "sbatch_quiet_ok": "said nothing"}


def expected(case: Case) -> tuple[str, str]:
    """Return the kind of answer that a case is, and words of it."""
    if case.name in LATER:
        return "later", LATER[case.name]
    if case.name in LOST:
        return "lost", LOST[case.name]
    if case.name.startswith("sbatch_refused_"):
        return "never", NEVER[case.name.removeprefix("sbatch_refused_")]
    return "taken", ""


@pytest.mark.parametrize("case", SUBMISSIONS, ids=told)
def test_every_answer_of_sbatch_has_its_meaning(case: Case) -> None:
    kind, words = expected(case)
    said = SLURM.read_submission(case.answer)
    match kind:
        case "taken":
            assert isinstance(said, Submitted)
            assert said.job in case.answer.stdout
            assert said.job.isdigit()
        case "lost":
            assert isinstance(said, SubmissionUnknown)
            assert words in said.why
        case _:
            assert isinstance(said, SubmissionRefused)
            assert words in said.why
            assert said.transient == (kind == "later")


@pytest.mark.parametrize(
    "case", [case for case in SUBMISSIONS if case.name.startswith("sbatch_refused")], ids=told
)
def test_a_refusal_holds_the_last_words_of_slurm(case: Case) -> None:
    said = SLURM.read_submission(case.answer)
    assert isinstance(said, SubmissionRefused)
    last = [line for line in case.answer.stderr.splitlines() if line and not line.startswith("Try ")][-1]
    assert last.split(": ")[-1].strip() in said.why
    assert "sbatch: error" not in said.why


@pytest.mark.parametrize("case", named(r"^sbatch_(parsable|plain)_(ok|cluster)$"), ids=told)
@pytest.mark.parametrize(
    "notice",
    [
        "*** The cluster is closed on 24 December ***\n",
        "sbatch: info: your project has 1000 hours left\n2026\n",
        "\n",
    ],
)
def test_a_sites_notices_before_the_number_do_not_hide_it(case: Case, notice: str) -> None:
    alone = SLURM.read_submission(case.answer)
    noisy = Answer(status=0, stdout=notice + case.answer.stdout, stderr="sbatch: lua: welcome\n")
    assert SLURM.read_submission(noisy) == alone


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=None, stderr="sbatch: did not answer within 60 s\n"), "60 s"),
        (Answer(status=None), "did not end in time"),
        (Answer(status=None, stdout="4711\n"), "did not end in time"),
        (Answer(status=0, stdout="welcome\n"), "welcome"),
        (Answer(status=1, stdout="4711\n", stderr="sbatch: error: Invalid partition name specified\n"), "partition"),
        (Answer(status=1, stderr="sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received\n"), "broke"),
        (
            Answer(status=1, stderr="sbatch: error: Batch job submission failed: Unable to contact slurm controller (receive failure)\n"),
            "broke",
        ),
    ],
)  # fmt: skip
def test_what_slurm_may_have_taken_is_never_called_refused(answer: Answer, words: str) -> None:
    said = SLURM.read_submission(answer)
    assert isinstance(said, SubmissionUnknown)
    assert words in said.why


def test_a_command_that_is_not_there_took_nothing() -> None:
    said = SLURM.read_submission(Answer(status=None, stderr="sbatch: not found"))
    assert isinstance(said, SubmissionRefused)
    assert not said.transient


def test_a_sites_own_refusal_is_shown_as_it_stands() -> None:
    text = "sbatch: error: Please say which project pays: --account=NAME\nsbatch: error: Batch job submission failed: Unspecified error\n"
    said = SLURM.read_submission(Answer(status=1, stderr=text))
    assert said == SubmissionRefused(
        "Please say which project pays: --account=NAME; Unspecified error", transient=False
    )


def test_a_notice_does_not_change_what_the_last_line_means() -> None:
    notice = "sbatch: error: NOTE: after a Socket timed out, wait; MaxSubmit is 5; ask for a partition\n"
    text = (
        notice
        + "sbatch: error: Batch job submission failed: Invalid account or account/partition combination specified\n"
    )
    said = SLURM.read_submission(Answer(status=1, stderr=text))
    assert isinstance(said, SubmissionRefused)
    assert said.why.startswith("you may not use this account")
    assert not said.transient


def test_a_limit_without_a_detail_may_be_that_of_the_number_of_jobs() -> None:
    text = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
    said = SLURM.read_submission(Answer(status=1, stderr=text))
    assert isinstance(said, SubmissionRefused)
    assert said.transient


@pytest.mark.parametrize(
    "detail",
    ["AssocMaxWallDurationPerJobLimit", "QOSMaxMemoryPerJob", "QOSMaxGRESPerUser", "AssocGrpNodeLimit"],
)
def test_a_limit_that_the_job_is_over_stays(detail: str) -> None:
    text = f"sbatch: error: {detail}\nsbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)\n"
    said = SLURM.read_submission(Answer(status=1, stderr=text))
    assert isinstance(said, SubmissionRefused)
    assert not said.transient
    assert detail in said.why
