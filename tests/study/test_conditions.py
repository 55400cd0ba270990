"""`where`: what survives, what is refused, and that nothing else can run."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.errors import StudyError
from packhorse.study.parameters.conditions import compile_condition
from study.studies import factors, refusal


def refused(condition, parameters="n: [1, 2]\n  m: [a, 3]"):
    return refusal(f"command: 'true'\nparameters:\n  {parameters}\n  where: {condition}")


def test_a_condition_merges_just_the_factors_it_names():
    found = factors("a: [1, 2]\nbig: {range: [1000000000]}\nb: [1, 2, 3]\nwhere: a < b")
    assert [factor.names for factor in found] == [("a", "b"), ("big",)]
    assert found[0].levels == ((1, 2), (1, 3), (2, 3))
    assert found[1].range == (0, 1, 10**9)


def test_conditions_that_share_no_factor_stay_apart():
    found = factors("a: [1, 2]\nb: [1, 2]\nc: [1, 2]\nd: [1, 2]\nwhere: [a != b, c == d, c > 1]")
    assert [factor.names for factor in found] == [("a", "b"), ("c", "d")]
    assert found[1].levels == ((2, 2),)


def test_conditions_that_share_a_factor_become_one():
    found = factors("a: [1, 2]\nb: [1, 2]\nc: [1, 2]\nwhere: [a == b, b == c]")
    assert [factor.names for factor in found] == [("a", "b", "c")]
    assert found[0].levels == ((1, 1, 1), (2, 2, 2))


def test_a_condition_on_a_lazy_range_or_chunks_freezes_it():
    (factor,) = factors("i: {range: [0, 100000]}\nwhere: i % 25000 == 1")
    assert factor.levels == ((1,), (25001,), (50001,), (75001,))
    (factor,) = factors("chunks: {rows: 10, size: 4}\nwhere: start > 0")
    assert factor.levels == ((1, 4, 8), (2, 8, 10))


def test_a_condition_on_resampling_alone_keeps_its_part_in_common_seeding():
    (factor,) = factors("bootstrap: 10\nwhere: bootstrap < 3", more="seeding: common")
    assert factor.resample
    error = refusal(
        "command: 'true'\nseeding: common\nparameters: {bootstrap: 10, n: [1, 2], where: bootstrap < n}"
    )
    assert "resampling" in error.message
    assert factors("bootstrap: 3\nn: [1, 2]\nwhere: bootstrap < n")[0].levels == ((0, 1), (0, 2), (1, 2))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("x == 'a'", [("a", 1), ("a", 2)]),
        ("x in ('a', 'c') and n > 1", [("a", 2)]),
        ("not (x == 'a' or n == 2)", [("b", 1)]),
        ("`x` != 'a' and `x` != 'z'", [("b", 1), ("b", 2)]),
        ("n ** 2 > 1 and abs(-n) == max(n, 0) and len(x) == 1", [("a", 2), ("b", 2)]),
        ("x != null and n < 2", [("a", 1), ("b", 1)]),
    ],
)
def test_what_conditions_can_say(condition, expected):
    (factor,) = factors(f"x: [a, b]\nn: [1, 2]\nwhere: \"{condition} and n > 0 and x != ''\"")
    assert list(factor.levels) == expected


def test_names_that_python_cannot_say_stand_in_backticks():
    (factor,) = factors("lambda: [0.1, 1]\nlearning-rate: [1, 2]\nwhere: '`lambda` < `learning-rate` - 1'")
    assert factor.levels == ((0.1, 2),)


@pytest.mark.parametrize(
    ("condition", "said", "hint"),
    [
        ("k > 1", "names 'k'", "Allowed: n, m"),
        ("m == a", "names 'a'", "'a'"),
        ("n >", "not a valid expression", "backticks"),
        ("1 < 2", "names no parameter", "Allowed: "),
        ("n > 5", "None of 2 combinations", "Relax"),
        ("m > n", "at m='a', n=1", "Exclude this point"),
        ("1 / (n - 1) > 0", "at n=1: ", "Exclude this point"),
        ("n ** 10 ** 10 > 0", "too large", "Exclude this point"),
        ("'\"%99999999999d\" % n > 1'", "take numbers", "Exclude this point"),
        ("m * 1000000000 > 0", "take numbers", "Exclude this point"),
        ("n.real > 0", "'n.real', which is not allowed", "parameters, numbers"),
        ("n.__class__", "not allowed", "parameters, numbers"),
        ("__import__(n)", "not allowed", "parameters, numbers"),
        ("'(lambda: n)()'", "not allowed", "parameters, numbers"),
        ("'[n for n in (1, 2)]'", "not allowed", "parameters, numbers"),
        ("(n := 3) > 1", "not allowed", "parameters, numbers"),
        ("max(n, key=abs)", "not allowed", "parameters, numbers"),
        ("f'{n}' == 1", "not allowed", "parameters, numbers"),
        ("n == 3j", "3j, which is not a number or a text", "parameters, numbers"),
        ("'" + "(" * 500 + "n'", "not a valid expression", "backticks"),
        ("'" + "-" * 1900 + "n > 1'", "n > 1", ""),
        ("'" + "n + " * 600 + "n > 1'", "the maximum is 2,000", "CSV"),
        ("5", "must be a text", "'5'"),
    ],
)
def test_wrong_conditions_are_refused_at_their_place(condition, said, hint):
    error = refused(condition)
    assert error.where == "sweep.yaml:5:10"
    assert said in error.message
    assert hint in error.hint


def test_too_many_combinations_are_refused_with_their_number():
    error = refused("a < b", "a: {range: [10000]}\n  b: {range: [10000]}")
    assert "100,000,000 combinations of a, b" in error.message
    assert "CSV" in error.hint


CONDITIONS = [
    "a < b",
    "a + b <= 3",
    "a != 2 or b == 1",
    "not a == b",
    "a in (1, 2)",
    "b % 2 == 0",
    "a * b - 2 > c",
    "c >= 0",
]


@given(
    st.lists(st.lists(st.integers(-3, 5), min_size=1, max_size=5, unique=True), min_size=3, max_size=3),
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=3, unique=True),
)
def test_conditions_equal_a_filter_over_the_whole_product(lists, conditions):
    expected = [
        point
        for values in itertools.product(*lists)
        for point in [dict(zip("abc", values, strict=True))]
        if all(eval(condition, {}, dict(point)) for condition in conditions)
    ]
    lines = "".join(f"{name}: {values}\n" for name, values in zip("abc", lists, strict=True))
    text = f"{lines}where: {conditions}".replace("'", '"')
    if not expected:
        assert (
            "meets the conditions"
            in refusal(
                "command: 'true'\nparameters:\n" + "".join(f"  {line}\n" for line in text.splitlines())
            ).message
        )
        return
    found = factors(text)
    names = [name for factor in found for name in factor.names]
    points = [
        dict(zip(names, itertools.chain.from_iterable(rows), strict=True))
        for rows in itertools.product(*(factor.levels for factor in found))
    ]
    assert sorted(points, key=lambda p: (p["a"], p["b"], p["c"])) == sorted(
        expected, key=lambda p: (p["a"], p["b"], p["c"])
    )


@given(st.text("abn`()[]'\"+-*/%<>=!., 019andornotin:{}\\\n", max_size=30))
def test_any_text_is_a_condition_or_a_study_error(text):
    try:
        compile_condition(text, "f:1:1", ["a", "n", "in"])
    except StudyError as error:
        hint = error.hint
    else:
        return
    assert hint
