"""The files of a table: written atomically, read as pandas frames, and printed."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packhorse.model.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

MIN_FREE = 1 << 20  # bytes; a disk with less free space counts as full


def write_whole(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file atomically: a reader sees the old or the new content, even after a power failure."""
    import polars

    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            try:
                write(file)
            except polars.exceptions.PolarsError as error:  # it does not contain the errno
                full = shutil.disk_usage(path.parent).free < MIN_FREE
                raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            partial.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    """Return a table as a pandas frame; raise UsageError where pandas or pyarrow is not installed."""
    try:
        return frame.to_pandas()
    except ImportError as error:
        raise UsageError(
            "pandas and pyarrow are not installed here",
            "pip install 'packhorse[pandas]', or use the polars table",
        ) from error


def frame_lines(frame: Any) -> list[str]:
    """Return a polars frame as a table of text."""
    import polars

    with polars.Config(
        tbl_rows=200,
        tbl_cols=50,
        tbl_hide_dataframe_shape=True,
        tbl_hide_column_data_types=True,
        tbl_formatting="ASCII_MARKDOWN",
        tbl_width_chars=200,
        float_precision=6,
    ):
        return str(frame).splitlines()
