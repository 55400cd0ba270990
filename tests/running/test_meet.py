"""Tasks never meet: each begins in the project as it was planned, whatever the tasks before it left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from running.project import PACKHORSE, Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def values(
    project: Project, command: str, name: str = "y", tasks: int = 6, jobs: str = "-j1", **keys: Any
) -> list[Any]:
    """Return one column of a study over i = 1, 2, ..., run in one slot."""
    project.study(
        **{"command": command, "parameters": {"i": {"range": [1, tasks + 1]}}, "result": "json", **keys}
    )
    project.run(jobs)
    table = project.table()
    assert table["ph_index"].to_list() == list(range(tasks))
    found: list[Any] = table[name].to_list()
    return found


# Each script adds to what it finds, or takes it for its own; alone it gives i. All are run in one slot, script by script.
LEFT_BEHIND = {
    "append": 'echo $1 >> all.txt\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' all.txt)',
    "skip": '[ -f done.txt ] || echo $1 > done.txt\nprintf \'{"y": %s}\\n\' $(cat done.txt)',
    "first of a folder": 'mkdir -p results\necho $1 > results/$1.txt\nprintf \'{"y": %s}\\n\' $(cat results/$(ls results | head -1))',
    "lock": 'if mkdir lock; then y=$1; else y=0; fi\nprintf \'{"y": %s}\\n\' $y',
    "lock file": 'if ( set -C; : > run.lock ); then y=$1; else y=0; fi\nprintf \'{"y": %s}\\n\' $y',
    "changed": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\necho 100 > data/base.txt',
    "appended": 'echo 50 >> data/base.txt\nprintf \'{"y": %s}\\n\' $(( $(head -1 data/base.txt) * 0 + $(wc -l < data/base.txt) - 2 + $1 ))',
    "renamed": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nmv data/base.txt data/used.txt',
    "removed": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nrm -r data',
    "read-only": 'echo $1 > data/base.txt && printf \'{"y": %s}\\n\' $(cat data/base.txt)\nchmod 444 data/base.txt\nchmod 555 data',
    "unreadable": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nchmod 000 data/base.txt data',
    "replaced folder": 'printf \'{"y": %s}\\n\' $(( $(ls data | wc -l) - 1 + $1 ))\nrm -r data; mkdir data; touch data/a data/b',
    "moved away": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nmv data "$PACKHORSE_SCRATCH"; touch "$PACKHORSE_SCRATCH/data/c"',
    "link": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nrm data/base.txt; ln -s /etc/hostname data/base.txt',
    "hard link": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nln data/base.txt other; echo 9 > other; rm other',
    "truncated": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\ntruncate -s 0 data/base.txt',
    "own source": 'printf \'{"y": %s}\\n\' $1\nprintf \'echo "{\\\\"y\\\\": 0}"\\n\' > "$0"',
    "mode": '[ -x "$0" ] && y=0 || y=$1\nprintf \'{"y": %s}\\n\' $y\nchmod +x "$0"',
    "above": 'echo $1 >> ../all.txt\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' ../all.txt)',
    "two above": 'echo $1 >> ../../all.txt\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' ../../all.txt)',
    "temporary": 'echo $1 >> "$TMPDIR/all"\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' "$TMPDIR/all")',
    "scratch": 'mkdir -p "$PACKHORSE_SCRATCH/a/b"; echo $1 >> "$PACKHORSE_SCRATCH/a/b/c"\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' "$PACKHORSE_SCRATCH/a/b/c")',
    "own folder": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\ncd ..; rm -rf project',
    "a thousand files": 'y=$(ls | wc -l)\ni=0; while [ $i -lt 1000 ]; do : > f$i; i=$((i+1)); done\nprintf \'{"y": %s}\\n\' $(( y - 3 + $1 ))',
    "pipe": 'if mkfifo pipe; then y=$1; else y=0; fi\nprintf \'{"y": %s}\\n\' $y',
    "strange names": 'n="$(printf \'a\\nb\')"; echo $1 >> "$n"; echo $1 >> "-x"; printf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' "$n")',
}  # fmt: skip


def left_behind(project: Project) -> Project:
    """Write a study of six tasks for each script."""
    for number, text in enumerate(LEFT_BEHIND.values()):
        project.file(f"scripts/{number}.sh", text + "\n")
    project.file("data/base.txt", "0\n")
    parameters = {"script": {"range": [len(LEFT_BEHIND)]}, "i": {"range": [1, 7]}}
    return project.study(command="sh scripts/{script}.sh {i}", parameters=parameters, result="json")


def by_kind(project: Project, kinds: Iterable[str], column: str) -> dict[str, list[Any]]:
    """Return the values of each kind, in the order of the table."""
    found: dict[str, list[Any]] = {kind: [] for kind in kinds}
    names = list(found)
    for number, y in project.rows(column, "y"):
        found[names[number]].append(y)
    return found


def test_what_a_task_left_is_gone(project: Project) -> None:
    left_behind(project).run("-j1")
    assert by_kind(project, LEFT_BEHIND, "script") == {kind: [1, 2, 3, 4, 5, 6] for kind in LEFT_BEHIND}


def test_without_inotify(project: Project) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can take inotify away")
    take = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    argv = ["unshare", "-Ur", "sh", "-c", take, "sh", PACKHORSE, "run", "study.yaml", "-j1"]
    path = left_behind(project).path
    done = subprocess.run(argv, cwd=path, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    assert by_kind(project, LEFT_BEHIND, "script") == {kind: [1, 2, 3, 4, 5, 6] for kind in LEFT_BEHIND}


def test_other_orders_and_packings_give_the_same(project: Project) -> None:
    project.file("sim.sh", LEFT_BEHIND["append"] + "\n")
    project.study(command="sh sim.sh {i}", parameters={"i": {"range": [1, 41]}}, result="json")
    for jobs in ("-j1", "-j2", "-j4"):
        project.run(jobs, "--fresh")
        assert project.table()["y"].to_list() == list(range(1, 41))
    assert "20 of 20 finished tasks had the same result" in project.command("rerun", "s", "--sample", "20")


def test_rerun_sees_what_meets_outside_of_the_copy(project: Project, tmp_path: Path) -> None:
    """A path of the user's own is not restored; the repetition in another order shows it."""
    shared = tmp_path / "all.txt"
    project.file(
        "sim.sh",
        f"echo $1 >> {shared}\nprintf '{{\"y\": %s}}\\n' $(awk '{{s += $1}} END {{print s}}' {shared})\n",
    )
    assert values(project, "sh sim.sh {i}") == [1, 3, 6, 10, 15, 21]
    shared.unlink()
    assert "did not give the same result" in project.command("rerun", "s", "-j1", code=7)


