"""When a trial of warm starts is made: where it pays, and where one start repeats another."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from packhorse.worker.warm.starts import WarmStarts


def starts(tmp_path: Path, *, adopts: bool = True, **keys: Any) -> WarmStarts:
    work = {
        "directory": str(tmp_path), "total": 100, "checkpoint": False, "index_variable": None, "cpus": 1, "unset": [],
        "environment": "e", "code": "c", "command": [["python"]], "warm": "auto", "tee": False, **keys,
    }  # fmt: skip
    folders = SimpleNamespace(root=str(tmp_path / "slot-0"))
    return WarmStarts(cast("Any", work), cast("Any", folders), 0, adopts=adopts, wanted=lambda: True)


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({}, ""),
        ({"total": 11}, "the study has fewer than 12 tasks"),
        ({"total": 11, "warm": True}, ""),
        ({"warm": False}, "`warm: false` or --no-warm"),
        ({"adopts": False}, "warm starts need Linux"),
        ({"checkpoint": True}, "tasks continue from checkpoints, so two starts of a task do not do the same"),
        (
            {"index_variable": {"name": "OMP_NUM_THREADS"}},
            "OMP_NUM_THREADS differs from task to task, and interpreters read it when they start",
        ),
        ({"index_variable": {"name": "SLURM_ARRAY_TASK_ID"}}, ""),
    ],
)
def test_why_tasks_never_start_warm(tmp_path: Path, keys: dict[str, Any], why: str) -> None:
    assert starts(tmp_path, **keys).why == why


@pytest.mark.parametrize(
    ("tasks", "seconds", "pays"),
    [
        (12, 0.1, True),
        (12, 2, False),
        (100, 2, True),
        (40, 10, False),
        (100, 10, True),
        (1_000_000, 60, False),
    ],
)
def test_a_trial_is_made_where_it_pays(tmp_path: Path, tasks: int, seconds: float, pays: bool) -> None:
    assert starts(tmp_path, total=tasks).is_worth(seconds) is pays
    assert starts(tmp_path, total=tasks, warm=True).is_worth(seconds)


def test_facts_hold_for_one_code_environment_and_command(tmp_path: Path) -> None:
    first = starts(tmp_path)
    first.decide({"warm": False, "why": "a reason"})
    assert first.why == "a reason"
    again = starts(tmp_path)
    assert not again.is_open()
    assert again.why == "a reason"
    for key, value in {
        "code": "d",
        "environment": "f",
        "command": [["python3"]],
        "warm": ["mine"],
        "cpus": 2,
    }.items():
        assert starts(tmp_path, **{key: value}).is_open(), key


def test_facts_that_cannot_be_read_are_found_out_again(tmp_path: Path) -> None:
    first = starts(tmp_path)
    first.decide({"warm": True, "why": "", "key": [], "modules": []})
    for content in ("{", "[]", '{"format": "packhorse-warm", "version": 2, "warm": true}'):
        Path(first.file).write_text(content)
        assert starts(tmp_path).is_open(), content
