"""The `parameters` mapping: every way to say levels, and every mistake."""

import time

import pytest

from packhorse.model.space import ParameterSpace
from packhorse.study.parameters.factors import Factor
from study.studies import factors, parse, refusal


def levels(parameters, **keywords):
    """Return the values of the only factor, which has one name."""
    (factor,) = factors(parameters, **keywords)
    assert len(factor.names) == 1
    return [row[0] for row in factor.levels]


def refused(parameters, files=None, more=""):
    indented = "".join(f"  {line}\n" for line in parameters.splitlines())
    return refusal(f"command: 'true'\n{more}\nparameters:\n{indented}", files)


def test_values_and_lists():
    assert levels("n: 5") == [5]
    assert levels("n: [10, 20, abc, true, null, [1, 2], 'no']") == [10, 20, "abc", True, None, [1, 2], "no"]
    assert levels("n:\n- 1e-3\n- no") == [0.001, "no"]


def test_a_decimal_number_makes_the_integers_of_its_factor_decimal():
    values = levels("n: [1, 2.5, 3, true, x]")
    assert values == [1.0, 2.5, 3.0, True, "x"]
    assert [type(value) for value in values] == [float, float, float, bool, str]


def test_integer_ranges_stay_lazy_and_stop_before_the_stop():
    assert factors("n: {range: [0, 1000000000]}") == (Factor(names=("n",), range=(0, 1, 10**9)),)
    assert factors("n: {range: [10, 0, -3]}") == (Factor(names=("n",), range=(10, -3, 4)),)
    assert factors("n: {range: [5]}") == (Factor(names=("n",), range=(0, 1, 5)),)


def test_a_range_with_from_and_to_has_both_ends():
    assert factors("n: {range: {from: 1, to: 200}}") == (Factor(names=("n",), range=(1, 1, 200)),)
    assert factors("n: {range: {from: 1, to: 10, by: 4}}") == (Factor(names=("n",), range=(1, 4, 3)),)
    assert factors("n: {range: {from: 3, to: 1, by: -1}}") == (Factor(names=("n",), range=(3, -1, 3)),)
    assert factors("n: {range: {from: 5, to: 5}}") == (Factor(names=("n",), range=(5, 1, 1)),)
    assert levels("x: {range: {from: 0, to: 0.3, by: 0.1}}") == [0.0, 0.1, 0.2, 0.3]
    assert levels("n: ['1-200', 1.2.3, 1-a]") == ["1-200", "1.2.3", "1-a"]


def test_decimal_ranges_have_no_accumulated_error():
    assert levels("x: {range: [0, 1, 0.1]}") == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert levels("x: {range: [1, 0.7, -0.1]}") == [1.0, 0.9, 0.8]
    assert len(levels("x: {range: [0, 100, 0.001]}")) == 100_000


def test_grids_have_exact_ends_and_round_numbers_between():
    assert levels("x: {linspace: [0, 1, 11]}") == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]
    assert levels("x: {geomspace: [0.001, 1000, 7]}") == [0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0]
    assert levels("x: {geomspace: [2, 16, 4]}") == [2.0, 4.0, 8.0, 16.0]
    assert levels("x: {geomspace: [-1, -100, 3]}") == [-1.0, -10.0, -100.0]
    assert levels("x: {linspace: [0.1, 0.7, 1]}") == [0.1]
    assert levels("x: {geomspace: [0.3, 0.7, 5]}")[-1] == 0.7


@pytest.mark.parametrize(
    "rule",
    [
        "distribution: uniform, low: -1, high: 1",
        "distribution: loguniform, low: 1e-5, high: 10",
        "distribution: normal, mean: 3, sd: 0.5",
        "distribution: integers, low: 1, high: 1000",
        "distribution: choice, choices: [a, b, c, d, e, f, g, h, i, j, k]",
    ],
)
def test_more_random_draws_keep_the_first_ones(rule):
    few = levels(f"x: {{random: {{{rule}, size: 5}}}}", more="seed: 3")
    more = levels(f"x: {{random: {{{rule}, size: 11}}}}", more="seed: 3")
    assert more[:5] == few
    assert len(set(more)) == 11
    assert levels(f"y: {{random: {{{rule}, size: 5}}}}", more="seed: 3") != few
    assert levels(f"x: {{random: {{{rule}, size: 5}}}}", more="seed: 4") != few


