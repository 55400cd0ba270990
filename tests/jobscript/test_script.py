"""A job script is read without loss, and its directives as sbatch and qsub read them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.jobscript.directives import BLANKS
from packhorse.jobscript.lines import Edit, apply_edits, decode, encode, split_lines
from packhorse.jobscript.options import table
from packhorse.jobscript.read_shell import read_shell
from packhorse.jobscript.script import JobScript

ROOT = Path(__file__).parents[2]

OPTIONS = st.sampled_from(
    [
        "--time=10:00", "-n4", "-N 1 -n 4 --mem 8G", "--ntasks=4# four", '--job-name="my run"', "-t=10", "hetjob",
        "--out logs/%j.out", "--job-name = x", "'open", "-l nodes=1:ppn=2,walltime=1:00:00 -l mem=4gb", "-lnodes=2",
        "-N fit # it's", "-J 1-10:2", "-t 1-5%2", "--export=A=1 # größe", "", "\\", "–time=3", "-v A,B \\",
    ]
)  # fmt: skip
SENTINELS = st.sampled_from(
    [
        "#SBATCH ",
        "#PBS ",
        "#SBATCH\t",
        "  #PBS ",
        "#SBATCH",
        "#PBS",
        "##SBATCH ",
        "# SBATCH ",
        "#SLURM ",
        "#SBTACH ",
    ]
)
BODY = st.sampled_from(
    [
        "", "# a comment", "set -euo pipefail", "srun -n1 python fit.py $SLURM_ARRAY_TASK_ID &", "cat <<EOF", "EOF",
        "rates=(0.1 '0.2 x' # three", "0.5)", 'x="', "A=1 B=2 python -u a.py | tee log", "for i in {1..3}; do", "done",
        "#!/bin/bash", ":", "echo naïve", "\x0c", "\t", "<x>", "{{ y }}",
    ]
)  # fmt: skip
LINES = st.one_of(st.builds("".join, st.tuples(SENTINELS, OPTIONS)), BODY, st.text(max_size=20))
ENDS = st.sampled_from(["\n", "\n", "\n", "\r\n", "\r", ""])
SCRIPTS = st.lists(st.tuples(LINES, ENDS), max_size=14).map(lambda rows: "".join(a + b for a, b in rows))


@settings(max_examples=400)
@given(st.one_of(SCRIPTS.map(lambda text: text.encode("utf-8", "surrogatepass")), st.binary(max_size=80)))
def test_reading_and_writing_back_gives_the_same_bytes(data: bytes) -> None:
    script = JobScript(decode(data))
    assert encode(str(script)) == data
    for directive in (*script.slurm_directives, *script.pbs_directives):
        done = directive.line, len(directive.sentinel)
        for word in directive.words:
            row = script.lines[word.line - 1].text
            start = done[1] if word.line == done[0] else 0
            assert set(row[start : word.start]) <= set(BLANKS + "\\")
            assert word.start < word.end <= len(row)
            done = word.line, word.end
    for option in script.options:
        assert 0 <= option.start <= option.end


@pytest.mark.campaign
@settings(max_examples=2000)
@given(SCRIPTS)
def test_two_thousand_scripts_are_written_back(text: str) -> None:
    data = text.encode("utf-8", "surrogatepass")
    assert encode(str(JobScript(decode(data)))) == data


def values(text: str, scheduler: str = "") -> dict[str, str | None]:
    return {
        one.name: one.value for one in JobScript(f"#!/bin/bash\n{text}\nhostname\n", "", scheduler).options
    }


def test_sbatch_directives() -> None:
    assert values("#SBATCH -N 1 -n4 --mem 8G   # one node\n#SBATCH --cpus-per-task=4# four") == {
        "nodes": "1",
        "ntasks": "4",
        "mem": "8G",
        "cpus-per-task": "4",
    }
    assert values(
        "#SBATCH --job-name=\"my run\" --comment='a # b' -A x\\ y\n#SBATCH--time=5\n#SBATCH\t-t=10"
    ) == {
        "job-name": "my run",
        "comment": "a # b",
        "account": "x y",
        "time": "=10",
    }
    # One command line for all lines, so that a value may be on the next.
    assert values("#SBATCH --time\n#SBATCH 10:00") == {"time": "10:00"}
    script = JobScript("#!/bin/sh\n#SBATCH --exc --out=a --err b --tasks=3\n#SBATCH --dep=x --exclusive")
    assert [(one.name, one.value, one.fault) for one in script.options] == [
        ("exc", None, "ambiguous"),
        ("output", "a", ""),
        ("error", "b", ""),
        ("tasks-per-node", "3", ""),
        ("dependency", "x", ""),
        ("exclusive", None, ""),
    ]


def test_qsub_directives() -> None:
    text = "#PBS -lnodes=1:ppn=2 -l walltime=1:00:00 -N fit # -q short\n  #PBS-j oe\n#PBS -v A=1,\\\nB=2"
    script = JobScript(f"{text}\nhostname\n#PBS -q late\n")
    assert [(one.name, one.value) for one in script.options if not one.fault] == [
        ("l", "nodes=1:ppn=2"),
        ("l", "walltime=1:00:00"),
        ("N", "fit"),
        ("q", "short"),
        ("j", "oe"),
        ("v", "A=1,"),
    ]
    assert script.resources == {"nodes": "1:ppn=2", "walltime": "1:00:00"}
    assert [one.place for one in script.all_directives] == ["head", "head", "head", "late"]
    assert JobScript("#PBS -J 1-9\n").flavour == "openpbs"
    assert JobScript("#PBS -t 1-9\n").flavour == "torque"


def test_where_a_directive_is() -> None:
    script = JobScript("#!/bin/bash\n#SBATCH -n 1\ncat <<'X'\n#SBATCH -n 2\nX\n#SBATCH -n 3\n")
    assert [(one.line, one.place) for one in script.all_directives] == [
        (2, "head"),
        (4, "quoted"),
        (6, "late"),
    ]


def test_edits_change_only_their_place() -> None:
    lines = split_lines("a b\r\nc\nlast")
    edits = [Edit(1, 2, 3, "x"), Edit(1, 0, 0, "> "), Edit(2, 0, 0, "", whole=True)]
    assert apply_edits(lines, edits) == "> a x\r\nlast"


def test_shell_commands() -> None:
    shell = read_shell(
        "i=$((SLURM_ARRAY_TASK_ID-1))\nr=(0.1 '0.2 x')\n"
        'OMP_NUM_THREADS=2 srun -n 4 --mem 2G python -u fit.py "a b" ${r[$i]} >> log 2>&1 &\n'
        "apptainer exec --nv -B /data image.sif python3 x.py | tee log\nif [ -f x ]; then timeout 5 ./run.sh; fi\n"
    )
    first, second, tee, third = shell.commands
    assert (first.name, first.launcher, first.background) == ("srun", "srun", True)
    assert [word.text for word in first.program] == ["python", "-u", "fit.py", "a b", "${r[$i]}"]
    assert [one.name for one in first.assignments] == ["OMP_NUM_THREADS"]
    assert first.redirects == ((">>", "log"), (">&", "1"))
    assert [word.text for word in second.program] == ["python3", "x.py"]
    assert (second.piped_to, tee.piped_to) == (("tee",), ())
    assert ([word.text for word in third.program], third.where.conditional) == (["./run.sh"], True)
    assert [item.literal for one in shell.assignments for item in one.items or ()] == ["0.1", "0.2 x"]


def test_the_table_of_options_is_made_from_the_captures() -> None:
    made = ROOT / "src" / "packhorse" / "jobscript" / "data" / "options.json"
    before = made.read_text()
    subprocess.run([sys.executable, ROOT / "scripts" / "scheduler-options"], check=True)
    assert made.read_text() == before
    assert set(json.loads(before)) == {"plugins", "sbatch", "srun", "qsub-torque", "qsub-openpbs"}
    assert table("sbatch").long["kill-on-invalid-dep"] == 1
    assert table("qsub-torque").short["V"] == 0
