"""What a request becomes: the head of a script, and the argv of a submission."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from packhorse.model.command import Command
from packhorse.model.errors import UsageError
from packhorse.model.job import Request, Wait
from packhorse.runtime.dialogue import command_environment
from packhorse.schedulers import scheduler
from packhorse.schedulers.script import Raw, job_script
from packhorse.schedulers.slurm.accounting import FIELDS
from packhorse.schedulers.slurm.queue import FORMAT
from packhorse.worker.waves.scheduler_commands import fill_command, placeholders
from schedulers.captured import VERSIONS, cases, named

SLURM = scheduler("slurm")
FULL = Request(
    name="coverage study",
    token="packhorse-0a1b-3",
    elements=40,
    throttle=8,
    partition="gpu",
    account="lab",
    qos="normal",
    cores=4,
    memory=8000,
    gpus=2,
    gres="gpu:a100",
    seconds=5400,
    output="/home/alice/it's 5% off/logs/job-3-{element}.out",
    exclude=("n4", "n7"),
    mail="alice@example.org",
    mail_when=("end", "fail"),
    options=("--constraint=avx512", "--nice"),
)


def said(request: Request) -> dict[str, str]:
    """Return the head of a script as sbatch reads it: quotes and backslashes mean there what they mean in a shell."""
    found: dict[str, str] = {}
    for line in SLURM.directives(request):
        assert line.startswith("#SBATCH --")
        assert "\n" not in line
        (word,) = shlex.split(line.removeprefix("#SBATCH "))
        name, _, value = word.partition("=")
        assert name not in found
        found[name] = value
    return found


def test_the_head_of_a_script_is_in_the_order_a_reader_expects() -> None:
    assert SLURM.directives(replace(FULL, output="")) == [
        '#SBATCH --job-name="coverage study"',
        "#SBATCH --account=lab",
        "#SBATCH --partition=gpu",
        "#SBATCH --qos=normal",
        "#SBATCH --nodes=1",
        "#SBATCH --ntasks-per-node=1",
        "#SBATCH --cpus-per-task=4",
        "#SBATCH --mem=8000M",
        "#SBATCH --gres=gpu:a100:2",
        "#SBATCH --time=0-01:30:00",
        "#SBATCH --requeue",
        "#SBATCH --open-mode=append",
        "#SBATCH --mail-user=alice@example.org",
        "#SBATCH --mail-type=END,FAIL",
        "#SBATCH --constraint=avx512",
        "#SBATCH --nice",
    ]


def test_what_is_absent_is_left_to_the_site() -> None:
    assert list(said(Request(name="x"))) == [
        "--job-name",
        "--nodes",
        "--ntasks-per-node",
        "--cpus-per-task",
        "--requeue",
        "--open-mode",
    ]
    assert "--no-requeue" in said(Request(name="x", requeue=False))


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (59, "0-00:01:00"),
        (0, "0-00:01:00"),
        (3600, "0-01:00:00"),
        (93784, "1-02:03:04"),
        (604800, "7-00:00:00"),
    ],
)
def test_times_name_every_part_and_are_never_without_limit(seconds: int, written: str) -> None:
    assert said(Request(name="x", seconds=seconds))["--time"] == written


def test_whole_nodes_come_with_their_memory() -> None:
    assert said(Request(name="x", whole_nodes=True))["--mem"] == "0"
    assert said(Request(name="x", whole_nodes=True, memory=500))["--mem"] == "500M"
    assert "--exclusive" in said(Request(name="x", whole_nodes=True))


def test_no_mail_without_an_address_or_an_occasion() -> None:
    assert "--mail-type" not in said(Request(name="x", mail_when=("end",)))
    assert "--mail-user" not in said(Request(name="x", mail="alice@example.org"))
    assert "--mail-type" not in said(Request(name="x", mail="alice@example.org"))


def test_a_users_script_asks_for_all_in_its_head() -> None:
    request = Request(
        name="x",
        indices=((1, 10, 1), (20, 30, 5), (40, 40, 1)),
        throttle=3,
        nodes=2,
        tasks=4,
        cores=8,
        core_memory=500,
        output="logs/{job}-{element}.out",
        error="{job}.err",
        waits=(
            Wait("85", "ok"),
            Wait("86_4", "each"),
            Wait("87", "fail"),
            Wait("88", "end"),
            Wait("89", "start"),
        ),
        requeue=None,
    )
    assert said(request) == {
        "--job-name": "x",
        "--array": "1-10,20-30:5,40%3",
        "--dependency": "afterok:85,aftercorr:86_4,afternotok:87,afterany:88,after:89",
        "--nodes": "2",
        "--ntasks-per-node": "4",
        "--cpus-per-task": "2",
        "--mem-per-cpu": "500M",
        "--output": "logs/%A-%a.out",
        "--error": "%A.err",
    }
    assert SLURM.threads(request) == '"${SLURM_CPUS_PER_TASK:-1}"'
    left = Request(name="x", cores=0)
    assert "--cpus-per-task" not in said(left)
    assert SLURM.threads(left) == '"${SLURM_CPUS_ON_NODE:-1}"'
    assert "--mem" not in said(Request(name="x", whole_nodes=True, core_memory=500))


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Request(name="two\nlines"), "the title"),
        (Request(name="a|b"), "the title"),
        (Request(name="x", partition="a b"), "the partition 'a b' is not one word"),
        (Request(name="x", account="$(id)"), "the account"),
        (Request(name="x", qos="a;b"), "the qos"),
        (Request(name="x", mail="a@b.org\n"), "the mail"),
        (Request(name="x", output="a\n.out"), "the file name"),
        (Request(name="x", output="a\\b.out"), "has a backslash"),
        (Request(name="x", error="a\t.err"), "the file name"),
        (Request(name="x", waits=(Wait("85.server", "ok"),)), "is not a job of Slurm"),
        (Request(name="x", options=("--nice\n#SBATCH --time=1",)), "the option"),
        (Request(name="x", options=("nice",)), "the option"),
    ],
)
def test_what_a_head_cannot_carry_is_said(request_: Request, why: str) -> None:
    (sentence,) = SLURM.unsupported(request_)
    assert why in sentence


def test_what_a_head_carries_is_not_refused() -> None:
    assert SLURM.unsupported(replace(FULL, output='/it\'s "5" % $HOME/{job}.out', name="a 'b' $c é")) == []


@given(st.text(min_size=1))
def test_a_name_is_one_word_of_one_line(name: str) -> None:
    read = said(Request(name=name))["--job-name"]
    assert len(read) == len(name)
    assert "|" not in read
    for mine, theirs in zip(name, read, strict=True):
        assert theirs in (mine, "_")


@given(st.text(min_size=1).filter(lambda text: "\n" not in text and "\x00" not in text and "\r" not in text))
def test_an_output_reads_the_same_in_the_script_and_on_the_command_line(folder: str) -> None:
    request = Request(name="x", elements=2, output=f"/{folder}/job-{{element}}.out")
    (option,) = [word for word in SLURM.submit_argv("job.sh", [], request) if word.startswith("--output=")]
    assert said(request)["--output"] == option.partition("=")[2]


def test_a_submission_says_what_differs_from_the_next() -> None:
    assert SLURM.submit_argv("waves/job-base.sh", ["3", "39"], FULL) == [
        "sbatch",
        "--parsable",
        "--array=0-39%8",
        "--comment=packhorse-0a1b-3",
        "--exclude=n4,n7",
        "--output=/home/alice/it's 5%% off/logs/job-3-%a.out",
        "waves/job-base.sh",
        "3",
        "39",
    ]
    assert SLURM.submit_argv("job.sh", [], Request(name="x")) == ["sbatch", "--parsable", "job.sh"]
    alone = Request(name="x", after="85", output="c-{job}-{element}.out")
    assert SLURM.submit_argv("job.sh", ["3"], alone) == [
        "sbatch",
        "--parsable",
        "--dependency=afterany:85",
        "--output=c-%j-0.out",
        "job.sh",
        "3",
    ]


def test_a_path_with_a_backslash_has_no_patterns() -> None:
    # Slurm takes each backslash away, and then replaces nothing: found out on a real one.
    request = Request(name="x", elements=2, output="/back\\slash/100%/job-{element}.out")
    assert "--output=/back\\\\slash/100%/job-all.out" in SLURM.submit_argv("job.sh", [], request)


def test_templates_keep_their_places_each_in_one_argument() -> None:
    wave = replace(FULL, token="{token}", exclude=("{exclude}",), output="/r/job-{wave}-{element}.out")
    argv = SLURM.submit_template(wave)
    assert argv == [
        "sbatch",
        "--parsable",
        "--array=0-{last}%8",
        "--comment={token}",
        "--exclude={exclude}",
        "--output=/r/job-{wave}-%a.out",
        "{script}",
        "{wave}",
        "{last}",
        "{follows}",
    ]
    filling = placeholders("s", 3, FULL.token, elements=40, exclude=["n4", "n7"])
    written = replace(FULL, output="/r/job-3-{element}.out")
    assert fill_command(argv, filling) == SLURM.submit_argv("s", ["3", "39", "0"], written)


def test_nodes_that_the_user_excludes_stay_excluded() -> None:
    for options, expected in [
        (("--exclude=n1,n[5-6]", "-C fast"), ["--exclude=n1,n[5-6],{exclude}"]),
        (("-x n1", "--exclusive"), ["--exclude=n1,{exclude}"]),
        (("--exclude=./bad-nodes.txt",), []),
        ((), ["--exclude={exclude}"]),
    ]:
        argv = SLURM.submit_template(replace(FULL, options=options, exclude=("{exclude}",)))
        assert [word for word in argv if word.startswith("--exclude")] == expected
    # Where no node is bad, the option is left out, and the head of the script counts.
    filling = placeholders("s", 3, FULL.token, elements=40, exclude=[])
    assert not any(
        "exclude" in word for word in fill_command(["sbatch", "--exclude=n1,{exclude}", "s"], filling)
    )


def test_the_template_of_what_follows_a_wave_is_no_array() -> None:
    follow = Request(name="x", token="{token}", after="{job}", output="/r/continue-{wave}.out")
    assert SLURM.submit_template(follow, after=True) == [
        "sbatch",
        "--parsable",
        "--comment={token}",
        "--dependency=afterany:{job}",
        "--output=/r/continue-{wave}.out",
        "{script}",
        "{wave}",
    ]


@pytest.mark.shellcheck
def test_a_script_is_good_bash(tmp_path: Path) -> None:
    import subprocess

    names = SLURM.variables
    program = ["python3", "worker.pyz", Raw(names.element), Raw(names.job), Raw(names.restart), Raw('"$1"')]
    path = tmp_path / "job.sh"
    path.write_text(job_script(SLURM.directives(FULL), "An element.", ["module load R"], program))
    subprocess.run(["bash", "-n", path], check=True)
    subprocess.run(["shellcheck", path], check=True)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"SLURM_JOB_ID": "7"}, "0 7 0"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2"}, "2 7 0"),
        ({"SLURM_JOB_ID": "9", "SLURM_ARRAY_JOB_ID": "7", "SLURM_ARRAY_TASK_ID": "2", "SLURM_RESTART_COUNT": "3"}, "2 7 3"),
    ],
)  # fmt: skip
def test_a_job_knows_its_numbers(environment: dict[str, str], words: str) -> None:
    import subprocess

    names = SLURM.variables
    script = job_script([], "x", ["set -u"], ["echo", Raw(names.element), Raw(names.job), Raw(names.restart)])
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == words.split()


def test_an_unknown_scheduler_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="Packhorse supports slurm"):
        scheduler("lsf")


@pytest.mark.parametrize("version", VERSIONS)
def test_our_questions_were_answered_by_every_version(version: str) -> None:
    answered = [case.command for case in named(r"^s", versions=(version,)) if case.answer.status == 0]
    assert any(FORMAT in command and "--noheader --array" in command for command in answered)
    assert any(FORMAT in command and "-t all" in command for command in answered)
    assert any(command.startswith("sbatch --parsable --array=0-3%2") for command in answered)
    fields = set(cases(version)["sacct_helpformat"].answer.stdout.split())
    assert set(FIELDS) <= fields
    # --all, --user, --states and --jobs are older than all of these (squeue(1) of Slurm 2.6).
    assert all("|" not in word for word in SLURM.cancelled_query("1")[0])


def test_what_a_shell_or_an_outer_job_says_does_not_reach_a_submission() -> None:
    # Found out on a real Slurm: a job that was started again hands its SLURM_RESTART_COUNT to the jobs that it submits.
    foreign = [
        "SBATCH_PARTITION",
        "SQUEUE_USERS",
        "SLURM_CLUSTERS",
        "SLURM_RESTART_COUNT",
        "SLURM_ARRAY_TASK_ID",
        "SLURM_JOB_ID",
    ]
    own = {"SLURM_CONF": "/etc/slurm.conf", "PATH": "/bin", "HOME": "/home/alice"}
    command = Command(argv=("sbatch",), unset=SLURM.unset)
    assert command_environment(command, {**own, **dict.fromkeys(foreign, "1")}) == {**own, "LC_ALL": "C"}