def test_random_draws_follow_their_distribution():
    uniform = levels("x: {random: {distribution: uniform, low: 2, high: 4, size: 2000}}")
    assert all(2 <= value < 4 for value in uniform)
    assert 2.95 < sum(uniform) / 2000 < 3.05
    log = levels("x: {random: {distribution: loguniform, low: 0.01, high: 100, size: 2000}}")
    assert all(0.01 <= value <= 100 for value in log)
    assert 900 < sum(value < 1 for value in log) < 1100
    normal = levels("x: {random: {distribution: normal, mean: 5, sd: 2, size: 2000}}")
    mean = sum(normal) / 2000
    assert 4.85 < mean < 5.15
    assert 3.6 < sum((value - mean) ** 2 for value in normal) / 1999 < 4.4
    assert sorted(levels("x: {random: {distribution: integers, low: 1, high: 6, size: 6}}")) == [
        1,
        2,
        3,
        4,
        5,
        6,
    ]


def test_draws_are_the_same_for_ever():
    assert levels("x: {random: {distribution: uniform, low: 0, high: 1, size: 2}}", more="seed: 1") == [
        0.667369227467519,
        0.8614733070465975,
    ]


def test_zip_groups_vary_together():
    (pair, other) = factors("zip:\n- {n: [1, 2], m: [a, b]}\n- {x: {linspace: [0, 1, 3]}, y: {range: [3]}}")
    assert pair == Factor(names=("n", "m"), levels=((1, "a"), (2, "b")))
    assert other == Factor(names=("x", "y"), levels=((0.0, 0), (0.5, 1), (1.0, 2)))


def test_random_columns_of_a_zip_may_repeat_a_value():
    text = "zip: {lr: {random: {distribution: uniform, low: 0, high: 1, size: 50}}, depth: {random: {distribution: integers, low: 1, high: 3, size: 50}}}"
    (factor,) = factors(text)
    assert {row[1] for row in factor.levels} == {1, 2, 3}


def test_every_row_of_a_csv_is_a_point():
    content = 'n,rate,label,code\n10,0.5,NA,007\n20,1,nan,+5\n\n30,1e-3,"a,b",-2\n'
    (factor,) = factors("csv: points.csv", files={"points.csv": "\ufeff" + content})
    assert factor.names == ("n", "rate", "label", "code")
    assert factor.levels == ((10, 0.5, "NA", "007"), (20, 1.0, "nan", "+5"), (30, 0.001, "a,b", -2))
    assert [type(row[0]) for row in factor.levels] == [int] * 3


def test_equal_rows_of_a_csv_are_numbered():
    (factor,) = factors("csv: p.csv", files={"p.csv": "n,x\n1,a\n1,b\n1,a\n"})
    assert factor == Factor(names=("n", "x", "occurrence"), levels=((1, "a", 0), (1, "b", 0), (1, "a", 1)))


def test_parameters_of_another_file_are_added_in_place():
    files = {"more.yaml": "b: [1, 2]\nwhere: b > 1\nfile: deep.json", "deep.json": '{"c": 3}'}
    found = factors("a: 1\nfile: more.yaml\nd: 4", files=files)
    assert [factor.names for factor in found] == [("a",), ("b",), ("c",), ("d",)]
    assert found[1].levels == ((2,),)


def test_what_statisticians_iterate_over():
    found = factors("bootstrap: 2000\nb2: {permutations: 99}\nfolds: 3\nchunks: {rows: 10, size: 4}")
    assert found == (
        Factor(names=("bootstrap",), range=(0, 1, 2000), resample=True),
        Factor(names=("b2",), range=(0, 1, 99), resample=True),
        Factor(names=("fold", "folds"), levels=((0, 3), (1, 3), (2, 3))),
        Factor(names=("chunk", "start", "stop"), chunks=(10, 4, 3)),
    )


