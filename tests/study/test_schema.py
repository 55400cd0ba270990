"""The reader and the JSON Schema have the same keys and bounds."""

import json

import jsonschema
import pytest

from packhorse.model.errors import StudyError
from packhorse.study import keys
from packhorse.study.from_python import make_study
from packhorse.study.schema import json_schema
from study.studies import parse, refusal

PROGRAMS = ("command", "function")
FILES = {"points.csv": "k\n1\n", "data.csv": "a\n1\n2\n", "more.yaml": "k: 1"}
TABLES = {
    "resources": keys.RESOURCES,
    "cluster": keys.CLUSTER,
    "environment": keys.ENVIRONMENT,
    "summary": keys.SUMMARY,
    "index_variable": keys.INDEX_VARIABLE,
}


def made(**given):
    def read(path):
        return FILES[path].encode()

    return make_study(read=read, **given)


def examples(table):
    return [(name, example) for name, key in table.items() for example in key.schema["examples"]]


@pytest.mark.parametrize(("key", "example"), examples(keys.STUDY))
def test_the_reader_takes_every_key_with_its_examples(key, example):
    given = {"parameters": {"n": [10, 20], "p": 1, "method": ["a", "b"]}, "command": "run"}
    if key == "function":
        del given["command"]
    if key == "command":
        given["result"] = "none"
    if key == "replicates" and isinstance(example, dict):
        given["summary"] = {"estimate": "e"}
    if key in ("command", "function"):
        base = given | {key: "another:program"}
    elif (key, example) == ("environment", "none"):
        base = given | {key: {"venv": ".venv"}}
    else:
        base = given
    assert made(**given | {key: example}) != made(**base), "a key that changes nothing is not read"


# Keys that another key needs.
REQUIRED = {
    ("summary", "truth"): {"estimate": "e"},
    ("summary", "low"): {"high": "high"},
    ("summary", "high"): {"low": "low"},
}


@pytest.mark.parametrize(
    ("table", "key", "example"), [(t, k, e) for t, s in TABLES.items() for k, e in examples(s)]
)
def test_inner_keys_are_taken(table, key, example):
    required = REQUIRED.get((table, key), {"name": "A"} if table == "index_variable" else {})
    study = made(command="run", parameters={"n": [1, 2], "method": 1}, **{table: required | {key: example}})
    bare = made(command="run", parameters={"n": [1, 2], "method": 1})
    assert getattr(study, table) != getattr(bare, table), "a key that changes nothing is not read"


@pytest.mark.parametrize(
    ("key", "example"), [*examples(keys.UNTIL), ("first", keys.REPLICATES["first"].schema["examples"][0])]
)
def test_keys_of_until_are_taken(key, example):
    def until(**changed):
        first = changed.pop("first", 2)
        rule = {"mcse": 0.1, "of": "bias", "at_most": 5000, **changed}
        given = {"replicates": {"first": first, "until": rule}, "summary": {"estimate": "e"}}
        return made(command="run", parameters={"n": [1, 2]}, **given)

    assert until(**{key: example}) != until(), "a key that changes nothing is not read"


@pytest.mark.parametrize(("key", "example"), examples(keys.GENERATORS))
def test_generators_are_taken(key, example):
    assert made(command="run", parameters={"x": {key: example}}).factors[0].names == ("x",)


@pytest.mark.parametrize(("key", "example"), examples(keys.PARAMETERS))
def test_reserved_words_of_parameters_are_taken(key, example):
    others = {} if key == "zip" else {"n": [10, 20], "p": 1}
    study = made(command="run", parameters={**others, key: example})
    assert study != made(command="run", parameters=others), "a word that changes nothing is not read"
    assert key not in ("where", "zip", "csv", "file") or all(
        key not in factor.names for factor in study.factors
    )


def test_the_schema_has_every_key_and_a_description_for_each():
    schema = json_schema()
    assert schema["$schema"].endswith("2020-12/schema")
    assert set(schema["properties"]) == set(keys.STUDY)
    known = refusal("nothing_of_this_kind: 1").hint
    assert known == f"Allowed: {', '.join(schema['properties'])}."
    tables = [
        keys.STUDY,
        keys.RESOURCES,
        keys.CLUSTER,
        keys.RESULT,
        keys.ENVIRONMENT,
        keys.SUMMARY,
        keys.INDEX_VARIABLE,
        keys.REPLICATES,
        keys.UNTIL,
    ]
    for table in [*tables, keys.RANDOM, keys.GENERATORS, keys.CHUNKS, keys.PARAMETERS]:
        assert all(key.schema["description"] and key.schema["examples"] for key in table.values())
    assert json.loads(json.dumps(schema)) == schema


