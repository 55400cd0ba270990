"""Functions in persistent slots, run by the installed command."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path
from typing import Any

import pytest

from running.project import Project, bits, marked


def study(project: Project, code: str, *, function: str = "model:f", **keys: Any) -> Project:
    project.file("model.py", code)
    return project.study(function=function, **keys)


@pytest.mark.parametrize(
    ("code", "columns"),
    [
        ("return {'y': n, 's': 'text', 'b': True, 'none': None}", {"y": [1], "s": ["text"], "b": [True]}),
        ("return [{'y': n}, {'y': n + 1}]", {"y": [1, 2], "ph_row": [0, 1]}),
        ("return D(n, [1, 2])", {"y": [1], "z": ["[1,2]"]}),
        ("return n / 10", {"result": [0.1]}),
        ("return 'words'", {"result": ["words"]}),
        (
            "return {'f': numpy.float64(0.1), 'i': numpy.int64(2**62 + 1), 'h': numpy.float32(0.5),"
            " 'b': numpy.bool_(True), 'a': numpy.arange(2)}",
            {"f": [0.1], "i": [2**62 + 1], "h": [0.5], "b": [True], "a": ["[0,1]"]},
        ),
        ("return numpy.float64(0.1)", {"result": [0.1]}),
        ("return pandas.DataFrame({'y': [1, 2], 'z': ['a', 'b']})", {"y": [1, 2], "z": ["a", "b"], "ph_row": [0, 1]}),
        ("return polars.DataFrame({'y': [1, 2], 'z': ['a', None]})", {"y": [1, 2], "z": ["a", None]}),
        ("return {'when': datetime.date(2026, 1, 2), 'where': pathlib.Path('a/b'), 'of': {3, 1}}",
         {"when": ["2026-01-02"], "where": ["a/b"], "of": ["[1,3]"]}),
        ("task.result(y=3)", {"y": [3]}),
        ("return {'lone': '\\ud800'[:0] + 'λ\\n\"'}", {"lone": ['λ\n"']}),
        ("return {'long': 'x' * 10000}", {"long": ["x" * 10000]}),
    ],
)  # fmt: skip
def test_every_kind_of_value_comes_home(project: Project, code: str, columns: dict[str, list[Any]]) -> None:
    wanted = [name for name in ("numpy", "pandas", "polars", "datetime", "pathlib") if name in code]
    head = "".join(f"import {name}\n" for name in wanted)
    head += "from dataclasses import dataclass\nfrom packhorse import task\n\n"
    head += "@dataclass\nclass D:\n    y: int\n    z: list\n\n"
    study(project, f"{head}def f(n):\n    {code}\n", parameters={"n": [1]}).run()
    for name, values in columns.items():
        assert project.rows(name) == values


FLOATS = ("0.1", "-0.0", "nan", "inf", "-inf", "5e-324", "1.7976931348623157e308", "0.1 + 0.2", "1e22", "2.0")


def test_floats_and_large_integers_are_the_same_bit_for_bit(project: Project) -> None:
    values = ", ".join(f"float('{said}')" if said.strip("-")[0] in "ni" else said for said in FLOATS)
    study(
        project,
        f"VALUES = [{values}]\ndef f(k):\n    return {{'x': VALUES[k], 'i': (2**63 - 1) - k, 'j': -(2**63) + k}}\n",
        parameters={"k": {"range": [len(FLOATS)]}},
    ).run()
    expected = [0.1 + 0.2 if "+" in said else float(said) for said in FLOATS]
    pack = struct.Struct("<d").pack
    assert [pack(x) for x in project.rows("x")] == [pack(x) for x in expected]
    assert project.rows("i") == [2**63 - 1 - k for k in range(len(FLOATS))]
    assert project.rows("j") == [-(2**63) + k for k in range(len(FLOATS))]


@pytest.mark.parametrize("jobs", ["1", "2"])
@pytest.mark.parametrize(
    ("code", "outcome", "cause"),
    [
        ("raise ValueError('too odd')", {"exit": "1"}, "ValueError: too odd"),
        ("sys.exit(4)", {"exit": "1"}, "SystemExit: 4"),
        ("os._exit(3)", {"exit": "3"}, "the function ended the interpreter"),
        ("ctypes.string_at(0)", {"signal": "11"}, "died of signal 11"),
        ("os.kill(os.getpid(), 6)", {"signal": "6"}, "died of signal 6"),
        ("return lambda: 0", {"exit": "1"}, "a result cannot hold a function"),
        ("raise KeyboardInterrupt", {"exit": "1"}, "KeyboardInterrupt"),
        ("n()", {"exit": "1"}, "'int' object is not callable"),
    ],
)
def test_a_crash_costs_one_task(
    project: Project, code: str, outcome: dict[str, str], cause: str, jobs: str
) -> None:
    study(
        project,
        f"import ctypes, os, sys\ndef f(n):\n    if n == 3:\n        print('my last words')\n        {code}\n    return n * n\n",
        parameters={"n": {"range": [40]}},
    ).run(f"-j{jobs}", code=7)
    assert project.rows("n", "result") == [(n, n * n) for n in range(40) if n != 3]
    row = project.failure()
    assert (row["n"], row["outcome"]) == ("3", "FAILED")
    assert {name: row[name] for name in outcome} == outcome
    assert cause in row["cause"]
    assert project.records() == 40
    assert marked(project.directory) == []


def test_an_exceptions_traceback_and_prints_are_in_the_log_of_its_task(project: Project) -> None:
    study(
        project,
        """
        import sys, os
        def g(n):
            raise ValueError(f"odd {n}")
        def f(n):
            print("said", n)
            print("complained", n, file=sys.stderr)
            os.system(f"echo shell {n}")
            if n == 2:
                g(n)
            return n
        """,
        parameters={"n": [1, 2, 3]},
    ).run(code=7)
    log = project.command("logs", "s", "--task", "1")
    for words in ("said 2", "complained 2", "shell 2", "ValueError: odd 2", "in g"):
        assert words in log
    assert "said 1" not in log
    assert "packhorse/worker" not in log, "our own frames are nobody's business"
    assert "said 1" in project.command("logs", "s", "--task", "0")


def test_seed_replicate_and_generator_are_given_to_who_asks(project: Project) -> None:
    study(
        project,
        """
        def f(n, seed, rng, replicate, index, count):
            return {"s": seed, "r": replicate, "i": index, "c": count, "x": rng.random()}
        """,
        parameters={"n": [1, 2]},
        replicates=3,
    ).run("-j2")
    numpy = pytest.importorskip("numpy")
    table = project.table()
    assert table["s"].to_list() == table["seed"].to_list()
    assert table["r"].to_list() == [0, 1, 2] * 2 == table["replicate"].to_list()
    assert table["i"].to_list() == list(range(6))
    assert set(table["c"]) == {6}
    assert table["x"].to_list() == [numpy.random.default_rng(seed).random() for seed in table["seed"]]


def test_global_generators_do_not_depend_on_packing(project: Project) -> None:
    study(
        project,
        """
        import random
        import numpy
        def f(n):
            return {"a": random.random(), "b": numpy.random.rand(), "c": float(numpy.random.standard_normal(n).sum())}
        """,
        parameters={"n": [1, 2, 3]},
        replicates=20,
    ).run("-j1")
    alone = bits(project.table())
    assert len(set(alone["a"])) == len(set(alone["b"])) == 60
    project.run("-j3", "--fresh")
    assert bits(project.table()) == alone


def test_a_module_keeps_its_state_within_a_slot_only(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    meet = tmp_path_factory.mktemp("meet")
    study(
        project,
        "import os, pathlib, time\nSEEN = []\n"
        "def f(n):\n"
        "    SEEN.append(n)\n"
        f"    meet = pathlib.Path({str(meet)!r}, str(os.getpid()))\n"
        "    meet.touch()\n"
        "    give_up = time.monotonic() + 60\n"  # the first slot waits for the second, which starts later
        "    while len(list(meet.parent.iterdir())) < int(os.environ['SLOTS']) and time.monotonic() < give_up:\n"
        "        time.sleep(0.01)\n"
        "    return {'seen': len(SEEN), 'pid': os.getpid()}\n",
        parameters={"n": {"range": [50]}},
    ).run("-j1", SLOTS="1")
    assert sorted(project.rows("seen")) == list(range(1, 51)), "a slot's tasks share its module"
    assert len(set(project.rows("pid"))) == 1, "one interpreter serves all tasks of a slot"
    for pid in meet.iterdir():
        pid.unlink()
    project.run("-j2", "--fresh", SLOTS="2")
    slots: dict[int, list[int]] = {}
    for pid, seen in project.rows("pid", "seen"):
        slots.setdefault(pid, []).append(seen)
    assert len(slots) == 2
    for counted in slots.values():
        assert sorted(counted) == list(range(1, len(counted) + 1)), "no slot sees another's module"


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import no_such_module_here\n", "No module named 'no_such_module_here'"),
        ("def g():\n    pass\n", "has no attribute 'f'"),
        ("def f(:\n", "SyntaxError"),
        ("raise RuntimeError('at import')\n", "RuntimeError: at import"),
        ("import os\nos._exit(5)\n", "the process of a slot exits at once; see the worker's log"),
    ],
    ids=["module", "name", "syntax", "raises", "exits"],
)
def test_what_cannot_be_imported_is_told_with_its_place(project: Project, code: str, said: str) -> None:
    found = study(project, code, parameters={"n": [1, 2]}).run(code=7)
    assert "model" in found or "_exit" in code, "a process that ends says nothing of its module"
    assert said in found
    assert "0 of 2 tasks done" in found
    assert project.records() == 0
    assert marked(project.directory) == []


def test_wrong_arguments_are_told(project: Project) -> None:
    found = study(project, "def f(m):\n    return m\n", parameters={"n": [1, 2]}).run(code=7)
    assert "unexpected keyword argument 'n'" in found


def test_time_and_memory_limits_of_functions(project: Project) -> None:
    study(
        project,
        """
        import time
        def f(n):
            if n == 1:
                time.sleep(60)
            if n == 2:
                block = bytearray(400 << 20)
                time.sleep(20)
            return n
        """,
        parameters={"n": {"range": [6]}},
        time_limit="2 s",
        resources={"memory": "200 MB"},
    ).run("-j2", code=7)
    assert project.rows("n") == [0, 3, 4, 5]
    found = {row["n"]: (row["outcome"], row["cause"]) for row in project.failures()}
    assert found["1"] == ("TIMEOUT", "longer than the time limit of 2 s")
    outcome, cause = found["2"]
    assert outcome == "MEMORY"
    assert re.fullmatch(r"used [2-9]\d\d MB, more than the 200 MB of resources: memory", cause)


def test_retries_of_functions(project: Project) -> None:
    study(
        project,
        """
        from packhorse import task
        def f(n):
            path = task.checkpoint / "tries"
            tries = int(path.read_text()) if path.exists() else 0
            path.write_text(str(tries + 1))
            if tries < n:
                raise ValueError(f"try {tries}")
            return tries
        """,
        parameters={"n": [0, 1, 5]},
        retries=2,
        checkpoint=True,
    ).run(code=7)
    assert project.rows("n", "result", "ph_attempt") == [(0, 0, 1), (1, 1, 2)]
    assert project.failure()["cause"] == "ValueError: try 2"
    kept = [path / "tries" for path in (project.directory / "checkpoints").iterdir()]
    assert [path.read_text() for path in kept] == ["3"], "a checkpoint goes when its task has ended well"


def test_functions_of_a_package_in_src_and_in_classes(project: Project) -> None:
    project.file("src/mine/__init__.py", "")
    project.file(
        "src/mine/deep.py",
        "from mine import other\nclass A:\n    @staticmethod\n    def f(n):\n        return other.y + n\n",
    )
    project.file("src/mine/other.py", "y = 10\n")
    project.study(function="mine.deep:A.f", parameters={"n": [1]}).run()
    assert project.rows("result") == [11]


def test_children_of_functions_are_gone_at_the_end(project: Project) -> None:
    study(
        project,
        "import subprocess\ndef f(n):\n    return subprocess.Popen(['sleep', '1000']).pid\n",
        parameters={"n": [1, 2]},
    ).run()
    assert [pid for pid in project.rows("result") if Path(f"/proc/{pid}").exists()] == []


def test_a_function_that_prints_a_megabyte_or_closes_its_output(project: Project) -> None:
    study(
        project,
        """
        import os, sys
        def f(n):
            if n == 1:
                print("x" * (1 << 20))
            if n == 2:
                sys.stdout.close()
            if n == 3:
                os.chdir("/")
            return os.path.exists("model.py")
        """,
        parameters={"n": [0, 1, 2, 3, 4]},
    ).run("-j1")
    assert project.rows("n") == [0, 1, 2, 3, 4]
    assert project.rows("result")[4] is True, "a directory that one task changed is not the next one's"


def test_a_limit_that_a_task_sets_is_not_the_next_ones(project: Project) -> None:
    study(
        project,
        """
        import resource, time
        def f(n):
            found = resource.getrlimit(resource.RLIMIT_AS)[0]
            resource.setrlimit(resource.RLIMIT_AS, (1 << 33, -1))
            time.sleep(0.002)
            return {"unlimited": found == resource.RLIM_INFINITY}
        """,
        parameters={"n": [0, 1, 2]},
    ).run("-j1")
    assert project.rows("unlimited") == [True, True, True]


def test_another_interpreter_runs_the_functions(project: Project) -> None:
    study(
        project,
        "import sys\ndef f(n):\n    return {'prefix': sys.prefix, 'n2': n * 2}\n",
        parameters={"n": [1]},
        environment={"python": sys.base_prefix + "/bin/python3"},
    ).run()
    assert project.rows("prefix", "n2") == [(sys.base_prefix, 2)]


CRASHES = {
    3_001: "ctypes.string_at(0)",
    7_777: "os._exit(3)",
    11_111: "os.kill(os.getpid(), 9)",
    15_000: "resource.setrlimit(resource.RLIMIT_AS, (1 << 20, -1)); bytearray(1 << 30)",
    19_999: "sys.exit(4)",
}


def test_a_crash_amid_thousands_of_short_tasks_costs_one_task(project: Project) -> None:
    branches = "".join(f"    if n == {n}:\n        {code}\n" for n, code in CRASHES.items())
    study(
        project,
        f"import ctypes, os, resource, sys\ndef f(n):\n{branches}    return {{'y': n}}\n",
        parameters={"n": {"range": [20_000]}},
    ).run("-j2", code=7)
    assert project.rows("n", "y") == [(n, n) for n in range(20_000) if n not in CRASHES]
    outcomes = {int(row["n"]): (row["outcome"], row["signal"], row["exit"]) for row in project.failures()}
    assert set(outcomes) == set(CRASHES)
    assert outcomes[3_001] == ("FAILED", "11", None)
    assert outcomes[7_777] == ("FAILED", None, "3")
    assert outcomes[11_111] == ("FAILED", "9", None)
    assert outcomes[15_000][0] == "MEMORY"
    recorded = project.indices()
    assert sorted(recorded) == list(range(20_000)), "every task is recorded once"


def test_a_slot_that_is_killed_from_outside_costs_no_task(project: Project) -> None:
    study(
        project,
        "import os, pathlib, signal\n"
        f"SEEN = pathlib.Path({str(project.path)!r}, 'seen')\n"
        "def f(n):\n"
        "    if n % 5000 == 4999 and not pathlib.Path(f'{SEEN}{n}').exists():\n"
        "        pathlib.Path(f'{SEEN}{n}').touch()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return n\n",
        parameters={"n": {"range": [20_000]}},
    ).run("-j2")
    assert project.rows("result") == list(range(20_000))
    assert sorted(project.indices()) == list(range(20_000)), "every task is recorded once"
    project.run("-j2")
    assert len(project.indices()) == 20_000, "the same command runs nothing again"


def test_short_functions_have_times_that_add_up(project: Project) -> None:
    study(
        project,
        "import time\n"
        "def f(n):\n"
        "    if n % 2:\n        time.sleep(0.0004)\n"
        "    if n == 500:\n        time.sleep(0.5)\n"
        "    return n\n",
        parameters={"n": {"range": [2_000]}},
    ).run("-j1")
    table = project.table()
    sleeping = table.filter((table["n"] % 2 == 1) | (table["n"] == 500))
    assert sleeping["ph_wall"].min() >= 0.0004
    assert sleeping.filter(sleeping["n"] == 500)["ph_cpu"].item() < 0.05, (
        "a task that waits uses no processor"
    )
    assert table["ph_cpu"].sum() < 0.7 * table["ph_wall"].sum()
    assert (table["ph_cpu"] >= 0).all()
    assert table["ph_memory"].min() > 1000
    begins = table.sort("ph_begin")["ph_begin"]
    assert (begins.diff().drop_nulls() >= 0).all()


def test_each_task_and_its_programs_see_its_own_variable(project: Project) -> None:
    study(
        project,
        """
        import json, os, subprocess
        def f(n):
            here = json.loads(os.environ["PACKHORSE_TASK"])["params"]["n"]
            below = subprocess.run(["printenv", "PACKHORSE_TASK"], capture_output=True, text=True, check=True).stdout
            if n % 4 == 1:
                del os.environ["PACKHORSE_TASK"]
            if n % 4 == 2:
                os.environ["PACKHORSE_TASK"] = "mine"
            if n % 4 == 3:
                os.unsetenv("PACKHORSE_TASK")
            return {"here": here, "below": json.loads(below)["params"]["n"], "index": json.loads(below)["index"]}
        """,
        parameters={"n": {"range": [24]}},
    ).run("-j2")
    assert project.rows("here", "below", "index") == [(n, n, n) for n in range(24)]


def test_tasks_behind_a_long_one_go_to_idle_slots(project: Project) -> None:
    """Slots get many short tasks at a time; where some are long unexpectedly, not all of these wait for each other."""
    project.write(
        sim_py="""
        import os, time

        def f(n):
            time.sleep(1 if 900 <= n < 906 else 0)
            return {"twice": 2 * n, "process": os.getpid()}
        """
    )
    project.study(function="sim:f", parameters={"n": {"range": [1000]}}).run("-j2")
    rows = project.rows("n", "twice", "process")
    assert [(n, twice) for n, twice, _ in rows] == [(n, 2 * n) for n in range(1000)]
    long = [process for n, _, process in rows if 900 <= n < 906]
    assert all(long.count(process) >= 2 for process in {process for _, _, process in rows}), long
