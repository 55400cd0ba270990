"""Run directories of older versions are read, and continued, by this one.

`run-VERSION.tar.gz` holds a project with one run that this version of Packhorse made: finished, failed and timed out
tasks, two waves with a grown space, artifacts. A new version that changes a format adds its own.
"""

from __future__ import annotations

import csv
import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import msgspec
import pytest

from packhorse.record.provenance import environment_digest
from packhorse.record.software import Software

Run = Callable[..., CompletedProcess[str]]
ARCHIVES = sorted(Path(__file__).parent.glob("run-*.tar.gz"))


@pytest.fixture(params=ARCHIVES, ids=lambda path: path.name.removesuffix(".tar.gz"))
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path


def rows(project: Path) -> list[dict[str, str]]:
    with (project / "runs/before/results.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_there_is_an_archive_of_the_first_version() -> None:
    assert [path.name for path in ARCHIVES][:1] == ["run-0.1.0.tar.gz"]


def test_an_older_run_has_its_status(project: Path, packhorse: Run) -> None:
    status = json.loads(packhorse("status", "before", "--json", cwd=project).stdout)
    assert (status["state"], status["tasks"], status["done"], status["failed"]) == ("done", 10, 6, 4)
    assert status["counts"] == {"OK": 6, "FAILED": 2, "TIMEOUT": 2}
    messages = {cause["message"] for cause in status["causes"]}
    assert "n must not be 13" in messages


def test_an_older_run_gives_the_same_table(project: Path, packhorse: Run) -> None:
    before = rows(project)
    assert len(before) == 6
    for name in ("results.csv", "results.parquet", "failures.csv"):
        (project / "runs/before" / name).unlink()
    assert packhorse("collect", "before", cwd=project).returncode == 0
    now = rows(project)
    kept = [row.pop("ph_artifacts") for row in now]  # a column that version 0.1 did not have
    assert now == before
    assert all((project / "runs/before" / folder).is_dir() for folder in kept if folder)


def test_tasks_of_an_older_run_are_explained(project: Path, packhorse: Run) -> None:
    assert "working on 2" in packhorse("logs", "before", "--task", "2", cwd=project).stdout
    explained = json.loads(packhorse("explain", "before", "--task", "4", "--json", cwd=project).stdout)
    assert (explained["state"], explained["parameters"]) == ("FAILED", {"n": 13})
    provenance = json.loads(packhorse("provenance", "before", "--json", cwd=project).stdout)
    assert [wave["wave"] for wave in provenance["waves"]] == [1, 2]


def test_an_older_run_continues(project: Path, packhorse: Run) -> None:
    before = rows(project)
    study = project / "study.yaml"
    study.write_text(study.read_text().replace("99, 5]", "99, 5, 6]"))
    ran = packhorse("run", "study.yaml", "--keep", cwd=project)
    assert "8 of 12 tasks done, 2 of them now" in ran.stdout
    after = rows(project)
    assert [row["double"] for row in after] == ["2", "2", "4", "4", "10", "10", "12", "12"]
    kept = {(row["n"], row["replicate"]): row for row in after}
    for row in before:
        now = kept[row["n"], row["replicate"]]
        assert {name: now[name] for name in row if name != "ph_code"} == row


def test_the_software_of_an_older_run_is_read_written_and_digested_as_it_was(project: Path) -> None:
    stored = json.loads((project / "runs/before/provenance.json").read_bytes())
    software = msgspec.convert(stored["environment"], Software)
    assert software.python is not None
    assert software.python.packages
    digest = environment_digest(software, Path(stored["root"]))
    assert {"digest": digest, **json.loads(msgspec.json.encode(software))} == stored["environment"]
    written = {"environment": {"digest": digest, **msgspec.to_builtins(software)}}
    inner = json.dumps(written, indent=1, ensure_ascii=False).removeprefix("{\n").removesuffix("\n}")
    assert inner in (project / "runs/before/provenance.json").read_text(), "the same keys in the same order"
