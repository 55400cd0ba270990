"""What a draft proposes for the result, the seed, the cores and the index: from what the script does, never a guess."""

from __future__ import annotations

import pytest

from packhorse.study.discover.draft import discover, study_lines
from packhorse.study.parse import parse_study


def draft(source: str, filename: str = "sim.py") -> str:
    """Return the draft, which is a study as it stands."""
    text = study_lines(discover(source, filename))
    parse_study(text, path="study.yaml", read=lambda _: b"")
    return text


def line(text: str, key: str) -> str:
    return next((row for row in text.splitlines() if row.startswith(f"{key}:")), "")


ARRAY = "import os\ntask_id = int(os.environ['SLURM_ARRAY_TASK_ID'])\n"
ARRAY_R = 'id <- as.integer(Sys.getenv("SLURM_ARRAY_TASK_ID"))\n'


@pytest.mark.parametrize(
    ("source", "filename", "result"),
    [
        # One bare number, in a file that is named by the index.
        (
            ARRAY + "with open(f'out/result_task_{task_id}.csv', 'w') as f:\n    f.write(str(result))\n",
            "a.py",
            'result: {file: "out/result_task_{task_id}.csv", header: [result]}',
        ),
        (
            ARRAY + "f = open('out/r_%03d.csv' % task_id, 'w')\nprint(x.mean(), file=f)\n",
            "a.py",
            'result: {file: "out/r_{task_id:03d}.csv", header: [mean]}',
        ),
        (
            ARRAY + "name = os.path.join('out', 'r_{}.dat'.format(task_id))\n"
            "with open(name, 'w') as f:\n    f.write('%d,%f\\n' % (n, mean))\n",
            "a.py",
            'result: {file: "out/r_{task_id}.dat", header: [n, mean]}',
        ),
        # csv.writer with its header, and without one.
        (
            "import csv\nwith open('o.csv', 'w') as f:\n    w = csv.writer(f)\n"
            "    w.writerow(['n', 'y'])\n    w.writerow([n, y])\n",
            "a.py",
            "result: o.csv",
        ),
        (
            "import csv\nwith open('o.csv', 'w') as f:\n    w = csv.writer(f)\n    w.writerow([n, y])\n",
            "a.py",
            "result: {file: o.csv, header: [n, y]}",
        ),
        # Names that are composed by pathlib and by addition; a format that a study lacks becomes a pattern.
        (
            "import sys\nfrom pathlib import Path\nn = int(sys.argv[1])\nout = Path('res') / ('n' + str(n) + '.csv')\n"
            "df.to_csv(out)\n",
            "a.py",
            "result: res/n{n}.csv",
        ),
        ("df.to_csv(f'res/r_{time.time()}.csv')\n", "a.py", 'result: "res/r_*.csv"'),
        ("import json\nwith open('o.out', 'w') as f:\n    json.dump(d, f)\n", "a.py", "result: {file: o.out, format: json}"),
        ("with open('o.out', 'w') as f:\n    f.write(str(y))\n", "a.py", "result: {file: o.out, format: text}"),
        (ARRAY + "np.save(f'r{task_id}.npy', a)\n", "a.py", "result: r{task_id}.npy"),
        # A parameter that names the written file is the output; one that names its folder is not.
        (
            "p.add_argument('--target', default='r.csv')\nargs = p.parse_args()\ndf.to_csv(args.target)\n",
            "a.py",
            'result: "{output.csv}"  # or .json, .ndjson, .parquet, .txt, as the script writes it',
        ),
        (
            "p.add_argument('--output', default='res')\nargs = p.parse_args()\n"
            "df.to_csv(os.path.join(args.output, 'r.csv'))\n",
            "a.py",
            'result: "{output_value}/r.csv"',
        ),
        (
            "p.add_argument('--out')\nargs = p.parse_args()\nwith open(args.out, 'w') as f:\n    print(a * 2, file=f)\n",
            "a.py",
            'result: {file: "{output.csv}", header: [value]}  # or .json, .ndjson, .parquet, .txt, as the script writes it',
        ),
        # R.
        (
            ARRAY_R + 'f <- sprintf("out/r_%03d.csv", id)\nwrite.csv(d, file = f, row.names = FALSE)\n',
            "a.R",
            'result: "out/r_{id:03d}.csv"',
        ),
        (ARRAY_R + 'saveRDS(d, file.path("out", paste0("r", id, ".rds")))\n', "a.R", "result: out/r{id}.rds"),
        (ARRAY_R + 'cat(est, file = paste("out/r", id, ".csv", sep = ""))\n', "a.R",
         'result: {file: "out/r{id}.csv", header: [est]}'),
        ('write.csv(d, "a.csv")\npdf("fig.pdf")\n', "a.R", "result: a.csv"),
        # What is printed.
        ("res = {'n': 1}\nprint(res)\n", "a.py", "result: auto  # the dict that the script prints last: its keys become columns"),
    ],
)  # fmt: skip
def test_the_result_is_what_the_script_writes(source: str, filename: str, result: str) -> None:
    assert line(draft(source, filename), "result") == result


