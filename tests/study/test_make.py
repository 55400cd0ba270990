"""Studies from Python values."""

import datetime
import functools
import pathlib

import numpy as np
import pytest

from packhorse.model.errors import StudyError
from packhorse.model.study import Factor
from packhorse.study.from_python import make_study
from packhorse.study.template import split
from study.studies import parse, reader


def test_python_and_yaml_make_the_same_study():
    from_yaml = parse(
        "command: run {n} {x}\nreplicates: 3\nresources: {memory: 2 GB}\n"
        "parameters: {n: [1, 2], x: {linspace: [0, 1, 5]}, flag: true, where: n < 2}"
    )
    from_python = make_study(
        path="sweep.py",
        command="run {n} {x}",
        replicates=3,
        resources={"memory": "2 GB"},
        parameters={"n": [1, 2], "x": {"linspace": (0, 1, 5)}, "flag": True, "where": "n < 2"},
    )
    assert from_python == from_yaml


def test_arrays_scalars_and_ranges_are_taken():
    study = make_study(
        command=["run", "{n}"],
        replicates=np.int64(2),
        parameters={
            "n": np.array([1, 2]),
            "x": [np.float64(0.5), np.float32(0.25)],
            "i": range(0, 10**9, 2),
            "text": np.array(["a", "b"]),
            "flag": np.bool_(True),
            "none": None,
        },
        resources={"time": datetime.timedelta(hours=2)},
        environment={"venv": pathlib.PurePosixPath("a/b")},
    )
    assert study.factors == (
        Factor(names=("n",), levels=((1,), (2,))),
        Factor(names=("x",), levels=((0.5,), (0.25,))),
        Factor(names=("i",), range=(0, 2, 5 * 10**8)),
        Factor(names=("text",), levels=(("a",), ("b",))),
        Factor(names=("flag",), levels=((True,),)),
        Factor(names=("none",), levels=((None,),)),
    )
    assert all(
        type(row[0]) in (int, float, str, bool, type(None)) for f in study.factors for row in f.levels or ()
    )
    assert study.resources.time == 7200
    assert study.environment.path == "a/b"
    assert study.replicates == 2


def test_a_function_is_named_by_its_module():
    assert make_study(function=split).function == "packhorse.study.template:split"
    for hidden in (lambda n: n, functools.partial(split, "a")):
        with pytest.raises(StudyError):
            make_study(function=hidden)


def test_files_are_read_through_the_argument():
    study = make_study(command="run", parameters={"csv": "p.csv"}, read=reader({"p.csv": "n\n1\n2\n"}))
    assert study.factors[0].levels == ((1,), (2,))
    with pytest.raises(StudyError, match="cannot be read"):
        make_study(command="run", parameters={"csv": "p.csv"})


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ({"command": "run", "replicats": 3}, "no key 'replicats'"),
        ({"command": "run", "parameters": {"n": [1, 1.0]}}, "twice"),
        ({"command": "run", "parameters": {"n": float("nan")}}, "nan is not a finite number"),
        ({"command": "run", "parameters": {"n": {1, 2}}}, "'n' contains a set"),
        ({"command": "run", "parameters": {"n": 1j}}, "'n' contains a complex"),
        ({"command": "run", "parameters": {"n": 10**400}}, "1,000 bits"),
        ({"command": "run", "parameters": {"n": "a\0b"}}, "NUL"),
        ({"command": "run", "parameters": {"n": "\ud800"}}, "half of a character"),
        ({"command": "run", "parameters": {"n": []}}, "empty"),
        ({"command": "run", "resources": {"memory": 4000}}, "4000 bytes"),
        ({"command": "run", "resources": {"time": np.int64(90)}}, "90 minutes"),
        ({}, "neither command nor function"),
    ],
)
def test_the_same_mistakes_are_refused(keywords, said):
    with pytest.raises(StudyError) as caught:
        make_study(**keywords)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_list_in_itself_is_refused():
    endless = []
    endless.append(endless)
    with pytest.raises(StudyError, match="nested"):
        make_study(command="run", parameters={"n": endless})
