"""Merging the table of a run, at any time."""

from __future__ import annotations

from pathlib import Path

from packhorse.app.words import latest_words
from packhorse.model.space import ParameterSpace
from packhorse.model.study import Study
from packhorse.results.fold import Fold
from packhorse.results.table import MergeReport, merge
from packhorse.run.directory import RunDirectory


def merge_table(run: RunDirectory, space: ParameterSpace, fold: Fold, study: Study, code: str) -> MergeReport:
    """Write the table of what is finished."""
    return merge(space, fold, run.path, study=study, code=code)


def collect(run: RunDirectory, study: Study) -> tuple[MergeReport, Fold]:
    """Merge what a run has now, also while it works."""
    words = latest_words(run)
    return merge_table(run, words.space, words.fold, study, words.plan.code), words.fold


def table_path(run: RunDirectory) -> Path:
    """Return where the exact table stands."""
    return run.path / "results.parquet"
