"""packhorse lint: files of every kind, silencing, output, and what Packhorse itself writes."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from packhorse.app.jobs.lint import LintOptions, LintReport, lint
from packhorse.app.jobs.script import make_script
from packhorse.lint.rule import RULES
from packhorse.model.errors import PackhorseError, UsageError
from packhorse.model.form import Form

ROOT = Path(__file__).parents[2]
Run = Callable[..., subprocess.CompletedProcess[str]]
GOOD = "#!/bin/bash\n#SBATCH --time=10:00\n#SBATCH --mem=4G\n"
BAD = "#!/bin/bash\n#SBATCH --time=2h\nN = 5\n"


def look(path: Path, **options: object) -> LintReport:
    return lint([path], LintOptions(**options), path.parent)[0]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (b"\x7fELF\x02\x01\x00\x00", "not a text file"),
        ("#!/bin/bash\n".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (b"#" * (10 << 20), "too large for a script: 10,485,760 bytes, at most 1,048,576"),
    ],
    ids=["empty", "blank", "binary", "utf-16", "10 MB"],
)
def test_a_file_that_is_not_a_script(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "job.sh"
    path.write_bytes(data)
    report = look(path)
    assert [(one.rule, one.severity, one.message) for one in report.findings] == [("J00", "error", message)]
    assert report.failed


@pytest.mark.parametrize(
    "data",
    [
        b"\xff\xfa#SBATCH \x80\n",
        b"#!/bin/bash\n#SBATCH --job-name=\xe9\xff\n$((((\n",
        b"#!/bin/bash\n#SBATCH \"\n#SBATCH '",
        b"#!/bin/bash\n" + b"(" * 5000,
        b"#!/bin/bash\n" + b"$(" * 2000 + b"x" + b")" * 2000,
        b"#PBS -l \\\n\\\n\\",
        b"#SBATCH --array=1-99999999999\n#SBATCH --time=9999999999999-99:99:99",
        b"#!/usr/bin/env Rscript\n#SBATCH -n 1\nx <- c(1\n",
        b"\r\r\r",
        b"#SBATCH\x00",
    ],
)
def test_no_bytes_give_a_traceback(tmp_path: Path, data: bytes) -> None:
    for name in ("job.sh", "job.py", "job.R"):
        path = tmp_path / name
        path.write_bytes(data)
        for finding in look(path).findings:
            assert finding.line >= 1
            assert finding.message


def test_odd_commands_and_programs_give_no_traceback(tmp_path: Path) -> None:
    lines = [
        'conda create "x -p y"',
        "conda create -p",
        "tar",
        "tar x",
        "unzip",
        "cd",
        '"" a',
        "module",
        "source",
        "srun",
    ]
    path = tmp_path / "job.sh"
    path.write_text(
        "\n".join(["#!/bin/bash", "#SBATCH -p serial -c 2 -a 1-5", *lines, "python odd.py -o", ""])
    )
    (tmp_path / "odd.py").write_text('open("b", "")\nopen("a", mode="")\nx.to_csv("c", mode="")\nopen()\n')
    for site in ("hec", "bede", "quartz", "testbed"):
        assert {one.rule for one in look(path, site=site).findings} <= set(RULES)
    (tmp_path / "latin.R").write_bytes(b'x <- "\xe9"\n')
    assert look(tmp_path / "latin.R").findings == ()


def test_the_command(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.sh").write_text(BAD)
    (tmp_path / "good.sh").write_text(GOOD)
    done = packhorse("lint", "bad.sh", "good.sh", "--format", "json")
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert [(one["rule"], one["line"], one["column"], one["severity"]) for one in report["findings"]] == [
        ("J18", 2, 9, "error"),
        ("J60", 3, 1, "warning"),
    ]
    assert report["findings"][0]["path"] == "bad.sh"
    assert report["findings"][0]["fix"]
    log = json.loads(packhorse("lint", "bad.sh", "--format", "sarif").stdout)
    assert [one["ruleId"] for one in log["runs"][0]["results"]] == ["J18", "J60"]
    lines = packhorse("lint", "bad.sh", "--format", "github").stdout.splitlines()
    assert lines[0].startswith("::error file=bad.sh,line=2,col=9,title=J18::sbatch cannot read the time '2h'")
    packhorse("lint", "bad.sh", "--diff")
    assert (tmp_path / "bad.sh").read_text() == BAD
    (tmp_path / "bad.sh").chmod(0o750)
    assert packhorse("lint", "bad.sh", "--fix").returncode == 0
    assert (tmp_path / "bad.sh").read_text() == BAD.replace("2h", "02:00:00").replace("N = 5", "N=5")
    assert (tmp_path / "bad.sh").stat().st_mode & 0o777 == 0o750
    missing = packhorse("lint", "none.sh")
    assert (missing.returncode, "no file none.sh" in missing.stderr) == (2, True)


def test_select_ignore_and_comments(tmp_path: Path) -> None:
    path = tmp_path / "job.sh"
    path.write_text(BAD)
    assert {one.rule for one in look(path, select=("J6",)).findings} == {"J60"}
    assert {one.rule for one in look(path, ignore=("J60,J1",)).findings} == set()
    with pytest.raises(UsageError, match="no rule X1"):
        look(path, select=("X1",))
    path.write_text(BAD.replace("N = 5", "N = 5 # packhorse: ignore J60"))
    assert {one.rule for one in look(path).findings} == {"J18"}
    path.write_text(BAD.replace("#SBATCH", "# packhorse: ignore J18, J60\n#SBATCH"))
    assert {one.rule for one in look(path).findings} == {"J60"}
    path.write_text(BAD + "# packhorse: ignore-file\n")
    assert look(path).findings == ()


def test_a_folder(tmp_path: Path) -> None:
    for name in ("a.sh", "sub/b.slurm", "runs/x/c.sh", ".git/d.sh", "notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(BAD)
    report = look(tmp_path)
    assert [Path(one.path).name for one in report.findings if one.rule == "J18"] == ["a.sh", "b.slurm"]
    assert report.files == 2


def test_the_version_of_the_site_decides_on_log_folders(tmp_path: Path) -> None:
    path = tmp_path / "job.sh"
    path.write_text(GOOD + "#SBATCH --output=logs/%j.out\nhostname\n")
    assert [one.rule for one in look(path).findings] == ["J01"]
    site = tmp_path / "packhorse-sites" / "new.yaml"
    site.parent.mkdir()
    site.write_text('scheduler: slurm\nscheduler_version: "23.02.1"\n')
    assert look(path, site="new").findings == ()
    site.write_text('scheduler: slurm\nscheduler_version: "22.05.8"\n')
    assert [one.rule for one in look(path, site="new").findings] == ["J01"]
    (tmp_path / "logs").mkdir()
    assert look(path).findings == ()


def test_what_packhorse_writes_is_clean() -> None:
    """The golden scripts of all schedulers, but for what their tests put in on purpose."""
    meant = {
        "mail.mail.sh": {"J40"},
        "mail.mail-failed.sh": {"J40"},
        "mail.mail-begin.sh": {"J40"},
        "mail.sh": {"J40"},
        "torque-full.sh": {"J40"},
        "openpbs-full.sh": {"J40"},
    }
    meant |= {"hostile.sh": {"J07"}, "logs.sh": {"J01"}}
    report = look(ROOT / "tests" / "scripts")
    assert report.files > 50
    found = [one for one in report.findings if one.rule not in meant.get(Path(one.path).name, set())]
    assert found == []


def test_a_script_for_any_site_is_clean_there(tmp_path: Path) -> None:
    path, made = tmp_path / "job.sh", 0
    for file in sorted((ROOT / "src" / "packhorse" / "sites" / "data").glob("*.yaml")):
        for form in (
            Form(),
            Form(array="1-20"),
            Form(gpus=1),
            Form(array="0-9", time="30 min", memory="2 GB"),
        ):
            try:
                script = make_script(
                    replace(form, command="python fit.py", site=file.stem, account="lab"), tmp_path
                )
            except PackhorseError:
                continue  # a retired site, or one without GPUs
            made += 1
            path.write_text(str(script))
            assert look(path, site=file.stem).findings == (), (file.stem, form)
    assert made >= 12


@pytest.mark.r
def test_the_parser_of_r_knows_strings_and_loops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "fit.R"
    raw = 's <- r"(for (i in 1) { x <- c(x, i) } \n # )"\n'
    path.write_text(f'{raw}\té <- "(" ; for (i in 1:3) x <- c(x, i)\r\nwhile (TRUE) {{\n  y <- c(y, 1)\n}}\n')
    assert [(one.rule, one.line, one.column) for one in look(path).findings] == [
        ("R03", 3, 28),
        ("R03", 5, 3),
    ]
    path.write_text("f <- function(x) {\n  x +* 1\n}\n")
    (fault,) = look(path).findings
    assert (fault.rule, fault.line, fault.column) == ("R06", 2, 6)
    assert "unexpected '*'" in fault.message
    monkeypatch.setenv("PATH", str(tmp_path))  # without R
    assert look(path).findings == ()
    path.write_text("while (TRUE) {\n  y <- c(y, 1)\n}\n")
    assert [(one.rule, one.line, one.column) for one in look(path).findings] == [("R03", 2, 3)]


def test_plan_run_and_script_show_findings(packhorse: Run, tmp_path: Path) -> None:
    (tmp_path / "steps.sh").write_text("#!/bin/bash\n#SBATCH --time=2h\nN = 5\ntrue\n")
    (tmp_path / "sim.py").write_text("import os\nprint(os.cpu_count())\n")
    (tmp_path / "study.yaml").write_text("command: python sim.py {seed}\n")
    plan = packhorse("plan", "study.yaml").stdout
    assert (
        "note: sim.py:2: os.cpu_count() is the number of cores of the whole node (packhorse lint --explain J14)"
        in plan
    )
    assert "J18" not in (done := packhorse("run", "steps.sh")).stderr  # directives have no effect there
    assert "steps.sh:3: the shell runs a program N; an assignment has no blanks around =" in done.stderr
    assert "J14" not in packhorse("run", "study.yaml").stderr  # a hint
    made = packhorse("script", "RScript fit.R", "--scheduler", "slurm", "--time", "1 h")
    assert "RScript: the program is called Rscript (packhorse lint --explain J28)" in made.stderr


@pytest.mark.alone
def test_a_thousand_scripts_take_less_than_five_seconds(tmp_path: Path) -> None:
    body = "\n".join(
        f'if [ -n "$X{n}" ]; then srun python fit.py --n {n} | tee log.{n}; fi\nfor k in 1 2; do echo $k; done'
        for n in range(12)
    )
    for number in range(1000):
        (tmp_path / f"job{number}.sh").write_text(f"{GOOD}#SBATCH --array=1-{number + 2}\n{body}\n")
    start = time.process_time()
    assert look(tmp_path).files == 1000
    assert time.process_time() - start < 5
