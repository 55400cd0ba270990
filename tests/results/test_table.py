"""The table: exact values, types that combine or clash, column names, and counts of omitted results."""

import csv
import io
import math
import struct

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.model.plan import Plan
from packhorse.model.study import Result, Study
from packhorse.results import table
from packhorse.results.columns import typed_column
from packhorse.results.formats.text import cell
from packhorse.results.index_map import map_indices
from packhorse.results.table import merge_results
from packhorse.results.table_files import to_pandas
from results.journals import folded, space_of, write_journal

SPACE = space_of()  # n = 10, 20, 50; 4 replicates


def merged(directory, results, space=SPACE, **more):
    """Merge results, one per task from task 0 on; bytes are a result file of the given format."""
    form = more.pop("form", "")
    records = []
    for index, result in enumerate(results):
        record = {
            "index": index,
            "seed": 1000 + index,
            "begin": 1.5,
            "wall": 0.25,
            "cpu": 0.125,
            "memory": 2048,
        }
        if isinstance(result, bytes):
            record |= {"data": result, "format": form}
        elif isinstance(result, str):
            record |= {"text": result, "format": form}
        else:
            record["json"] = result
        records.append(record)
    write_journal(directory, space, records)
    return merge_results(space, folded(directory, space), directory, **more)


def printed_rows(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bits(value):
    return struct.pack("d", value) if isinstance(value, float) else value


def test_the_table_has_the_columns_of_the_design_in_order(tmp_path):
    report = merged(tmp_path, [{"estimate": 0.5, "covered": True}] * 12)
    results = ["n", "replicate", "seed", "estimate", "covered"]
    books = ["ph_index", "ph_attempt", "ph_wave", "ph_host", "ph_begin", "ph_wall", "ph_cpu", "ph_memory"]
    assert report.table.columns == results + books
    assert report.table["n"].to_list() == [10] * 4 + [20] * 4 + [50] * 4
    assert report.table["replicate"].to_list() == [0, 1, 2, 3] * 3
    assert report.table["seed"].to_list() == list(range(1000, 1012))
    assert report.table["ph_memory"].to_list() == [2048] * 12
    assert pl.read_parquet(tmp_path / "results.parquet").equals(report.table)
    assert {p.name for p in tmp_path.iterdir()} == {
        "journal",
        "results.parquet",
        "results.csv",
        "failures.csv",
    }


@settings(max_examples=30)
@given(st.lists(st.floats(), min_size=1, max_size=12))
def test_floats_are_exact_in_both_files(tmp_path_factory, values):
    directory = tmp_path_factory.mktemp("run")
    merged(directory, [{"x": value} for value in values])
    exact = pl.read_parquet(directory / "results.parquet")["x"].to_list()
    printed = [float(row["x"]) for row in printed_rows(directory / "results.csv")]
    for value, parquet, text in zip(values, exact, printed, strict=True):
        same = math.isnan if math.isnan(value) else lambda x, v=value: bits(x) == bits(v)
        assert same(parquet)
        assert same(text)


@settings(max_examples=30)
@given(st.lists(st.text(max_size=6) | st.none(), min_size=1, max_size=12))
def test_text_is_exact_in_both_files(tmp_path_factory, values):
    directory = tmp_path_factory.mktemp("run")
    merged(directory, [{"x": value, "y": 1} for value in values])
    assert pl.read_parquet(directory / "results.parquet")["x"].to_list() == values
    printed = [row["x"] for row in printed_rows(directory / "results.csv")]
    assert printed == [value or "" for value in values]


@settings(max_examples=30)
@given(st.lists(st.integers(-(2**70), 2**70), min_size=1, max_size=12))
def test_integers_of_any_size_are_exact(tmp_path_factory, values):
    directory = tmp_path_factory.mktemp("run")
    column = merged(directory, [{"x": value} for value in values]).table["x"]
    assert [int(value) for value in column.to_list()] == values
    fits = all(-(2**63) <= value < 2**63 for value in values)
    unsigned = all(0 <= value < 2**64 for value in values)
    assert column.dtype == (pl.Int64 if fits else pl.UInt64 if unsigned else pl.String)


@pytest.mark.parametrize(
    ("values", "dtype", "expected"),
    [
        ([1, 2.5], pl.Float64, [1.0, 2.5]),
        ([2**60, 0.5], pl.Float64, [float(2**60), 0.5]),
        ([2**70, 0.5], pl.Float64, [float(2**70), 0.5]),
        ([None, 1], pl.Int64, [None, 1]),
        ([None, True], pl.Boolean, [None, True]),
        ([None, None], pl.String, [None, None]),
        ([[1, 2], []], pl.String, ["[1,2]", "[]"]),
        ([1, 2**63], pl.UInt64, [1, 2**63]),
        ([-1, 2**63], pl.String, ["-1", str(2**63)]),
    ],
)
def test_types_unite_over_tasks(tmp_path, values, dtype, expected):
    report = merged(tmp_path, [{"x": value} for value in values])
    assert report.table["x"].dtype == dtype
    assert report.table["x"].to_list() == expected
    assert report.clashes == []


@pytest.mark.parametrize("spread", [1, 30], ids=["in one batch", "over batches"])
def test_types_unite_over_batches_as_in_one(tmp_path, monkeypatch, spread):
    monkeypatch.setattr(table, "BATCH", 20)
    space = space_of({}, replicates=4 * spread)
    values = [1] * spread + [None] * spread + [2.5] * spread + [2**70] * spread
    report = merged(tmp_path, [{"x": value, "y": 1} for value in values], space)
    assert report.table["x"].to_list() == values
    assert report.table["x"].dtype == pl.Float64


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        ([1, "a"], {"integer": 1, "text": 1}),
        ([1, True], {"integer": 1, "true/false": 1}),
        ([2**53 + 1, 0.5], {"integer": 1, "number": 1}),
        ([[1], "[1]"], {"list": 1, "text": 1}),
    ],
)
def test_a_clash_keeps_the_column_as_json_text(tmp_path, values, kinds):
    import json

    report = merged(tmp_path, [{"x": value, "fine": 1.5} for value in values])
    (clash,) = report.clashes
    assert clash.column == "x"
    assert clash.kinds == kinds
    assert clash.tasks == (0, 1)
    assert [json.loads(text) for text in report.table["x"]] == values
    assert report.table["fine"].dtype == pl.Float64


