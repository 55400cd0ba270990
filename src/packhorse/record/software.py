"""The software that results depend on, as interpreters report it: what a provenance, a cache and a site's environment store.

Keys are written in the order of the fields, and only those that were reported; unknown keys of other versions are ignored.
"""

from __future__ import annotations

import re

from msgspec import Struct, field


class Package(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An installed package."""

    name: str
    version: str | None  # None where its metadata has none
    editable: str | None = None  # URL of the folder that it was installed from as editable
    commit: str | None = None  # of the repository that it was installed from


class LinearAlgebra(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A BLAS or LAPACK, as NumPy was built with it."""

    name: str | None = None
    version: str | None = None
    openblas: str | None = field(default=None, name="openblas configuration")


class NumpySoftware(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The NumPy of a Python."""

    version: str | None = None
    blas: LinearAlgebra | None = None
    lapack: LinearAlgebra | None = None
    note: str | None = None
    libraries: tuple[str, ...] | None = None  # paths of the loaded BLAS
    threads: int | None = None


class PythonSoftware(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a Python reports about itself; None for what it does not report, with the reason in `note`."""

    version: str | None = None
    implementation: str | None = None
    build: str | None = None
    executable: str | None = None
    prefix: str | None = None
    paths: tuple[str, ...] | None = None  # folders from which it imports
    packages: tuple[Package, ...] | None = None
    note: str | None = None
    numpy: NumpySoftware | None = None
    numpy_note: str | None = None


class RSoftware(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What R reports about itself; None for what it does not report, with the reason in `note`."""

    executable: str
    version: str | None = None
    platform: str | None = None
    home: str | None = None
    blas: str | None = None
    lapack: str | None = None
    lapack_version: str | None = None
    rng: str | None = None
    paths: tuple[str, ...] | None = None  # libraries
    packages: tuple[Package, ...] | None = None
    note: str | None = None


class ProgramFile(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A program that is neither Python nor R; without digest where it cannot be read or is on a site."""

    path: str
    sha256: str | None = None
    bytes: int | None = None
    note: str | None = None


class Software(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The interpreters and the program that run a study's tasks; None for those that take no part."""

    python: PythonSoftware | None = None
    r: RSoftware | None = None
    program: ProgramFile | None = None


def canonical(name: str) -> str:
    """Return a package's name as PEP 503 compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()
