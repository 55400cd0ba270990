"""`packhorse init` in projects as people lay them out: what it writes runs, and what it cannot do it says."""

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Run = Callable[..., CompletedProcess[str]]


def put(folder: Path, **files: str) -> Path:
    """Write files; `a__b_py` is a/b.py."""
    for name, text in files.items():
        stem, _, suffix = name.replace("__", "/").rpartition("_")
        path = folder / f"{stem}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text).lstrip("\n"), encoding="utf-8")
    return folder


def command(study: Path) -> str:
    (line,) = [line for line in study.read_text().splitlines() if line.startswith("command: ")]
    return line.removeprefix("command: ")


def table(study: Path) -> str:
    (path,) = study.parent.glob("runs/*/results.csv")
    return path.read_text()


# --- Subcommands ---

ARGPARSE = """
    import argparse, json
    def common(p):
        p.add_argument("--seed", type=int, default=0)
    parser = argparse.ArgumentParser()
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--scale", type=float, default=2.0)
    sub = parser.add_subparsers(dest="what", required=True)
    train = sub.add_parser("train")
    train.add_argument("--rate", type=float, default=-0.00001)
    train.add_argument("--layers", type=int, nargs="+", default=[64, 32])
    common(train)
    test = sub.add_parser("test")
    test.add_argument("weights")
    a = parser.parse_args()
    print(json.dumps({k: v for k, v in vars(a).items() if k != "layers"} | {"sum": sum(getattr(a, "layers", []))}))
    """