PROGRAMS = {
    "SQLite": """
        import json, sqlite3, sys
        with sqlite3.connect("all.db") as base:
            base.execute("create table if not exists t (i)")
            base.execute("insert into t values (?)", (int(sys.argv[1]),))
        print(json.dumps({"y": base.execute("select sum(i) from t").fetchone()[0]}))
        """,
    "pickle of a fit": """
        import json, os, pickle, sys
        if not os.path.exists("fit.pkl"):
            pickle.dump(int(sys.argv[1]), open("fit.pkl", "wb"))
        print(json.dumps({"y": pickle.load(open("fit.pkl", "rb"))}))
        """,
    "newest file": """
        import glob, json, os, sys
        os.makedirs("out", exist_ok=True)
        open(f"out/{sys.argv[1]}.txt", "w").write(sys.argv[1])
        print(json.dumps({"y": int(open(sorted(glob.glob("out/*"))[0]).read())}))
        """,
    "shelve": """
        import json, shelve, sys
        with shelve.open("cache") as cache:
            y = cache.setdefault("y", int(sys.argv[1]))
        print(json.dumps({"y": y}))
        """,
    "memory map": """
        import json, mmap, sys
        with open("numbers.bin", "r+b") as stream, mmap.mmap(stream.fileno(), 0) as memory:
            memory[0] += int(sys.argv[1])
            print(json.dumps({"y": memory[0]}))
        """,
    "own module": """
        import json, os, sys
        import helper
        print(json.dumps({"y": int(sys.argv[1]) * helper.FACTOR}))
        text = open("helper.py").read().replace("1", "7")
        open("helper.py", "w").write(text)
        os.utime("helper.py", (1e9, 1e9))
        import importlib
        importlib.reload(helper)
        """,
    "own byte code": """
        import json, os, py_compile, sys
        import helper
        print(json.dumps({"y": int(sys.argv[1]) * helper.FACTOR}))
        stats = os.stat("helper.py")
        open("helper.py", "w").write("FACTOR = 9\\n")
        os.utime("helper.py", (stats.st_mtime, stats.st_mtime))
        py_compile.compile("helper.py")
        """,
    "cache beside byte code": """
        import json, os, sys
        import helper
        name = os.path.join(os.path.dirname(helper.__file__), "__pycache__", "helper.f-1.py311.nbi")
        os.makedirs(os.path.dirname(name), exist_ok=True)
        if not os.path.exists(name):
            open(name, "w").write(sys.argv[1])
        print(json.dumps({"y": int(open(name).read()) * helper.FACTOR}))
        """,
    "cache of a temporary folder": """
        import json, os, sys, tempfile
        name = os.path.join(tempfile.gettempdir(), "my-cache")
        if not os.path.exists(name):
            open(name, "w").write(sys.argv[1])
        print(json.dumps({"y": int(open(name).read())}))
        """,
}