def test_a_clash_over_batches_names_five_tasks_the_rarest_kind_first(tmp_path, monkeypatch):
    monkeypatch.setattr(table, "BATCH", 20)
    space = space_of({}, replicates=60)
    values = [0.1] * 60
    values[55] = "error"
    report = merged(tmp_path, [{"x": value} for value in values], space)
    (clash,) = report.clashes
    assert clash.tasks == (55, 0, 1, 2, 3)
    assert report.table["x"][55] == '"error"'
    assert report.table["x"][0] == "0.1"


def test_names_that_are_taken_give_way(tmp_path):
    result = {"n": 1, "seed": 2, "replicate": 3, "ph_wave": 4, "n_result": 5, "x": 6}
    report = merged(tmp_path, [result])
    assert report.renamed == {
        "n": "n_result_result",
        "seed": "seed_result",
        "replicate": "replicate_result",
        "ph_wave": "ph_wave_result",
    }
    row = report.table.row(0, named=True)
    assert (row["n"], row["n_result"], row["n_result_result"], row["ph_wave"], row["seed"]) == (
        10,
        5,
        1,
        1,
        1000,
    )


def test_columns_stand_in_the_order_of_the_lowest_task_that_has_them(tmp_path):
    write_journal(tmp_path, SPACE, [{"index": 7, "json": {"z": 1, "b": 2}}], element=0)
    write_journal(tmp_path, SPACE, [{"index": 2, "json": {"b": 1, "a": 2}}], element=1)
    found = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path).table
    assert [name for name in found.columns if len(name) == 1] == ["n", "b", "a", "z"]
    assert found["ph_index"].to_list() == [2, 7]
    assert found["z"].to_list() == [None, 1]


def test_several_rows_a_task_and_nested_names(tmp_path):
    results = [[{"t": 0.0, "fit": {"a": 1, "b": {"c": 2}}}, {"t": 1.0}], {"t": 9.0, "fit": {"a": 3}}, []]
    report = merged(tmp_path, results)
    kept = report.table.select("t", "fit.a", "fit.b.c", "ph_index", "ph_row")
    assert kept.rows() == [(0.0, 1, 2, 0, 0), (1.0, None, None, 0, 1), (9.0, 3, None, 1, 0)]
    assert report.empty == [2]
    assert report.tasks == 2


@pytest.mark.parametrize(
    ("value", "expected"), [(0.25, 0.25), ("yes", "yes"), ([1, 2], "[1,2]"), (None, None), (True, True)]
)
def test_a_single_value_is_the_column_result(tmp_path, value, expected):
    write_journal(tmp_path, SPACE, [{"index": 0, "json": value}])
    assert merge_results(SPACE, folded(tmp_path, SPACE), tmp_path).table["result"].to_list() == [expected]


def test_what_r_writes_is_read_as_r_meant_it(tmp_path):
    # What write.csv makes of numbers, logical values and words, with missing ones among them.
    text = '"","estimate","ok","id"\n"1",0.30000000000000004,TRUE,"007"\n"2",NA,FALSE,"a"\n"3",1e-05,NA,NA\n"4",Inf,TRUE,"b"\n'
    report = merged(tmp_path, [text.encode()], form="csv")
    assert report.table.select("unnamed", "estimate", "ok", "id").rows() == [
        (1, 0.1 + 0.2, True, "007"),
        (2, None, False, "a"),
        (3, 1e-5, None, None),
        (4, math.inf, True, "b"),
    ]


