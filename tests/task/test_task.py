"""packhorse.task as scripts see it: each test runs a script in a process of its own."""

import json
import math
import os
import pathlib
import random
import subprocess
import sys

import numpy
import pytest

import packhorse

SOURCE = pathlib.Path(packhorse.__file__).parent


def old_pythons() -> list[str]:
    """Interpreters of Python 3.6, where the machine has one."""
    roots = [pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv")) / "versions"]
    found = [str(p) for root in roots for p in sorted(root.glob("3.6.*/bin/python3.6"))]
    return found or [f"{d}/python3.6" for d in os.get_exec_path() if pathlib.Path(d, "python3.6").exists()]


PYTHONS = [sys.executable, *old_pythons()[:1]]
TASK = {
    "params": {"n": 50, "error": "t\u00e9", "share": 0.1},
    "index": 7,
    "count": 9,
    "replicate": 3,
    "seed": 2**63 - 2,
    "seed32": 99,
    "deadline": None,
    "scratch": None,
    "checkpoint": None,
    "output": None,
}


@pytest.fixture
def travelled(tmp_path: pathlib.Path) -> pathlib.Path:
    """The package as it travels: task.py and task_values.py, and nothing else."""
    folder = tmp_path / "carried" / "packhorse"
    folder.mkdir(parents=True)
    (folder / "__init__.py").touch()
    for name in ("task.py", "task_values.py"):
        (folder / name).write_bytes((SOURCE / name).read_bytes())
    return folder.parent


def run(
    travelled: pathlib.Path, script: str, python: str = sys.executable, **env: str
) -> subprocess.CompletedProcess[str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PACKHORSE_")}
    return subprocess.run(
        [python, "-W", "error", "-c", "from packhorse import task\n" + script],
        env={**kept, "PYTHONPATH": str(travelled), "PYTHONIOENCODING": "utf-8", **env},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


@pytest.mark.parametrize("python", PYTHONS)
def test_a_task_sees_its_facts(travelled, tmp_path, python):
    said = {**TASK, "deadline": 4e9, "scratch": str(tmp_path), "checkpoint": str(tmp_path / "c")}
    script = (
        "print(task.params['n'] + 1, task.params.error, task.params['share'], isinstance(task.params, dict))\n"
        "print(task.index, task.count, task.replicate, task.seed, task.seed32, task.deadline)\n"
        "print(task.seconds_left() > 1e8, task.scratch, task.checkpoint.name, task.random().random())\n"
    )
    done = run(travelled, script, python, PACKHORSE_TASK=json.dumps(said))
    drawn = random.Random(str(2**63 - 2)).random()
    assert done.stdout.split("\n")[:3] == [
        "51 té 0.1 True",
        "7 9 3 9223372036854775806 99 4000000000.0",
        f"True {tmp_path} c {drawn}",
    ]
    assert done.stderr == ""


def test_one_process_serves_many_tasks(travelled):
    script = (
        "import os, json\n"
        "for n in (1, 2):\n"
        "    os.environ['PACKHORSE_TASK'] = json.dumps({'params': {'n': n}, 'index': n, 'seed': n, 'seed32': n})\n"
        "    task.begin()\n"
        "    task.result(n=task.params.n)\n"
        "    print(task.index, task.seed, task.given(), task.given())\n"
    )
    assert run(travelled, script).stdout == "1 1 {'n': 1} None\n2 2 {'n': 2} None\n"


def test_rng_is_numpys_seed_sequence(travelled):
    script = "print(task.rng().integers(10**9), task.rng().integers(10**9), task.rng(1).integers(10**9))"
    done = run(travelled, script, PACKHORSE_TASK=json.dumps(TASK))
    first = numpy.random.default_rng(numpy.random.SeedSequence(2**63 - 2)).integers(10**9)
    second = numpy.random.default_rng(numpy.random.SeedSequence(2**63 - 2, spawn_key=(1,))).integers(10**9)
    assert done.stdout.split() == [str(first), str(first), str(second)]


def test_rng_without_numpy_names_the_other_way(travelled):
    script = "import sys\nsys.modules['numpy'] = None\ntry:\n    task.rng()\nexcept ImportError as e:\n    print(e)"
    assert "task.random()" in run(travelled, script, PACKHORSE_TASK=json.dumps(TASK)).stdout


@pytest.mark.parametrize("python", PYTHONS)
def test_result_is_the_last_line_even_after_dots(travelled, python):
    script = "task.result(mean=0.1)\nprint('...', end='')\ntask.result({'sd': float('inf')}, big=2**70)"
    lines = run(travelled, script, python, PACKHORSE_TASK=json.dumps(TASK)).stdout.splitlines()
    assert lines == ["...", '{"mean":0.1,"sd":Infinity,"big":1180591620717411303424}']


def test_result_takes_numpy_and_keeps_every_bit(travelled, tmp_path):
    script = (
        "import numpy as np\n"
        "task.result(a=np.float32(0.1), b=np.int64(2**62), c=np.array([1.5, np.nan]), d=np.bool_(True),\n"
        "            e=np.longdouble(1), f=np.float64(5e-324), g=-0.0)\n"
    )
    output = tmp_path / "out.json"
    done = run(travelled, script, PACKHORSE_TASK=json.dumps(TASK), PACKHORSE_OUTPUT=str(output))
    value = json.loads(output.read_text())
    assert done.stdout == ""
    assert (value["a"], value["b"], value["d"], value["e"]) == (float(numpy.float32(0.1)), 2**62, True, 1.0)
    assert value["c"][0] == 1.5
    assert math.isnan(value["c"][1])
    assert (value["f"], math.copysign(1, value["g"])) == (5e-324, -1)
    assert list(tmp_path.glob(".out.json*")) == []


def test_rows_and_refusals(travelled):
    script = (
        "task.result([{'k': 1}, {'k': 2}])\n"
        "for wrong in (lambda: task.result(3), lambda: task.result([], a=1), lambda: task.params['m'],\n"
        "              lambda: task.params.m, lambda: task.save('x', {1: 2})):\n"
        "    try:\n        wrong()\n    except Exception as e:\n        print(type(e).__name__, e)\n"
    )
    lines = run(travelled, script, PACKHORSE_TASK=json.dumps(TASK)).stdout.splitlines()
    assert [line.split()[0] for line in lines[:5]] == [
        "TypeError",
        "TypeError",
        "KeyError",
        "AttributeError",
        "TypeError",
    ]
    assert "its parameters: n, error, share" in lines[2]
    assert ".json" in lines[4]
    assert lines[-1] == '[{"k":1},{"k":2}]'


def test_by_hand_the_seed_is_said_once_and_repeats(travelled):
    script = (
        "print(dict(task.params), task.seed == task.seed, task.seed, task.checkpoint, task.scratch.is_dir())"
    )
    first = run(travelled, script)
    assert first.stderr.count("\n") == 1
    seed = first.stderr.rsplit("=", 1)[1].strip()
    assert first.stdout == f"{{}} True {seed} None True\n"
    again = run(travelled, script, PACKHORSE_SEED=seed)
    assert (again.stdout, again.stderr) == (first.stdout, "")


@pytest.mark.parametrize("python", PYTHONS)
def test_save_and_load(travelled, tmp_path, python):
    script = (
        f"import os; os.chdir({str(tmp_path)!r})\n"
        "print(task.load('s.json', {'step': 0}))\n"
        "task.save('s.json', {'step': 5}); task.save('b', b'xy'); task.save('t', lambda f: f.write(b'12'))\n"
        "print(task.load('s.json'), task.load('b'), task.load('t', reader=lambda f: int(f.read())))\n"
        "def broken(f):\n    f.write(b'half'); raise OSError('disk')\n"
        "try:\n    task.save('b', broken)\nexcept OSError as e:\n    print(e, task.load('b'), sorted(os.listdir('.')))\n"
    )
    assert run(travelled, script, python).stdout.splitlines() == [
        "{'step': 0}",
        "{'step': 5} b'xy' 12",
        "disk b'xy' ['b', 'carried', 's.json', 't']",
    ]


def test_save_syncs_the_file_then_renames_then_syncs_the_folder(travelled, tmp_path):
    script = (
        "import os, stat\n"
        "real_sync, real_replace = os.fsync, os.replace\n"
        "def sync(h):\n    print('folder' if stat.S_ISDIR(os.fstat(h).st_mode) else 'file'); real_sync(h)\n"
        "def replace(a, b):\n    print('rename'); real_replace(a, b)\n"
        "os.fsync, os.replace = sync, replace\n"
        f"task.save({str(tmp_path / 'x')!r}, b'1')\n"
    )
    assert run(travelled, script).stdout.split() == ["file", "rename", "folder"]