def test_chunks_of_a_file_leave_its_header_out():
    files = {"d.csv": 'a,b\n1,"two\nlines"\n\n3,4\n5,6\n', "d.txt": "1\n2\n3"}
    assert factors("chunks: {file: d.csv, size: 2}", files=files)[0].chunks == (3, 2, 2)
    assert factors("chunks: {file: d.txt, count: 2}", files=files)[0].chunks == (3, 0, 2)


def test_a_billion_points_are_planned_at_once():
    begun = time.process_time()
    study = parse("command: run\nparameters:\n" + "".join(f"  {n}: {{range: [1000]}}\n" for n in "abc"))
    space = ParameterSpace.of(study)
    assert space.size == 10**9
    assert space[10**9 - 1] == {"a": 999, "b": 999, "c": 999}
    assert ParameterSpace.of(parse("command: run\nparameters: {i: {range: [0, 1000000000]}}")).size == 10**9
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("parameters", "where", "said", "hint"),
    [
        ("n: [1, 1.0]", "4:10", "has the value 1.0 twice", "replicates"),
        ("n: [a, b, a]", "4:13", "has the value 'a' twice", "replicates"),
        ("n: []", "4:6", "is empty", "at least one"),
        ("n:", "4:3", "value is missing", "null"),
        ("n: .nan", "4:6", ".nan", "'nan'"),
        ("n: [1, .inf]", "4:10", ".inf", "'inf'"),
        ("n: 1e999", "4:6", "1e999", "in quotes"),
        ("n: 9223372036854775808", "4:6", "64 bits", "as a text: '9"),
        ("n: [0.5, 9007199254740993]", "4:7", "9007199254740993", "as a text: '9"),
        ("n: [{a: 1}]", "4:7", "must not be a mapping", "list"),
        ("seed: 1", "4:3", "'seed' is reserved", "my_seed"),
        ("params.x: 1", "4:3", "is reserved", "my_"),
        ("ph_x: 1", "4:3", "ph_", "another name"),
        ("2n: 1", "4:3", "is not a valid name of a parameter", "letters"),
        ("a b: 1", "4:3", "is not a valid name of a parameter", "letters"),
        ("-n: 1", "4:3", "is not a valid name of a parameter", "letters"),
        ("n: {rnge: [1, 2]}", "4:7", "no key 'rnge'", "Did you mean 'range'?"),
        ("n: {}", "4:6", "one generator", "range"),
        ("n: {range: [1, 2, 0]}", "4:14", "step of range is 0", "other than 0"),
        ("n: {range: [5, 5]}", "4:14", "is empty", "excluded"),
        ("n: {range: {from: 1}}", "4:14", "needs from and to", "{from: 1, to: 200}"),
        ("n: {range: {from: 9, to: 1}}", "4:14", "from 9 to 1 by 1 is empty", "{from: 1, to: 9}"),
        ("n: {range: {from: 1, to: 9, by: 0}}", "4:35", "by is 0", "other than 0"),
        ("n: {range: {first: 1, to: 9}}", "4:15", "no key 'first'", "from, to, by"),
        (
            "n: 1-200",
            "4:6",
            "1-200 is not a number",
            "{range: {from: 1, to: 200}}; for the text, quote it: '1-200'",
        ),
        ("n: [0, 1:20]", "4:10", "one value", "from: 1, to: 20"),
        ("n: 1..200", "4:6", "one value", "to: 200"),
        ("n: {range: [1, 2, 3, 4]}", "4:14", "has 4 numbers", "[0, 100, 10]"),
        (
            "n: {range: [0, 1e9]}",
            "4:14",
            "1,000,000,000 decimal levels; the maximum is 10,000,000",
            "not 1e6",
        ),
        ("n: {range: [0, x]}", "4:18", "finite number", "without quotes"),
        ("n: {linspace: [1, 2]}", "4:17", "first, last, count", "linspace: ["),
        ("n: {linspace: [1, 1, 3]}", "4:6", "twice", "replicates"),
        (
            "n: {geomspace: [0, 1, 3]}",
            "4:18",
            "cannot go from 0",
            "above 0",
        ),
        ("n: {random: {distribution: uniform, low: 0, high: 1}}", "4:15", "a size", "size: 100"),
        ("n: {random: {distribution: normal, low: 0, high: 1, size: 3}}", "4:15", "mean and sd", "mean: ..."),
        ("n: {random: {distribution: unform, low: 0, high: 1, size: 3}}", "4:30", "one of", "'uniform'"),
        (
            "n: {random: {distribution: uniform, low: 2, high: 1, size: 3}}",
            "4:15",
            "low must be less than high, but low is 2 and high is 1",
            "Exchange",
        ),
        (
            "n: {random: {distribution: loguniform, low: 0, high: 1, size: 3}}",
            "4:47",
            "low must be greater than 0 for loguniform, but is 0",
            "positive",
        ),
        (
            "n: {random: {distribution: normal, mean: 0, sd: 0, size: 3}}",
            "4:51",
            "sd must be greater than 0, but is 0",
            "greater than 0",
        ),
        (
            "n: {random: {distribution: integers, low: 1, high: 3, size: 4}}",
            "4:63",
            "Only 3 different values",
            "replicates",
        ),
        ("n: {random: {distribution: choice, choices: [], size: 4}}", "4:47", "choices is empty", "[a, b]"),
        (
            "n: {random: {distribution: uniform, low: 1, high: 1.0000000000000002, size: 9}}",
            "4:15",
            "1,900 draws gave only 2 different values",
            "Widen",
        ),
        ("zip: {a: [1, 2], b: [1]}", "4:8", "a has 2, b has 1", "Lengthen"),
        ("zip: {a: [1, 1], b: [2, 2]}", "4:8", "twice", "replicates"),
        ("zip: {a: 3}", "4:12", "must be a list", "does not vary"),
        ("zip: {}", "4:8", "is empty", "equal length"),
        ("a: 1\nzip: {a: [1]}", "5:8", "given twice (first at sweep.yaml:4:3)", "Rename"),
        ("chunks: {rows: 10}", "4:11", "size or count", "chunks: {"),
        ("chunks: {rows: 3, count: 4}", "4:28", "at most the number of rows, 3, but is 4", "from 1 to 3"),
        ("chunks: {rows: 3, siez: 4}", "4:21", "no key 'siez'", "'size'"),
        ("folds: 1", "4:10", "at least 2", "whole number"),
        ("bootstrap: 1e3", "4:14", "whole number", "Write 1000"),
        ("file: [a, b]", "4:9", "must be a YAML file of further parameters", "such as input"),
        ("file: data.csv", "4:9", "must be a YAML file of further parameters", "such as input"),
        ("csv: missing.csv", "4:8", "no file 'missing.csv'", "relative to the study file"),
    ],
)
def test_wrong_parameters_are_refused_at_their_place(parameters, where, said, hint):
    error = refused(parameters)
    assert error.where == f"sweep.yaml:{where}"
    assert said in error.message
    assert hint in error.hint


