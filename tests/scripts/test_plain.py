"""Users' job scripts: as they are kept in plain/, checked before they are given, and running as they say."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import packhorse
from packhorse.app.jobs.script import Script
from packhorse.cli.commands import packhorse as commands
from packhorse.model.errors import PackhorseError, RunError, StudyError, UsageError
from packhorse.project.sites import known_sites
from packhorse.schedulers.plain_script import Plain, plain_script
from packhorse.schedulers.script import Shell
from scripts.plain_cases import CASES, GOLDEN, Case, made

SCRIPTS = sorted(GOLDEN.glob("*.sh"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_script_is_what_the_golden_file_says(case: Case, tmp_path: Path) -> None:
    script = made(case, tmp_path)
    kept = (GOLDEN / f"{case.name}.sh").read_text(encoding="utf-8")
    assert script.text == kept, f"{case.name} is another; python tests/scripts/plain_cases.py writes it anew"
    for words in case.notes:
        assert any(words in note for note in script.notes), script.notes


def test_every_golden_file_is_of_a_case() -> None:
    assert {path.stem for path in SCRIPTS} == {case.name for case in CASES}


def test_every_shipped_site_that_takes_jobs_has_a_script(tmp_path: Path) -> None:
    sites = [one.site for one in known_sites(tmp_path) if one.site is not None and one.origin == "shipped"]
    taking = {site.name for site in sites if site.scheduler != "local" and site.retired is None}
    assert taking <= {case.words.get("site") for case in CASES}


def test_every_wish_is_in_some_script() -> None:
    command = commands.get_command(click.Context(commands), "script")
    assert command is not None
    wishes = {one.name for one in command.params} - {
        "command",
        "then",
        "interactive",
        "output",
        "force",
        "as_json",
    }
    assert wishes == {word for case in CASES for word in case.words}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_bash_reads_every_script(path: Path) -> None:
    done = subprocess.run(["bash", "-n", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.shellcheck
def test_shellcheck_has_no_complaint() -> None:
    # A site's own files are not here to be read (1091), and a name may have a $ in it (2016).
    argv = ["shellcheck", "--exclude=1091,2016", *map(str, SCRIPTS)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def run(text: str, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    """Run a script as a job that has no other settings."""
    seen = {"PATH": "/usr/bin:/bin", **env}
    return subprocess.run(
        ["bash", "-c", text], env=seen, cwd=folder, capture_output=True, text=True, check=False
    )


def on_testbed(command: str, **words: Any) -> Script:
    return packhorse.script(command, site="testbed", **words)


@pytest.mark.parametrize(
    ("command", "status", "printed"),
    [
        ("bash -c 'exit 7'", 7, ""),
        ("echo a\nfalse\necho b", 1, "a\n"),
        ("bash -c 'echo a; exit 3' | cat", 3, "a\n"),
        ("echo a\necho b", 0, "a\nb\n"),
        ("kill -TERM $BASHPID", -15, ""),
    ],
)
def test_the_first_failure_ends_the_job_with_its_status(
    command: str, status: int, printed: str, tmp_path: Path
) -> None:
    done = run(on_testbed(command).text, tmp_path)
    assert (done.returncode, done.stdout) == (status, printed)


def test_a_line_of_the_site_may_fail_and_one_of_the_user_may_not(tmp_path: Path) -> None:
    def job(site: tuple[str, ...], setup: tuple[str, ...]) -> str:
        plain = Plain(
            about=(), directives=(), site="x", site_setup=site, setup=setup, commands="echo started"
        )
        return plain_script(plain, Shell(submit="sbatch", index="I", launcher="srun"))

    assert run(job(("source /no/such/file",), ()), tmp_path).stdout == "started\n"
    done = run(job((), ("source /no/such/file",)), tmp_path)
    assert (done.returncode, done.stdout) == (1, "")


def test_threads_are_the_cores_and_python_is_not_buffered(tmp_path: Path) -> None:
    show = 'python3 -c \'import os; print(*(os.environ[n] for n in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "PYTHONUNBUFFERED")))\''
    done = run(on_testbed(show, cores=4).text, tmp_path, SLURM_CPUS_PER_TASK="4")
    assert done.stdout == "4 4 1\n", done.stderr


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ("venv:a b", "a b/bin/activate"),
        ("venv:~/envs/a b", "$HOME/envs/a b/bin/activate"),
        ("venv:$PLACE/x", "$PLACE/x/bin/activate"),
        ("uv", "./.venv/bin/activate"),
        ("uv:my project/", "my project/.venv/bin/activate"),
    ],
)
def test_an_environment_is_found_where_the_user_says(environment: str, path: str, tmp_path: Path) -> None:
    places = {"HOME": str(tmp_path / "home of ada"), "PLACE": str(tmp_path / "place of ada")}
    real = tmp_path / path.replace("$HOME", places["HOME"]).replace("$PLACE", places["PLACE"])
    real.parent.mkdir(parents=True)
    real.write_text("echo activated\n")
    done = run(on_testbed("true", environment=environment).text, tmp_path, **places)
    assert (done.returncode, done.stdout) == (0, "activated\n"), done.stderr


def test_conda_is_activated_in_a_shell_that_knows_nothing_of_it(tmp_path: Path) -> None:
    base = tmp_path / "conda base"
    (base / "etc/profile.d").mkdir(parents=True)
    (base / "etc/profile.d/conda.sh").write_text('conda() { echo "conda $*"; }\n')
    (base / "bin").mkdir()
    (base / "bin/conda").write_text(f"#!/bin/bash\necho {shlex.quote(str(base))}\n")
    (base / "bin/conda").chmod(0o755)
    script = on_testbed("echo done", environment="conda:my stats").text
    done = run(script, tmp_path, PATH=f"{base}/bin:/usr/bin:/bin")
    assert done.stdout == "conda activate my stats\ndone\n", done.stderr


def test_conda_is_activated_as_the_site_says() -> None:
    lines = packhorse.script(
        "python fit.py", site="hec", environment="conda:~/envs/a b", time="1 h"
    ).text.splitlines()
    assert "source activate \"$HOME\"'/envs/a b'" in lines
    assert not any("conda activate" in line for line in lines if not line.startswith("#"))


hostile = st.text(alphabet="a \"'$`\\#%;|&<>(){}\n\t*~!λ-", min_size=1, max_size=8)
wishes = st.sampled_from(["name", "log", "module", "folder"])


# One wish at a time is hostile: of several one is mostly refused, and then nothing is seen of the others.
@settings(max_examples=150)
@given(wishes, hostile | st.text(min_size=1, max_size=12))
def test_nothing_that_a_user_writes_breaks_a_script(wish: str, word: str) -> None:
    said = {"name": "fit", "log": "fit.out", "module": "r/4", "folder": "envs/mine", wish: word}
    name, module, folder = said["name"], said["module"], said["folder"]
    plain = on_testbed("echo said", time="5 h").text.splitlines()
    try:
        text = on_testbed(
            "echo said",
            time="5 h",
            name=name,
            log=said["log"],
            modules=[module],
            environment=f"venv:{folder}",
        ).text
    except (UsageError, StudyError):
        return
    heads = [line for line in text.splitlines() if line.startswith("#SBATCH")]
    assert len(heads) == len([line for line in plain if line.startswith("#SBATCH")])
    for line in heads:
        (word,) = shlex.split(line.removeprefix("#SBATCH "))
        assert not word.startswith("--job-name=") or word == f"--job-name={name}"
    stubs = 'module() { printf "%s\\0" "$@"; }; source() { printf "%s\\0" "$@"; }\n'
    done = subprocess.run(["bash", "-c", stubs + text], capture_output=True, env={"HOME": "/h"}, check=False)
    assert done.returncode == 0, done.stderr
    first, second, place, rest = done.stdout.decode().split("\0")
    assert (first, second, rest) == ("load", module, "said\n")
    if not folder.startswith(("~", "$")):
        assert place == folder.rstrip("/") + "/bin/activate"


def test_a_log_in_a_folder_has_a_name_and_the_folder_is_made_first() -> None:
    text = on_testbed("true", name="--mine", log="-my logs/", array="1-2").text
    assert '#SBATCH --output="-my logs/mine-%A-%a.out"\n' in text
    assert "# To send it: mkdir -p './-my logs' && sbatch mine.sh\n" in text


REFUSED = [
    ({"time": "8 days"}, "the job asks for 8 d; general allows 7 d", "--time '7 d' or less"),
    ({"partition": "debug", "time": "5 h"}, "debug allows 4 h", "general has 7 d: --partition general"),
    ({"memory": "17 GB"}, "nodes of general have 16000 MB", "at most 16000 MB"),
    ({"memory_per_core": "3 GB", "cores": 6}, "the job asks for 18 GB on each node", "at most"),
    ({"cores": 9}, "the job asks for 9 cores on each node; nodes of general have 8", "at most 8 cores"),
    ({"nodes": 5}, "the job asks for 5 nodes; general has 4", "--nodes 4 or fewer"),
    ({"nodes": 3, "partition": "debug"}, "the job asks for 3 nodes; a job of debug may have 2", "general has 4 nodes: --partition general"),
    ({"gpus": 1, "partition": "general"}, "nodes of general have none", "gpu has 4 GPUs: --partition gpu"),
    ({"gpus": 5}, "nodes of gpu have 4", "at most 4 GPUs"),
    ({"gpus": 1, "time": "3 days"}, "gpu allows 2 d", "--time '2 d' or less"),
    ({"array": "1-10001"}, "the array has an element 10001", "submit in parts"),
    ({"partition": "generall"}, "no partition generall", "--partition general"),
    ({"site": "hec", "mail": "a@lancaster.ac.uk", "array": "1-3"}, "refuses arrays that request email", "--mail"),
    ({"site": "hec", "mail": "a@example.org"}, "end with @lancaster.ac.uk", "--mail"),
    ({"site": "hec", "mail": "a@lancaster.ac.uk", "mail_when": "begin"}, "no email at begin", "--mail-when end,fail"),
    ({"site": "hec", "cores": 600, "partition": "parallel"}, "allows a user 512 at a time", ""),
    ({"site": "hec", "cores": 2, "partition": "serial"}, "a job of serial may have 1", "parallel"),
    ({"site": "quartz"}, "charged to an account", "--account NAME (your project at RT Projects"),
    ({"site": "quartz", "account": "x", "partition": "hopper", "gpus": 1}, "no partition hopper any more; it is called h100-multi", "--partition h100-multi"),
    ({"site": "quartz", "account": "x", "partition": "h100-single", "gpus": 2}, "a job of h100-single may have 1", "--partition"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "message", "hint"), REFUSED, ids=lambda value: str(value)[:40])
def test_a_job_that_cannot_run_is_refused_with_the_limit(
    words: dict[str, Any], message: str, hint: str
) -> None:
    with pytest.raises(RunError) as refusal:
        packhorse.script("python3 fit.py", **{"site": "testbed", **words})
    assert message in refusal.value.message
    assert hint in refusal.value.hint


MISREAD = [
    ({"time": "90"}, "no unit"),
    ({"time": "2:00"}, "is ambiguous"),
    ({"memory": "4"}, "no unit"),
    ({"memory": "4 GB", "memory_per_core": "1 GB"}, "exclude each other"),
    ({"nodes": 0}, "nodes cannot be 0"),
    ({"nodes": 2, "tasks": 3}, "cannot be divided evenly among 2 nodes"),
    ({"tasks": 3, "cores": 4}, "cannot be divided evenly among 3 tasks"),
    ({"array": "10-1"}, "cannot be read at '10-1'"),
    ({"array": "1-10%0"}, "cannot be read at '%0'"),
    ({"array": "1-x"}, "cannot be read at '1-x'"),
    ({"after": "85"}, "is not WHEN:JOB"),
    ({"after": "ok:85.server"}, "not a job of Slurm"),
    ({"mail": "ada@example.org, bob@example.org"}, "is not an email address"),
    ({"mail": "ada@example.org", "mail_when": "start"}, "'start' is not an event for mail"),
    ({"log": "%q.out"}, "'%q' in '%q.out' is not understood"),
    ({"log": "logs/%j/a.out"}, "a folder with the job's number cannot exist"),
    ({"log": "~/logs/a.out"}, "begins with what only a shell expands"),
    ({"log": "$SCRATCH/a.out"}, "begins with what only a shell expands"),
    ({"environment": "stats"}, "the environment 'stats' cannot be read"),
    ({"kind": "a100"}, "no nodes of the kind 'a100'"),
    ({"name": "a\nb"}, "the title"),
    ({"partition": "a b"}, "no partition a b"),
    ({"options": ["nice"]}, "the option"),
    ({"site": "local"}, "has no scheduler"),
    ({"site": "karst"}, "is retired"),
    ({"site": "", "scheduler": "lsf"}, "no scheduler 'lsf'"),
]


@pytest.mark.parametrize(("words", "message"), MISREAD, ids=lambda value: str(value)[:40])
def test_what_cannot_be_read_is_said_with_what_to_write(words: dict[str, Any], message: str) -> None:
    with pytest.raises(PackhorseError) as refusal:
        packhorse.script("python3 fit.py", **{"site": "testbed", **words})
    assert message in refusal.value.message
    assert refusal.value.hint


NOTES = [
    ({"time": "10 min"}, "fits into debug (2 nodes, jobs up to 4 h)"),
    ({"nodes": 2, "time": "5 h"}, "which are charged although idle: start it with srun or mpirun, or --nodes 1"),
    ({"tasks": 4, "time": "5 h"}, "the job asks for 4 processes, but no command starts more than one"),
    ({"partition": "gpu", "time": "5 h"}, "gpu has GPUs, and the job asks for none: --gpus 1"),
    ({"cores": 4, "time": "5 h"}, "but fit.py uses only one"),
    ({"array": "1-10", "time": "5 h"}, "no command reads $SLURM_ARRAY_TASK_ID"),
    ({"array": "10", "time": "5 h"}, "for 10 of them, write --array 1-10"),
    ({"site": "hec", "partition": "parallel"}, "parallel is for parallel jobs, and this job has one core: --partition serial"),
    ({"site": "bede", "account": "x", "partition": "gpu", "gpus": 1, "cores": 4}, "allocates cores and memory by GPUs"),
    ({"site": "hec", "partition": "astro-tier1", "gpus": 0}, "must be granted by hec (open to its group"),
    ({"log": "logs/a.out", "time": "5 h"}, "mkdir -p logs"),
    ({"site": "bede", "account": "x", "partition": "gh", "gpus": 1}, "submit with ghbatch"),
    ({"site": "quartz", "account": "x", "modules": ["r/3.6"]}, "r/3.6 is not among the modules known at quartz: r/4.4.1"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "note"), NOTES, ids=lambda value: str(value)[:40])
def test_what_is_allowed_and_unwise_is_said(words: dict[str, Any], note: str, tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text("import json, os.path\nprint(json.dumps(1))\n")
    script = packhorse.script("python3 fit.py", folder=tmp_path, **{"site": "testbed", **words})
    assert any(note in said for said in script.notes), script.notes


@pytest.mark.parametrize(
    ("file", "source", "command"),
    [
        ("fit.py", "from multiprocessing import Pool\n", "python3 fit.py"),
        ("fit.py", "import numpy\n", "python3 fit.py"),
        ("fit.py", "import mine\n", "python3 fit.py"),
        ("fit.py", "import os\nos.system('x')\n", "python3 fit.py"),
        ("fit.py", "import json\n", "python3 fit.py --jobs 4"),
        ("fit.py", "def broken(\n", "python3 fit.py"),
        ("fit.R", "library(parallel)\n", "Rscript fit.R"),
        ("fit.R", "x <- solve(a)\n", "Rscript fit.R"),
        ("other.py", "import json\n", "python3 fit.py"),
        ("fit.py", "import json\n", "python3 fit.py & python3 fit.py &\nwait"),
    ],
)
def test_no_word_of_cores_where_a_program_may_use_them(
    file: str, source: str, command: str, tmp_path: Path
) -> None:
    (tmp_path / file).write_text(source)
    script = packhorse.script(command, site="testbed", cores=4, time="5 h", folder=tmp_path)
    missing = ("fit.py does not exist in",) if file == "other.py" else ()
    assert [note[: len("fit.py does not exist in")] for note in script.notes] == [*missing]


@pytest.mark.parametrize(
    "launched", ["srun ./a", "/opt/mpi/bin/mpirun -np 4 ./a", "torchrun a.py", "dask worker"]
)
def test_no_word_of_idle_nodes_where_a_launcher_is_used(launched: str) -> None:
    assert on_testbed(launched, nodes=2, tasks=4, time="5 h").notes == ()


def test_standard_output_is_exactly_the_script(packhorse: Any, tmp_path: Path) -> None:
    (tmp_path / "fit.py").write_text("import json\n")
    done = packhorse("script", "python3 fit.py", "--site", "testbed", "--time", "10 min")
    assert done.stdout == on_testbed("python3 fit.py", time="10 min", folder=tmp_path).text
    assert (
        done.stderr
        == "note: the job fits into debug (2 nodes, jobs up to 4 h), where jobs usually start sooner: --partition debug\n"
    )
    few, many = (
        packhorse(
            "script",
            "python3 fit.py $SLURM_ARRAY_TASK_ID",
            "--site",
            "testbed",
            "--time",
            "10 min",
            "--array",
            words,
        )
        for words in ("1-16", "1-200")
    )
    assert "jobs usually start sooner" in few.stderr
    assert "jobs usually start sooner" not in many.stderr  # a queue for tests is not for 200 jobs
    said = json.loads(packhorse("script", "python3 fit.py", "--site", "testbed", "--json").stdout)
    assert said["script"].startswith("#!/bin/bash\n")
    assert (said["site"], said["request"]["partition"], said["file"]) == ("testbed", "general", None)


def test_words_behind_two_dashes_are_one_command(packhorse: Any) -> None:
    done = packhorse("script", "--site", "testbed", "--then", "echo 'b  c'", "--", "printf", "%s", "a  $x")
    assert done.stdout.endswith("\nprintf %s 'a  $x'\necho 'b  c'\n"), done.stderr


def test_a_file_is_written_once(packhorse: Any, tmp_path: Path) -> None:
    line = ("script", "python3 fit.py", "--site", "testbed", "--output", "fit job.sh")
    done = packhorse(*line)
    assert (done.returncode, done.stdout) == (0, "wrote fit job.sh\n")
    path = tmp_path / "fit job.sh"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert "# To send it: sbatch 'fit job.sh'\n" in path.read_text()
    path.write_text("mine")
    again = packhorse(*line)
    assert (again.returncode, path.read_text()) == (2, "mine")
    assert "--force" in again.stderr
    assert packhorse(*line, "--force").returncode == 0
    assert path.read_text().startswith("#!/bin/bash\n")
    elsewhere = packhorse(*line[:-1], "none/fit.sh")
    assert elsewhere.returncode == 2
    assert "mkdir -p none" in elsewhere.stderr


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        (("script", "--site", "testbed"), 2, "the job has no command"),
        (("script", "python3 fit.py"), 2, "no site given"),
        (("script", "echo 'a", "--site", "testbed"), 2, "bash cannot parse the command"),
        (("script", "true", "--site", "testbed", "--time", "9 days"), 5, "general allows 7 d"),
        (("script", "true", "--site", "testbed", "--time", "9"), 3, "no unit"),
        (("script", "--interactive"), 2, "needs a terminal"),
        (("script", "fit.py --n 3", "--site", "testbed"), 2, "write 'python fit.py --n 3'"),
        (
            ("script", "python", "fit.py", "--n", "3", "--site", "testbed"),
            2,
            "quote the command, or write -- before it",
        ),
        (("script", "true", "--sites", "testbed"), 2, "Did you mean --site?"),
    ],
)
def test_a_refusal_is_one_sentence_and_no_script(
    packhorse: Any, line: tuple[str, ...], status: int, message: str
) -> None:
    done = packhorse(*line)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
