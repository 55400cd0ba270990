"""Tables as text: each cell is what was written, or the table is refused with its cause and the line to write."""

from __future__ import annotations

import math
from typing import Any

import pytest

from packhorse.results.formats.rows import File
from packhorse.results.formats.text import delimited, read_txt
from packhorse.worker.results.judgement import judge
from packhorse.worker.results.refusal import NoResult


def rows(text: str | bytes, form: str = "csv", **setting: Any) -> list[dict[str, Any]]:
    data = text if isinstance(text, bytes) else text.encode()
    judge(data, form, setting)  # the worker's side accepts what the merge reads
    reader = read_txt if form == "txt" else delimited(form)
    return reader(File(data, setting, {}))


@pytest.mark.parametrize(
    ("text", "form", "setting", "expected"),
    [
        pytest.param("x, y\n1, a b\n2,  c\n", "csv", {}, [{"x": 1, "y": "a b"}, {"x": 2, "y": "c"}], id="blanks"),
        pytest.param('a,b\n1, "x, y"\n', "csv", {}, [{"a": 1, "b": "x, y"}], id="blank before a quote"),
        pytest.param("p\n0,25\n", "csv", {"separator": ";", "decimal": ","}, [{"p": 0.25}], id="decimal comma"),
        pytest.param('"a";"b"\n0,25;1e-5\n', "csv", {"decimal": ","}, [{"a": 0.25, "b": 1e-5}], id="write.csv2"),
        pytest.param("3,9\n4,8\n", "csv", {"header": ["a", "b"]}, [{"a": 3, "b": 9}, {"a": 4, "b": 8}], id="header"),
        pytest.param("2019,2020\n3,9\n", "csv", {"header": True}, [{"2019": 3, "2020": 9}], id="header of numbers"),
        pytest.param("# x,y\n1,2\n", "csv", {}, [{"x": 1, "y": 2}], id="savetxt with a header"),
        pytest.param("# made today\n# x y\n1.5 2\n3 4\n", "txt", {}, [{"x": 1.5, "y": 2}, {"x": 3, "y": 4}], id="txt"),
        pytest.param("# by me\nx,y\na,2\n", "csv", {}, [{"x": "a", "y": 2}], id="a comment that is no header"),
        pytest.param("# first, second\nx,y\na,b\n", "csv", {}, [{"x": "a", "y": "b"}], id="a comment as wide as the header"),
        pytest.param("x  y\n 1\t2 \n", "dat", {}, [{"x": 1, "y": 2}], id="any blanks"),
        pytest.param("x\ty\n\t2\n", "tsv", {}, [{"x": None, "y": 2}], id="an empty cell between tabs"),
        pytest.param("a|b\n1|2\n", "csv", {}, [{"a": 1, "b": 2}], id="bars"),
        pytest.param("x\nNA\n1\nNone\n#N/A\n-inf\n", "csv", {}, [{"x": v} for v in (None, 1, None, None, -math.inf)], id="words"),
        pytest.param("m\nNone\nridge\n", "csv", {}, [{"m": "None"}, {"m": "ridge"}], id="None among texts is a text"),
        pytest.param('x\n""\n2\n', "csv", {}, [{"x": None}, {"x": 2}], id="an empty cell of one column"),
        pytest.param('"est"\n"1",25\n"2",3\n', "csv", {}, [{"unnamed": 1, "est": 25}, {"unnamed": 2, "est": 3}], id="R's row names"),
        pytest.param('"est"\nb,0.5\na,0.25\n', "csv", {}, [{"unnamed": "b", "est": 0.5}, {"unnamed": "a", "est": 0.25}], id="terms"),
        pytest.param("x;y\n1,5;a\n", "csv", {"decimal": "."}, [{"x": "1,5", "y": "a"}], id="commas kept as text"),
        pytest.param("é\n1\n".encode("latin-1"), "csv", {"encoding": "latin-1"}, [{"é": 1}], id="latin-1"),
        pytest.param("é\n1\n".encode("utf-16"), "csv", {"encoding": "utf-16"}, [{"é": 1}], id="utf-16"),
        pytest.param("x,y\n1,2", "csv", {}, [{"x": 1, "y": 2}], id="no newline at the end"),
        pytest.param("x,y\r\n1,2\r\n\r\n", "csv", {}, [{"x": 1, "y": 2}], id="Windows"),
        pytest.param("x,y\n", "csv", {}, [], id="a header alone"),
        pytest.param("# x y\n1 2\n3 4\n", "csv", {}, [{"x": 1, "y": 2}, {"x": 3, "y": 4}], id="savetxt with blanks in a csv"),
        pytest.param("x y z\n1 2 3\n", "csv", {}, [{"x": 1, "y": 2, "z": 3}], id="blanks in a csv"),
        pytest.param("x y\n1 2\n", "txt", {}, [{"x": 1, "y": 2}], id="a header without a sign"),
        pytest.param('"Est" "p"\n"a" 1.5 0.1\n"b" 2 0.2\n', "txt", {}, [{"unnamed": "a", "Est": 1.5, "p": 0.1}, {"unnamed": "b", "Est": 2, "p": 0.2}], id="write.table"),
        pytest.param("two words\nof a text\n", "txt", {}, [{"result": "two words\nof a text"}], id="a text"),
        pytest.param("x\n1\n\n", "csv", {}, [{"x": 1}], id="a blank line at the end"),
        pytest.param("x\n1.0D-03\n", "dat", {}, [{"x": 0.001}], id="Fortran"),
        pytest.param("x\n1e400\n", "csv", {}, [{"x": "1e400"}], id="beyond doubles"),
    ],
)  # fmt: skip
def test_a_table_is_read_as_it_was_written(
    text: str | bytes, form: str, setting: dict[str, Any], expected: list[dict[str, Any]]
) -> None:
    assert repr(rows(text, form, **setting)) == repr(expected)


