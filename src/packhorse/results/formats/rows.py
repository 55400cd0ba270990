"""Rows, arrays, and the errors of reading them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np

Row = dict[str, Any]
RESULT = "result"  # the column of a result that is one value without a name
SHORT = 16  # elements of a vector that still become columns


MissingTexts = dict[tuple[str, str], int]  # (column, word) -> how often the word was read as missing


class File(Struct, frozen=True):
    """The content of a result file, and how the study says it is read (`model.study.Result`).

    A reader counts in `missing_texts` what it reads as missing. Vectors of up to `short` elements become columns.
    """

    data: bytes
    setting: dict[str, Any]
    missing_texts: MissingTexts
    short: int = SHORT


class UnreadableError(Exception):
    """A result that cannot be read, with the reason."""


class Array(Struct, frozen=True, eq=False):
    """An array of a result: it is not in the table, and can be stacked over all tasks.

    `values` has any shape; `dims` names its dimensions, or is empty where the file names none.
    """

    values: np.ndarray[Any, Any]
    dims: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Return a text that is equal for two arrays if and only if all their bits are."""
        digest = hashlib.sha256(self.values.tobytes()).hexdigest()
        return f"array{self.values.shape} of {self.values.dtype}, SHA-256 {digest}"


def array_members(
    name: str, values: np.ndarray[Any, Any], dims: tuple[str, ...] = (), short: int = SHORT
) -> Row:
    """Return the members of a row for an array: a value, the elements of a short vector, or the array itself.

    A vector of up to `short` elements becomes NAME_0, NAME_1, ...
    """
    if values.dtype.kind not in "biufSUMm":
        if values.dtype.kind == "c":
            real = array_members(f"{name}.re", values.real, dims, short)
            return real | array_members(f"{name}.im", values.imag, dims, short)
        if values.ndim == 0:
            return {name: _text(values.item())}
        raise ValueError(f"{name} is an array of the type {values.dtype}, which is neither numbers nor text")
    if values.ndim == 0:
        return {name: _text(values.item())}
    if values.ndim == 1 and values.size == 1:
        return {name: _text(values[0].item())}
    if values.ndim == 1 and values.size <= short:
        return {f"{name}_{at}": _text(value) for at, value in enumerate(values.tolist())}
    return {name: Array(values, dims)}


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    return value.isoformat() if hasattr(value, "isoformat") else value


def missing_library(name: str, extra: str) -> ValueError:
    """Return the error of a format whose library is not installed."""
    return ValueError(
        f"{name} is not installed here: pip install 'packhorse[{extra}]', then packhorse collect"
    )