def test_one_subcommand_is_chosen_and_runs(tmp_path: Path, packhorse: Run) -> None:
    put(tmp_path, sim_py=ARGPARSE)
    refused = packhorse("init", "sim.py", cwd=tmp_path)
    assert refused.returncode == 2
    assert "sim.py has the subcommands train, test" in refused.stderr
    assert "packhorse init sim.py train" in refused.stderr
    assert not (tmp_path / "study.yaml").exists()
    other = packhorse("init", "sim.py", "trian", cwd=tmp_path)
    assert "no subcommand 'trian'; it has: train, test" in other.stderr
    assert packhorse("init", "sim.py", "train", cwd=tmp_path).returncode == 0
    study = tmp_path / "study.yaml"
    assert command(study) == (
        "python sim.py --scale={scale} train --rate={rate} --layers {layers...} --seed={seed}"
    )
    assert "weights" not in study.read_text(), "never a mixture of several subcommands"
    done = packhorse("run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert table(study).splitlines()[1].split(",")[:2] == ["2.0", "-0.00001"]
    assert ",train," in table(study)
    assert ",96," in table(study)


# --- Where the study belongs ---


@pytest.mark.parametrize("where", [".", "scripts"])
def test_the_study_is_where_the_author_runs_the_script(tmp_path: Path, packhorse: Run, where: str) -> None:
    put(
        tmp_path,
        pyproject_toml="[project]\nname = 'p'\n",
        data__x_csv="1\n2\n",
        scripts__fit_py="""
            import json, sys
            n = int(sys.argv[1])
            rows = open("data/x.csv").read().split()
            print(json.dumps({"y": n * len(rows)}))
            """,
    )
    done = packhorse("init", str(Path("scripts/fit.py").relative_to(where)), cwd=tmp_path / where)
    assert done.returncode == 0, done.stderr
    assert "not beside fit.py" in done.stderr
    assert command(tmp_path / "study.yaml") == "python scripts/fit.py {n}"
    assert packhorse("run", cwd=tmp_path).returncode == 0
    assert table(tmp_path / "study.yaml").splitlines()[1].startswith("1,")


def test_a_script_that_runs_in_its_own_folder_has_its_study_there(tmp_path: Path, packhorse: Run) -> None:
    put(
        tmp_path,
        pyproject_toml="[project]\nname = 'p'\n",
        data__x_csv="1\n",
        sims__a_py="import json\nprint(json.dumps({'y': len(open('../data/x.csv').read())}))\n",
        sims__b_py="open('data/x.csv')\n",
        sims__data__x_csv="7\n",
    )
    for name in ("a", "b"):
        assert packhorse("init", f"sims/{name}.py", "--force", cwd=tmp_path).returncode == 0
        assert command(tmp_path / "sims/study.yaml") == f"python {name}.py"
    assert not (tmp_path / "study.yaml").exists()


def test_a_study_elsewhere_names_the_script_from_there(tmp_path: Path, packhorse: Run) -> None:
    put(tmp_path, scripts__sim_py="import sys\nn = int(sys.argv[1])\n", studies__x_txt="")
    assert packhorse("init", "scripts/sim.py", "-o", "studies/s.yaml", cwd=tmp_path).returncode == 0
    assert command(tmp_path / "studies/s.yaml") == "python ../scripts/sim.py {n}"


def test_relative_imports_need_the_module(tmp_path: Path, packhorse: Run) -> None:
    put(
        tmp_path,
        src__pkg____init___py="",
        src__pkg__core_py="def double(n):\n    return 2 * n\n",
        src__pkg__sims____init___py="",
        src__pkg__sims__run_py="""
            import argparse, json
            from ..core import double
            p = argparse.ArgumentParser()
            p.add_argument("--n", type=int, default=3)
            print(json.dumps({"y": double(p.parse_args().n)}))
            """,
    )
    assert packhorse("init", "src/pkg/sims/run.py", cwd=tmp_path).returncode == 0
    study = tmp_path / "src/study.yaml"
    assert command(study) == "python -m pkg.sims.run --n={n}"
    assert packhorse("run", "src/study.yaml", cwd=tmp_path).returncode == 0
    assert table(study).splitlines()[1].split(",")[3] == "6"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.py", "import pandas\nd = pandas.read_csv('/home/ada/d.csv')\nopen('/usr/share/dict/words')\n"),
        ("a.R", 'x <- 1\nd <- read.csv("/scratch/ada/d.csv")\nsource("/usr/lib/x.R")\n'),
        ("a.R", "x <- 1\nsetwd('~/thesis/code')\n"),
        ("a.sh", "cd src\npython sim.py --in /N/project/ada/d.csv > o.csv\n/usr/bin/env true\n"),
        ("a.sh", "cd src\ncp $HOME/d.csv .\n"),
    ],
)
def test_absolute_paths_are_told(tmp_path: Path, packhorse: Run, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    done = packhorse("init", name, cwd=tmp_path)
    assert done.returncode == 0
    assert f"{name} has absolute paths: " in done.stderr
    assert "(line 2)" in done.stderr
    assert "/usr/" not in done.stderr
    assert "data:" in (tmp_path / "study.yaml").read_text()


# --- Constants and files of settings ---


def test_constants_at_the_top_are_swept_by_two_lines(tmp_path: Path, packhorse: Run) -> None:
    script = put(tmp_path, sim_py="import json\nN = 100\nALPHA = 0.05\nprint(json.dumps({'y': N * ALPHA}))\n")
    assert packhorse("init", "sim.py", cwd=tmp_path).returncode == 0
    text = (tmp_path / "study.yaml").read_text()
    assert "has constants at its top: N, ALPHA" in text
    lines = [line.removeprefix("#   ") for line in text.splitlines() if line.startswith("#   ")]
    told = [line for line in lines if "task" in line and "packhorse " not in line.split("import")[0][:10]]
    assert "globals().update(task.params)" in told
    added = "from packhorse import task\nglobals().update(task.params)\n"
    source = (script / "sim.py").read_text()
    (script / "sim.py").write_text(source.replace("print(", added + "print("))
    swept = text.replace("# parameters:", "parameters:").replace("#   N: 100 ", "  N: [100, 200] ")
    (tmp_path / "study.yaml").write_text(swept)
    assert packhorse("run", cwd=tmp_path).returncode == 0
    assert [row.split(",")[3] for row in table(tmp_path / "study.yaml").splitlines()[1:]] == ["5.0", "10.0"]
    again = packhorse("init", "sim.py", "--force", cwd=tmp_path)
    assert again.returncode == 0
    assert "constants" not in (tmp_path / "study.yaml").read_text(), "the script reads its parameters now"


@pytest.mark.r
def test_constants_of_r(tmp_path: Path, packhorse: Run) -> None:
    source = "n <- 100  # size\nseed <- 1\nx = 0.5\nset.seed(seed)\ncat(sprintf('{\"y\": %g}\\n', n * x))\n"
    (tmp_path / "sim.R").write_text(source)
    assert packhorse("init", "sim.R", cwd=tmp_path).returncode == 0
    text = (tmp_path / "study.yaml").read_text()
    assert "has constants at its top: n, seed, x." in text
    lines = [
        line.removeprefix("#   ") for line in text.splitlines() if "PACKHORSE_R" in line or "exists" in line
    ]
    assert len(lines) == 2
    (tmp_path / "sim.R").write_text(source.replace("set.seed", "\n".join([*lines, "set.seed"])))
    (tmp_path / "study.yaml").write_text(
        text.replace("# parameters:", "parameters:").replace("#   n: 100 ", "  n: [100, 200] ")
    )
    done = packhorse("run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [row.split(",")[3] for row in table(tmp_path / "study.yaml").splitlines()[1:]] == ["50", "100"]


@pytest.mark.parametrize(
    ("reads", "name", "content"),
    [
        ("import yaml\nconfig = yaml.safe_load(open('c.yaml'))\n", "c.yaml", "lr: 0.1\nepochs: 3\n"),
        (
            "import json\nwith open('conf/c.json') as f:\n    config = json.load(f)\n",
            "conf/c.json",
            '{"lr": 1, "epochs": 2}',
        ),
        (
            "import tomllib\nP = 'c.toml'\nconfig = tomllib.load(open(P, 'rb'))\n",
            "c.toml",
            "lr = 0.1\nepochs = 3\n",
        ),
        ("import configparser\nc = configparser.ConfigParser()\nc.read('c.ini')\n", "c.ini", "[a]\nlr = 1\n"),
    ],
)
def test_a_file_of_settings_is_told(
    tmp_path: Path, packhorse: Run, reads: str, name: str, content: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text(content)
    (tmp_path / "sim.py").write_text(reads)
    assert packhorse("init", "sim.py", cwd=tmp_path).returncode == 0
    text = (tmp_path / "study.yaml").read_text()
    assert f"sim.py reads settings from {name}" in text
    assert "#   from packhorse import task" in text
    assert ("(lr, epochs)" in text) or name.endswith(".ini")


def test_hydra_gets_a_study_of_its_settings(tmp_path: Path, packhorse: Run) -> None:
    put(
        tmp_path,
        conf__config_yaml="defaults: [_self_]\nlr: 0.1\nseed: 3\nmodel:\n  depth: 2\n",
        train_py="""
            import hydra
            @hydra.main(version_base=None, config_path="conf", config_name="config")
            def main(cfg): print(cfg)
            main()
            """,
    )
    assert packhorse("init", "train.py", cwd=tmp_path).returncode == 0
    assert command(tmp_path / "study.yaml") == (
        "python train.py lr={lr} seed={seed} model.depth={model_depth}"
    )
    assert "show" not in packhorse("plan", cwd=tmp_path).stderr


# --- Notebooks and documents ---


def notebook(path: Path, *cells: str, tags: tuple[str, ...] = ()) -> None:
    content = [
        {
            "cell_type": "code",
            "source": text.splitlines(keepends=True),
            "metadata": {"tags": list(tags if n == 0 else ())},
        }
        for n, text in enumerate(cells)
    ]
    path.write_text(json.dumps({"cells": content, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))


def stand_in(folder: Path, name: str, line: str) -> dict[str, str]:
    """Return an environment with a program of that name, which writes its arguments to out.csv."""
    program = folder / "bin" / name
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nprintf \'got\\n"%s"\\n\' "$*" > out.csv\n{line}\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


def test_a_notebook_with_parameters(tmp_path: Path, packhorse: Run) -> None:
    notebook(
        tmp_path / "fit.ipynb",
        "n = 10\nmethod = 'ols'\nseed = 1\n",
        "%matplotlib inline\nimport pandas\nd.to_csv('out.csv')\n",
        tags=("parameters",),
    )
    assert packhorse("init", "fit.ipynb", cwd=tmp_path).returncode == 0
    study = tmp_path / "study.yaml"
    assert command(study) == ("papermill fit.ipynb fit-run.ipynb -p n {n} -r method {method} -p seed {seed}")
    assert "result: out.csv" in study.read_text()
    assert "artifacts: [fit-run.ipynb]" in study.read_text()
    done = packhorse("run", cwd=tmp_path, env=stand_in(tmp_path, "papermill", 'cp "$1" "$2"'))
    assert done.returncode == 0, done.stderr
    assert "-p n 10 -r method ols -p seed" in table(study)
    assert list((tmp_path / "runs").glob("*/artifacts/0/fit-run.ipynb"))


def test_a_notebook_without_parameters_is_refused(tmp_path: Path, packhorse: Run) -> None:
    notebook(tmp_path / "fit.ipynb", "n = 10\n", "print(n)\n")
    refused = packhorse("init", "fit.ipynb", cwd=tmp_path)
    assert refused.returncode == 2
    assert "no cell with the tag 'parameters'" in refused.stderr
    assert "jupyter nbconvert --to script fit.ipynb; packhorse init fit.py" in refused.stderr
    assert not (tmp_path / "study.yaml").exists()
    notebook(tmp_path / "asks.ipynb", "from packhorse import task\n", "task.result(y=task.params['n'])\n")
    assert packhorse("init", "asks.ipynb", cwd=tmp_path).returncode == 0
    assert command(tmp_path / "study.yaml") == (
        "jupyter nbconvert --to notebook --execute asks.ipynb --output asks-run.ipynb"
    )
    (tmp_path / "bad.ipynb").write_text("{")
    assert "not a Jupyter notebook" in packhorse("init", "bad.ipynb", cwd=tmp_path).stderr


RMD = """
    ---
    title: "A report"
    params:
      n: 100
      method: ols
      when: !r Sys.Date()
      slider: {label: "Scale", value: 0.5, input: slider}
    ---

    ```{r setup, include=FALSE}
    write.csv(data.frame(y = params$n), "out.csv")
    ```
    """


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "report.Rmd",
            '"Rscript -e \'a <- commandArgs(TRUE); rmarkdown::render(\\"report.Rmd\\", params = list(n = as.integer(a[1]),'
            ' method = as.character(a[2]), slider = as.numeric(a[3])), output_file = \\"report-run.html\\")\''
            ' {n} {method} {slider}"',
        ),
        (
            "report.qmd",
            '"quarto render report.qmd -P n:{n} -P method:{method} -P slider:{slider} --output report-run.html"',
        ),
    ],
)
def test_a_document_with_params(tmp_path: Path, packhorse: Run, name: str, expected: str) -> None:
    (tmp_path / name).write_text(textwrap.dedent(RMD).lstrip("\n"))
    done = packhorse("init", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    study = tmp_path / "study.yaml"
    assert command(study) == expected
    assert "result: out.csv" in study.read_text()
    assert "parameters n, method, slider" in done.stdout
    if name == "report.qmd":
        done = packhorse("run", cwd=tmp_path, env=stand_in(tmp_path, "quarto", "touch report-run.html"))
        assert done.returncode == 0, done.stderr
        assert "-P n:100 -P method:ols -P slider:0.5" in table(study)


@pytest.mark.r
def test_the_arguments_of_a_document_arrive_in_r(tmp_path: Path, packhorse: Run) -> None:
    """With a stand-in for rmarkdown, which reads what it would be called with."""
    (tmp_path / "report.Rmd").write_text(textwrap.dedent(RMD).lstrip("\n"))
    assert packhorse("init", "report.Rmd", cwd=tmp_path).returncode == 0
    study = tmp_path / "study.yaml"
    text = study.read_text().replace("rmarkdown::render(", "(function(...) dput(list(...)))(")
    study.write_text(
        text.replace("method: ols", 'method: "it\'s"').replace("result: out.csv", "result: none")
    )
    tried = packhorse("try", cwd=tmp_path)
    assert 'params = list(n = 100L, method = "it\'s", slider = 0.5)' in tried.stdout, (
        tried.stdout + tried.stderr
    )


def test_a_document_without_params_is_refused(tmp_path: Path, packhorse: Run) -> None:
    (tmp_path / "report.Rmd").write_text("---\ntitle: x\n---\n\n```{r}\nn <- 50\n```\n")
    refused = packhorse("init", "report.Rmd", cwd=tmp_path)
    assert refused.returncode == 2
    assert "report.Rmd has no params in its header" in refused.stderr
    assert "params: {n: 50}" in refused.stderr
    assert "knitr::purl" in refused.stderr
    (tmp_path / "py.qmd").write_text(
        "---\ntitle: x\n---\n\n```{python}\n#| tags: [parameters]\nn = 50\n```\n"
    )
    assert packhorse("init", "py.qmd", cwd=tmp_path).returncode == 0
    assert "quarto render py.qmd -P n:{n}" in command(tmp_path / "study.yaml")