def test_a_cell_may_be_longer_than_the_default_of_csv() -> None:
    long = "x" * 200_000
    assert rows(f"a,b\n{long},1\n") == [{"a": long, "b": 1}]


@pytest.mark.parametrize(
    ("text", "form", "setting", "reasons"),
    [
        pytest.param("", "csv", {}, ["empty"], id="nothing"),
        pytest.param(" \n\n", "csv", {}, ["empty"], id="blank lines"),
        pytest.param("3,9\n", "csv", {}, ["no names", "header: [a, b]"], id="no header"),
        pytest.param("0.5\n0.25\n", "csv", {}, ["no names", "header: [a]"], id="one column without a header"),
        pytest.param("normal,0.5\nexp,0.7\n", "csv", {}, ["like the rows below", "header:"], id="labels without a header"),
        pytest.param("1 2\n3 4\n", "txt", {}, ["header: [a, b]"], id="savetxt without a header"),
        pytest.param("p\n0,25\n", "csv", {}, ["line 2", "decimal commas", 'decimal: ","'], id="decimal comma"),
        pytest.param("p\n1,25\n2,5\n", "csv", {}, ["decimal commas"], id="decimal comma with 1, 2 before it"),
        pytest.param("arm,p\na,0,25\nb,0,5\n", "csv", {}, ["decimal commas"], id="decimal comma after a label"),
        pytest.param("p\n1,25e-3\n", "csv", {}, ["decimal commas"], id="decimal comma with an exponent"),
        pytest.param("n\n1,234\n5,678\n", "csv", {}, ["thousands"], id="thousands"),
        pytest.param('n\n"1,234"\n', "csv", {}, ["column n", "1,234"], id="thousands in quotes"),
        pytest.param('"a";"b"\n0,25;1\n', "csv", {}, ["column a", 'decimal: ","'], id="write.csv2"),
        pytest.param("a,b\n1,2,3\n4,5\n", "csv", {}, ["line 2 has 3 cells", "2 names"], id="one row too long"),
        pytest.param("a,b\n1,2,\n", "csv", {}, ["line 2 has 3 cells", "ends with the separator"], id="a comma at the end"),
        pytest.param("note,x\nlate, again,1\n", "csv", {}, ["needs quotes"], id="unquoted comma"),
        pytest.param("a,b\n1\n", "csv", {}, ["line 2 has 1 cell"], id="too short"),
        pytest.param("1 2\n3 4\n", "csv", {}, ["header: [a, b]"], id="savetxt with blanks and no header in a csv"),
        pytest.param("x\n1\n\n3\n", "csv", {}, ["blank lines", "NA"], id="a blank line may be a missing value"),
        pytest.param("x;y\n1.234,5;1\n", "csv", {"decimal": ","}, ["marks of thousands"], id="points for thousands"),
        pytest.param("3,9\n", "csv", {"header": ["a"]}, ["2 cells", "1 name"], id="header with another length"),
        pytest.param("é\n".encode("latin-1"), "csv", {}, ["not UTF-8 at byte 0", "latin-1"], id="encoding"),
        pytest.param("x\n1\n".encode("utf-16"), "csv", {}, ["encoding: utf-16"], id="utf-16"),
        pytest.param('x\n"1\n', "csv", {}, ["not a table"], id="open quote"),
        pytest.param('"est"\n"b",0.5\n"b",0.25\n', "csv", {}, ["line 2"], id="names that repeat are no row names"),
        pytest.param("x\n7,a\n8,b\n", "csv", {}, ["line 2"], id="numbers other than 1, 2, ... are no row names"),
        pytest.param("x\n7,25\n7,5\n", "csv", {}, ["line 2"], id="first cells that repeat are no row names"),
    ],
)  # fmt: skip
def test_what_may_be_read_in_two_ways_is_refused(
    text: str | bytes, form: str, setting: dict[str, Any], reasons: list[str]
) -> None:
    with pytest.raises(NoResult) as refused:
        rows(text, form, **setting)
    for reason in reasons:
        assert reason in str(refused.value)


@pytest.mark.parametrize(
    ("data", "form", "reason"),
    [
        (b'{"a": 1, "a": 2}', "json", 'the name "a" occurs twice'),
        (b'{"a": {"b": 1, "b": 2}}', "json", 'the name "b" occurs twice'),
        (b'{"a": 1e400}', "json", "beyond double precision"),
        (b'{"a.b": 1, "a": {"b": 2}}', "json", "two values"),
        (b'{"a": 1', "json", "not JSON"),
        (b'{"a": 1}\n{"a": }\n', "ndjson", "line 2"),
        (b"\x80\x04K\x01.", "pickle", "runs code"),
        (b"PK", "npy", "not a file of the format npy"),
        (b"not gzip", "csv.gz", "not a whole gzip file"),
    ],
)
def test_other_formats_are_refused_with_a_reason(data: bytes, form: str, reason: str) -> None:
    with pytest.raises(NoResult, match=reason):
        judge(data, form, {})
