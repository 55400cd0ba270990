"""Scripts as researchers write them, run by the installed command."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from running.project import Project, marked, until, workers

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "MC_CORES")


def test_data_and_modules_beside_a_script_are_found(project: Project) -> None:
    project.write(
        sim_py="""
            import json, sys
            from model import scale
            with open("data/x.csv") as stream:
                values = [float(row) for row in stream]
            print(json.dumps({"total": scale(sum(values), float(sys.argv[1]))}))
            """,
        model_py="def scale(value, by):\n    return value * by\n",
        data__x_csv="1\n2\n3.5\n",
    )
    project.study(command="python sim.py {by}", parameters={"by": [1, 2]}).run()
    assert project.rows("total") == [6.5, 13.0]


def test_a_fixed_output_file_never_mixes_two_slots(project: Project) -> None:
    project.write(
        sim_py="""
            import sys, time
            with open("out.csv", "w") as stream:
                stream.write("i,square\\n")
                stream.flush()
                time.sleep(0.05)
                for k in range(3):
                    stream.write(f"{sys.argv[1]},{int(sys.argv[1]) ** 2 + k}\\n")
            """
    )
    project.study(command="python sim.py {n}", parameters={"n": {"range": [12]}}, result="out.csv").run("-j2")
    expected = [(n, n, n * n + k, k) for n in range(12) for k in range(3)]
    assert project.rows("n", "i", "square", "ph_row") == expected
    assert not (project.path / "out.csv").exists()


def test_a_result_file_of_the_task_before_is_not_taken_for_the_next_ones(project: Project) -> None:
    project.write(sim_py='import sys\nif sys.argv[1] == "0":\n    open("out.csv", "w").write("y\\n1\\n")\n')
    project.study(command="python sim.py {n}", parameters={"n": [0, 1]}, result="out.csv").run("-j1", code=7)
    assert project.rows("n") == [0]
    assert project.failure()["cause"] == "the command succeeded but wrote no out.csv"


def test_an_old_result_file_in_the_project_is_not_taken(project: Project) -> None:
    project.write(sim_py="pass\n", out_csv="y\n1\n")
    project.study(command="python sim.py", result="out.csv").run(code=7)
    assert project.failure()["cause"] == "the command succeeded but wrote no out.csv"


def test_a_script_that_changes_its_directory_disturbs_nobody(project: Project) -> None:
    project.write(
        sim_py="""
            import os, tempfile
            print('{"here": "%s"}' % os.path.exists("beside.txt"))
            os.chdir(tempfile.gettempdir())
            """,
        beside_txt="x",
    )
    project.study(command="python sim.py", parameters={"n": [1, 2, 3]}, result="json").run("-j1")
    assert project.rows("here") == ["True"] * 3


@pytest.mark.parametrize("session", [False, True], ids=["child", "daemon"])
def test_children_that_outlive_a_task_are_gone_after_it(project: Project, session: bool) -> None:
    pids = project.path / "pids"
    project.write(
        sim_py=f"""
            import os, subprocess
            if os.path.exists({str(pids)!r}):
                for pid in open({str(pids)!r}).read().split():
                    assert not os.path.exists("/proc/" + pid), "a child of the task before is still there"
            child = subprocess.Popen(["sleep", "1000"], start_new_session={session})
            with open({str(pids)!r}, "a") as stream:
                stream.write(f"{{child.pid}}\\n")
            """
    )
    project.study(command="python sim.py", replicates=4, result="none").run("-j1")
    started = pids.read_text().split()
    assert len(started) == 4
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []


def test_a_task_that_ignores_sigterm_ends_at_its_time_limit(project: Project) -> None:
    project.write(
        sim_py="""
            import signal, subprocess, sys, time
            if sys.argv[1] == "1":
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                print("before the end", flush=True)
                time.sleep(1000)
            """
    )
    project.study(
        command="python sim.py {n}", parameters={"n": [0, 1, 2]}, result="none", time_limit="0.5 s"
    ).run(code=7)
    row = project.failure()
    assert (row["n"], row["outcome"]) == ("1", "TIMEOUT")
    assert "time limit of 0.5 s" in row["cause"]
    assert "before the end" in project.command("logs", "s", "--task", "1")
    assert marked(project.directory) == []


def test_a_megabyte_of_output_reaches_the_log_shortened_and_the_result_whole(project: Project) -> None:
    project.write(
        sim_py="""
            print("first words")
            for k in range(16384):
                print("x" * 63)
            print("last words")
            print('{"y": 1, "text": "%s"}' % ("z" * 10000))
            """
    )
    project.study(command="python sim.py").run()
    assert project.rows("y") == [1]
    assert project.rows("text") == ["z" * 10000]
    log = project.command("logs", "s", "--task", "0")
    assert "first words" in log
    assert "last words" in log
    assert "bytes left out" in log
    assert len(log) < 600_000


def test_deaths_by_signal_and_exit_codes_are_told_apart(project: Project) -> None:
    project.write(
        sim_py="""
            import os, sys
            said = int(sys.argv[1])
            print("what went wrong", said, file=sys.stderr)
            if said < 0:
                os.kill(os.getpid(), -said)
            sys.exit(said)
            """
    )
    kinds = [0, 1, 3, 255, -11, -6, -9]
    said = project.study(command=["python", "sim.py", "{n}"], parameters={"n": kinds}, result="none").run(
        code=7
    )
    found = {int(row["n"]): (row["outcome"], row["exit"], row["signal"]) for row in project.failures()}
    assert found == {
        n: ("FAILED", str(n) if n > 0 else None, str(-n) if n < 0 else None) for n in kinds if n != 0
    }
    assert all(row["cause"] == f"what went wrong {row['n']}" for row in project.failures())
    assert "6 failed" in said
    assert "exit status 255" in said


def test_a_task_above_its_memory_is_ended_and_told(project: Project) -> None:
    project.write(
        sim_py="""
            import sys, time
            block = bytearray(int(sys.argv[1]) << 20)
            block[::4096] = b"x" * len(block[::4096])
            if len(block) > 100 << 20:
                time.sleep(30)
            """
    )
    project.study(
        command="python sim.py {mb}",
        parameters={"mb": [1, 300]},
        resources={"memory": "150 MB"},
        result="none",
    ).run(code=7)
    row = project.failure()
    assert (row["mb"], row["outcome"]) == ("300", "MEMORY")
    assert "more than the 150 MB of resources: memory" in row["cause"]


def test_memory_of_tasks_is_theirs_and_not_the_launchers(project: Project) -> None:
    project.study(command="/bin/true", replicates=5, result="none").run()
    # wait4(2) reports at least the starter's size: the launcher has 20 MiB, the command itself over 60.
    assert max(project.rows("ph_memory")) < 32 << 10


def test_an_editable_install_runs_the_snapshot_although_the_live_tree_changes(project: Project) -> None:
    venv = project.path.parent / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    # What `pip install -e` leaves behind: a .pth file and the record of an editable install.
    site = next(venv.glob("lib/python*/site-packages"))
    (site / "__editable__.model-1.pth").write_text(f"{project.path / 'src'}\n")
    info = site / "model-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: model\nVersion: 1\n")
    (info / "direct_url.json").write_text(
        f'{{"url": "file://{project.path}", "dir_info": {{"editable": true}}}}'
    )
    (info / "RECORD").write_text("__editable__.model-1.pth,,\nmodel-1.dist-info/METADATA,,\n")
    live = project.file("src/model/__init__.py", "VERSION = 'snapshot'\n")
    project.file("pyproject.toml", "[project]\nname = 'model'\nversion = '1'\n")
    go = project.path.parent / "go"
    project.write(
        sim_py=f"""
            import os, time
            while not os.path.exists({str(go)!r}):
                time.sleep(0.01)
            import model
            print('{{"version": "%s", "file": "%s"}}' % (model.VERSION, model.__file__))
            """
    )
    project.study(command="python sim.py", replicates=4, environment={"venv": str(venv)}, result="json")
    process = project.start("run", "study.yaml", "-j2")
    until(lambda: len(marked(project.directory)) >= 4 if (project.directory / "run.json").exists() else False)
    live.write_text("VERSION = 'live'\n")
    go.touch()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert project.rows("version") == ["snapshot"] * 4
    assert not [file for file in project.rows("file") if file.startswith(str(live.parent))]


def test_a_script_edited_while_the_study_runs_changes_nothing(project: Project) -> None:
    go = project.path.parent / "go"
    script = project.file(
        "sim.py",
        f"""
        import os, time
        while not os.path.exists({str(go)!r}):
            time.sleep(0.01)
        print('{{"version": "old"}}')
        """,
    )
    project.study(command="python sim.py", replicates=6, result="json")
    process = project.start("run", "study.yaml", "-j2")
    until(lambda: workers(project.directory) and len(marked(project.directory)) >= 4)
    script.write_text('print(\'{"version": "new"}\')\n')
    go.touch()
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert project.rows("version") == ["old"] * 6


def test_scripts_without_shebang_and_with_it_run(project: Project) -> None:
    project.file("plain.sh", 'echo "{\\"said\\": \\"plain $1\\"}"\n').chmod(0o755)
    project.file("first.sh", '#!/bin/sh\necho "{\\"said\\": \\"first $1\\"}"\n').chmod(0o755)
    project.study(command="./{script} {n}", parameters={"script": ["plain.sh", "first.sh"], "n": [1]}).run()
    assert project.rows("said") == ["plain 1", "first 1"]


def test_a_missing_command_is_named_before_anything_runs(project: Project) -> None:
    said = project.study(command="no-such-program {n}", parameters={"n": [1, 2]}).run(code=None)
    assert "no-such-program" in said
    assert not list(project.directory.glob("journal/*"))


def test_a_command_chosen_by_a_parameter_may_be_missing_for_one_task(project: Project) -> None:
    project.study(command="{tool}", parameters={"tool": ["true", "no-such-program"]}, result="none").run(
        code=7
    )
    row = project.failure()
    assert (row["tool"], row["exit"]) == ("no-such-program", "127")
    assert "command not found: no-such-program" in row["cause"]


def test_a_shell_line_has_pipes_and_quoted_values(project: Project) -> None:
    words = ["a b", "$(echo no)", "'", "`id`", "x;y"]
    project.study(
        command="printf %s {word} | wc -c | sed 's/.*/{{\"n\": &}}/'", shell=True, parameters={"word": words}
    ).run()
    assert project.rows("n") == [len(word) for word in words]


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("SLURM_ARRAY_TASK_ID", ["0", "1", "2"]),
        ({"name": "PBS_ARRAYID", "start": 1}, ["1", "2", "3"]),
        ({"name": "TASK", "parameter": "n"}, ["7", "8", "9"]),
    ],
    ids=["slurm", "pbs", "parameter"],
)
def test_array_scripts_read_their_index(project: Project, said: object, expected: list[str]) -> None:
    name = said if isinstance(said, str) else said["name"]  # type: ignore[index]
    project.write(
        sim_py=f"""
            import json, os
            kept = {{k: v for k, v in os.environ.items() if k.startswith(("SLURM", "PBS", "TASK"))}}
            print(json.dumps({{"value": os.environ["{name}"], "names": " ".join(sorted(kept))}}))
            """
    )
    project.study(command="python sim.py", parameters={"n": [7, 8, 9]}, index_variable=said)
    project.run(SLURM_JOB_ID="9", SLURM_ARRAY_TASK_ID="99", PBS_ARRAYID="99", PBS_NODEFILE="/x")
    assert project.rows("value") == expected
    family = [f"SLURM_ARRAY_TASK_{word}" for word in ("COUNT", "ID", "MAX", "MIN", "STEP")]
    assert set(project.rows("names")) == {" ".join(family) if name.startswith("SLURM") else name}


FILE_PARAMETERS = {
    "n": [3],
    "x": [0.1],
    "big": [2**60 + 1],
    "small": [1e-300],
    "word": ["quote \" apostrophe ' comma , backslash \\ λ\nnext"],
    "yes": [True],
    "no_word": ["no"],
    "number_word": ["1e3"],
    "nothing": [""],
}
READERS = {
    "json": "import json\nfound = json.load(open(path))",
    "yaml": "from ruamel.yaml import YAML\nfound = dict(YAML(typ='safe').load(open(path)))",
    "toml": "import tomllib\nfound = tomllib.load(open(path, 'rb'))",
    "py": "import importlib.util\nspec = importlib.util.spec_from_file_location('p', path)\n"
    "module = importlib.util.module_from_spec(spec)\nspec.loader.exec_module(module)\nfound = vars(module)",
}


@pytest.mark.parametrize("kind", READERS)
def test_a_parameter_file_is_read_back_by_real_readers(project: Project, kind: str) -> None:
    names = list(FILE_PARAMETERS)
    project.write(
        sim_py=f"import json, sys\npath = sys.argv[1]\n{READERS[kind]}\n"
        f"print(json.dumps({{'found': [repr(found[k]) for k in {names}], 'seed_back': found['seed']}}))\n"
    )
    project.study(command=f"python sim.py {{params.{kind}}}", parameters=FILE_PARAMETERS).run()
    (found,) = project.rows("found")
    assert json.loads(found) == [repr(values[0]) for values in FILE_PARAMETERS.values()]
    assert project.rows("seed_back") == project.rows("seed")


def test_a_parameter_csv_is_read_back_as_text(project: Project) -> None:
    project.write(
        sim_py="import csv, json, sys\n(row,) = csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8'))\n"
        f"print(json.dumps({{'found': [row[k] for k in {list(FILE_PARAMETERS)}]}}))\n"
    )
    project.study(command="python sim.py {params.csv}", parameters=FILE_PARAMETERS).run()
    (found,) = project.rows("found")
    texts = {True: "true"}
    assert json.loads(found) == [
        texts[values[0]] if values[0] is True else str(values[0]) for values in FILE_PARAMETERS.values()
    ]


@pytest.mark.r
def test_a_parameter_file_is_sourced_by_r(project: Project) -> None:
    project.write(
        sim_R="""
            source(commandArgs(TRUE)[1])
            stopifnot(is.integer(n), n == 3L, identical(x, 0.1), identical(small, 1e-300), isTRUE(yes))
            stopifnot(identical(word, "quote \\" apostrophe ' comma , backslash \\\\ \\u03bb\\nnext"))
            stopifnot(identical(big, "1152921504606846977"), identical(no_word, "no"), identical(nothing, ""))
            cat('{"well": 1}\\n')
            """
    )
    project.study(command="Rscript sim.R {params.R}", parameters=FILE_PARAMETERS).run()
    assert project.rows("well") == [1]


def test_what_a_task_finds_in_its_environment(project: Project) -> None:
    project.write(
        sim_py="""
            import json, os
            from packhorse import task
            e = os.environ
            known = json.loads(e["PACKHORSE_TASK"])
            print(json.dumps({
                "params": json.dumps(known["params"], sort_keys=True), "one": e["PACKHORSE_PARAM_n"],
                "index": int(e["PACKHORSE_INDEX"]), "count": int(e["PACKHORSE_COUNT"]), "s": int(e["PACKHORSE_SEED"]),
                "threads": " ".join(e[k] for k in THREADS), "mine": e["MINE"] + e["PASSED"],
                "scratch": os.path.isdir(e["PACKHORSE_SCRATCH"]) and not os.listdir(e["PACKHORSE_SCRATCH"]),
                "by_task": task.params["n"] * 10, "same": task.seed == int(e["PACKHORSE_SEED"]),
            }))
            open(os.path.join(e["PACKHORSE_SCRATCH"], "left"), "w").close()
            """.replace("THREADS", repr(THREADS))
    )
    project.study(
        command="python sim.py",
        parameters={"n": [5, 6], "word": ["a b"]},
        replicates=2,
        resources={"cpus": 2},
        env={"MINE": "yes", "PASSED": None},
        result="json",
    ).run("-j1", PASSED="on", OMP_NUM_THREADS="99")
    table = project.table()
    assert table["index"].to_list() == [0, 1, 2, 3]
    assert table["count"].to_list() == [4] * 4
    assert table["s"].to_list() == table["seed"].to_list()
    assert len(set(table["seed"].to_list())) == 4
    assert table["params"].to_list() == [f'{{"n": {n}, "word": "a b"}}' for n in (5, 5, 6, 6)]
    assert table["one"].to_list() == ["5", "5", "6", "6"]
    assert set(table["threads"]) == {"2 2 2 2 2"}
    assert set(table["mine"]) == {"yeson"}
    assert set(table["scratch"]) == {True}
    assert table["by_task"].to_list() == [50, 50, 60, 60]
    assert set(table["same"]) == {True}


def test_a_checkpoint_outlives_attempts_and_goes_with_success(project: Project) -> None:
    project.write(
        sim_py="""
            import json, os, sys
            path = os.path.join(os.environ["PACKHORSE_CHECKPOINT"], "state")
            state = int(open(path).read()) if os.path.exists(path) else 0
            with open(path, "w") as stream:
                stream.write(str(state + 1))
            if state < 2:
                sys.exit("not yet %d" % state)
            print(json.dumps({"state": state}))
            """
    )
    project.study(command="python sim.py", parameters={"n": [1, 2]}, checkpoint=True, retries=2).run()
    assert project.rows("state", "ph_attempt") == [(2, 3), (2, 3)]
    assert not list(project.directory.glob("checkpoints/*"))


def test_retries_end_and_a_later_retry_goes_on_from_the_checkpoint(project: Project) -> None:
    project.write(
        sim_py="""
            import os, sys
            path = os.path.join(os.environ["PACKHORSE_CHECKPOINT"], "state")
            state = int(open(path).read()) if os.path.exists(path) else 0
            with open(path, "w") as stream:
                stream.write(str(state + 1))
            if state < 3:
                sys.exit("not yet %d" % state)
            print('{"state": %d}' % state)
            """
    )
    project.study(command="python sim.py", checkpoint=True, retries=1).run(code=7)
    assert project.failure()["cause"] == "not yet 1"
    said = project.run(code=7)
    assert "nothing is left to run, 1 failed" in said, "a failure is final until it is retried"
    project.command("retry", "s")
    assert project.rows("state") == [3]
    assert not (project.directory / "failures.csv").exists() or project.failures() == []


def test_artifacts_are_kept_for_each_task(project: Project) -> None:
    project.write(
        sim_py="""
            import os, sys
            os.makedirs("figures", exist_ok=True)
            if sys.argv[1] != "2":
                open("figures/plot.png", "w").write(sys.argv[1])
            open("model.bin", "w").write("m" + sys.argv[1])
            """
    )
    project.study(
        command="python sim.py {n}",
        parameters={"n": [1, 2, 3]},
        artifacts=["figures/*.png", "model.bin"],
        result="none",
    ).run("-j1")
    kept = project.directory / "artifacts"
    found = {p.relative_to(kept).as_posix(): p.read_text() for p in kept.rglob("*") if p.is_file()}
    assert found == {
        "0/figures/plot.png": "1", "0/model.bin": "m1", "1/model.bin": "m2",
        "2/figures/plot.png": "3", "2/model.bin": "m3",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("result", "code", "columns"),
    [
        ("auto", "print('words'); print('{\"y\": 1.5}')", {"y": [1.5]}),
        ("auto", "print('only words')", {}),
        ("json", 'print(\'{"y": [1, 2], "z": null}\')', {"y": ["[1,2]"]}),
        ("json", 'print(\'[{"y": 1}, {"y": 2}]\')', {"y": [1, 2], "ph_row": [0, 1]}),
        ("none", "print('{\"y\": 1}')", {}),
        ("out.ndjson", "open('out.ndjson', 'w').write('{\"y\": 1}\\n{\"y\": 2.5}\\n')", {"y": [1.0, 2.5]}),
        ("out.json", "open('out.json', 'w').write('{\"y\": NaN}')", {}),
        ("out.txt", "open('out.txt', 'w').write('0.1\\n')", {"result": [0.1]}),
        ("out.txt", "open('out.txt', 'w').write('two words\\n')", {"result": ["two words"]}),
        (
            "sub/{index}.csv",
            "import os; open('sub/0.csv', 'w').write('y,s\\n1,a\\n')",
            {"y": [1], "s": ["a"]},
        ),
        (
            "out.parquet",
            "import polars; polars.DataFrame({'y': [1.5, 2.5], 's': ['a', None]}).write_parquet('out.parquet')",
            {"y": [1.5, 2.5], "s": ["a", None]},
        ),
    ],
)
def test_every_kind_of_result(
    project: Project, result: str, code: str, columns: dict[str, list[object]]
) -> None:
    project.file("sim.py", code + "\n")
    project.study(command="python sim.py", result=result).run()
    table = project.table()
    for name, values in columns.items():
        assert table[name].to_list() == values, table
    if not columns and result != "out.json":
        own = [c for c in table.columns if not c.startswith("ph_")]
        assert own == ["replicate", "seed"]
        assert len(table) == 1
    if result == "out.json":
        (value,) = table["y"].to_list()
        assert math.isnan(value), "NaN in a JSON file stays NaN"


def test_output_names_a_file_of_this_task_alone(project: Project) -> None:
    project.write(
        sim_py="import sys\nassert sys.argv[1].endswith('.csv')\nopen(sys.argv[1], 'w').write('y\\n%s\\n' % sys.argv[2])\n"
    )
    project.study(
        command="python sim.py {output.csv} {n}", parameters={"n": [1, 2, 3, 4]}, result="{output.csv}"
    ).run("-j2")
    assert project.rows("y") == [1, 2, 3, 4]


def test_unnamed_files_are_told_once_with_the_line_to_add(project: Project) -> None:
    project.write(sim_py="open('extra.txt', 'w').write('x')\n")
    said = project.study(command="python sim.py", replicates=5, result="none").run("-j1")
    assert said.count("extra.txt") == 2, said
    assert "artifacts: [extra.txt]" in said


def test_the_first_tasks_failing_alike_stop_the_run(project: Project) -> None:
    project.write(sim_py="import sys\nsys.exit('no such model')\n")
    said = project.study(command="python sim.py", replicates=400, result="none").run("-j2", code=7)
    assert "no such model" in said
    assert project.records() < 40


def test_one_script_without_a_study_comes_home_whole(project: Project) -> None:
    project.write(
        sim_py="""
            import os, sys
            os.makedirs("out", exist_ok=True)
            open("out/a.txt", "w").write(" ".join(sys.argv[1:]))
            print("to the terminal")
            """
    )
    said = project.command("run", "sim.py", "--n", "10", "a b")
    assert "to the terminal" in said
    assert [p.read_text() for p in project.path.glob("runs/sim*/artifacts/0/out/a.txt")] == ["--n 10 a b"]


def test_a_task_that_kills_its_own_group_and_parent_costs_one_task(project: Project) -> None:
    project.write(
        sim_py="""
            import os, signal, sys
            if sys.argv[1] == "3":
                os.killpg(0, signal.SIGKILL)
            """
    )
    project.study(command="python sim.py {n}", parameters={"n": {"range": [8]}}, result="none").run(
        "-j2", code=7
    )
    assert project.rows("n") == [0, 1, 2, 4, 5, 6, 7]
    assert project.failure()["signal"] == str(int(signal.SIGKILL))


def test_tasks_cannot_read_the_terminal_of_the_user(project: Project) -> None:
    project.write(sim_py="import sys\nprint('{\"read\": %d}' % len(sys.stdin.read()))\n")
    project.study(command="python sim.py").run()
    assert project.rows("read") == [0]


def test_the_run_directory_is_private(project: Project) -> None:
    project.study(command="true", result="none").run()
    assert project.directory.stat().st_mode & 0o777 == 0o700
