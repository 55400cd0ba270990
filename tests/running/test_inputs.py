"""Shared inputs: one copy that tasks map into memory, in functions and scripts, run by the installed command."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy
import polars
import pytest

from running.project import Project

HERE = {"python": sys.executable}
MAPPED = """
def mapped(name):
    '''Return (resident, proportional) KiB of the mappings of a file, and its inode.'''
    found, inode, inside = [0, 0], 0, False
    for line in open("/proc/self/smaps"):
        words = line.split()
        if not words[0].endswith(":"):
            inside = name in line
            inode = int(words[4]) if inside else inode
        elif inside and words[0] in ("Rss:", "Pss:"):
            found[words[0] == "Pss:"] += int(words[1])
    return found[0], found[1], inode
"""
MEET = """
def meet(folder, slots):
    pathlib.Path(folder, str(os.getpid())).touch()
    give_up = time.monotonic() + 60
    while len(list(pathlib.Path(folder).iterdir())) < slots and time.monotonic() < give_up:
        time.sleep(0.01)
"""


def test_slots_share_one_copy_that_is_read_only(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    first, second = tmp_path_factory.mktemp("first"), tmp_path_factory.mktemp("second")
    project.path.joinpath("data").mkdir()
    numpy.save(project.path / "data/big.npy", numpy.arange(4 << 20) / 2)  # 32 MiB
    polars.DataFrame({"a": range(2 << 20)}).write_parquet(project.path / "people.parquet")  # 16 MiB as Arrow
    project.file(
        "model.py",
        "import os, pathlib, time\nfrom packhorse import task\n" + MAPPED + MEET + "\n"
        "def f(n, big):\n"
        "    people = task.input('people')\n"
        "    total = float(big.sum()) + sum(people.column('a').to_numpy())\n"
        f"    meet({str(first)!r}, 2)\n"  # both have read all
        "    rss, pss, _ = mapped('big.npy')\n"
        "    table_rss, table_pss, inode = mapped('people.parquet')\n"
        f"    meet({str(second)!r}, 2)\n"  # both have measured
        "    try:\n        big[0] = 1\n        write = 'written'\n"
        "    except ValueError as error:\n        write = str(error)\n"
        "    return {'total': total, 'rss': rss, 'pss': pss, 'table_rss': table_rss, 'table_pss': table_pss,\n"
        "            'inode': inode, 'write': write, 'pid': os.getpid()}\n",
    )
    project.study(
        function="model:f",
        parameters={"n": [0, 1]},
        inputs={"big": "data/big.npy", "people": "people.parquet"},
        environment=HERE,
        resources={"memory": "150 MB"},
    ).run("-j2")
    assert len(set(project.rows("pid"))) == 2
    assert set(project.rows("total")) == {(4 << 20) * ((4 << 20) - 1) / 4 + (2 << 20) * ((2 << 20) - 1) / 2}
    for rss, pss, table_rss, table_pss in project.rows("rss", "pss", "table_rss", "table_pss"):
        assert rss >= 32 << 10
        assert pss <= 0.6 * rss, "two slots have the array once"
        assert table_rss >= 16 << 10
        assert table_pss <= 0.6 * table_rss, "and the converted table"
    assert len(set(project.rows("inode"))) == 1, "the table is converted once"
    assert all("read-only" in text for text in project.rows("write"))
    data = json.loads((project.directory / "provenance.json").read_text())["data"]
    assert set(data) == {"data/big.npy", "people.parquet"}


def test_pages_of_inputs_are_not_the_memory_of_a_task(project: Project) -> None:
    numpy.save(project.path / "big.npy", numpy.ones(40 << 20))  # 320 MiB
    code = "import time\ndef f(n, big):\n    total = float(big.sum())\n    time.sleep(1)\n    return total\n"
    project.file("model.py", code)
    project.study(
        function="model:f",
        parameters={"n": [1]},
        inputs={"big": "big.npy"},
        environment=HERE,
        resources={"memory": "200 MB"},
    ).run()
    assert project.rows("result") == [40 << 20]
    assert project.rows("ph_memory")[0] < 200 << 10


def test_scripts_cold_and_warm_get_the_same_inputs(project: Project) -> None:
    numpy.save(project.path / "x.npy", numpy.arange(100) / 8)
    table = polars.DataFrame({"s": ["a", "b", "a"] * 10, "v": range(30)})
    table.with_columns(polars.col("s").cast(polars.Categorical)).write_parquet(project.path / "t.parquet")
    table.write_ipc(project.path / "plain.arrow", compression="uncompressed")
    table.write_ipc(project.path / "small.feather", compression="zstd")
    project.file("late.csv", "v\n" + "1\n" * 400_000 + "2.5\n")  # after the first block of a reader
    project.file("t.tsv", "v\tw\n1\tx\n")
    project.file(
        "sim.py",
        """
        from packhorse import task
        n = task.params.n
        tables = [task.input(name) for name in ("t", "plain", "small", "late", "tabs")]
        task.result(
            x=float(task.input("x")[n]), s=tables[0].column("s")[n].as_py(), rows=str([t.num_rows for t in tables]),
            late=tables[3].column("v")[-1].as_py(), tabs=str(tables[4].to_pylist()),
        )
        """,
    )
    inputs = {
        "x": "x.npy",
        "t": "t.parquet",
        "plain": "plain.arrow",
        "small": "small.feather",
        "late": "late.csv",
    }
    project.study(
        command=f"{sys.executable} sim.py {{n}}",
        parameters={"n": {"range": [20]}},
        inputs={**inputs, "tabs": "t.tsv"},
    ).run("-j2")
    assert project.rows("x", "s") == [(n / 8, ["a", "b", "a"][n % 3]) for n in range(20)]
    assert set(project.rows("rows", "late", "tabs")) == {
        ("[30, 30, 30, 400001, 1]", 2.5, "[{'v': 1, 'w': 'x'}]")
    }
    assert "warm" in project.rows("ph_start")


def test_a_file_that_changes_during_the_run_fails_the_tasks_that_follow(project: Project) -> None:
    path = project.path / "x.npy"
    numpy.save(path, numpy.arange(10))
    project.file(
        "model.py",
        "import numpy\n"
        "def f(n, x):\n"
        f"    if n == 4:\n        numpy.save({str(path)!r}, numpy.arange(20))\n"
        "    return int(x.sum())\n",
    )
    project.study(
        function="model:f", parameters={"n": {"range": [40]}}, inputs={"x": "x.npy"}, environment=HERE
    ).run("-j1", code=7)
    assert project.rows("result") == [45] * len(project.rows("result"))
    failures = project.failures()
    assert len(failures) >= 20
    assert all(
        "x.npy has changed since the run began (208 bytes then, 288 now)" in row["cause"] for row in failures
    )


def test_what_is_missing_is_told_with_what_to_do(project: Project) -> None:
    project.file("model.py", "def f(n, x):\n    return 1\n")
    keys = {"function": "model:f", "parameters": {"n": [1]}}
    project.file("data/right.npy", "")
    found = project.study(**keys, inputs={"x": "data/wrong.npy"}).run(code=4)
    assert "inputs: x: data/wrong.npy does not exist" in found
    assert "inputs: {x: data/right.npy}" in found
    found = project.study(**keys, inputs={"x": "data/right.npy"}, environment=HERE).run("--fresh", code=7)
    assert "right.npy cannot be read" in found
    project.file("t.parquet", "")
    bare = {"python": sys.base_prefix + "/bin/python3"}
    found = project.study(**keys, inputs={"x": "t.parquet"}, environment=bare).run("--fresh", code=7)
    assert "input x: t.parquet needs pyarrow, which the environment of the tasks does not have" in found
    project.file("model.py", "from packhorse import task\ndef f(n):\n    return task.input('y')\n")
    found = project.study(**keys, inputs={"x": "data/right.npy"}).run("--fresh", code=7)
    assert "the study has no input 'y'; its inputs: x" in found


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({"n": "x.npy"}, "has the name of a parameter"),
        ({"seed": "x.npy"}, "has the name of a parameter"),
        ({"a-b": "x.npy"}, "is not a name of Python"),
        ({"x": "x.xlsx"}, "of no format that can be mapped"),
        ({"x": 3}, "inputs: x"),
    ],
)
def test_inputs_that_cannot_be_are_refused_at_their_place(
    project: Project, inputs: dict[str, object], said: str
) -> None:
    project.file("model.py", "def f(n):\n    return 1\n")
    found = project.study(function="model:f", parameters={"n": [1]}, inputs=inputs).run(code=3)
    assert said in found
    assert "study.yaml:1:" in found


def test_outside_a_run_the_script_names_the_file(project: Project) -> None:
    numpy.save(project.path / "x.npy", numpy.arange(3))
    code = f"from packhorse import task\nprint(task.input('x', {str(project.path / 'x.npy')!r}).sum())\ntask.input('x')\n"
    script = project.file("sim.py", code)
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PACKHORSE_")}
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, env=variables, check=False
    )
    assert done.stdout == "3\n"
    assert "outside a run, use input('x', FILE)" in done.stderr
