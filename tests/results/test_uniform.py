"""The fast path for results of one shape gives the same table as the slow path."""

from unittest.mock import patch

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from packhorse.results import journal, table
from packhorse.results.journal import read_journal
from packhorse.results.table import merge_results
from packhorse.results.uniform import decode_uniform
from packhorse.worker.journal import journal_line
from results.journals import folded, header_of, space_of, write_journal

SPACE = space_of({}, replicates=40)

# What unites, what clashes, and what no strict JSON reader takes.
values = (
    st.floats()
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 2**64, 0, 1, -0.0, 1e308])
    | st.booleans()
    | st.none()
    | st.text(max_size=3)
    | st.sampled_from(["caf\udce9", '"', "\n", "{"])
    | st.lists(st.integers(0, 3) | st.text(max_size=1), max_size=2)
)
columns = st.sampled_from([values, st.floats(), st.integers(), st.none(), st.booleans(), st.text(max_size=3)])
names = st.sampled_from(["x", "y", "n", "ph_wall", "a.b", "", 'a"b', "é", "x\n", "caf\udce9", "json"])
odd = (
    values
    | st.dictionaries(names, values, max_size=3)
    | st.dictionaries(names, st.dictionaries(st.just("b"), values, max_size=1), max_size=2)
    | st.lists(st.dictionaries(st.sampled_from(["x", "y"]), values, max_size=2), max_size=3)
)


@st.composite
def results(draw):
    """Return results that mostly have one shape: the same names, each with values of one or several types."""
    kinds = {name: draw(columns) for name in draw(st.lists(names, unique=True, max_size=4))}
    found = []
    for _ in range(draw(st.integers(1, 24))):
        row = [(name, draw(kind)) for name, kind in kinds.items()]
        found.append(dict(draw(st.permutations(row)) if draw(st.integers(0, 9)) == 0 else row))
    for at in draw(st.lists(st.integers(0, len(found) - 1), max_size=2)):
        found[at] = draw(odd)
    return found


def content(directory, report):
    """Return the files and the report of a merge, with exact floats (repr) and NaN equal to itself."""
    unreadable = {index: reason for index, (reason, _, _) in report.unreadable.items()}
    said = (report.tasks, report.counts, unreadable, report.empty, report.clashes, report.renamed)
    printed = [(directory / name).read_bytes() for name in ("results.csv", "failures.csv")]
    return report.table.schema, [repr(row) for row in report.table.rows()], said, printed


BIG = 2**53 + 1  # no double
CLASHES = [{"y": 0.0, "x": 0.0}, {"x": 0.0, "y": 0.0}, {"x": BIG, "y": 0.0}, {"x": 0.0, "y": BIG}]


@settings(max_examples=300, deadline=None)
@example(CLASHES, [1, 0, 2, 3], 2)  # the clashes once came in the order of the journal
@given(results(), st.permutations(range(24)), st.integers(1, 9))
def test_both_ways_give_the_same_table(tmp_path_factory, found, order, batch):
    directory = tmp_path_factory.mktemp("run")
    records = [
        {"index": index, "seed": index, "wall": 0.1, "json": result}
        for index, result in zip(order, found, strict=False)
    ]
    write_journal(directory, SPACE, records)
    with patch.object(table, "BATCH", batch):
        quick = content(directory, merge_results(SPACE, folded(directory, SPACE), directory))
        with patch.object(table, "decode_uniform", return_value=None):
            general = content(directory, merge_results(SPACE, folded(directory, SPACE), directory))
    assert quick == general


def block_of(*given):
    return b"".join(journal_line({"index": index, "json": result}) for index, result in enumerate(given))


def test_the_usual_results_take_the_quick_way():
    found = decode_uniform(block_of({"x": 1, "y": 0.1}, {"y": float("nan"), "x": None}), 2, 0)
    assert list(found.values) == ["x", "y"]
    assert found.values["x"] == [1, None]
    assert repr(found.values["y"]) == "[0.1, nan]"
    assert [record.index for record in found.records] == [0, 1]


@pytest.mark.parametrize(
    "other",
    [{"x": 1}, {"x": 1, "y": 1, "z": 1}, {"x": 1, "y": {"z": 1}}, {"x": 1, "": 1}, [{"x": 1, "y": 1}], 1],
)
def test_another_shape_is_left_to_the_general_way(other):
    usual = {"x": 1, "y": 0.1}
    assert decode_uniform(block_of(usual, other), 2, 0) is None
    assert decode_uniform(block_of(usual, {"x": float("inf"), "y": 1}, other), 3, 1) is None


def test_a_file_beside_the_usual_results_is_read_too(tmp_path):
    records = [{"index": at, "json": {"x": at}} for at in range(5)]
    records += [
        {"index": 5, "text": '{"x": 5.5}', "format": "json"},
        {"index": 6},
        {"index": 7, "json": None},
    ]
    write_journal(tmp_path, SPACE, records)
    report = merge_results(SPACE, folded(tmp_path, SPACE), tmp_path)
    assert report.table["x"].to_list() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.5, None]
    assert report.without == [6], "a task without a result among others is told, and has no empty row"
    assert report.table["ph_index"].to_list() == [0, 1, 2, 3, 4, 5, 7]


@pytest.mark.parametrize("block", [1, 64, 200, 5000])
def test_a_journal_is_the_same_in_pieces_of_any_size(tmp_path, monkeypatch, block):
    path = tmp_path / "1-0-0-h-1-ab.ndjson"
    lines = [journal_line({"header": header_of(SPACE, "a")})]
    for index in range(40):
        lines.append(journal_line({"index": index, "json": {"x": index / 7, "text": "y" * (index * 50)}}))
        if index % 3 == 0:
            lines.append(journal_line({"totals": {"OK": index + 1}}))
        if index % 10 == 5:
            lines.append(b"damaged" + lines[-1])
    path.write_bytes(b"".join(lines) + b'{"crc":"00')
    whole = read_journal(path)
    assert (len(whole), whole.bad, whole.totals) == (40, 4, {"OK": 40})
    monkeypatch.setattr(journal, "_BLOCK", block)
    pieces = read_journal(path)
    for name in ("index", "outcome", "attempt", "offset", "length", "bad", "totals"):
        assert getattr(pieces, name) == getattr(whole, name)
    chosen = [39, 3, 4, 5, 4]
    assert [record.index for record in pieces.records(chosen)] == chosen
    assert [record.json["x"] for record in pieces.records()] == [index / 7 for index in range(40)]
