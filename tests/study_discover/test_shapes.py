"""`packhorse init` on the libraries for arguments that scripts use, each in several shapes."""

from __future__ import annotations

import contextlib
import json
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.model.errors import UsageError
from packhorse.study.discover.documents.draft import document_lines
from packhorse.study.discover.documents.reader import read_document
from packhorse.study.discover.draft import discover, study_lines
from packhorse.study.parse import parse_study


def command(source: str, filename: str = "sim.py", *subcommand: str) -> str:
    """Return the command of the draft, which must be a study as it stands."""
    text = draft(source, filename, *subcommand)
    (line,) = [line for line in text.splitlines() if line.startswith("command: ")]
    return line.removeprefix("command: ")


def draft(source: str, filename: str = "sim.py", *subcommand: str) -> str:
    text = study_lines(discover(textwrap.dedent(source).lstrip("\n"), filename, subcommand))
    parse_study(text, path="study.yaml", read=lambda _: b"")
    return text


def subcommands(source: str, filename: str = "sim.py") -> str:
    with pytest.raises(UsageError) as caught:
        draft(source, filename)
    assert caught.value.hint.startswith("packhorse init SCRIPT ")
    return caught.value.message.partition("subcommands ")[2].partition(";")[0]


# --- argparse ---

LOOP = """
    import argparse
    def build():
        parser = argparse.ArgumentParser()
        sub = parser.add_subparsers(dest="cmd")
        for name in ("fit", "score"):
            p = sub.add_parser(name)
            p.add_argument("--data", default="d.csv")
        sub.add_parser("plot").add_argument("--width", type=float, default=5)
        return parser
    """
PARENTS = """
    import argparse
    base = argparse.ArgumentParser(add_help=False)
    base.add_argument("--n", type=int, default=5)
    p = argparse.ArgumentParser()
    p.add_argument("--log", default="info")
    s = p.add_subparsers(title="what")
    a = s.add_parser("a", parents=[base])
    group = a.add_argument_group("more")
    group.add_argument("--x", type=float, default=0.5)
    b = s.add_parser("b")
    b.add_argument("y")
    inner = b.add_subparsers()
    c = inner.add_parser("c")
    c.add_argument("--z", type=int, default=1)
    """
ADDERS = """
    import argparse
    class App:
        def __init__(self):
            self.parser = argparse.ArgumentParser()
            self.sub = self.parser.add_subparsers()
            self.one = self.sub.add_parser("one")
            self.one.add_argument("--k", type=int, default=3)
            add_two(self.sub)
    def add_two(subparsers):
        two = subparsers.add_parser("two")
        two.add_argument("--m", type=int, default=4)
    """


def test_argparse_in_loops_with_parents_and_in_functions() -> None:
    assert subcommands(LOOP) == "fit, score, plot"
    assert command(LOOP, "sim.py", "score") == "python sim.py score --data={data}"
    assert command(LOOP, "sim.py", "plot") == "python sim.py plot --width={width}"
    assert subcommands(PARENTS) == "a, b c"
    assert command(PARENTS, "sim.py", "a") == "python sim.py --log={log} a --n={n} --x={x}"
    assert command(PARENTS, "sim.py", "b", "c") == "python sim.py --log={log} {y} b c --z={z}"
    assert subcommands(ADDERS) == "one, two"
    assert command(ADDERS, "sim.py", "two") == "python sim.py two --m={m}"


def test_several_words_and_short_options() -> None:
    source = """
        p.add_argument("--layers", type=int, nargs="+", default=[64, 64])
        p.add_argument("--range", type=float, nargs=2, required=True)
        p.add_argument("--ids", nargs="*")
        p.add_argument("-k", type=int, default=-5)
        """
    text = draft(source)
    assert command(source) == "python sim.py --layers {layers...} --range {range...} -k {k}"
    assert "layers: [[64, 64]]  # for a sweep, write a list of lists" in text
    assert "Options without a default: --ids {ids...}." in text


# --- click and typer ---

CLICK = """
    import click
    def shared(f):
        f = click.option("--data", default="d.csv")(f)
        return f
    @click.group()
    @click.option("--debug/--no-debug", default=False)
    @click.option("--root", default="data")
    def cli(debug, root): pass
    @cli.command()
    @click.argument("name")
    @click.option("--lr", default=0.1)
    @shared
    def train_model(name, lr, data): pass
    @cli.group()
    def db(): pass
    @db.command("up")
    @click.option("--n", type=int, required=True)
    def upgrade(n): pass
    @click.command()
    @click.option("--k", default=3)
    def other(k): pass
    cli.add_command(other, "extra")
    """