@pytest.mark.parametrize(
    ("form", "data", "rows"),
    [
        ("json", b'{"x": NaN, "n": 1}', [{"x": math.nan}]),
        ("json", b"[1, 2]", [{"result": "[1,2]"}]),
        ("ndjson", b'{"x": 1}\n\n{"x": -Infinity}\n', [{"x": 1.0}, {"x": -math.inf}]),
        ("csv", b"\xef\xbb\xbfx;y\n1;a\n", [{"x": 1, "y": "a"}]),
        ("csv", b"x,x\r\n1,2\r\n", [{"x": 1, "x_2": 2}]),
        ("csv", b"x\n007\n010\n", [{"x": "007"}, {"x": "010"}]),
        ("csv", b'"x"\n"a",1\n"b",2\n', [{"unnamed": "a", "x": 1}, {"unnamed": "b", "x": 2}]),
        ("csv", b'x,y\n"a,""b\nc",-0\n', [{"x": 'a,"b\nc', "y": -0.0}]),
        ("text", b"0.1\n", [{"result": 0.1}]),
        ("text", b" two words\n", [{"result": " two words"}]),
        ("text", b"12345678901234567890123\n", [{"result": "12345678901234567890123"}]),
    ],
)
def test_result_files_are_read(tmp_path, form, data, rows):
    found = merged(tmp_path, [data], form=form).table
    for name in rows[0]:
        assert repr(found[name].to_list()) == repr([row[name] for row in rows])


def test_small_result_files_stand_in_the_journal(tmp_path):
    assert merged(tmp_path, ["a,b\n1,2\n", "a,b\n3,4\n"], form="csv").table["b"].to_list() == [2, 4]


def test_a_parquet_result_keeps_its_bits(tmp_path):
    frame = pl.DataFrame({"x": [0.1, math.nan], "big": [2**63, 1], "day": ["a", None]}).cast(
        {"big": pl.UInt64}
    )
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    found = merged(tmp_path, [buffer.getvalue()], form="parquet").table
    assert found.select("x", "big", "day").equals(frame)


def test_the_study_says_how_files_are_read_where_the_record_does_not(tmp_path):
    study = Study(name="s", result=Result(kind="file", file="out/{index}.csv"))
    assert merged(tmp_path, [b"x\n1\n"], study=study).table["x"].to_list() == [1]


@pytest.mark.parametrize(
    ("form", "data", "reason"),
    [
        ("json", b"{", "json result"),
        ("json", b'{"a.b": 1, "a": {"b": 2}}', "two values"),
        ("csv", b"a,b\n1\n", "line 2 has 1 cell (1), but the header has 2 names (a,b)"),
        ("csv", b'a\n"1\n', "csv result"),
        ("csv", b"a\n\xff\n", "not UTF-8 at byte 2"),
        ("ndjson", b'{"a":1}\noops\n', "ndjson result"),
        ("parquet", b"PAR1", "parquet result"),
        ("sav", b"x", "'sav' cannot be read"),
        ("json", b"[" * 100_000, "json result"),
    ],
)
def test_an_unreadable_result_is_told_and_stops_nothing(tmp_path, form, data, reason):
    records = [{"index": 0, "json": {"x": 1}}, {"index": 1, "data": data, "format": form, "seed": 5}]
    write_journal(tmp_path, SPACE, records)
    report = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path)
    assert list(report.unreadable) == [1]
    assert reason in report.unreadable[1][0]
    assert (report.tasks, report.counts["UNREADABLE"]) == (1, 1)
    (row,) = printed_rows(tmp_path / "failures.csv")
    assert (row["outcome"], row["ph_index"], row["n"], row["seed"]) == ("UNREADABLE", "1", "10", "5")


def test_a_damaged_pack_is_unreadable_not_wrong(tmp_path):
    path = write_journal(tmp_path, SPACE, [{"index": 0, "data": b"0.5"}, {"index": 1, "data": b"0.7"}])
    path.with_suffix(".pack").write_bytes(b"0.60.7")
    report = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path)
    assert report.table["result"].to_list() == [0.7]
    assert "checksum" in report.unreadable[0][0]


