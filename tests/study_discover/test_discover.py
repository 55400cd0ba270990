"""`packhorse init` on scripts as people write them."""

import pathlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from packhorse.study.discover.draft import discover, study_lines
from packhorse.study.parse import parse_study

EXAMPLES = pathlib.Path(__file__).parents[2] / "examples"


def drafted(source: str, filename: str = "sim.py") -> dict:
    """The draft as a YAML 1.2 reader sees it."""
    text = study_lines(discover(source, filename))
    parse_study(text, path="study.yaml", read=lambda _: b"")  # the draft is a study as it stands
    return YAML(typ="safe", pure=True).load(text)


ARGPARSE = """
import argparse, numpy as np
p = argparse.ArgumentParser()
p.add_argument("data")
p.add_argument("-n", "--n-obs", type=int, default=50, help="sample\\nsize # of a group")
p.add_argument("--method", choices=["ols", "huber"], default="ols")
p.add_argument("--scale", type=float, required=True)
p.add_argument("--config")
p.add_argument("--verbose", action="store_true")
p.add_argument("--seed", type=int, default=0)
p.add_argument("--version", action="version", version="1")
args = p.parse_args()
df.to_csv(f"out/{args.method}.csv"); plt.savefig("fig.png")
"""


def test_argparse():
    study = drafted(ARGPARSE)
    assert study["name"] == "sim"
    assert (
        study["command"]
        == "python sim.py {data} --n-obs={n_obs} --method={method} --scale={scale} --seed={seed}"
    )
    assert study["parameters"] == {"data": "CHANGE-ME", "n_obs": 50, "method": "ols", "scale": "CHANGE-ME"}
    assert study["result"] == "out/{method}.csv"
    assert study["artifacts"] == ["fig.png"]
    text = study_lines(discover(ARGPARSE, "sim.py"))
    assert "# sample size # of a group; for a sweep, write a list: [50, 100]" in text
    assert "for all choices: [ols, huber]" in text
    assert "--verbose" in text
    assert "Options without a default: --config={config}." in text


def test_old_generators_get_the_short_seed():
    assert drafted(ARGPARSE + "np.random.seed(args.seed)")["command"].endswith("--seed={seed32}")


def test_click():
    study = drafted(
        "import click\n"
        "@click.command()\n"
        "@click.argument('path')\n"
        "@click.option('--n', '-n', default=10)\n"
        "@click.option('--kind', type=click.Choice(['a', 'b']), required=True)\n"
        "@click.option('--plot/--no-plot', default=False)\n"
        "@click.option('-o', '--out', default='r.json')\n"
        "def main(path, n, kind, plot, out): pass\n"
    )
    assert study["command"] == "python sim.py {path} --n={n} --kind={kind} --out={output.json}"
    assert study["parameters"] == {"path": "CHANGE-ME", "n": 10, "kind": "a"}
    assert study["result"] == "{output.json}"


def test_argv_in_its_many_forms():
    study = drafted(
        "import sys, json\n"
        "n = int(sys.argv[1])\n"
        "scale = float(sys.argv[2]) if len(sys.argv) > 2 else 0.5\n"
        "seed = int(sys.argv[3])\n"
        "print(sys.argv[5])\n"
        "print(json.dumps({'n': n}))\n"
    )
    assert study["command"] == "python sim.py {n} {scale} {seed} {arg4} {arg5}"
    assert study["parameters"] == {"n": 1, "scale": 0.5, "arg4": "CHANGE-ME", "arg5": "CHANGE-ME"}
    assert study["result"] == "json"
    assert drafted("import sys\n_, a, b = sys.argv\n")["command"] == "python sim.py {a} {b}"
    assert (
        drafted("from sys import argv\na, b = int(argv[1]), argv[2]\n")["command"] == "python sim.py {a} {b}"
    )
    assert drafted("import sys\na, b = sys.argv[1:]\n")["command"] == "python sim.py {a} {b}"


def test_typer():
    study = drafted(
        "import typer\ndef main(n: int, rate: float = 0.1, fast: bool = False): ...\ntyper.run(main)\n"
    )
    assert study["command"] == "python sim.py {n} --rate={rate}"
    assert study["parameters"] == {"n": 1, "rate": 0.1}


def test_r_command_args():
    study = drafted(
        "args <- commandArgs(trailingOnly = TRUE)  # not args[9]\n"
        "n <- as.integer(args[1]); rho = as.numeric(args[[2]])\nset.seed(as.integer(args[3]))\n"
        'label <- args[4]\nwrite.csv(d, paste0("out_", n, ".csv"))\nsaveRDS(fit, file = "fit.rds")\n',
        "sim.R",
    )
    assert study["command"] == "Rscript sim.R {n} {rho} {arg3} {label}"
    assert study["parameters"] == {"n": 1, "rho": 1.0, "arg3": "CHANGE-ME", "label": "CHANGE-ME"}
    assert (study["result"], study["artifacts"]) == ("out_{n}.csv", ["fit.rds"])
    assert drafted("a <- commandArgs()\nx <- as.numeric(a[6])\n", "s.R")["command"] == "Rscript s.R {x}"
    assert drafted("k <- as.integer(commandArgs(TRUE)[1])\n", "s.R")["command"] == "Rscript s.R {k}"


