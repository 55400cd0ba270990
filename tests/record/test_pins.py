"""Pins of installed packages: dependencies, their markers, and packages from local folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from packhorse.record.pins import InstalledPackages, pin_packages


def installed(**packages: Any) -> InstalledPackages:
    found = {}
    for name, about in packages.items():
        given = about if isinstance(about, dict) else {"requires": about}
        row = {"name": name, "version": "1.0", "modules": [name], "requires": [], "direct": None}
        found[name] = row | given
    return msgspec.convert({"version": "3.11", "packages": found}, InstalledPackages)


@pytest.mark.parametrize(
    ("packages", "lines"),
    [
        ({"a": ["b>=1", "c (>2)"], "b": [], "c": [], "other": []}, ["a==1.0", "b==1.0", "c==1.0"]),
        ({"a": ["b ; sys_platform == 'darwin'"], "b": ["c"], "c": []},
         ["a==1.0", "b==1.0 ; (sys_platform == 'darwin')", "c==1.0 ; (sys_platform == 'darwin')"]),
        ({"a": ["b ; sys_platform == 'darwin'", "c"], "b": [], "c": ["b"]}, ["a==1.0", "b==1.0", "c==1.0"]),
        ({"a": ["b ; extra == 'plot'"], "b": []}, ["a==1.0"]),
        ({"a": ["b[plot]"], "b": ["c ; extra == 'plot'", "d ; extra == 'doc'"], "c": [], "d": []},
         ["a==1.0", "b==1.0", "c==1.0"]),
        ({"a": ["missing"]}, ["a==1.0"]),
        ({"a": ["b"], "b": ["a"]}, ["a==1.0", "b==1.0"]),
        ({"a": {"version": "2.1+cu121"}}, ["a==2.1"]),
        ({"a": {"direct": {"url": "https://example.org/a.git", "vcs_info": {"vcs": "git", "commit_id": "01"}}}},
         ["a @ git+https://example.org/a.git@01"]),
        ({"a": {"direct": {"url": "file:///feedstock/of/conda", "dir_info": {}}}}, ["a==1.0"]),
        ({"a": {"modules": ["shared"]}, "b": {"modules": ["shared", "a"]}}, ["a==1.0", "b==1.0"]),
    ],
)  # fmt: skip
def test_what_is_pinned(packages: dict[str, Any], lines: list[str], tmp_path: Path) -> None:
    modules = ["shared"] if "shared" in str(packages) else ["a"]
    assert list(pin_packages(installed(**packages), modules, [], tmp_path).lines) == lines


def test_a_project_that_is_installed_comes_as_code_and_brings_what_it_needs(tmp_path: Path) -> None:
    direct = {"url": (tmp_path / "mine").as_uri(), "dir_info": {"editable": True}}
    found = installed(mine={"requires": ["b"], "direct": direct}, b=[])
    assert pin_packages(found, ["mine"], [], tmp_path).lines == ("b==1.0",)


def test_what_is_only_here_and_what_nobody_brings_is_told(tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    found = installed(local={"direct": {"url": place.as_uri(), "dir_info": {}}})
    pins = pin_packages(found, ["local", "nobody"], [], tmp_path / "project")
    assert pins.only_here == (f"local, from {place}",)
    assert pins.unknown == ("nobody",)


def test_a_package_without_a_version_is_not_pinned(tmp_path: Path) -> None:
    pins = pin_packages(installed(a={"version": None, "requires": ["b"]}, b=[]), ["a"], [], tmp_path)
    assert pins.lines == ("b==1.0",)
    assert pins.notes == ("a is installed here without a version, so it is not pinned",)
