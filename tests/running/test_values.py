"""Commands get values as their author wrote them; the table and functions get them as numbers."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest

from running.project import Project

SHOW = """
    import json, os, sys
    from packhorse import task
    facts = {"argv": sys.argv[1:], "typed": task.params.get("x", 0)}
    facts["env"] = {k[16:]: v for k, v in os.environ.items() if k.startswith("PACKHORSE_PARAM_")}
    print(json.dumps({name: json.dumps(value) for name, value in facts.items()}))
    """


def arguments(project: Project) -> list[list[str]]:
    return [json.loads(shown) for shown in project.rows("argv")]


def seen(project: Project, column: str = "argv") -> list[Any]:
    return [json.loads(shown) for shown in project.rows(column)]


def mapped(project: Project, *assignments: str, command: str = "python show.py {x}", code: int = 0) -> str:
    project.write(show_py=SHOW)
    return project.command("map", command, *assignments, "--name", "s", code=code)


@pytest.mark.parametrize(
    ("given", "words", "values"),
    [
        ("001,002", ["001", "002"], [1, 2]),
        ("1.10,2.50", ["1.10", "2.50"], [1.1, 2.5]),
        ("1e3,2E3,1000000", ["1e3", "2E3", "1000000"], [1000.0, 2000.0, 1000000.0]),
        ("0,1.5", ["0", "1.5"], [0.0, 1.5]),
        ("-0.00001,1e-5,+5", ["-0.00001", "1e-5", "+5"], [-0.00001, 0.00001, 5.0]),
        ("0x1F,.5,5.", ["0x1F", ".5", "5."], [31.0, 0.5, 5.0]),
        ("True,false", ["True", "false"], [True, False]),
        ("NULL,x", ["NULL", "x"], [None, "x"]),
        ("all,10,1.50", ["all", "10", "1.50"], ["all", "10", "1.50"]),
    ],
)
def test_words_of_the_command_line_stay_as_typed(
    project: Project, given: str, words: list[str], values: list[Any]
) -> None:
    mapped(project, f"x={given}")
    assert [argv[0] for argv in arguments(project)] == words
    assert [env["x"] for env in seen(project, "env")] == words
    assert project.rows("x") == values


STUDY = """
    name: s
    command: python show.py {a} {b} {c} {d} {e}
    result: json
    parameters:
      a: [0, 1.5]
      b: 1e3
      zip: {c: [007, 8], d: [1.10, "1.10"]}
      where: a > 0 or c > 7
      csv: points.csv
    """


def test_words_of_a_study_file_stay_as_typed(project: Project) -> None:
    project.write(show_py=SHOW, points_csv="e\n0.50\n1e2\n 3\nx-1\n")
    project.file("study.yaml", STUDY)
    project.run()
    rows = arguments(project)
    assert rows[:4] == [["0", "1e3", "8", "1.10", e] for e in ("0.50", "1e2", "3", "x-1")]
    assert rows[4] == ["1.5", "1e3", "007", "1.10", "0.50"]
    assert len(rows) == 12
    assert (project.rows("a")[0], project.rows("b")[0], project.rows("c")[:8:4]) == (0.0, 1000.0, [8, 7])
    assert project.rows("e")[:4] == ["0.50", "1e2", "3", "x-1"], "one text makes a column of texts"
    assert project.rows("d")[0] == "1.10", "and they have no quotes of their own"
    examples = project.command("plan", "study.yaml", "--verbose")
    assert "show.py 0 1e3 8 1.10 0.50" in examples
    assert "show.py 1.5 1e3 007 1.10 0.50" in project.command("explain", "s", "--task", "4")
    assert "a=0, c=8, d=1.10, b=1e3" in project.command("try", "study.yaml")


def test_generated_numbers_are_plain_decimals(project: Project) -> None:
    """For argparse, -1e-05 is an option: only digits and a point are a negative number."""
    project.write(
        sim_py="""
            import argparse, json
            p = argparse.ArgumentParser()
            p.add_argument("--x", type=float)
            p.add_argument("--text")
            a = p.parse_args()
            print(json.dumps({"y": a.x, "text_": a.text}))
            """
    )
    project.study(
        command="python sim.py --x {x} --text {x}",
        result="json",
        parameters={"x": {"linspace": [-0.00002, 0, 3]}},
    ).run()
    assert project.rows("text_") == ["-0.00002", "-0.00001", "0.0"]
    assert project.rows("x") == project.rows("y") == [-0.00002, -0.00001, 0.0]
    project.study(
        command="python sim.py --x {x} --text {x}",
        result="json",
        parameters={"x": {"range": [0, 1e-4, 2.5e-5]}},
    ).run("--fresh")
    assert project.rows("text_") == ["0.0", "0.000025", "0.00005", "0.000075"]


def test_values_keep_their_types_where_there_are_types(project: Project) -> None:
    project.write(
        show_py="""
            import json, sys
            from packhorse import task
            file = json.load(open(sys.argv[2]))
            print(json.dumps({"w": sys.argv[1], "file": repr(file["x"]), "task": repr(task.params["x"])}))
            """,
        model_py="def f(x):\n    return {'got': repr(x)}\n",
    )
    project.file(
        "study.yaml",
        "name: s\ncommand: python show.py {x:06.2f} {params.json}\nresult: json\nparameters: {x: [001, 1e3]}\n",
    )
    project.run()
    assert project.rows("w") == ["001.00", "1000.00"], "a format is for values"
    assert project.rows("file") == project.rows("task") == ["1.0", "1000.0"]
    project.file("study.yaml", "name: s\nfunction: model:f\nparameters: {x: [005, 6]}\n")
    project.run("--fresh")
    assert project.rows("got") == ["5", "6"]


def test_another_spelling_is_the_same_task(project: Project) -> None:
    """A study edited from 1e3 to 1000 loses nothing, and has the same seeds; what is left gets the new text."""
    project.write(
        sim_py="""
            import json, sys
            if not sys.argv[1].isdigit():
                raise SystemExit("not an integer: " + sys.argv[1])
            print(json.dumps({"y": int(sys.argv[1]), "s": sys.argv[2]}))
            """
    )
    study = "name: s\ncommand: python sim.py {n} {seed}\nresult: json\nparameters: {n: [10, %s]}\n"
    project.file("study.yaml", study % "1e3")
    assert "not an integer: 1e3" in project.run(code=7)
    before = project.rows("s")
    project.file("study.yaml", study % "1000")
    said = project.command("retry", "s")
    assert project.rows("y") == [10, 1000], said
    assert project.rows("s")[:1] == before
    assert project.records() == 3
    project.file("study.yaml", study % "1.0e3")
    said = project.run()
    assert project.records() == 3, f"no task ran again: {said}"
    project.file("study.yaml", study % "1.0e3, 0020")
    project.run()
    assert project.records() == 4
    assert project.rows("y") == [10, 1000, 20]


def test_the_same_number_twice_is_refused_however_it_is_written(project: Project) -> None:
    for twice in ("1,001", "1e3,1000", "0.5,.50"):
        assert "twice" in mapped(project, f"x={twice}", code=3)
    mapped(project, "x='1','001'")
    assert project.rows("x") == ["1", "001"]


# --- Switches and several words ---


def test_a_switch_is_given_or_not(project: Project) -> None:
    mapped(
        project,
        "verbose=true,false",
        "use_gpu=False,True",
        command="python show.py {--verbose} a {--use-gpu}",
    )
    assert arguments(project) == [
        ["--verbose", "a"],
        ["--verbose", "a", "--use-gpu"],
        ["a"],
        ["a", "--use-gpu"],
    ]
    assert project.rows("verbose") == [True, True, False, False]


def test_a_list_becomes_several_words(project: Project) -> None:
    project.write(show_py=SHOW)
    layers = '[[64, 64], [128], [], [1e-3, 007, a b], "32 16", 8]'
    for shell in ("false", "true"):
        project.file(
            "study.yaml",
            "name: s\ncommand: python show.py --layers {layers...} --end\nresult: json\n"
            f"shell: {shell}\nparameters:\n  layers: {layers}\n",
        )
        project.run("--fresh")
        assert arguments(project) == [
            ["--layers", *words, "--end"]
            for words in (["64", "64"], ["128"], [], ["1e-3", "007", "a b"], ["32", "16"], ["8"])
        ]
    assert project.rows("layers")[0] == "[64,64]"


def test_words_on_the_command_line_are_separated_by_blanks(project: Project) -> None:
    mapped(project, "l=64 64,128", "how=python,python -u", command="{how...} show.py --layers {l...}")
    assert arguments(project)[::2] == [["--layers", "64", "64"], ["--layers", "128"]]


@pytest.mark.parametrize(
    ("command", "values", "said"),
    [
        ("show.py {--x}", "yes,no", "{--x} needs true or false, but x is yes"),
        ("show.py {--y}", "true", "needs a parameter 'y'"),
        ("show.py {y...}", "1", "needs a parameter 'y'"),
        ("show.py --x={x...}", "1", "must be a whole argument"),
        ("show.py a{--x}", "true", "must be a whole argument"),
        ("show.py {index...}", "1", "needs a parameter 'index'"),
    ],
)
def test_what_cannot_be_a_switch_or_a_list_is_refused(
    project: Project, command: str, values: str, said: str
) -> None:
    assert said in mapped(project, f"x={values}", command="python " + command, code=3)


# --- Long values ---

LONG = 200_000


@pytest.mark.parametrize("program", ["python", pytest.param("Rscript", marks=pytest.mark.r), "function"])
def test_a_long_value_reaches_the_task(project: Project, program: str) -> None:
    project.write(
        long_py="""
            import json, os, sys
            from packhorse import task
            known = len(json.load(open(sys.argv[1]))["big"])
            kept = ["PACKHORSE_TASK" in os.environ, "PACKHORSE_PARAM_big" in os.environ]
            print(json.dumps({"size": len(task.params["big"]), "file": known, "kept": str(kept),
                              "small": os.environ["PACKHORSE_PARAM_k"], "child": os.system("true")}))
            """,
        long_R="""
            source(Sys.getenv("PACKHORSE_R"))
            result(size = nchar(params$big))
            """,
        model_py="""
            import os
            from packhorse import task
            def f(big, k):
                return {"size": len(big), "by_task": len(task.params["big"]), "child": os.system("true")}
            """,
    )
    how: dict[str, Any] = {
        "python": {"command": "python long.py {params.json}"},
        "Rscript": {"command": "Rscript long.R"},
        "function": {"function": "model:f"},
    }[program]
    project.study(**how, parameters={"big": ["x" * LONG, "short", "y" * LONG + "y"], "k": [1, 2]})
    said = project.run()
    assert said.count("too long for environment variables") == 1
    assert "PACKHORSE_PARAM_big" in said
    assert "PACKHORSE_PARAM_k" not in said
    assert project.rows("size") == [LONG, LONG, 5, 5, LONG + 1, LONG + 1]
    if program == "python":
        assert project.rows("file") == project.rows("size")
        assert project.rows("kept")[::2] == ["[False, False]", "[True, True]", "[False, False]"]
        assert project.rows("small") == ["1", "2"] * 3
    if program != "Rscript":
        assert project.rows("child") == [0] * 6, "a task can start programs"
    tried = project.command("try", "study.yaml")
    assert "succeeded" in tried
    assert len(tried) < 2000


def test_many_long_values_leave_room_for_short_ones(project: Project) -> None:
    project.write(
        show_py="""
            import json, os
            from packhorse import task
            kept = [name for name in os.environ if name.startswith("PACKHORSE_PARAM_")]
            print(json.dumps({"kept": len(kept), "all": sum(map(len, task.params.values()))}))
            """
    )
    project.study(
        command="python show.py",
        result="json",
        parameters={f"p{number}": ["x" * 60_000 + str(number)] for number in range(60)},
    ).run()
    assert project.rows("kept") == [2]
    assert project.rows("all")[0] > 3_600_000


def test_the_recipe_of_a_long_task_runs(project: Project) -> None:
    project.write(
        show_py="""
            import json, sys
            from packhorse import task
            print(json.dumps({"size": len(task.params["big"]) + len(json.load(open(sys.argv[1]))["big"])}))
            """
    )
    project.study(
        command="python show.py {params.json}", result="json", parameters={"big": ["x" * LONG]}
    ).run()
    told = json.loads(project.command("explain", "s", "--task", "0", "--json"))
    script = "\n".join(["set -e", *told["repeat"]])
    done = subprocess.run(
        ["/bin/sh"], input=script, capture_output=True, text=True, env=dict(os.environ), check=True
    )
    assert json.loads(done.stdout)["size"] == 2 * LONG
