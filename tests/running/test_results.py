"""What becomes of a task's result: judged once, no row lost or invented, no number that the task did not write."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from packhorse.worker.tasks.artifacts import name_patterns
from running.project import Project

NOTHING = "print('no result')"


def study(project: Project, script: str, **keys: Any) -> Project:
    """Write sim.py, and a study that runs it once for each n from 0 on."""
    project.file("sim.py", script)
    tasks = keys.pop("tasks", 3)
    parameters = {"n": {"range": [tasks]}}
    return project.study(command="python sim.py {n}", parameters=parameters, **keys)


def write(name: str, content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return f"open({name!r}, 'wb').write({data!r})"


# One judgement


def test_a_python_dict_is_a_result_as_good_as_json(project: Project) -> None:
    script = "import sys\nprint({'p': 0.1 + 0.2, 'n': int(sys.argv[1]), 'x': float('nan'), 'ok': True, 'none': None})"
    study(project, script).run()
    assert project.rows("p", "ok") == [(0.1 + 0.2, True)] * 3


def test_numpy_scalars_in_a_printed_dict_are_numbers(project: Project) -> None:
    study(
        project,
        "print(\"{'a': np.float64(1.5), 'b': array([1, 2]), 'c': np.True_}\".replace('np.True_', 'True'))",
    ).run()
    assert project.rows("a", "b", "c") == [(1.5, "[1,2]", True)] * 3


@pytest.mark.parametrize(
    ("script", "result", "cause"),
    [
        ("print('{broken: 1}')", "auto", "result: none"),
        ('print(\'{"a": 1, "a": 2}\')', "auto", "occurs twice"),
        ("print('{\"a\": __import__(\\'os\\').getpid()}')", "auto", "the last line is refused"),
        (write("out.csv", "3,9\n"), "out.csv", "header: [a, b]"),
        (write("out.csv", ""), "out.csv", "out.csv is refused: it is empty"),
        (write("out.csv", "p\n0,25\n"), "out.csv", 'decimal: ","'),
        (write("out.json", '{"a": 1'), "out.json", "not JSON"),
        (write("out.npy", "not an array"), "out.npy", "not a file of the format npy"),
        (write("out.pkl", b"\x80\x04K\x01."), "out.pkl", "runs code"),
    ],
)
def test_every_command_judges_a_result_alike(project: Project, script: str, result: str, cause: str) -> None:
    study(project, script, result=result, tasks=2)
    tried = project.command("try", "study.yaml", code=1)
    assert cause in tried
    said = project.run(code=7)
    assert cause in said
    status = json.loads(project.command("status", "--json", "s"))
    assert (status["done"], status["failed"]) == (0, 2)
    assert cause in status["causes"][0]["message"]
    assert cause in project.command("explain", "s", "--task", "0")


def test_300_equal_refusals_do_not_all_run(project: Project) -> None:
    said = study(project, write("out.csv", ""), result="out.csv", tasks=300).run(code=7)
    assert "the first 20 tasks" in said
    assert "out.csv is refused: it is empty" in said
    status = json.loads(project.command("status", "--json", "s"))
    assert status["done"] == 0
    assert 20 <= status["failed"] < 60, "some had begun when the 20th failed"


def test_a_refused_result_is_kept(project: Project) -> None:
    study(project, write("out.csv", "3,9\n"), result="out.csv", tasks=1).run(code=7)
    journal = next((project.directory / "journal").glob("*.ndjson")).read_text()
    assert '"text":"3,9\\n"' in journal


# No row vanishes, none is invented


def test_tasks_without_a_result_among_others_are_told(project: Project) -> None:
    said = study(project, "import sys\nif sys.argv[1] != '1':\n    print({'x': 1})").run()
    assert project.rows("n", "x") == [(0, 1), (2, 1)]
    assert "1 task returned no result, while others did, and is not in the table: task 1 (n=1)" in said


@pytest.mark.parametrize(
    "script", ["print([{'x': 1}, {'x': 2}])", "import json\nprint(json.dumps([{'x': 1}, {'x': 2}]))"]
)
def test_a_list_of_rows_on_the_last_line_is_a_result(project: Project, script: str) -> None:
    study(
        project, script, result="json" if "[{'x'" in script and "json" not in script else "auto", tasks=1
    ).run()
    assert project.rows("x") == [1, 2]


def test_a_list_that_is_not_rows_is_only_printed(project: Project) -> None:
    study(project, "print([1, 2])", tasks=1).run()
    assert "result" not in project.table().columns


def test_numpy_booleans_in_a_printed_dict_are_read(project: Project) -> None:
    study(project, 'print(\'{"a": np.True_, "b": np.False_}\')', tasks=1).run()
    assert project.rows("a", "b") == [(True, False)]


def test_functions_that_return_none_among_others_are_told(project: Project) -> None:
    project.file("sim.py", "def f(n):\n    return None if n == 1 else {'x': n}\n")
    said = project.study(function="sim:f", parameters={"n": {"range": [3]}}).run()
    assert project.rows("x") == [0, 2]
    assert "task 1 (n=1)" in said


@pytest.mark.parametrize(
    ("name", "content"),
    [("out.csv", "a,b\n"), ("out.json", "[]"), ("out.dat", "a b\n"), ("out.ndjson", "\n")],
)
def test_results_without_rows_are_told(project: Project, name: str, content: str) -> None:
    said = study(project, write(name, content), result=name).run()
    assert project.table().height == 0
    assert "the result of 3 tasks has no rows" in said
    assert "tasks 0 (n=0), 1 (n=1), 2 (n=2)" in said


def test_a_header_from_the_study_reads_a_table_without_one(project: Project) -> None:
    study(project, write("out.csv", "3,9\n4,8\n"), result={"file": "out.csv", "header": ["a", "b"]}).run()
    assert project.rows("a", "b") == [(3, 9), (4, 8)] * 3


def test_words_among_numbers_are_missing_and_told(project: Project) -> None:
    script = (
        "import sys\n"
        + "open('o.csv', 'w').write('x,m\\n' + ('None,None' if sys.argv[1] == '1' else '0.5,ridge') + '\\n')"
    )
    said = study(project, script, result="o.csv").run()
    assert project.rows("x", "m") == [(0.5, "ridge"), (None, "None"), (0.5, "ridge")]
    assert "column x: 1 cell with None among numbers read as missing" in said


def test_texts_of_jsonlite_among_numbers_are_missing(project: Project) -> None:
    script = "import sys, json\nprint(json.dumps({'x': [0.5, 'NA', '-Inf'][int(sys.argv[1])]}))"
    study(project, script).run()
    assert project.rows("x") == [0.5, None, float("-inf")]


# Labels stay


@pytest.mark.parametrize(
    ("value", "columns", "rows"),
    [
        ("pd.DataFrame({'arm': ['a', 'b'], 'x': [1, 3]}).groupby('arm').mean()", ("arm", "x"), [("a", 1.0), ("b", 3.0)]),
        ("pd.Series({'mean': 1.5, 'sd': 0.5})", ("mean", "sd"), [(1.5, 0.5)]),
        ("pd.DataFrame({'x': [1, 2]})", ("x",), [1, 2]),
        ("pd.DataFrame({'x': [1, 2]}, index=[5, 7])", ("index", "x"), [(5, 1), (7, 2)]),
        ("pd.DataFrame({'a': [1], 'b': [2]}).set_index(['a', 'b']).assign(x=3)", ("a", "b", "x"), [(1, 2, 3)]),
        ("pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([('x', 'mean'), ('x', 'sd')]))", ("x.mean", "x.sd"), [(1, 2)]),
        ("pd.Series([1, 2], index=['a', 'a'], name='x')", ("index", "x"), [("a", 1), ("a", 2)]),
        ("np.array([(1, 0.5)], dtype=[('k', int), ('x', float)])", ("k", "x"), [(1, 0.5)]),
        ("{'fit': pd.Series({'a': 1.0})}", ("fit.a",), [1.0]),
    ],
)  # fmt: skip
def test_labels_of_frames_and_series_stay(
    project: Project, value: str, columns: tuple[str, ...], rows: list[Any]
) -> None:
    project.file("sim.py", f"import numpy as np\nimport pandas as pd\ndef f():\n    return {value}\n")
    project.study(function="sim:f").run()
    assert project.rows(*columns) == rows


def test_equal_names_of_one_result_are_refused(project: Project) -> None:
    project.file("sim.py", "def f():\n    return {1: 'a', '1': 'b'}\n")
    project.study(function="sim:f").run(code=7)
    assert "occurs twice" in project.failure()["cause"]


@pytest.mark.r
@pytest.mark.parametrize(
    ("value", "columns", "rows"),
    [
        ("as.data.frame(coef(summary(lm(dist ~ speed, cars))))", ("rowname",), ["(Intercept)", "speed"]),
        ("coef(summary(lm(dist ~ speed, cars)))", ("rowname",), ["(Intercept)", "speed"]),
        ("list(est = c(a = 1, b = 2))", ("est.a", "est.b"), [(1, 2)]),
        ("table(c('x', 'y', 'x'))", ("Var1", "Freq"), [("x", 2), ("y", 1)]),
        ("c(a = 1.5, b = 2)", ("a", "b"), [(1.5, 2)]),
        ("data.frame(x = 1:2)", ("x",), [1, 2]),
    ],
)
def test_labels_of_r_stay(project: Project, value: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    project.file("sim.R", f"source(Sys.getenv('PACKHORSE_R'))\nresult({value})\n")
    project.study(command="Rscript sim.R", result="json").run()
    assert project.rows(*columns) == rows


# The files that people write


@pytest.mark.parametrize(
    ("name", "code", "columns", "rows"),
    [
        ("x.npy", "np.save('x.npy', np.float64(0.1) + 0.2)", ("result",), [0.1 + 0.2]),
        ("x.npy", "np.save('x.npy', np.array([1.5, 2]))", ("result_0", "result_1"), [(1.5, 2)]),
        ("x.npy", "np.save('x.npy', np.array([(1, .5), (2, .25)], dtype=[('k', int), ('x', float)]))", ("k", "x"), [(1, 0.5), (2, 0.25)]),
        ("x.npz", "np.savez('x.npz', m=0.5, v=[1, 2])", ("m", "v_0", "v_1"), [(0.5, 1, 2)]),
        ("x.txt", "np.savetxt('x.txt', [[1, 2], [3, 4]], header='x y')", ("x", "y"), [(1, 2), (3, 4)]),
        ("x.csv", "np.savetxt('x.csv', [[1, 2]], delimiter=',', header='x,y')", ("x", "y"), [(1, 2)]),
        ("x.tsv", "open('x.tsv', 'w').write('a\\tb\\n1\\tc d\\n')", ("a", "b"), [(1, "c d")]),
        ("x.dat", "open('x.dat', 'w').write('a   b\\n 1 2.5\\n')", ("a", "b"), [(1, 2.5)]),
        ("x.csv.gz", "import gzip; gzip.open('x.csv.gz', 'wt').write('a\\n1\\n')", ("a",), [1]),
        ("x.yaml", "open('x.yaml', 'w').write('fit: {a: 1, b: [1, 2]}\\n')", ("fit.a", "fit.b"), [(1, "[1,2]")]),
        ("x.h5", "import h5py; h5py.File('x.h5', 'w').update({'fit/a': 0.5, 'v': [1, 2]})", ("fit.a", "v_0"), [(0.5, 1)]),
        ("x.nc", "import xarray as xr; xr.Dataset({'a': 0.5}).to_netcdf('x.nc', engine='h5netcdf')", ("a",), [0.5]),
        ("x.mat", "import scipy.io; scipy.io.savemat('x.mat', {'a': 0.5, 'v': [1, 2]})", ("a", "v_0", "v_1"), [(0.5, 1, 2)]),
        ("x.xlsx", "import pandas as pd; pd.DataFrame({'a': [1], 'b': ['c']}).to_excel('x.xlsx', index=False)", ("a", "b"), [(1, "c")]),
        ("x.txt", "open('x.txt', 'w').write('two words\\n')", ("result",), ["two words"]),
        ("x.parquet", "import pandas as pd; pd.DataFrame({'a': [0.5]}).to_parquet('x.parquet')", ("a",), [0.5]),
    ],
)  # fmt: skip
def test_files_that_scientists_write_are_read(
    project: Project, name: str, code: str, columns: tuple[str, ...], rows: list[Any]
) -> None:
    project.file("sim.py", f"import numpy as np\n{code}\n")
    project.study(command="python sim.py", result=name).run()
    assert project.rows(*columns) == rows


@pytest.mark.r
@pytest.mark.parametrize(
    ("name", "code", "columns", "rows"),
    [
        ("x.rds", "saveRDS(data.frame(a = 1:2, b = c('x', NA)), 'x.rds')", ("a", "b"), [(1, "x"), (2, None)]),
        ("x.rds", "saveRDS(list(a = 0.1 + 0.2, b = 'x'), 'x.rds')", ("a", "b"), [(0.1 + 0.2, "x")]),
        ("x.rds", "saveRDS(c(a = 1, b = 2), 'x.rds')", ("a", "b"), [(1, 2)]),
        ("x.RData", "a <- 1; b <- 'x'; save(a, b, file = 'x.RData')", ("a", "b"), [(1, "x")]),
        ("x.RData", "fit <- data.frame(a = 3); save(fit, file = 'x.RData')", ("a",), [3]),
    ],
)
def test_files_of_r_are_read(
    project: Project, name: str, code: str, columns: tuple[str, ...], rows: list[Any]
) -> None:
    project.file("sim.R", code + "\n")
    project.study(command="Rscript sim.R", result=name).run()
    assert project.rows(*columns) == rows


@pytest.mark.r
def test_an_r_object_that_is_no_table_is_told(project: Project) -> None:
    project.file("sim.R", "saveRDS(function(x) x, 'x.rds')\n")
    project.study(command="Rscript sim.R", result="x.rds").run(code=7)
    assert "cannot write a function" in project.failure()["cause"]


def test_a_formula_without_a_value_is_refused(project: Project) -> None:
    code = (
        "import openpyxl\nbook = openpyxl.Workbook()\nbook.active.append(['a', 'b'])\n"
        "book.active.append([1, '=A2*2'])\nbook.save('x.xlsx')"
    )
    study(project, code, result="x.xlsx", tasks=1).run(code=7)
    assert "the formula in B2 has no value" in project.failure()["cause"]


def test_several_files_are_joined_by_row_or_task(project: Project) -> None:
    code = "open('a.csv', 'w').write('x\\n1\\n2\\n'); open('b.json', 'w').write('{\"x\": 9, \"m\": 3}')"
    study(project, code, result=["a.csv", "b.json"], tasks=1).run()
    assert project.rows("x", "b.x", "m") == [(1, 9, 3), (2, 9, 3)]


def test_files_with_other_numbers_of_rows_are_told(project: Project) -> None:
    code = "open('a.csv', 'w').write('x\\n1\\n2\\n'); open('b.csv', 'w').write('y\\n1\\n2\\n3\\n')"
    study(project, code, result=["a.csv", "b.csv"], tasks=1).run(code=7)
    assert "b.csv has 3 rows, and the files before it 2" in project.failure()["cause"]


def test_a_pattern_takes_the_one_file_that_a_task_wrote(project: Project) -> None:
    project.file("results/old.csv", "x\n99\n")
    code = "import sys, time\nopen(f'results/{time.time_ns()}.csv', 'w').write(f'x\\n{sys.argv[1]}\\n')"
    study(project, code, result="results/*.csv").run()
    assert project.rows("x") == [0, 1, 2]


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("pass", "wrote no file that matches *.csv"),
        (
            "open('a.csv', 'w').write('x\\n1\\n'); open('b.csv', 'w').write('x\\n1\\n')",
            "2 files match *.csv (a.csv, b.csv)",
        ),
    ],
)
def test_a_pattern_without_one_match_is_told(project: Project, code: str, cause: str) -> None:
    study(project, code, result="*.csv", tasks=1).run(code=7)
    assert cause in project.failure()["cause"]


def test_a_command_converts_what_a_task_wrote(project: Project) -> None:
    project.file("convert.py", "print(open('raw').read(), file=open('out.csv', 'w'))\n")
    result = {"file": "out.csv", "convert": "python convert.py"}
    study(project, write("raw", "x\n7\n"), result=result, tasks=1).run()
    assert project.rows("x") == [7]
    project.file("convert.py", "import sys\nsys.exit('cannot read raw')\n")
    project.run("--fresh", code=7)
    assert "cannot read raw" in project.failure()["cause"]


def test_a_file_may_be_result_and_artifact(project: Project) -> None:
    study(project, write("out.csv", "x\n7\n"), result="out.csv", artifacts=["*.csv"], tasks=1).run()
    assert project.rows("x") == [7]
    assert (project.directory / "artifacts" / "0" / "out.csv").read_text() == "x\n7\n"


def test_latin_1_and_semicolons_are_read_as_the_study_says(project: Project) -> None:
    result = {"file": "out.csv", "encoding": "latin-1", "separator": ";", "decimal": ","}
    study(project, write("out.csv", "größe;x\n0,25;ü\n".encode("latin-1")), result=result, tasks=1).run()
    assert project.rows("größe", "x") == [(0.25, "ü")]


def test_pickles_are_read_only_where_the_user_trusts_them(project: Project) -> None:
    code = "import pickle\npickle.dump({'x': 0.5}, open('out.pkl', 'wb'))"
    assert "runs code" in study(project, code, result="out.pkl", tasks=1).run(code=7)
    project.run("--trust-pickle")
    assert project.rows("x") == [0.5]
    (project.directory).chmod(0o777)  # others could have written them
    assert "'pickle' cannot be read" in project.command("collect", "s")


def test_what_only_the_merge_reads_counts_as_failed_everywhere(project: Project) -> None:
    """The worker cannot read a NumPy file; the merge writes its judgement back, and takes it back when it is wrong."""
    project.write(
        sim_py="""
            import sys, numpy as np
            n = int(sys.argv[1])
            np.save("x.npy", np.float64(n))
            if n == 3:
                open("x.npy", "wb").write(b"\\x93NUMPY rubbish")
            """
    )
    study = project.study(command="python sim.py {n}", parameters={"n": [1, 2, 3]}, result="x.npy")
    study.run(code=7)
    status = json.loads(project.command("status", "--json"))
    assert (status["state"], status["done"], status["failed"]) == ("done", 2, 1)
    assert status["causes"][0]["examples"] == [2]
    assert "npy result cannot be read" in status["causes"][0]["message"]
    assert "npy result cannot be read" in project.command("logs", "--failed")
    assert "has no result: the npy result cannot be read" in project.command("try", "--where", "n=3", code=1)
    explained = json.loads(project.command("explain", "--task", "2", "--json"))
    assert (explained["state"], explained["record"]["cause"]) == ("FAILED", status["causes"][0]["message"])
    project.study(command="python sim.py {n}", parameters={"n": [1, 2, 3, 4]}, result="x.npy").run(code=7)
    status = json.loads(project.command("status", "--json"))
    assert (status["done"], status["failed"]) == (3, 1), "a second wave does not count it twice"
    project.file("sim.py", (project.path / "sim.py").read_text().replace("n == 3", "n == 0"))
    assert "1 task that failed with other code" in project.run("--keep")
    status = json.loads(project.command("status", "--json"))
    assert (status["done"], status["failed"], status["causes"]) == (4, 0, [])
    assert project.rows("result") == [1, 2, 3, 4]
    assert not (project.directory / "unreadable.json").exists()


def test_the_note_on_new_files_proposes_a_pattern(project: Project) -> None:
    code = "import os, sys\nos.makedirs('results')\nopen(f'results/sim-{sys.argv[1]}-a.rds', 'w').close()"
    assert "artifacts: ['results/sim-*-a.rds']" in study(project, code, result="none").run()
    dated = [
        f"out/2026-11-29/07-38-5{n}/{name}" for n, name in enumerate(("a.txt", "b.yaml", "c.log", "d.log"))
    ]
    assert name_patterns(dated, []) == ["out"]
    assert name_patterns(dated[:2], []) == ["out/*/*/a.txt", "out/*/*/b.yaml"]
    assert name_patterns(["fit_2.5_lasso.csv", "9.csv"], ["lasso"]) == ["fit_*.csv", "*.csv"]


# Arrays


def test_arrays_are_stacked_with_the_parameters_as_dimensions(project: Project, tmp_path: Path) -> None:
    import numpy as np
    import xarray as xr

    project.file(
        "sim.py",
        "import sys, numpy as np\nn, k = map(int, sys.argv[1:])\nnp.save('x.npy', np.full((3, 7), n + k))\n",
    )
    parameters = {"n": [10, 20], "k": [1, 2, 3]}
    said = project.study(command="python sim.py {n} {k}", parameters=parameters, result="x.npy").run()
    assert "arrays are not in the table: result (6 tasks)" in said
    assert project.table().height == 6
    said = project.command("collect", "s", "--stack")
    with xr.open_dataset(project.directory / "results.nc", engine="h5netcdf") as stack:
        assert stack["result"].dims == ("n", "k", "replicate", "result_0", "result_1")
        assert np.array_equal(stack["result"].sel(n=20, k=3, replicate=0), np.full((3, 7), 23))
        assert stack["n"].values.tolist() == [10, 20]


def test_missing_tasks_are_nan_in_the_stack_and_told(project: Project) -> None:
    import xarray as xr

    project.file(
        "sim.py",
        "import sys, numpy as np\nn = int(sys.argv[1])\nassert n != 1\n"
        "np.save('x.npy', np.arange(20 if n < 3 else 16) + n)\n",
    )
    project.study(command="python sim.py {n}", parameters={"n": {"range": [4]}}, result="x.npy").run(code=7)
    said = project.command("collect", "s", "--stack")
    assert "1 task without a value" in said
    assert "arrays of another shape, of 1 task, are not in the stack, such as task 3" in said
    with xr.open_dataset(project.directory / "results.nc", engine="h5netcdf") as stack:
        assert list(stack.data_vars) == ["result"], (
            "16 elements are columns of the table, but not of the stack"
        )
        assert stack["result"].sel(n=1).isnull().all()
        assert stack["result"].sel(n=2).values.ravel().tolist() == list(range(2, 22))


def test_a_study_of_scalars_can_be_stacked_from_python(project: Project) -> None:
    from packhorse import open as open_run

    study(project, "import sys\nprint({'x': int(sys.argv[1]) ** 2})").run()
    assert open_run(project.directory).to_xarray()["x"].values.ravel().tolist() == [0, 1, 4]


@pytest.mark.r
def test_r_reads_a_stack_of_r_arrays(project: Project) -> None:
    project.file(
        "sim.R",
        "n <- as.integer(commandArgs(TRUE))\nsaveRDS(list(x = array(n + 1:24, c(2, 3, 4))), 'x.rds')\n",
    )
    project.study(command="Rscript sim.R {n}", parameters={"n": [100, 200]}, result="x.rds").run()
    project.command("collect", "s", "--stack")
    script = "x <- readRDS('runs/s/results.rds')$x; cat(dim(x), x['200', 1, 2, 3, 4], names(dimnames(x))[1])"
    done = subprocess.run(
        ["Rscript", "-e", script], cwd=project.path, capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 1 2 3 4 224 n"


def test_a_summary_has_a_row_over_all_points(project: Project) -> None:
    project.write(
        sim_py="""
        import sys
        print({"x": float(sys.argv[1]) + int(sys.argv[2]), "ok": sys.argv[2] == "1"})
        """
    )
    project.study(command="python sim.py {mean} {k}", parameters={"mean": [0.5, 2.5], "k": [1, 2, 3]}).run()
    found = json.loads(project.command("summary", "s", "--json"))
    assert len(found["rows"]) == 12
    # The parameter has the name of a statistic, so that has another one, in both.
    assert [(row["column"], row["count"], row["mean_summary"]) for row in found["over_all"]] == [
        ("x", 6, 3.5),
        ("ok", 6, 1 / 3),
    ]
    *_, first, second = project.command("summary", "s").splitlines()
    assert [cell.strip() for cell in first.split("|")[1:5]] == ["all", "", "x", "6"]
    assert [cell.strip() for cell in second.split("|")[1:5]] == ["all", "", "ok", "6"]
    assert (
        json.loads(project.command("summary", "s", "--where", "mean=0.5", "--where", "k=1", "--json"))[
            "over_all"
        ]
        == []
    )
