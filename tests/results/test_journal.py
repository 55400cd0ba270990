"""Reading of complete, incomplete and damaged journals."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.model.errors import RunError
from packhorse.results.journal import read_journal
from packhorse.results.journal_tail import failed_attempts, read_tail
from packhorse.results.payload import Payloads
from packhorse.worker.journal import journal_line
from results.journals import folded, header_of, space_of, write_journal

SPACE = space_of()

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), json_values, max_size=6)
)
@settings(deadline=None)
def test_a_result_comes_back_as_it_was_bit_for_bit(tmp_path_factory, result):
    directory = tmp_path_factory.mktemp("run")
    path = write_journal(directory, SPACE, [{"index": 3, "seed": 2**63 - 1, "json": result}])
    (record,) = read_journal(path).records()
    # repr tells -0.0 from 0.0 and prints every float with all its digits
    assert repr(record.json) == repr(result)
    assert record.seed == 2**63 - 1


def test_the_lines_that_are_no_records_are_heard(tmp_path):
    path = write_journal(tmp_path, SPACE, [{"index": 0}])
    path.write_bytes(path.read_bytes() + journal_line({"note": "out.csv is left over"}))
    journal = read_journal(path)
    assert (journal.totals["OK"], journal.notes, journal.end, journal.bad) == (
        1,
        ["out.csv is left over"],
        "done",
        0,
    )


def records_of(path: Path) -> list[tuple[int, object]]:
    journal = read_journal(path)
    with Payloads(journal) as payloads:
        return [(record.index, payloads.exact(record)) for record in journal.records()]


def short_journal(directory: Path) -> tuple[Path, bytes, list[tuple[int, object]]]:
    records = [
        {"index": 0, "json": {"x": 0.1}},
        {"index": 1, "json": {"x": float("nan"), "outcome": "FAILED"}},
        {"index": 2, "outcome": "FAILED", "exit": 1},
        {"index": 5, "json": {"name": "Zoë"}},
    ]
    path = write_journal(directory, SPACE, records)
    return path, path.read_bytes(), records_of(path)


def test_every_tear_leaves_a_beginning_of_the_records(tmp_path):
    path, data, whole = short_journal(tmp_path)
    assert len(whole) == 4
    for length in range(len(data)):
        path.write_bytes(data[:length])
        journal = read_journal(path)
        found = records_of(path)
        assert found == whole[: len(found)]
        assert journal.bad == 0, "a torn tail is normal"
        # Every record whose newline is there counts.
        assert len(found) == max(0, min(4, data[:length].count(b"\n") - 1))
        assert [record.index for record in read_tail(path).records] in ([], [i for i, _ in found])


def test_no_damaged_byte_ever_gives_a_wrong_record(tmp_path):
    path, data, whole = short_journal(tmp_path)
    header = data.index(b"\n")
    for at in range(len(data)):
        for flip in (0x01, data[at] ^ 0x0A):
            damaged = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            if damaged == data:
                continue
            path.write_bytes(damaged)
            found = records_of(path)
            assert all(record in whole for record in found)
            assert len(found) >= 2 or at <= header, (
                "damage costs the line, and its neighbour if it was the newline"
            )
            assert read_journal(path).bad > 0 or at == len(data) - 1


def test_a_journal_without_its_header_gives_nothing(tmp_path):
    path = write_journal(tmp_path, SPACE, [{"index": 0}])
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    assert len(read_journal(path)) == 0
    assert read_journal(path).bad > 0
    assert folded(tmp_path, SPACE).missing() == [(0, 12)]


def test_empty_files_and_rubbish_are_read(tmp_path):
    path = tmp_path / "1-0-0-h-1-ab.ndjson"
    for rubbish in (b"", b"\n", b"\0" * 5000, b"{}\n", b"\xff\xfe\n" * 3, b'{"crc":"00000000"}\n'):
        path.write_bytes(rubbish)
        assert len(read_journal(path)) == 0
        assert read_tail(path).records == []
        assert list(failed_attempts(path)) == []


def test_a_newer_version_is_refused_with_what_to_do(tmp_path):
    path = write_journal(tmp_path, SPACE, [{"index": 0}], version=2)
    for read in (read_journal, read_tail):
        with pytest.raises(RunError, match="version 2") as refused:
            read(path)
        assert "pip install" in refused.value.hint


def test_a_record_whose_pack_lost_its_end_runs_again(tmp_path):
    path = write_journal(tmp_path, SPACE, [{"index": 0, "data": b"1"}, {"index": 1, "data": b"22"}])
    pack = path.with_suffix(".pack")
    pack.write_bytes(pack.read_bytes()[:-1])
    assert list(read_journal(path).index) == [0]
    assert folded(tmp_path, SPACE).state(1) == "MISSING"


def test_the_tail_is_the_last_totals_and_what_follows(tmp_path):
    path = tmp_path / "a.ndjson"
    lines = [journal_line({"header": header_of(SPACE, "a")})]
    for index in range(50_000):
        lines.append(journal_line({"index": index, "json": {"x": index / 7}}))
        if index % 1000 == 999:
            lines.append(journal_line({"totals": {"OK": index + 1}}))
    lines.append(journal_line({"index": 77, "outcome": "TIMEOUT"}))
    path.write_bytes(b"".join(lines) + b'{"crc":"0000')
    found = read_tail(path)
    assert found.totals == {"OK": 50_000}
    assert [(record.index, record.outcome) for record in found.records] == [(77, "TIMEOUT")]
    assert found.header.space == SPACE.digest
    assert found.end == ""

    def seconds(read: Callable[[Path], object]) -> float:
        start = time.perf_counter()
        read(path)
        return time.perf_counter() - start

    end = min(seconds(read_tail) for _ in range(3))
    assert end < min(seconds(read_journal) for _ in range(3)) / 5, "only the end is read"


def test_a_tail_without_totals_reads_back_to_the_start(tmp_path):
    path = tmp_path / "a.ndjson"
    lines = [journal_line({"header": header_of(SPACE, "a")})] + [
        journal_line({"index": i, "text": "x" * 300}) for i in range(900)
    ]
    path.write_bytes(b"".join(lines))
    assert [record.index for record in read_tail(path).records] == list(range(900))


def test_failed_attempts_are_found_among_many_that_are_not(tmp_path):
    records = [{"index": i, "json": {"outcome": "FAILED"}} for i in range(1000)]
    records[500] = {"index": 500, "outcome": "FAILED", "cause": "boom"}
    path = write_journal(tmp_path, SPACE, records)
    assert [record.index for record in failed_attempts(path)] == [500]


def test_a_line_with_bytes_that_are_not_utf_8_is_still_a_record(tmp_path):
    path = write_journal(tmp_path, SPACE, [{"index": 0, "json": {"file": "caf\udce9"}}])
    (record,) = read_journal(path).records()
    assert record.json == {"file": "caf\udce9"}