def test_programs_that_keep_something(project: Project) -> None:
    for number, text in enumerate(PROGRAMS.values()):
        project.file(f"sim{number}.py", text)
    project.file("helper.py", "FACTOR = 1\n")
    (project.path / "numbers.bin").write_bytes(bytes(8))
    parameters = {"program": {"range": [len(PROGRAMS)]}, "i": {"range": [1, 6]}}
    project.study(command="python3 sim{program}.py {i}", parameters=parameters, result="json").run("-j1")
    assert by_kind(project, PROGRAMS, "program") == {kind: [1, 2, 3, 4, 5] for kind in PROGRAMS}


def test_functions_that_keep_something(project: Project) -> None:
    # What a module has become in memory stays, as its globals do.
    kinds = sorted(set(PROGRAMS) - {"own module", "own byte code"})
    for number, kind in enumerate(kinds):
        body = textwrap.indent(textwrap.dedent(PROGRAMS[kind]), "    ")
        body = body.replace("print(json.dumps(", "value = ((")
        lines = f"def f(i):\n    import sys\n    sys.argv = ['x', str(i)]\n{body}\n    return value\n"
        project.file(f"model{number}.py", lines)
    every = "import importlib\ndef f(kind, i):\n    return importlib.import_module(f'model{kind}').f(i)\n"
    project.file("model.py", every)
    project.file("helper.py", "FACTOR = 1\n")
    (project.path / "numbers.bin").write_bytes(bytes(8))
    parameters = {"kind": {"range": [len(kinds)]}, "i": {"range": [1, 6]}}
    project.study(function="model:f", parameters=parameters).run("-j1")
    assert by_kind(project, kinds, "kind") == {kind: [1, 2, 3, 4, 5] for kind in kinds}


def test_byte_code_of_unchanged_sources_stays(project: Project) -> None:
    project.file("helper.py", "FACTOR = 1\n")
    project.file(
        "sim.py",
        """
        import glob, json, os
        before = {name: os.stat(name).st_ino for name in glob.glob("__pycache__/*")}
        import helper
        print(json.dumps({"y": len(before), "inode": sum(before.values())}))
        """,
    )
    assert values(project, "python3 sim.py {i}", tasks=4) == [0, 1, 1, 1]
    assert len(set(project.table()["inode"].to_list()[1:])) == 1


def test_what_the_import_of_a_module_made_is_there_for_every_task(project: Project) -> None:
    project.file(
        "model.py",
        """
        import os, tempfile
        os.makedirs("tables", exist_ok=True)
        open("tables/squares.txt", "w").write("0 1 4 9")
        os.rename("input.txt", "used.txt")
        PLACE = tempfile.mkdtemp()
        LOG = open("log.txt", "a")
        def f(i):
            y = int(open("tables/squares.txt").read().split()[i]) + len(os.listdir(PLACE))
            LOG.write("x")
            LOG.flush()
            size = os.path.getsize("log.txt")
            open(os.path.join(PLACE, "mine"), "w").close()
            open("tables/squares.txt", "w").write("7 7 7 7")
            return {"y": y, "size": size, "there": os.path.exists("input.txt") + 2 * os.path.exists("used.txt")}
        """,
    )
    project.file("input.txt", "x\n")
    project.study(function="model:f", parameters={"i": {"range": [4]}}).run("-j1")
    assert project.rows("y", "size", "there") == [(0, 1, 2), (1, 1, 2), (4, 1, 2), (9, 1, 2)]