def test_r_optparse():
    study = drafted(
        "library(optparse)\n"
        'o <- list(make_option(c("-n", "--n.obs"), type = "integer", default = 100L, help = "size (n)"),\n'
        '  make_option("--rho", type="double", default=.5), make_option("--seed", type="integer", default=1),\n'
        '  make_option("--plot", action="store_true", default=FALSE), make_option("--file", type="character"))\n',
        "sim.R",
    )
    assert study["command"] == "Rscript sim.R --n.obs={n_obs} --rho={rho} --seed={seed32}"
    assert study["parameters"] == {"n_obs": 100, "rho": 0.5}
    assert study["seed"] == 1


def test_array_variables():
    study = drafted(
        "import os\ni = int(os.environ['SLURM_ARRAY_TASK_ID']) - 1\nopen('o.csv', 'w')\nopen('in.csv')\n"
    )
    assert study["index_variable"] == {"name": "SLURM_ARRAY_TASK_ID", "parameter": "task"}
    assert study["parameters"] == {"task": 1}
    assert study["result"] == "o.csv"
    assert drafted('i <- Sys.getenv("PBS_ARRAYID")', "a.R")["parameters"] == {"i": 1}
    assert drafted("import os\ni = os.environ['PBS_ARRAYID']; open('a}.csv', 'w')")["parameters"] == {"i": 0}


def test_names_that_templates_use_are_changed():
    study = drafted("p.add_argument('--count', default=3)\np.add_argument('--x.y', default='no: \"1\"')\n")
    assert study["command"] == "python sim.py --count={count_value} --x.y={x_y}"
    assert study["parameters"] == {"count_value": 3, "x_y": 'no: "1"'}
    assert drafted("p.add_argument('--folds', default=5)\n")["parameters"] == {"folds_value": 5}


def test_an_unseeded_script_is_told():
    assert "PACKHORSE_SEED" in study_lines(discover("import numpy as np\nnp.random.normal()\n", "a.py"))
    assert "PACKHORSE_SEED32" in study_lines(discover("rnorm(3)", "a.R"))
    assert "PACKHORSE_SEED" not in study_lines(discover("print(1)", "a.py"))


@pytest.mark.parametrize("source", ["def f(:\n", "x = 1\0", "(" * 5000, "print 'two'\n"])
def test_wrong_python_gives_the_plain_command_and_says_why(source):
    text = study_lines(discover(source, "sim.py"))
    assert "# sim.py " in text
    assert drafted(source)["command"] == "python sim.py"


def test_other_files():
    assert drafted("echo hi", "a b.sh")["command"] == "bash 'a b.sh'"
    assert drafted("", "model")["command"] == "./model"


def test_the_examples():
    commands = {
        "ode/vanderpol.py": "python vanderpol.py --mu={mu} --solver={solver} --rtol={rtol}",
        "penguins/resample.py": "python resample.py {data} --seed={seed}",
        "r-mean/mean.R": "Rscript mean.R {id}",
        "array-script/power.py": "python power.py",
    }
    results = {"ode/vanderpol.py": "point.json", "penguins/resample.py": "json"}
    results |= {"r-mean/mean.R": "results/mean_{id}.csv", "array-script/power.py": "power.csv"}
    for name, command in commands.items():
        path = EXAMPLES / name
        study = drafted(path.read_text(), path.name)
        assert (study["command"], study["result"]) == (command, results[name])


PIECES = st.sampled_from(
    [
        "sys.argv[1]", "int(", ")", "n = ", "p.add_argument(", "'--n'", ", ", "default=", "1", "\n", "def f(", "):",
        "@click.option(", "make_option(", "commandArgs(TRUE)[", "]", "write.csv(", '"', "f'{x}.csv'", "open(", "'w'",
        "paste0(", "sprintf(", "%d", "-", "SLURM_ARRAY_TASK_ID", "typer.run(f)", "#", "\\", "{", "}", "é", "import typer",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=12).map("".join) | st.text(max_size=40),
    st.sampled_from(["a.py", "a.R", "b", "-x{y}.py"]),
)
def test_no_text_makes_it_fall(source, filename):
    study = drafted(source, filename)
    assert study["command"]
    assert "result" in study


@given(
    st.text(max_size=20) | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.booleans()
)
def test_defaults_of_every_kind_survive(default):
    parameters = drafted(f"p.add_argument('--x', default={default!r})").get("parameters")
    if isinstance(default, str) and "\0" in default:
        assert parameters is None  # no program can be given it, so the option is left out
    elif isinstance(default, int) and not -(2**63) <= default < 2**63:
        assert parameters == {"x": str(default)}
    else:
        assert parameters == {"x": default}
