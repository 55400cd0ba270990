"""YAML: what scalars mean, where things stand, and what is refused."""

import json
import math

import pytest

from packhorse.model.errors import StudyError
from packhorse.text.node import plain
from packhorse.text.yaml import decode, parse_yaml, resolve


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("5.", 5.0),
        ("+7", 7),
        ("007", 7),
        ("0o10", 8),
        ("0xff", 255),
        ("-.inf", -math.inf),
        ("True", True),
        ("~", None),
        ("", None),
        ("no", "no"),
        ("on", "on"),
        ("1_000", "1_000"),
        ("12:30:45", "12:30:45"),
        ("2-15:59:00", "2-15:59:00"),
        ("0b1", "0b1"),
        ("tRue", "tRue"),
        ("nan", "nan"),
        ("٣", "٣"),
        ("2026-11-22", "2026-11-22"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text, value):
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_nan_is_a_number_only_with_its_point():
    assert math.isnan(resolve(".nan"))


def test_quoted_scalars_are_words():
    assert plain(parse_yaml("[1, '1', \"no\", ! 5]", "f")) == [1, "1", "no", "5"]


def test_every_node_knows_its_place():
    root = parse_yaml("a: 1\nb:\n  - x\n  - {c: 2}\n", "f.yaml")
    assert root.value["b"].key == "f.yaml:2:1"
    assert root.value["b"].value[0].where == "f.yaml:3:5"
    assert root.value["b"].value[1].value["c"].where == "f.yaml:4:9"


def test_windows_line_ends_byte_order_mark_and_anchors():
    assert plain(parse_yaml("\ufeffa: &x [1, 2]\r\nb: *x\r\n", "f")) == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("a:\n\tb: 1", "f:2:1", "\\t"),
        ("a: [1, 2", "f:1:9", "expected ',' or ']'"),
        ("a: b: c", "f:1:5", "mapping values"),
        ("a: 1\nb: 2\na: 3", "f:3:1", "given twice; first in line 1"),
        ("", "f:1:1", "empty"),
        ("# only a comment\n", "f:1:1", "empty"),
        ("a: 1\n---\nb: 2", "f:2:1", "second document"),
        ("a: !!int 3", "f:1:4", "not supported"),
        ("a: *nowhere", "f:1:4", "no anchor"),
        ("a: x\x01y", "f:1:5", "does not allow"),
        ('a: "\\0"', "f:1:4", "NUL"),
        ('a: "\\ud800"', "f:1:4", "half of a character"),
        ('a: "\\U99999999"', "f:1:1", "not valid YAML"),
        ('a: "\\U00110000"', "f:1:1", "not valid YAML"),
        ("[a]: 1", "f:1:1", "A key must be a text"),
        ("a: &a [*a]", "f:1:8", "no anchor"),
        ("[" * 60, "f:1:42", "levels deep"),
    ],
)
def test_what_is_not_yaml_is_refused_at_its_place(text, where, said):
    with pytest.raises(StudyError) as caught:
        parse_yaml(text, "f")
    assert caught.value.where == where
    assert said in caught.value.message
    assert caught.value.hint


def test_aliases_of_aliases_do_not_fill_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [" + ", ".join([f"*a{n - 1}"] * 10) + "]" for n in range(1, 12)]
    with pytest.raises(StudyError, match="more than 3,000,000 values"):
        parse_yaml("\n".join(lines), "f")


def test_a_file_in_another_encoding_is_refused_at_its_byte():
    with pytest.raises(StudyError) as caught:
        decode("a: 1\nname: caf\xe9".encode("latin-1"), "f.yaml")
    assert caught.value.where == "f.yaml:2:10"
    assert "not UTF-8" in caught.value.message
    assert "iconv" in caught.value.hint


def test_json_with_escaped_characters_beyond_the_basic_plane_is_yaml() -> None:
    said = json.dumps({"name": "\U0001f40e horse", "\U0001f40e": 1})
    node = parse_yaml(said, "study.yaml")
    assert plain(node) == {"name": "\U0001f40e horse", "\U0001f40e": 1}