def test_multiprocessing_makes_its_temporary_folder_again(project: Project) -> None:
    project.file(
        "model.py",
        """
        from multiprocessing.connection import Listener
        def f(i):
            with Listener(None, "AF_UNIX") as listener:
                return {"y": i if listener.address else 0}
        """,
    )
    project.study(function="model:f", parameters={"i": {"range": [1, 5]}}).run("-j1")
    assert project.table()["y"].to_list() == [1, 2, 3, 4]


@pytest.mark.parametrize("function", [False, True])
def test_tasks_that_are_ended_leave_nothing(project: Project, function: bool) -> None:
    """The second of three fails, dies, or runs for too long, each after it has changed files."""
    project.file(
        "model.py",
        """
        import json, os, sys, time
        def f(i, how):
            here = sorted(os.listdir("."))
            text = open("base.txt").read()
            open("base.txt", "w").write("changed")
            open("new.txt", "w").write("new")
            os.remove("other.txt")
            if how == "error":
                raise SystemError("as asked")
            if how == "exit":
                os._exit(3)
            if how == "kill":
                os.kill(os.getpid(), 9)
            if how == "long":
                time.sleep(60)
            return {"here": " ".join(name for name in here if name != "__pycache__"), "text": text}
        if __name__ == "__main__":
            print(json.dumps(f(int(sys.argv[1]), sys.argv[2])))
        """,
    )
    project.write(base_txt="base", other_txt="other")
    keys = (
        {"function": "model:f"} if function else {"command": "python3 model.py {i} {how}", "result": "json"}
    )
    parameters = {"i": {"range": [3]}, "how": ["none", "error", "exit", "kill", "long"]}
    project.study(**keys, parameters=parameters, time_limit="2 s", retries=1).run("-j1", code=7)
    table = project.table()
    assert table.height == 3
    assert set(table["here"]) == {"base.txt model.py other.txt study.yaml"}
    assert set(table["text"]) == {"base"}


def test_a_retry_begins_anew(project: Project) -> None:
    project.file("sim.sh", '[ -f mine ] && { echo "found one"; exit 0; }\ntouch mine\nexit 1\n')
    project.study(command="sh sim.sh {i}", parameters={"i": [1]}, retries=2, result="none").run(code=7)


def test_large_files_are_restored_too(project: Project) -> None:
    (project.path / "big.bin").write_bytes(b"a" * (3 << 20))
    project.file(
        "sim.py",
        """
        import json, os
        y = open("big.bin").read(1)
        os.chmod("big.bin", 0o644)
        with open("big.bin", "r+b") as stream:
            stream.write(b"bbb")
        print(json.dumps({"y": y}))
        """,
    )
    assert values(project, "python3 sim.py {i}", tasks=8, jobs="-j2") == ["a"] * 8


def test_data_is_not_removed_and_a_change_is_told(project: Project, tmp_path: Path) -> None:
    outside = tmp_path / "data" / "folder"
    outside.mkdir(parents=True)
    (outside / "x.txt").write_text("1")
    (project.path / "y.txt").write_text("2")
    project.file(
        "sim.sh",
        'cat "$1/x.txt" y.txt > /dev/null; echo 9 >> y.txt; rm ../data 2>/dev/null; rm -f y.txt; echo \'{"y": 1}\'\n',
    )
    project.study(
        command=f"sh sim.sh {outside}",
        parameters={"i": {"range": [4]}},
        result="json",
        data=[str(outside), "y.txt"],
    )
    said = project.run("-j1")
    assert (outside / "x.txt").read_text() == "1"
    assert "y.txt changed while tasks ran" in said
    assert (project.path / "y.txt").read_text() == "2" + "9\n" * 4


def test_artifacts_are_what_a_task_wrote(project: Project) -> None:
    project.file("out/old.csv", "old\n")
    project.file("sim.sh", "echo $1 > out/$1.csv\n[ $1 = 2 ] && echo new > out/old.csv\ntrue\n")
    project.study(
        command="sh sim.sh {i}", parameters={"i": [1, 2, 3]}, result="none", artifacts=["out/*.csv"]
    ).run("-j1")
    kept = sorted(
        str(path.relative_to(project.directory / "artifacts"))
        for path in project.directory.glob("artifacts/*/*/*")
    )
    assert kept == ["0/out/1.csv", "1/out/2.csv", "1/out/old.csv", "2/out/3.csv"]
