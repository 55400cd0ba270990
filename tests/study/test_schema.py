"""The reader and the JSON Schema know the same keys."""

import json

import pytest

from packhorse.study import keys
from packhorse.study.make import make_study
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
    return [(key, example) for key, schema in table.items() for example in schema["examples"]]


@pytest.mark.parametrize(("key", "example"), examples(keys.STUDY))
def test_the_reader_takes_every_key_with_its_examples(key, example):
    given = {"parameters": {"n": [10, 20], "p": 1, "method": ["a", "b"]}}
    if key == "command":
        given["result"] = "none"
    if key not in PROGRAMS:
        given["command"] = "run"
    # An example may be what holds without the key, so that those are compared with another value.
    other = {"command": "run", "shell": True, "environment": {"venv": "elsewhere"}}
    bare = made(**{"command": "run", **given, **{name: other[name] for name in other if name == key}})
    assert made(**given | {key: example}) != bare, "a key that changes nothing is not read"


@pytest.mark.parametrize(
    ("table", "key", "example"), [(t, k, e) for t, s in TABLES.items() for k, e in examples(s)]
)
def test_inner_keys_are_taken(table, key, example):
    required = {"name": "A"} if table == "index_variable" else {}
    study = made(command="run", parameters={"n": [1, 2], "method": 1}, **{table: required | {key: example}})
    bare = made(command="run", parameters={"n": [1, 2], "method": 1})
    assert getattr(study, table) != getattr(bare, table), "a key that changes nothing is not read"


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
    assert known == f"Known here: {', '.join(schema['properties'])}."
    tables = [
        keys.STUDY,
        keys.RESOURCES,
        keys.CLUSTER,
        keys.RESULT,
        keys.ENVIRONMENT,
        keys.SUMMARY,
        keys.INDEX_VARIABLE,
    ]
    for table in [*tables, keys.RANDOM, keys.GENERATORS, keys.CHUNKS, keys.PARAMETERS]:
        assert all(entry["description"] for entry in table.values())
    assert json.loads(json.dumps(schema)) == schema


def test_the_schema_knows_what_the_study_is_made_of():
    fields = set(parse("command: run").__struct_fields__)
    assert set(keys.STUDY) - {"parameters"} == fields - {"factors"}
