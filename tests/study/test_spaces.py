"""Spaces of studies: size, the way back, keys and seeds."""

import json

from hypothesis import given
from hypothesis import strategies as st

from packhorse.model.space import ParameterSpace
from packhorse.study.from_python import make_study
from packhorse.study.parameters.levels import identity
from study.studies import parse

TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.none() | st.booleans() | NUMBERS | TEXTS
LISTS = st.lists(
    VALUES,
    min_size=1,
    max_size=5,
    unique_by=lambda v: identity(float(v) if isinstance(v, int) and not isinstance(v, bool) else v),
)
RANGES = st.tuples(st.integers(-100, 100), st.integers(1, 50), st.integers(1, 5000)).map(
    lambda t: {"range": [t[0], t[0] + t[1] * t[2], t[1]]}
)
PARAMETERS = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), LISTS | RANGES, max_size=4)


def space(parameters, **keywords):
    return ParameterSpace.of(make_study(command="run", parameters=parameters, **keywords))


@given(PARAMETERS, st.integers(1, 5), st.booleans(), st.data())
def test_a_space_is_its_product_and_finds_its_way_back(parameters, replicates, chunks, data):
    if chunks:
        parameters = {**parameters, "chunks": {"rows": 17, "size": 5}, "folds": 3, "bootstrap": 10}
    found = space(parameters, replicates=replicates)
    size = replicates * (4 * 3 * 10 if chunks else 1)
    for name in "abcd":
        given_levels = parameters.get(name, [None])
        if isinstance(given_levels, dict):
            start, stop, step = given_levels["range"]
            size *= len(range(start, stop, step))
        else:
            size *= len(given_levels)
    assert found.size == size
    index = data.draw(st.integers(0, size - 1))
    point = found[index]
    assert list(point) == found.names
    assert found.lookup().find(point, found.replicate(index)) == index
    assert found.lookup().find(point, replicates) is None
    frozen = ParameterSpace(json.loads(found.encode()))
    assert (frozen[index], frozen.key(index), frozen.seeds(index)) == (
        point,
        found.key(index),
        found.seeds(index),
    )


@given(PARAMETERS, st.integers(1, 3), st.data())
def test_keys_and_seeds_do_not_depend_on_the_order_of_factors(parameters, replicates, data):
    one = space(parameters, replicates=replicates)
    other = space(dict(reversed(parameters.items())), replicates=replicates)
    index = data.draw(st.integers(0, one.size - 1))
    again = other.lookup().find(one[index], one.replicate(index))
    assert other.key(again) == one.key(index)
    assert other.seeds(again) == one.seeds(index)


def test_keys_are_by_value():
    assert space({"n": [1]}).key(0) == space({"n": [1.0]}).key(0)
    assert space({"n": [0.0]}).key(0) == space({"n": [-0.0]}).key(0)
    different = [1, "1", True, "true", None, "null", 1.5, [1]]
    assert len({space({"n": [value]}).key(0) for value in different}) == len(different)


def test_a_study_that_grows_keeps_the_keys_of_its_tasks():
    before = ParameterSpace.of(parse("command: run\nparameters: {n: [1, 2], m: [a]}\nreplicates: 3"))
    after = ParameterSpace.of(
        parse("command: run\nparameters: {m: [b, a], n: [0, 1.0, 2, 0.5]}\nreplicates: 5")
    )
    keys = {after.key(i): after.seeds(i) for i in range(after.size)}
    assert len(keys) == after.size
    for index in range(before.size):
        assert keys[before.key(index)] == before.seeds(index)
