"""A whole study file: every key, every error at its place, and no traceback for any text."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from packhorse.model.errors import StudyError
from packhorse.model.study import Cluster, Environment, IndexVariable, Resources, Result, Study, Summary
from packhorse.study.parse import default_name, parse_study
from study.studies import parse, reader, refusal

FULL = """\
name: coverage
command: python sim.py --n {n} --method {method} --seed {seed32} --out {output.csv}
parameters:
  n: [10, 20, 50]
  method: [ols, lad]
  x: {range: [0, 1, 0.25]}
  where: n > 10 or method == 'ols'
replicates: 400
seed: 7
seeding: common
resources: {cpus: 2, memory: 1.5 GB, time: 90 min, expected: 90 s, gpus: 1}
result: {file: "{output.csv}", format: csv}
artifacts: figures/*.png
code: ["*.py"]
include: [model.bin]
data: [data, /shared/big]
env: {LANG: C, THREADS: 08, HOME: null, DEBUG: true}
environment: {venv: .venv}
checks: [pytest -q, ruff check]
summary: {by: [n, method], of: estimate, quantiles: [0.025, 0.5, 1]}
time_limit: 500 ms
retries: 2
checkpoint: true
index_variable: {name: SLURM_ARRAY_TASK_ID, start: 1}
defaults: {method: ols}
cluster:
  partition: general
  account: "00123"
  qos: long
  job_time: 4 h
  max_jobs: 20
  max_core_hours: 500
  mail: me@example.org
  mail_when: [begin, fail]
  modules: [gcc/12.2, r]
  setup: source ~/start
  options: [--constraint=haswell, -C fast]
sites:
  quartz:
    resources: {memory: 4 GB, time: 1-0}
    cluster: {partition: debug, modules: []}
    env: {LANG: C.UTF-8, ACCOUNT: stat}
    environment: {python: /opt/bin/python3}
    retries: 0
"""


def test_every_key_finds_its_place():
    study = parse(FULL)
    expected = {
        "name": "coverage",
        "command": (
            "python",
            "sim.py",
            "--n",
            "{n}",
            "--method",
            "{method}",
            "--seed",
            "{seed32}",
            "--out",
            "{output.csv}",
        ),
        "replicates": 400,
        "seed": 7,
        "seeding": "common",
        "resources": Resources(cpus=2, memory=1536, time=5400, expected=90.0, gpus=1),
        "result": Result(kind="file", file="{output.csv}", format="csv"),
        "artifacts": ("figures/*.png",),
        "code": ("*.py",),
        "include": ("model.bin",),
        "data": ("data", "/shared/big"),
        "env": {"LANG": "C", "THREADS": "08", "HOME": None, "DEBUG": "true"},
        "environment": Environment(kind="venv", path=".venv"),
        "checks": ("pytest -q", "ruff check"),
        "summary": Summary(by=("n", "method"), of=("estimate",), quantiles=(0.025, 0.5, 1.0)),
        "time_limit": 0.5,
        "retries": 2,
        "checkpoint": True,
        "index_variable": IndexVariable(name="SLURM_ARRAY_TASK_ID", start=1),
        "defaults": {"method": "ols"},
        "cluster": Cluster(
            partition="general",
            account="00123",
            qos="long",
            job_time=14400,
            max_jobs=20,
            max_core_hours=500.0,
            mail="me@example.org",
            mail_when=("begin", "fail"),
            modules=("gcc/12.2", "r"),
            setup=("source ~/start",),
            options=("--constraint=haswell", "-C fast"),
        ),
    }
    assert {key: getattr(study, key) for key in expected} == expected
    assert [factor.names for factor in study.factors] == [("n", "method"), ("x",)]
    assert study.sites["quartz"]["retries"] == 0


def test_a_site_overrides_where_and_how_entry_by_entry():
    study = parse(FULL, site="quartz")
    assert study.resources == Resources(cpus=2, memory=4096, time=86400, expected=90.0, gpus=1)
    assert study.cluster == replace(parse(FULL).cluster, partition="debug", modules=())
    assert study.env == {"LANG": "C.UTF-8", "THREADS": "08", "HOME": None, "DEBUG": "true", "ACCOUNT": "stat"}
    assert study.environment == Environment(kind="python", path="/opt/bin/python3")
    assert study.retries == 0
    assert study.time_limit == 0.5
    assert parse(FULL, site="elsewhere") == parse(FULL)


def test_what_is_not_said_has_its_default():
    assert parse("command: run") == Study(name="sweep", command=("run",))
    assert parse("function: sim:estimate") == Study(
        name="sweep", function="sim:estimate", result=Result(kind="return")
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("sweep.yaml", "sweep"),
        ("a/b/sweep.yaml", "sweep"),
        ("papers/coverage/study.yaml", "coverage"),
        ("study.yaml", "study"),
        ("../study.yaml", "study"),
        ("/tmp/it's\na $(dir)/study.yaml", "it-s-a-dir-"),
        ("été/étude.yml", "étude"),
        ("---.yaml", "study"),
    ],
)
def test_the_name_comes_from_the_file_or_its_folder(path, name):
    assert default_name(path) == name


@pytest.mark.parametrize(
    ("line", "result"),
    [
        ("result: auto", Result()),
        ("result: json", Result(kind="json")),
        ("result: none", Result(kind="none")),
        ("result: out.csv", Result(kind="file", file="out.csv", format="csv")),
        (
            "result: results/{index}.ndjson",
            Result(kind="file", file="results/{index}.ndjson", format="ndjson"),
        ),
        ("result: out/{n:03d}.parquet", Result(kind="file", file="out/{n:03d}.parquet", format="parquet")),
        ("result: '{output}'", Result(kind="file", file="{output}")),
        ("result: '{output.json}'", Result(kind="file", file="{output.json}", format="json")),
        ("result: {file: out.dat, format: text}", Result(kind="file", file="out.dat", format="text")),
    ],
)
def test_results(line, result):
    assert parse(f"command: run\nparameters: {{n: 1}}\n{line}").result == result


def test_a_command_that_names_its_output_needs_no_result_line():
    assert parse("command: 'run {output.json}'").result == Result(
        kind="file", file="{output.json}", format="json"
    )
    assert parse("command: 'run > {output}'\nshell: true").result == Result(kind="file", file="{output}")


def test_environments_and_index_variables_and_env():
    assert parse("command: a\nenvironment: none").environment == Environment()
    assert parse("command: a\nenvironment: {uv: true}").environment == Environment(kind="uv", path=".")
    assert parse("command: a\nenvironment: {uv: proj}").environment == Environment(kind="uv", path="proj")
    assert parse("command: a\nindex_variable: PBS_ARRAYID").index_variable == IndexVariable(
        name="PBS_ARRAYID"
    )
    by_value = parse("command: a\nparameters: {n: [3, 4]}\nindex_variable: {name: N, parameter: n}")
    assert by_value.index_variable == IndexVariable(name="N", parameter="n")
    assert parse("command: a\nenv: [TOKEN, HOME]").env == {"TOKEN": None, "HOME": None}


def test_commands_as_list_and_for_a_shell():
    assert parse("command: [python, -c, 'print(1)', 3, 1e3, '']").command == (
        "python",
        "-c",
        "print(1)",
        "3",
        "1e3",
        "",
    )
    study = parse("command: a {n} | b > c\nshell: true\nparameters: {n: 1}")
    assert (study.shell, study.command) == ("a {n} | b > c", ())


@pytest.mark.parametrize(
    ("text", "where", "said", "hint"),
    [
        ("comand: run", "1:1", "no key 'comand'", "Did you mean 'command'?"),
        ("- a", "1:1", "must be a mapping of", "key: value"),
        ("name: x", "1:1", "neither command nor function", "command: python"),
        ("command: a\nfunction: b:c", "2:1", "both command and function", "one of them"),
        ("command: 5", "1:10", "must be a text, but is the number 5", "'5'"),
        ("command: ''", "1:10", "is empty", "text"),
        ("command: []", "1:10", "is empty", "python"),
        ("command: [a, {n}]", "1:14", "must be a text", "'{n}'"),
        ("command: a\nshell: yes", "2:8", "true or false", "without quotes"),
        ("command: [a]\nshell: true", "1:10", "one text", "one text"),
        ("function: sim", "1:11", "not of the form module:function", "sim:estimate"),
        ("function: a:b\nshell: true", "2:8", "not run by a shell", "Remove"),
        ("function: a:b\nresult: json", "2:9", "for commands", "Remove this line"),
        ("command: a\nresult: return", "2:9", "for functions", "auto"),
        (
            "command: a\nresult: jsn",
            "2:9",
            "neither a file nor one of the allowed words",
            "Did you mean 'json'?",
        ),
        ("command: a\nresult: out.sav", "2:9", "suffix '.sav'", "format: csv"),
        ("command: a\nresult: /tmp/out.csv", "2:9", "leads out", "in the project"),
        ("command: a\nresult: '{nn}.csv'", "2:9", "{nn} is neither a parameter", "index"),
        ("command: a\nresult: {format: csv}", "2:9", "no file", "file: out.csv"),
        ("command: a\nresult: {file: a.b, format: xml}", "2:29", "must be one of csv", "Allowed: "),
        ("command: a {output}\nresult: json", "2:9", "names another source", "result: '{output}'"),
        ("command: a {output.csv} {output.json}", "1:10", "several outputs", "artifacts"),
        ("command: a {m}", "1:10", "{m} is neither a parameter", "{{ and }}"),
        ("command: a {n:d}\nparameters: {n: [1, 2.5]}", "1:10", "does not fit n=1.0", "fits all"),
        ("command: a {index:s}", "1:10", "does not fit index", "fits all"),
        ("command: a\nreplicates: 0", "2:13", "at least 1", "at least 1"),
        ("command: a\nreplicates: 1e3", "2:13", "whole number", "Write 1000"),
        ("command: a\nreplicates: .inf", "2:13", "whole number", "such as 100"),
        ("command: a\nseed: -1", "2:7", "at least 0", "whole number"),
        ("command: a\nseeding: same", "2:10", "independent, common", "Allowed: "),
        ("command: a\nresources: 5", "2:12", "must be a mapping", "key: value"),
        ("command: a\nresources: {cpu: 5}", "2:13", "no key 'cpu'", "'cpus'"),
        ("command: a\nresources: {memory: 4000}", "2:21", "4000 bytes", "'4000 MB'"),
        ("command: a\nresources: {time: 90}", "2:19", "90 minutes", "'90 s'"),
        ("command: a\nresources: {time: true}", "2:19", "amount with a unit", "90 min"),
        ("command: a\ntime_limit: 30", "2:13", "30 minutes", "'30 s'"),
        ("command: a\nretries: many", "2:10", "whole number", "100"),
        ("command: a\nenvironment: conda", "2:14", "none or a mapping", "venv"),
        ("command: a\nenvironment: {venv: a, uv: b}", "2:14", "has 2 keys", "one of"),
        ("command: a\nenvironment: {conda: a}", "2:15", "no key 'conda'", "venv"),
        ("command: a\nenv: {A: [1]}", "2:10", "is a list", "one text"),
        ("command: a\nenv: [A=1]", "2:7", "not a valid name", "{LANG: C}"),
        ("command: a\nsummary: {by: k}", "2:15", "groups by 'k'", "replicate"),
        ("command: a\nsummary: {quantiles: [2]}", "2:23", "must be at most 1, but is 2", "at most 1"),
        ("command: a\nindex_variable: {start: 1}", "2:17", "no name", "SLURM_ARRAY_TASK_ID"),
        (
            "command: a\nindex_variable: {name: A, parameter: n}",
            "2:38",
            "'n' is not a parameter",
            "Allowed: ",
        ),
        ("command: a\ndefaults: {n: 1}", "2:12", "names 'n'", "Allowed: "),
        ("command: a\nsites: {here: {replicates: 1}}", "2:16", "no key 'replicates'", "resources"),
        ("command: a\nsites: {here: {resources: {memory: 4}}}", "2:36", "4 bytes", "'4 MB'"),
        ("command: a\naccount: r1", "2:1", "no key 'account'", "cluster: {account: ...}"),
        ("command: a\nsites: {here: {qos: x}}", "2:16", "no key 'qos'", "cluster: {qos: ...}"),
        ("command: a\ncluster: {acount: r1}", "2:11", "no key 'acount'", "'account'"),
        ("command: a\ncluster: {account: 123}", "2:20", "must be a text", "'123'"),
        ("command: a\ncluster: {partition: a b}", "2:22", "one word", "without spaces"),
        ("command: a\ncluster: {mail: -x}", "2:17", "one word", "without spaces"),
        ("command: a\ncluster: {modules: [gcc, r 4]}", "2:26", "one word", "without spaces"),
        ("command: a\ncluster: {job_time: 90}", "2:21", "no unit", "'90 min'"),
        ("command: a\ncluster: {max_jobs: 0}", "2:21", "at least 1", "whole number"),
        ("command: a\ncluster: {max_core_hours: 0}", "2:27", "greater than 0, but is 0", "greater than 0"),
        ("command: a\ncluster: {mail_when: done}", "2:22", "begin, end, fail", "Allowed: "),
        ("command: a\ncluster: {mail_when: []}", "2:22", "empty", "leave mail out"),
        ("command: a\ncluster: {options: '#SBATCH --x'}", "2:20", "not an option", "without #SBATCH"),
        ('command: a\ncluster: {options: "--a\\n--b"}', "2:20", "not an option", "one option"),
        (
            "command: a\nresources: {expected: 2 h, time: 1 h}",
            "2:23",
            "longer than its time",
            "decrease expected",
        ),
        ("command: a\nname: a/b", "2:7", "is not a valid study name", "letters"),
        ("command: a\ncheckpoint: 1", "2:13", "true or false", "without quotes"),
        ("command: a\nchecks: [[a]]", "2:10", "must be a text", "one text"),
        ("command: a\nartifacts: /tmp/x", "2:12", "leads out", "relative"),
        (
            "command: a\nreplicates: 1000000000\nparameters: {a: {range: [10000000000]}}",
            "1:1",
            "10,000,000,000,000,000,000 tasks",
            "random",
        ),
    ],
)
def test_errors_stand_at_their_place(text, where, said, hint):
    error = refusal(text)
    assert error.where == f"sweep.yaml:{where}"
    assert said in error.message
    assert hint in error.hint


PIECES = st.sampled_from(
    [
        *"{}[]:,-#&*!|>'\"%@`\n\t\\ 0.1",
        "\ufeff",
        "\r\n",
        "n: ",
        "range",
        "null",
        "1e5",
        "\x85",
        "é",
        "<<: ",
        "? ",
        "---\n",
    ]
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_mutated_study_is_a_study_or_a_study_error(data):
    text = FULL
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 12)))
        text = text[:start] + "".join(data.draw(st.lists(PIECES, max_size=4))) + text[stop:]
    _study_or_error(text)


@settings(max_examples=100)
@given(st.text(max_size=60) | st.lists(PIECES, max_size=25).map("".join))
def test_any_text_is_a_study_or_a_study_error(text):
    _study_or_error(text)
    _study_or_error(f"command: run\nparameters: {text}")


def _study_or_error(text):
    try:
        parse_study(text, path="f.yaml", read=reader())
    except StudyError as error:
        refused = error
    else:
        return
    assert refused.where.startswith("f.yaml:"), refused.message
    assert refused.hint


def test_cores_and_cpus_are_one_word():
    assert parse("command: a\nresources: {cores: 3}") == parse("command: a\nresources: {cpus: 3}")


def test_hints_know_the_words_of_schedulers_and_say_yaml_that_is_accepted():
    for text, hint in [
        ("command: a\nresources: {ncpus: 2}", "'cpus'"),
        ("command: a\nresources: {cores: 2, cpus: 2}", "Write one of them"),
        ("command: a\nresources: {walltime: 1 h}", "'time'"),
        ("command: a\nparams: {n: 1}", "'parameters'"),
        ("command: a\ncluster: {queue: a}", "'partition'"),
        ("command: a\nresources: {memory: 2}", "'2 GB' or '2 MB'"),
    ]:
        assert hint in refusal(text).hint
    for name in ("o.out", "o.log", "r_{index}.xyz"):
        error = refusal(f"command: a\nresult: '{name}'")
        written = re.search(r"result: \{file: .*?format: text\}", error.hint)
        assert written
        assert (
            parse_study(f"command: a\n{written[0]}", path="s.yaml", read=lambda _: b"").result.format
            == "text"
        )
