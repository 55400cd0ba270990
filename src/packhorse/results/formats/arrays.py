"""NumPy, HDF5, NetCDF and MATLAB files: values and short vectors become columns, other arrays are kept by task."""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from packhorse.results.formats.rows import RESULT, File, Row, array_members, missing_library

if TYPE_CHECKING:
    import numpy as np


def read_npy(file: File) -> list[Row]:
    """Return the rows of a .npy file: a structured array is a table; pickled objects are refused."""
    return _rows({RESULT: _load(file.data)}, file.short)


def read_npz(file: File) -> list[Row]:
    """Return the row of a .npz file, with a member for each of its arrays."""
    try:
        with _load(file.data) as arrays:
            return _rows({name: arrays[name] for name in arrays.files}, file.short)
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ValueError(str(error)) from error


def _load(data: bytes) -> Any:
    try:
        import numpy as np
    except ImportError as error:
        raise missing_library("numpy", "arrays") from error
    try:
        return np.load(io.BytesIO(data), allow_pickle=False)
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise ValueError(
            "it holds pickled Python objects, which run code when they are read; save numbers, or text arrays"
        ) from error


def _rows(
    arrays: Mapping[str, np.ndarray[Any, Any]],
    short: int,
    dims: Mapping[str, tuple[str, ...]] | None = None,
) -> list[Row]:
    """Return one row, or the rows of one structured array."""
    if len(arrays) == 1:
        only = next(iter(arrays.values()))
        if only.dtype.names and only.ndim == 1:
            return [dict(zip(only.dtype.names, row, strict=True)) for row in only.tolist()]
    row: Row = {}
    for name, values in arrays.items():
        if values.dtype.names:
            for field in values.dtype.names:
                row |= array_members(f"{name}.{field}", values[field], (dims or {}).get(name, ()), short)
        else:
            row |= array_members(name, values, (dims or {}).get(name, ()), short)
    return [row]


def read_hdf5(file: File) -> list[Row]:
    """Return the row of an HDF5 file, with the path of each data set, joined by dots, as its name."""
    try:
        import h5py
    except ImportError as error:
        raise missing_library("h5py", "arrays") from error
    found: dict[str, np.ndarray[Any, Any]] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            import numpy as np

            values = item.asstr()[()] if h5py.check_string_dtype(item.dtype) else item[()]
            found[name.replace("/", ".")] = np.asarray(values, dtype=str if isinstance(values, str) else None)

    try:
        with h5py.File(io.BytesIO(file.data), "r") as opened:
            opened.visititems(visit)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(str(error)) from error
    return _rows(found, file.short)


def read_netcdf(file: File) -> list[Row]:
    """Return the row of a NetCDF file; its variables keep the names of their dimensions."""
    try:
        import xarray
    except ImportError as error:
        raise missing_library("xarray", "arrays") from error
    with tempfile.NamedTemporaryFile(suffix=".nc") as stream:
        stream.write(file.data)
        stream.flush()
        try:
            with xarray.open_dataset(stream.name, decode_timedelta=False) as opened:
                dataset = opened.load()
        except (OSError, ValueError, RuntimeError) as error:
            raise ValueError(str(error).partition("\n")[0]) from error
    variables = {str(name): dataset[name] for name in dataset.data_vars}
    return _rows(
        {name: variable.values for name, variable in variables.items()},
        file.short,
        {name: tuple(map(str, variable.dims)) for name, variable in variables.items()},
    )


def read_mat(file: File) -> list[Row]:
    """Return the row of a MATLAB file, of version 7.3 (HDF5) or older."""
    if file.data[512:520] == b"\x89HDF\r\n\x1a\n" or file.data[:8] == b"\x89HDF\r\n\x1a\n":
        return read_hdf5(file)
    try:
        import scipy.io
    except ImportError as error:
        raise missing_library("scipy", "arrays") from error
    try:
        found = scipy.io.loadmat(io.BytesIO(file.data), squeeze_me=True, simplify_cells=True)
    except Exception as error:
        raise ValueError(f"it is not a MATLAB file: {error}") from error
    import numpy as np

    return _rows(
        {name: np.asarray(value) for name, value in found.items() if not name.startswith("__")}, file.short
    )
