"""Studies written as YAML read back the same; one line of `map` is a study."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.errors import StudyError, UsageError
from packhorse.model.study import Factor
from packhorse.study.write import map_study, split_values, study_text
from packhorse.text.node import plain
from packhorse.text.yaml import parse_yaml
from study.studies import parse

TEXTS = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
) | st.sampled_from(
    [
        "1e-3",
        "no",
        "null",
        "0o10",
        ".nan",
        "-",
        "#a",
        "a: b",
        "a #b",
        " a",
        "a ",
        "- x",
        "? x",
        "{n}",
        "[a",
        "---",
        "...",
        "a\nb",
        "*x",
        "~",
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, min_size=1, max_size=5))
def test_what_is_written_reads_back(values):
    text = study_text(values)
    back = plain(parse_yaml(text, "f"))
    assert back == values
    assert repr(back) == repr(values), "1, 1.0 and true stay apart, and -0.0 keeps its sign"


def test_a_study_is_written_as_a_person_would():
    study = map_study(
        "python sim.py --n {n} --seed {seed}", ["n=10,20,50", "kind=a b,no,1e-3"], replicates=100
    )
    assert study_text(study) == (
        "command: python sim.py --n {n} --seed {seed}\n"
        "parameters:\n"
        "  n: [10, 20, 50]\n"
        "  kind: [a b, no, 1e-3]\n"
        "replicates: 100\n"
    )
    read = parse(study_text(study))
    assert read.replicates == 100
    assert read.factors[1] == Factor(
        names=("kind",), levels=(("a b",), ("no",), (0.001,)), written={"kind": (None, None, "1e-3")}
    )


@pytest.mark.parametrize(
    ("said", "values"),
    [
        ("10,20,50", [10, 20, 50]),
        ("1:10:2", ["1:10:2"]),
        ("0.5,1e-3,true,null,x", [0.5, 0.001, True, None, "x"]),
        ("'a,b',c", ["a,b", "c"]),
        ('"10",10', ["10", 10]),
        (r"a\,b,c", ["a,b", "c"]),
        (r"C:\dir,x", [r"C:\dir", "x"]),
        ("it's,fine", ["it's", "fine"]),
        ("'open,x", ["'open", "x"]),
        ("", [""]),
        ("a,", ["a", ""]),
        ("a=b", ["a=b"]),
    ],
)
def test_values_on_the_command_line(said, values):
    assert split_values(said) == values


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_any_texts_can_be_given_with_quotes_or_backslashes(texts):
    escaped = [
        "".join("\\" + c if c in "\\,'\"" else c for c in text) if '"' in text else f'"{text}"'
        for text in texts
    ]
    read = split_values(",".join(escaped))
    assert [value if isinstance(value, str) else None for value in read] == texts


def test_one_value_is_not_a_list_and_further_keys_pass():
    study = map_study("run {n}", ["n=5"], seed=3, resources={"cpus": 2}, name=None)
    assert study == {"command": "run {n}", "parameters": {"n": 5}, "seed": 3, "resources": {"cpus": 2}}
    assert map_study("run", []) == {"command": "run"}


def test_wrong_assignments_are_refused():
    for assignments in (["n"], ["=3"], ["n=1", "n=2"]):
        with pytest.raises(UsageError) as caught:
            map_study("run", assignments)
        assert "n=" in caught.value.hint
    with pytest.raises(StudyError, match="'seed' is reserved"):
        map_study("run", ["seed=1"])
