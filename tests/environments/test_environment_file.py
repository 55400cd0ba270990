"""The file of an environment that this or another version of Packhorse has built."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from packhorse.environments.environment_file import BuiltFrom, EnvironmentFile, read_environment_file
from packhorse.record.software import Package, PythonSoftware

WRITTEN: dict[str, Any] = {
    "about": {"lock": "ab", "file": "uv.lock", "python": "3.11.7", "implementation": "CPython", "machine": "x86_64"},
    "found": {"version": "3.11.7", "paths": ["/e/lib"], "packages": [{"name": "alpha", "version": "1.0"}]},
    "marks": [["/e/lib", 1]],
    "built": 1764460800.5,
    "seconds": 3.0,
    "host": "login1",
}  # fmt: skip


def test_what_the_builder_writes_is_read() -> None:
    found = PythonSoftware(
        version="3.11.7", paths=("/e/lib",), packages=(Package(name="alpha", version="1.0"),)
    )
    about = BuiltFrom(lock="ab", file="uv.lock", python="3.11.7", implementation="CPython", machine="x86_64")
    expected = EnvironmentFile(about=about, found=found, built=1764460800.5)
    assert read_environment_file(WRITTEN) == expected
    assert list(msgspec.to_builtins(about)) == list(WRITTEN["about"]), "the order of the keys in the file"
    assert msgspec.to_builtins(BuiltFrom())["lock"] == "", "an empty key is written too"


def test_keys_of_other_versions_are_ignored_and_missing_ones_have_defaults() -> None:
    more = WRITTEN | {"of a later version": 1, "about": {"colour": "red"}}
    found = read_environment_file(more)
    assert found is not None
    assert found.about == BuiltFrom()
    assert read_environment_file({"found": {}}) == EnvironmentFile(found=PythonSoftware())


@pytest.mark.parametrize("content", [None, {}, {"found": 7}, WRITTEN | {"built": "yesterday"}])
def test_what_is_no_such_file_is_none(content: dict[str, Any] | None) -> None:
    assert read_environment_file(content) is None