def test_groups_of_click() -> None:
    assert subcommands(CLICK) == "train-model, db up, extra"
    expected = "python sim.py --root={root} train-model {name} --lr={lr} --data={data}"
    assert command(CLICK, "sim.py", "train-model") == expected
    assert command(CLICK, "sim.py", "db", "up") == "python sim.py --root={root} db up --n={n}"
    assert command(CLICK, "sim.py", "extra") == "python sim.py --root={root} extra --k={k}"
    assert "{--debug} before extra" in draft(CLICK, "sim.py", "extra")
    alone = (
        CLICK.replace("@cli.command()", "@click.command()")
        .partition("@cli.group")[0]
        .replace("group", "command")
    )
    assert command(alone + "\n    if __name__ == '__main__':\n        train_model()\n") == (
        "python sim.py {name} --data={data} --lr={lr}"
    )


TYPER = """
    import typer
    from typing import Annotated, Optional
    app = typer.Typer()
    more = typer.Typer()
    app.add_typer(more, name="more")
    @app.command()
    def train(data: str, lr: Annotated[float, typer.Option(help="rate")] = 0.1,
              n_steps: int = typer.Option(10, "--steps", "-s"), fast: bool = False, seed: Optional[int] = None): ...
    @app.command("test")
    def test_it(x: float = typer.Argument(1.0)): ...
    @more.command()
    def info(k: int = 1): ...
    """


def test_apps_of_typer() -> None:
    assert subcommands(TYPER) == "train, test, more info"
    expected = "python sim.py train {data} --lr={lr} --steps={n_steps} --seed={seed}"
    assert command(TYPER, "sim.py", "train") == expected
    assert "rate; for a sweep" in draft(TYPER, "sim.py", "train")
    assert command(TYPER, "sim.py", "test") == "python sim.py test {x}"
    assert command(TYPER, "sim.py", "more", "info") == "python sim.py more info --k={k}"
    single = (
        "import typer\napp = typer.Typer()\n@app.command()\ndef main(n: int, tag: str = 'a'): ...\napp()\n"
    )
    assert command(single) == "python sim.py {n} --tag={tag}"
    with_callback = single.replace(
        "@app.command", "@app.callback()\ndef every(debug: bool = False): ...\n@app.command"
    )
    assert command(with_callback) == "python sim.py main {n} --tag={tag}"


# --- fire, docopt, absl, optparse ---

FIRE = "import fire\ndef train(n, lr=0.1, out='r.csv'): ...\ndef test(k=2): ...\ndef _private(): ...\n"
FIRE_CLASS = (
    "import fire\nclass Sim:\n    def __init__(self, n=10): ...\n    def run(self, steps=5): ...\n"
    "    def show(self): ...\nfire.Fire(Sim)\n"
)


def test_fire() -> None:
    assert subcommands(FIRE + "fire.Fire()\n") == "train, test"
    expected = "python sim.py train --n={n} --lr={lr} --out={output.csv}"
    assert command(FIRE + "fire.Fire()\n", "sim.py", "train") == expected
    assert subcommands(FIRE + "fire.Fire({'fit': train, 'check': test})\n") == "fit, check"
    assert command(FIRE + "fire.Fire(test)\n") == "python sim.py --k={k}"
    assert subcommands(FIRE_CLASS) == "run, show"
    assert command(FIRE_CLASS, "sim.py", "run") == "python sim.py --n={n} run --steps={steps}"


DOCOPT = '''
    """Simulate.

    Usage:
      sim.py train <data> [--lr=<x>] [options]
      sim.py (eval|test) <data>
      sim.py -h | --help

    Options:
      --lr=<x>       Rate [default: 0.1].
      -n N, --num=N  Number [default: 10]
      --seed=<s>     Seed [default: 1]
      --verbose      Talk.
    """
    from docopt import docopt
    a = docopt(__doc__)
    '''


def test_docopt() -> None:
    assert subcommands(DOCOPT) == "train, eval, test"
    expected = "python sim.py train {data} --lr={lr} --num={num} --seed={seed}"
    assert command(DOCOPT, "sim.py", "train") == expected
    assert "lr: 0.1 " in draft(DOCOPT, "sim.py", "train")
    assert "{--verbose}" in draft(DOCOPT, "sim.py", "train")
    assert command(DOCOPT, "sim.py", "test") == "python sim.py test {data}"
    plain = '"""Usage: sim.py [--n=<n>] [--fast] <file>\n\n--n=<n>  size [default: 5]\n"""\nfrom docopt import docopt\n'
    assert command(plain) == "python sim.py {file_value} --n={n}"
    in_r = 'library(docopt)\ndoc <- "Usage: sim.R [--rho=<r>] <file>\n\n--rho=<r>  corr [default: 0.5]"\no <- docopt(doc)\n'
    assert command(in_r, "sim.R") == "Rscript sim.R {file_value} --rho={rho}"