@pytest.mark.parametrize(
    ("content", "where", "said"),
    [
        ("n,m\n1,2\n3\n", "p.csv:3:1", "1 cells, but the first line has 2"),
        ("n,n\n1,2\n", "p.csv:1:1", "same name"),
        ("n;m\n1;2\n", "p.csv:1:1", "'n;m' is not a valid name of a parameter"),
        ("n,seed\n1,2\n", "p.csv:1:1", "is reserved"),
        ("n\n", "sweep.yaml:4:8", "no points"),
        ("", "sweep.yaml:4:8", "no points"),
        (b"n\ncaf\xe9\n", "p.csv:2:4", "not UTF-8"),
        ("n\na\0b\n", "p.csv:1:1", "NUL"),
        ("n,occurrence\n1,2\n1,2\n", "p.csv:1:1", "'occurrence'"),
    ],
)
def test_wrong_files_of_points_are_refused_in_that_file(content, where, said):
    error = refused("csv: p.csv", files={"p.csv": content})
    assert error.where == where
    assert said in error.message


def test_errors_in_an_added_file_name_that_file():
    assert refused("file: m.yaml", files={"m.yaml": "a: [1, 1]"}).where == "m.yaml:1:8"
    circle = refused("file: m.yaml", files={"m.yaml": "file: m.yaml"})
    assert "includes itself" in circle.message
    empty = refused("chunks: {file: d.csv, size: 2}", files={"d.csv": "a,b\n"})
    assert "no rows" in empty.message
