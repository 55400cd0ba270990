"""Shell completion offers what fits: files, runs, sites, partitions and tasks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import click
from click.shell_completion import BashComplete

from packhorse.cli.commands import packhorse as commands

Run = Callable[..., CompletedProcess[str]]


def test_values_are_completed(tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_PACKHORSE_COMPLETE", "bash_complete")
    run = tmp_path / "runs/means"
    run.mkdir(parents=True)
    (run / "run.json").write_text("{}")
    (run / "failures.csv").write_text("ph_index,cause\n17,a\n23,b\n")
    complete = BashComplete(commands, {}, "packhorse", "_PACKHORSE_COMPLETE")

    def offered(*words: str) -> list[str]:
        *before, incomplete = words
        items = complete.get_completions(list(before), incomplete)
        return [f"{item.type}:{item.value}" for item in items]

    assert offered("plan", "s") == ["file:s"]  # the shell completes files
    assert offered("init", "") == ["file:"]
    assert offered("status", "me") == ["plain:means"]
    assert offered("logs", "means", "--task", "") == ["plain:17", "plain:23"]
    assert offered("logs", "--task", "2") == ["plain:23"]
    assert offered("run", "--site", "he") == ["plain:hec"]
    assert offered("run", "--site", "hec", "--partition", "gpu-s") == ["plain:gpu-short"]
    assert offered("run", "--site", "nowhere", "--partition", "") == []
    assert "plain:status" in offered("st")
    assert isinstance(commands, click.Group)


def test_words_of_other_tools_have_an_answer(packhorse: Run, tmp_path: Path) -> None:
    for word, answer in [
        ("squeue", "packhorse jobs"),
        ("help", "packhorse --help"),
        ("download", "packhorse get SITE:PATH"),
        ("statsu", "Did you mean 'status'?"),
    ]:
        done = packhorse(word, cwd=tmp_path)
        assert done.returncode == 2
        assert answer in done.stderr