def test_absl_and_optparse() -> None:
    absl = """
        from absl import app, flags
        flags.DEFINE_integer("n", 10, "size")
        flags.DEFINE_float("lr", 0.1, "rate", lower_bound=0)
        flags.DEFINE_enum("opt", "sgd", ["sgd", "adam"], "optimizer")
        flags.DEFINE_bool("fast", False, "speed")
        flags.DEFINE_string("data", None, "path")
        """
    assert command(absl) == "python sim.py --n={n} --lr={lr} --opt={opt}"
    assert "for all choices: [sgd, adam]" in draft(absl)
    assert "{--fast}" in draft(absl)
    optparse = """
        p = OptionParser()
        p.add_option("-n", "--num", dest="n", type="int", default=5)
        p.add_option("-q", action="store_false", dest="verbose", default=True)
        p.add_option("-s", type="float", default=0.5)
        """
    assert command(optparse) == "python sim.py --num={n} -s {s}"


# --- R and shell ---


def test_argument_libraries_of_r() -> None:
    argparse = """
        parser <- ArgumentParser()
        parser$add_argument("--n", type = "integer", default = 10, help = "n obs")
        parser$add_argument("-v", "--verbose", action = "store_true")
        parser$add_argument("data")
        """
    assert command(argparse, "a.R") == "Rscript a.R {data} --n={n}"
    argparser = (
        'library(argparser)\np <- add_argument(p, "--n", help = "n", type = "numeric", default = 10)\n'
    )
    assert command(argparser, "a.R") == "Rscript a.R --n {n}", "argparser does not know --n=10"


def test_shell_scripts() -> None:
    by_position = """
        #!/bin/bash
        # usage: run.sh N SEED, or $7
        n=$1
        seed=${2:-5}
        talk() { echo "$4"; }
        awk '{print $5}' x.txt > out.csv
        python sim.py --n "$n" --seed "$seed" "$3"
        """
    assert command(by_position, "run.sh") == "bash run.sh {n} {seed} {arg3}"
    assert "result: out.csv" in draft(by_position, "run.sh")
    by_options = """
        N=10
        while getopts ":n:s:v" opt; do
          case $opt in
            n) N=$OPTARG ;;
            s) seed="$OPTARG" ;;
            v) verbose=1 ;;
          esac
        done
        """
    assert command(by_options, "run.sh") == "bash run.sh -n {N} -s {seed}"
    assert "N: 10 " in draft(by_options, "run.sh")
    assert "{-v}" in draft(by_options, "run.sh")


def test_a_script_without_subcommands_takes_none() -> None:
    with pytest.raises(UsageError, match="no subcommands, but 'train' is given"):
        draft("p.add_argument('--n', default=1)\n", "sim.py", "train")


# --- Any text ---

PIECES = st.sampled_from(
    [
        "import fire\n", "from docopt import docopt\n", '"""Usage: a.py ', "[--x=<y>]", "(a|b)", "<file>", '"""\n', "docopt(__doc__)\n",
        "s = p.add_subparsers()\n", "q = s.add_parser('a')\n", "q.add_argument('--n', default=1)\n", "for q in (a, b):\n    ",
        "p = argparse.ArgumentParser(parents=[p])\n", "fire.Fire()\n", "fire.Fire({'a': f})\n", "def f(x, y=1, *, z=None): ...\n",
        "class C:\n    def run(self, n: int = 1): ...\n", "fire.Fire(C)\n", "@click.group()\n", "@f.command()\n", "@click.option('--k')\n",
        "app = typer.Typer()\n", "@app.command()\n", "app.add_typer(app, name='b')\n", "f.add_command(f)\n", "flags.DEFINE_enum('a', 1, [2])\n",
        "N = 1\n", "X = 'a\\n'\n", "yaml.safe_load(open('c.yaml'))\n", "$1", "getopts 'a:b'", "f() {", "}\n", "x=${1:-2}\n", "\n", " ",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(PIECES, max_size=10).map("".join),
    st.sampled_from(["a.py", "a.R", "a.sh"]),
    st.sampled_from([(), ("a",), ("run",)]),
)
def test_any_script_gets_a_study_or_a_refusal(
    source: str, filename: str, subcommand: tuple[str, ...]
) -> None:
    with contextlib.suppress(UsageError):
        draft(source, filename, *subcommand)


@settings(max_examples=200, deadline=None)
@given(
    st.recursive(
        st.none()
        | st.integers()
        | st.text(max_size=8)
        | st.sampled_from(["code", "parameters", "n = 1", "r"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["cells", "cell_type", "source", "metadata", "tags", "kernelspec", "language"]
                ),
                inner,
            )
        ),
        max_leaves=12,
    ).map(json.dumps)
    | st.text(alphabet="-\n{}`rparams: n1!'\"#|", max_size=60).map("---\n{}\n---\n```{{r}}\n".format),
    st.sampled_from(["a.ipynb", "a.Rmd", "a.qmd"]),
)
def test_any_document_gets_a_study_or_a_refusal(source: str, filename: str) -> None:
    document = read_document(source, filename)
    if document.problem:
        assert document.hint
    else:
        parse_study(document_lines(document, filename), path="study.yaml", read=lambda _: b"")