def test_a_seed_is_never_told_to_be_missing_where_one_is_set() -> None:
    derived = [
        (ARRAY_R + "base <- 42\nset.seed(base + id)\nx <- rnorm(3)\n", "a.R"),
        ("seeds <- 1:10\nf <- function(s) { set.seed(s); rnorm(1) }\n", "a.R"),
        ("import random\ndef work(seed):\n    random.seed(seed)\n", "a.py"),
        ("import numpy as np\nrng = np.random.default_rng(offset + 3)\n", "a.py"),
        ("import numpy as np\nfor seed in range(3):\n    np.random.seed(seed)\n", "a.py"),
        ('source("sim.R")\nx <- rnorm(3)\n', "a.R"),  # which may set one
        ("# rnorm(3)\nprint(1)\n", "a.R"),
    ]
    for source, filename in derived:
        text = draft(source, filename)
        assert "no seed" not in text, source
        assert "same numbers" not in text, source
    for source, filename, shown in [
        ("x <- 1\nset.seed(12345)\nrnorm(3)\n", "a.R", "a.R, line 2: set.seed(12345) is the same in every task"),
        ("import random\nSEED = 7\nx = 1 if y else 2\nrandom.seed(SEED)\n", "a.py", "line 4: random.seed(SEED) is the same"),
        (ARRAY + "np.random.seed(0)\n", "a.py", "all tasks draw the same numbers"),
    ]:  # fmt: skip
        text = draft(source, filename)
        if filename == "a.py" and "SEED" in source:
            assert "SEED = task.seed" in text or shown in text
        else:
            assert shown in text
            assert "no seed" not in text
    assert "a.R draws random numbers, and no seed was found in it" in draft("rnorm(3)\n", "a.R")
    assert "no seed was found" not in draft("import numpy as np\nnp.random.seed()\n", "a.R")


def test_cores_that_a_script_fixes_are_asked_for() -> None:
    for source, filename, cores in [
        ("with Pool(8) as p: pass\n", "a.py", 8),
        ("N = 6\nwith ProcessPoolExecutor(max_workers=N) as p: pass\n", "a.py", 6),
        ("m = RandomForestClassifier(n_jobs=4)\n", "a.py", 4),
        ("n_cores <- 8\nr <- mclapply(1:9, f, mc.cores = n_cores)\n", "a.R", 8),
        ("cl <- makeCluster(3)\nregisterDoParallel(cl)\n", "a.R", 3),
        ("registerDoParallel(cores = 5)\n", "a.R", 5),
    ]:
        assert line(draft(source, filename), "resources").startswith(
            f"resources: {{cpus: {cores}}}  # {filename}, line "
        )
    for source, filename in [("# Pool(8)\n", "a.py"), ("Pool(n)\n", "a.py"), ("x <- 8\n", "a.R")]:
        assert not line(draft(source, filename), "resources")
    everything = draft("cl <- makeCluster(parallel::detectCores() - 1)\n", "a.R")
    assert "a.R, line 1: parallel::detectCores() counts the cores of the whole node" in everything
    assert 'Sys.getenv("MC_CORES")' in everything


def test_the_index_of_an_array_is_one_parameter_with_one_value() -> None:
    for source, command in [
        (ARRAY, "python sim.py"),
        ("import sys, os\ntask_id = int(sys.argv[1])\nassert os.environ['SLURM_ARRAY_TASK_ID']\n", "python sim.py {task_id}"),
        (
            "p.add_argument('--task_id', type=int, default=int(os.environ.get('SLURM_ARRAY_TASK_ID', 0)))\n",
            "python sim.py --task_id={task_id}",
        ),
    ]:  # fmt: skip
        text = draft(source)
        assert line(text, "command") == f"command: {command}"
        assert "  task_id: 0  # the index of the array; for 100 tasks: {range: {from: 0, to: 99}}" in text
        assert "index_variable: {name: SLURM_ARRAY_TASK_ID, parameter: task_id}" in text
        assert text.count("task_id:") == 1
    only = draft("args <- commandArgs(TRUE)\nrep <- as.numeric(commandArgs(trailingOnly=TRUE))\n", "a.R")
    assert line(only, "command") == "command: Rscript a.R {rep}"


def test_required_options_are_lines_to_fill_in() -> None:
    for source, filename in [
        ("p.add_argument('--n', type=int, required=True)\n", "a.py"),
        ("p.add_option('-n', '--n', type='int')\nif options.n is None:\n    p.error('need n')\n", "a.py"),
        ('make_option(c("-n", "--n"), type="integer")\nif (is.null(opt$n)) stop("need n")\n', "a.R"),
        ('make_option("--n", type="integer", help="sample size [required]")\n', "a.R"),
    ]:
        text = draft(source, filename)
        assert "--n={n}" in line(text, "command"), source
        assert "  n: CHANGE-ME  # " in text
        assert "required: write your value, or a list: [10, 20]" in text
    kept = draft("p.add_argument('--name')\nif args.name is None:\n    args.name = 'x'\n")
    assert "--name={name}" not in line(kept, "command")
