"""Failures grouped by cause, and reruns compared with the earlier run."""

import pytest

from packhorse.results.compare import compare
from packhorse.results.failures import group_failures, normalise_message
from results.journals import folded, space_of, write_journal

SPACE = space_of({"n": list(range(100))}, replicates=1)


def test_failures_are_grouped_by_what_they_have_in_common(tmp_path):
    def because(i):
        return f"FileNotFoundError: '/scratch/u{i}/job.{i}/data.csv' at 0x7f{i:04x}a0 after {i}.5 s"

    records = [{"index": i, "outcome": "FAILED", "exit": 1, "cause": because(i)} for i in range(30)]
    records += [{"index": i, "outcome": "FAILED", "exit": 2, "cause": because(i)} for i in range(30, 32)]
    records += [{"index": 40, "outcome": "MEMORY", "signal": 9}, {"index": 41, "json": 1}]
    write_journal(tmp_path, SPACE, records)
    found = group_failures(folded(tmp_path, SPACE))
    assert [(c.outcome, c.exit, c.signal, c.count) for c in found] == [
        ("FAILED", 1, None, 30),
        ("FAILED", 2, None, 2),
        ("MEMORY", None, 9, 1),
    ]
    assert found[0].examples == (0, 1, 2, 3, 4)
    assert found[0].message == because(0)


@pytest.mark.parametrize(
    ("message", "pattern"),
    [
        ("KeyError: 'x12'", "KeyError: 'xN'"),
        ("line 12: 3 > 1e-8", "line N: N > N"),
        ("<Foo object at 0x7ffc12>", "<Foo object at HEX>"),
        ("cannot open ../runs/a/b.csv: x", "cannot open .../b.csv: x"),
        ("commit deadbeef1 is gone", "commit HEX is gone"),
    ],
)
def test_messages_lose_what_differs_from_task_to_task(message, pattern):
    assert normalise_message(message) == pattern


def test_a_rerun_is_compared_bit_for_bit(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    nan = float("nan")
    before = [
        {"x": 0.1 + 0.2, "y": nan},
        {"x": 0.0, "y": 1},
        {"x": 1, "y": 2},
        {"x": 1, "y": 2},
        {"x": 5, "z": 1},
    ]
    after = [{"x": 0.1 + 0.2, "y": nan}, {"x": -0.0, "y": 1}, {"x": 1.0, "y": 2}, {"y": 2, "x": 1}, {"x": 5}]
    write_journal(first, SPACE, [{"index": i, "json": r} for i, r in enumerate(before)])
    write_journal(
        second, SPACE, [{"index": i, "json": r} for i, r in enumerate(after)] + [{"index": 9, "json": 1}]
    )
    found = compare(folded(first, SPACE), folded(second, SPACE))
    assert (found.compared, found.same, found.different, found.absent) == (5, 2, (1, 2, 4), (9,))
    assert [(d.index, d.column, d.first, d.second) for d in found.differences] == [
        (1, "x", "0.0", "-0.0"),
        (2, "x", "1", "1.0"),
        (4, "z", "1", ""),
    ]
    assert found.columns == {"x": 2, "z": 1}


def test_result_files_are_compared_by_their_bytes_and_then_their_values(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.mkdir()
    second.mkdir()
    before = [b"x,y\n1,2\n", b"x\n1\n", b"x\n1\n2\n"]
    after = [b'x,y\n1,"2"\n', b"x\n1\n", b"x\n1\n"]
    for folder, files in ((first, before), (second, after)):
        write_journal(folder, SPACE, [{"index": i, "data": f, "format": "csv"} for i, f in enumerate(files)])
    found = compare(folded(first, SPACE), folded(second, SPACE))
    assert found.same == 2
    assert [(d.index, d.column, d.row, d.first, d.second) for d in found.differences] == [
        (2, "x", 1, "2", "")
    ]
