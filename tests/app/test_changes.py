"""What counts as growth, what as a change, and what a retry takes up."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]

SIM = "import json, sys\nprint(json.dumps({'x': float(sys.argv[1]) / 7}))\n"


def write(folder: Path, study: str, sim: str = SIM) -> None:
    (folder / "study.yaml").write_text(study)
    (folder / "sim.py").write_text(sim)


def told(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def waves(packhorse: Command, run: str = "s") -> list[int]:
    return [wave["tasks"] for wave in told(packhorse("provenance", run, "--json"))["waves"]]


@pytest.mark.parametrize("source", ["csv: rows.csv", "file: rows.yaml"])
def test_more_rows_in_a_parameter_file_are_growth(source: str, tmp_path: Path, packhorse: Command) -> None:
    write(tmp_path, f"name: s\ncommand: python sim.py {{n}}\nparameters: {{{source}}}\n")
    for rows in ([1, 2], [1, 2, 3]):
        as_csv = "n\n" + "".join(f"{n}\n" for n in rows)
        (tmp_path / source.split()[1]).write_text(as_csv if "csv" in source else f"n: {rows}\n")
        done = packhorse("run", "--json")
        assert told(done)["done"] == len(rows)
    assert waves(packhorse) == [2, 1]


def test_a_parameter_file_that_the_command_names_is_code(tmp_path: Path, packhorse: Command) -> None:
    write(tmp_path, "name: s\ncommand: python sim.py {n} rows.csv\nparameters: {csv: rows.csv}\n")
    (tmp_path / "rows.csv").write_text("n\n1\n")
    assert packhorse("run").returncode == 0
    (tmp_path / "rows.csv").write_text("n\n1\n2\n")
    refused = packhorse("run")
    assert refused.returncode == 5
    assert "the code changed after 1 task finished (rows.csv changed)" in refused.stderr


@pytest.mark.parametrize("change", ["seed: 5", "seeding: common"])
def test_another_seed_is_refused_as_other_code_is(change: str, tmp_path: Path, packhorse: Command) -> None:
    text = "name: s\ncommand: python sim.py {n}\nparameters: {n: [1, 2]}\n"
    write(tmp_path, text)
    assert packhorse("run").returncode == 0
    write(tmp_path, text + change + "\n")
    warned = packhorse("run")
    assert warned.returncode == 0
    assert (
        f"the {change.split(':', maxsplit=1)[0]} changed after these results were computed" in warned.stderr
    )
    write(tmp_path, text + change + "\nreplicates: 2\n")
    for options in ([], ["--old-code"]):
        refused = packhorse("run", *options)
        assert refused.returncode == 5
        assert f"the {change.split(':', maxsplit=1)[0]} changed after 2 tasks finished" in refused.stderr
        assert "--old-code" not in refused.stderr
    assert told(packhorse("run", "--keep", "--json"))["done"] == 4
    assert waves(packhorse) == [2, 2]


def test_old_code_runs_the_rest_with_the_code_of_the_first(tmp_path: Path, packhorse: Command) -> None:
    text = "name: s\ncommand: python sim.py {n}\nparameters: {n: [7]}\n"
    write(tmp_path, text)
    assert packhorse("run").returncode == 0
    write(tmp_path, text.replace("[7]", "[7, 14]"), SIM.replace("/ 7", "* 100"))
    refused = packhorse("run")
    assert refused.returncode == 5
    assert "--old-code" in refused.stderr
    assert packhorse("run", "--old-code").returncode == 0
    rows = (tmp_path / "runs/s/results.csv").read_text().splitlines()
    place = rows[0].split(",").index("x")
    assert [float(row.split(",")[place]) for row in rows[1:]] == [1.0, 2.0]


BROKEN = """\
import sys
n, output = int(sys.argv[1]), sys.argv[2]
open(output, "w").write('{"x": 1, ' if n == 2 else '{"x": %d}' % n)
"""


def test_results_that_cannot_be_read_are_failures_that_retry_takes_up(
    tmp_path: Path, packhorse: Command
) -> None:
    # The worker has no reader of YAML, so the merge judges these results.
    write(
        tmp_path,
        "name: s\ncommand: python sim.py {n} {output.yaml}\nparameters: {n: [1, 2, 3]}\n",
        BROKEN,
    )
    done = packhorse("run")
    assert done.returncode == 7
    assert "1 result could not be read, such as task 1" in done.stdout
    assert "1 of 3 tasks have no result" in done.stderr
    assert "UNREADABLE" in (tmp_path / "runs/s/failures.csv").read_text()
    again = packhorse("retry", "s", "--json")
    assert (again.returncode, told(again)["failed"]) == (7, 1)
    (tmp_path / "sim.py").write_text(BROKEN.replace("n == 2", "n == 9"))
    mended = packhorse("retry", "s", "--keep", "--json")
    assert mended.returncode == 0, mended.stderr
    assert told(mended)["done"] == 3
    assert waves(packhorse) == [3, 1, 1]
    assert told(packhorse("status", "s", "--json"))["done"] == 3
    assert packhorse("retry", "s").returncode == 5