def random_with(name, value):
    return {"parameters": {"x": {"random": {"distribution": "normal", "mean": 0, "sd": 1, name: value}}}}


def chunks_with(name, value):
    other = {"rows": {"size": 1}, "size": {"rows": 9}, "count": {"rows": 9}}[name]
    return {"parameters": {"chunks": {**other, name: value}}}


def interval_with(kind, value):
    return {"parameters": {"x": {kind: [1, 2, value]}}}


def until_with(name, value):
    rule = {"mcse": 0.1, "of": "bias", "at_most": 9, name: value}
    return {"replicates": {"until": rule}, "summary": {"estimate": "e"}}


def first_with(name, value):
    rule = {"mcse": 0.1, "of": "bias", "at_most": keys.REPLICATES["first"].schema["maximum"]}
    return {"replicates": {"until": rule, name: value}, "summary": {"estimate": "e"}}


# For each table with integers: how a study has the value of a key.
INTEGERS = [
    (keys.STUDY, lambda name, value: {name: value}),
    (keys.RESOURCES, lambda name, value: {"resources": {name: value}}),
    (keys.CLUSTER, lambda name, value: {"cluster": {name: value}}),
    (keys.INDEX_VARIABLE, lambda name, value: {"index_variable": {"name": "A", name: value}}),
    (keys.GENERATORS, lambda name, value: {"parameters": {"x": {name: value}}}),
    (keys.PARAMETERS, lambda name, value: {"parameters": {name: value}}),
    (keys.RANDOM, random_with),
    (keys.CHUNKS, chunks_with),
    (keys.UNTIL, until_with),
    (keys.REPLICATES, first_with),
]


def bounds():
    """Yield (place of a value, its key, a bound, the step beyond it) for every integer of a study."""
    for table, given in INTEGERS:
        for name, key in table.items():
            for form in (key.schema, *key.schema.get("anyOf", [])):
                if form.get("type") == "integer":
                    yield given, name, form["minimum"], -1
                    yield given, name, form["maximum"], 1
            if "prefixItems" in key.schema:
                count = key.schema["prefixItems"][2]
                yield interval_with, name, count["minimum"], -1
                yield interval_with, name, count["maximum"], 1


def test_every_table_with_integers_is_tried():
    tried = {name for _, name, _, _ in bounds()}
    assert tried >= {
        "cpus",
        "gpus",
        "max_jobs",
        "replicates",
        "seed",
        "retries",
        "start",
        "size",
        "rows",
        "count",
    }
    assert tried >= {"folds", "bootstrap", "permutations", "linspace", "geomspace"}


@pytest.mark.parametrize(("given", "name", "bound", "step"), [*bounds()])
def test_the_reader_and_the_schema_have_the_same_bounds(given, name, bound, step):
    """Both refuse the next integer beyond each bound, and the schema accepts the bound itself."""
    validator = jsonschema.Draft202012Validator(json_schema())
    beyond = {"command": "run", **given(name, bound + step)}
    assert list(validator.iter_errors(beyond))
    with pytest.raises(StudyError, match=r"must be at (least|most)"):
        made(**beyond)
    assert not list(validator.iter_errors({"command": "run", **given(name, bound)}))


def test_a_bound_itself_is_accepted():
    study = made(
        command="run",
        seed=2**63 - 1,
        retries=1000,
        resources={"cpus": 100_000, "gpus": 100_000},
        cluster={"max_jobs": 2**62},
        replicates=2**62,
        index_variable={"name": "A", "start": -(2**31)},
    )
    assert (study.seed, study.retries, study.replicates) == (2**63 - 1, 1000, 2**62)
    assert (study.resources.cpus, study.resources.gpus) == (100_000, 100_000)
    assert made(command="run", seed=0, retries=0, resources={"cpus": 1, "gpus": 0}).resources.gpus == 0


def test_the_schema_knows_what_the_study_is_made_of():
    fields = set(parse("command: run").__struct_fields__)
    assert set(keys.STUDY) - {"parameters"} == fields - {"factors", "until"}
