"""The worker's journal: what is written is read, torn files lose their tail only, and a disk that refuses."""

from __future__ import annotations

import errno
import math
import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from packhorse.results.journal import read_journal
from packhorse.worker import journal as module
from packhorse.worker.journal import Journal, add_checksum, encode, journal_line
from packhorse.worker.slots.channel import MessageReader, message, successes_message

HEADER = {
    "format": "packhorse-journal", "version": 1, "run": "r", "wave": 1, "element": 0, "restart": 0, "host": "h",
    "pid": 1, "space": "s", "code": "c", "environment": "e", "started": 1.5, "python": "3", "slots": 1,
}  # fmt: skip
TEXTS = st.text(max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RECORDS = st.lists(
    st.tuples(
        st.fixed_dictionaries(
            {"index": st.integers(0, 2**62)},
            optional={
                "text": st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
                "outcome": st.sampled_from(["FAILED", "TIMEOUT", "MEMORY", "UNFINISHED"]),
                "cause": TEXTS,
                "wall": st.floats(0, 1e6),
                "seed": st.integers(0, 2**63 - 1),
            },
        ),
        st.none() | st.binary(max_size=50),
    ),
    max_size=8,
)


def opened(folder: Path, name: str = "1-0-0-h-1-ab") -> Journal:
    for part in ("journal", "logs"):
        (folder / part).mkdir(exist_ok=True)
    return Journal(str(folder), name, HEADER)


def written(folder: Path, records: list[tuple[dict[str, Any], bytes | None]]) -> Path:
    journal = opened(folder)
    assert journal.write(list(records), {"OK": len(records)})
    assert journal.close("done", {"OK": len(records)})
    (path,) = folder.glob("journal/*.ndjson")
    return path


@settings(max_examples=60)
@given(RECORDS)
def test_what_is_written_is_read(records: list[tuple[dict[str, Any], bytes | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), records)
        lines = path.read_bytes().splitlines(keepends=True)
        # Beside the records: header, totals of the flush, totals at the end, end.
        assert len(lines) == len(records) + 4
        found = read_journal(path)
        assert found.bad == 0
        assert found.end == "done"
        indices = [int(index) for index in found.index]
        assert indices == [record["index"] for record, _ in records]
        pack = path.with_suffix(".pack")
        for (record, packed), row in zip(records, lines[1:], strict=False):
            said = module.json.loads(row)
            if packed is not None:
                offset, length, crc = said["pack"]
                data = pack.read_bytes()[offset : offset + length]
                assert data == packed
                assert crc == module.binascii.crc32(packed)
            for name, value in record.items():
                assert said[name] == value


@settings(max_examples=200)
@given(VALUES)
def test_json_keeps_every_value_and_bit(value: Any) -> None:
    back = module.json.loads(encode(value).decode("utf-8"))
    assert _same(value, back)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float):
        return isinstance(b, float) and ((math.isnan(a) and math.isnan(b)) or a.hex() == b.hex())
    if isinstance(a, dict):
        return list(a) == list(b) and all(_same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


def test_a_journal_torn_at_any_byte_gives_the_records_before_it(tmp_path: Path) -> None:
    records = [({"index": 7 * k, "json": {"y": k / 3}}, b"packed" if k == 2 else None) for k in range(5)]
    whole = written(tmp_path, records).read_bytes()
    starts = [0]
    for row in whole.splitlines(keepends=True):
        starts.append(starts[-1] + len(row))
    torn = tmp_path / "journal" / "1-0-0-h-2-cd.ndjson"
    for size in range(len(whole) + 1):
        torn.write_bytes(whole[:size])
        lines = sum(start <= size for start in starts[1:])
        if not lines:
            continue  # without its header a journal says nothing; the reader's own tests have that case
        found = read_journal(torn)
        assert [int(index) for index in found.index] == [7 * k for k in range(min(5, lines - 1))], size


class FullDisk:
    """os.write as it is on a disk that is full while `full` is set: short, then refused."""

    def __init__(self) -> None:
        self.full, self.write = False, os.write

    def __call__(self, descriptor: int, data: Any) -> int:
        if self.full:
            if len(data) > 10:
                return self.write(descriptor, bytes(data[:7]))
            raise OSError(errno.ENOSPC, "No space left on device")
        return self.write(descriptor, data)


def test_after_a_refused_write_a_new_file_has_all_that_was_not_safe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk()
    monkeypatch.setattr(module, "SYNC_SECONDS", 3600)
    journal = opened(tmp_path)
    monkeypatch.setattr(module.os, "write", disk)
    assert journal.write([({"index": 1}, None), ({"index": 2}, b"packed")], {"OK": 2})
    disk.full = True
    assert not journal.write([({"index": 3}, None)], {"OK": 3})
    assert not journal.write([({"index": 4}, b"more")], {"OK": 4})
    assert not journal.recover({"OK": 4})
    disk.full = False
    assert journal.recover({"OK": 4})
    assert journal.write([({"index": 5}, None)], {"OK": 5})
    assert journal.close("done", {"OK": 5})
    found = {}
    for path in sorted(tmp_path.glob("journal/*.ndjson")):
        found[path.name] = [int(index) for index in read_journal(path).index]
    first = found.pop("1-0-0-h-1-ab.ndjson")
    (second,) = found.values()
    assert set(first) <= {1, 2, 3, 4}
    assert second == [1, 2, 3, 4, 5]


def test_two_journals_never_share_a_file(tmp_path: Path) -> None:
    first = opened(tmp_path)
    with pytest.raises(FileExistsError):
        opened(tmp_path)
    first.close("done", {})


@given(
    st.lists(
        st.tuples(st.dictionaries(TEXTS, st.integers(), max_size=3), st.binary(max_size=40)), max_size=6
    ),
    st.data(),
)
def test_messages_arrive_whole_however_they_are_cut(
    sent: list[tuple[dict[str, int], bytes]], data: st.DataObject
) -> None:
    stream = b"".join(message(header, body) for header, body in sent) + successes_message(
        journal_line({"index": 1}), 1, 0.5, 0.25, 0.5
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    messages, found = MessageReader(), []
    for start, stop in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found.extend(messages.feed(stream[start:stop]))
    assert found[:-1] == sent
    assert found[-1][0] is None
    assert found[-1][1].endswith(add_checksum(b'{"index":1}'))