def test_failures_and_missing_tasks_are_counted(tmp_path):
    records = [
        {"index": 0, "json": 1},
        {
            "index": 5,
            "outcome": "FAILED",
            "exit": 2,
            "cause": 'ValueError: "no", really',
            "seed": 9,
            "wall": 0.5,
        },
        {"index": 4, "outcome": "MEMORY", "signal": 9},
    ]
    write_journal(tmp_path, SPACE, records)
    report = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path)
    assert report.counts == {
        "OK": 1, "FAILED": 1, "TIMEOUT": 0, "MEMORY": 1, "UNFINISHED": 0, "MISSING": 9, "UNREADABLE": 0,
    }  # fmt: skip
    rows = printed_rows(tmp_path / "failures.csv")
    assert [(row["ph_index"], row["n"], row["outcome"]) for row in rows] == [
        ("4", "20", "MEMORY"),
        ("5", "20", "FAILED"),
    ]
    assert rows[1]["cause"] == 'ValueError: "no", really'


def test_nothing_done_gives_a_table_without_rows(tmp_path):
    report = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path)
    assert report.rows == 0
    assert (tmp_path / "results.csv").read_text().startswith("n,replicate,seed,ph_index")
    assert (tmp_path / "failures.csv").read_text().count("\n") == 1


def test_leftovers_never_enter_and_old_files_are_replaced(tmp_path):
    (tmp_path / "results.csv").write_text("old")
    other = space_of({"n": [99]})
    write_journal(tmp_path, other, [{"index": 0, "json": 1}], element=5)
    report = merged(tmp_path, [{"x": 1}])
    assert (report.rows, report.foreign) == (1, 1)
    assert "old" not in (tmp_path / "results.csv").read_text()


def test_a_change_of_code_gets_its_column(tmp_path):
    write_journal(tmp_path, SPACE, [{"index": 0, "json": 1}], wave=1, code="old1")
    write_journal(tmp_path, SPACE, [{"index": 1, "json": 1}], wave=2, code="new2")
    latest = Plan(wave=2, space=SPACE.digest, code="new2", total=SPACE.size, tasks=1)
    report = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path, latest=latest)
    assert report.table["ph_code"].to_list() == ["old1", "new2"]


def test_carried_tasks_stand_at_their_new_place(tmp_path):
    new = space_of({"method": ["t", "z"], "n": [5, 10, 20, 50]}, replicates=4)
    write_journal(tmp_path, SPACE, [{"index": i, "seed": i, "json": {"n": SPACE[i]["n"]}} for i in range(12)])
    carry = {SPACE.digest: map_indices(SPACE, new, {"method": "z"})}
    found = merge_results(new, folded(tmp_path, new, carry=carry), tmp_path).table
    assert found.height == 12
    assert found["n"].to_list() == found["n_result"].to_list()
    assert set(found["method"]) == {"z"}


def test_parameters_of_every_kind_of_factor(tmp_path):
    frozen = dict(SPACE.frozen)
    frozen["factors"] = [
        {"names": ["i"], "range": [5, -2, 3]},
        {"names": ["chunk", "start", "stop"], "chunks": [10, 4, 3]},
        {"names": ["a", "b"], "levels": [[1, "x"], [2.5, "y"]]},
        {"names": ["mixed"], "levels": [[1], ["one"], [None]]},
    ]
    space = type(SPACE)(frozen)
    report = merged(tmp_path, [{"x": 1}] * space.size, space)
    for row in report.table.to_dicts():
        given_ = space[row["ph_index"]]
        mixed = {1: "1", "one": "one", None: None}[given_.pop("mixed")]
        assert row["mixed"] == mixed
        assert {name: row[name] for name in given_} == given_
    assert report.clashes == [], "what the study gives is not the script's clash"


def test_the_table_goes_to_pandas(tmp_path):
    frame = to_pandas(merged(tmp_path, [{"x": 0.1}, {"x": 0.2}]).table)
    assert list(frame["x"]) == [0.1, 0.2]


def test_lone_surrogates_show_as_escapes():
    assert typed_column("x", ["caf\udce9", "é"]).to_list() == ["caf\\udce9", "é"]


def test_names_with_lone_surrogates_show_as_escapes(tmp_path):
    report = merged(tmp_path, [{"caf\udce9": 1, "caf\\udce9": 2, "x\udce9": 3}, {"x\udce9": "a"}])
    assert report.table.columns[3:6] == ["caf\\udce9_result", "caf\\udce9", "x\\udce9"]
    assert [clash.column for clash in report.clashes] == ["x\\udce9"]
    assert report.renamed == {"caf\\udce9": "caf\\udce9_result"}


@given(st.floats(allow_nan=False))
def test_cells_with_17_digits_are_exact(value):
    for text in (repr(value), f"{value:.17g}", f"{value:.16e}"):
        assert bits(float(cell(text))) == bits(value)


@pytest.mark.parametrize("text", ["1_000", " 1", "0x10", "1e", "١", "+", "007", "1.2.3", "infinite", "None"])
def test_words_that_only_python_would_take_for_numbers_stay_text(text):
    assert cell(text) == text
