"""Which wheels are fetched here for a site's Python: what pip is asked for, held against the tags that packaging knows."""

from __future__ import annotations

import itertools
import platform
from pathlib import Path

import msgspec
import pytest
from packaging.tags import Tag, compatible_tags, cpython_tags, platform_tags

from packhorse.model.site_python import SitePython
from packhorse.runtime import uv


def asked(monkeypatch: pytest.MonkeyPatch, folder: Path, **about: str) -> dict[str, list[str]]:
    """Return the options of pip that name tags, for a Python of which `about` tells."""
    seen: list[str] = []

    def pip(argv: list[str], env: object, wrong: str) -> None:
        seen.extend(argv)
        (folder / "wheels").mkdir()

    monkeypatch.setattr(uv, "_pip", pip)
    there = {"python": "python3", "called": "python3", "implementation": "CPython", "venv": True}
    uv.wheels_for("alpha==1.0\n", msgspec.convert(there | about, SitePython), folder, {})
    found: dict[str, list[str]] = {}
    for option, value in itertools.pairwise(seen):
        if option in ("--abi", "--platform", "--python-version"):
            found.setdefault(option, []).append(value)
    return found


@pytest.mark.parametrize(("version", "abi"), [("3.6.8", "cp36m"), ("3.9.18", "cp39"), ("3.12.0rc1", "cp312")])
def test_the_abi_is_that_of_the_site(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, abi: str
) -> None:
    found = asked(monkeypatch, tmp_path, version=version, machine="x86_64", libc="glibc 2.28")
    assert found["--python-version"] == [".".join(version.split(".")[:2])]
    assert found["--abi"] == [abi, "abi3", "none"]


def test_this_machine_takes_what_would_be_fetched_for_it(tmp_path: Path) -> None:
    name, version = platform.libc_ver()
    if name != "glibc":
        pytest.skip("this machine has no glibc")
    found = uv.platforms(platform.machine(), f"glibc {version}")
    assert found == [tag for tag in platform_tags() if tag.startswith("manylinux")]
    assert Tag("cp311", "abi3", found[-1]) in set(cpython_tags((3, 11), platforms=found))
    assert Tag("py3", "none", "any") in set(compatible_tags((3, 11), platforms=found))


@pytest.mark.parametrize(
    ("machine", "libc", "first", "last", "count"),
    [
        ("x86_64", "glibc 2.12", "manylinux_2_12_x86_64", "manylinux1_x86_64", 10),
        ("x86_64", "glibc 2.28", "manylinux_2_28_x86_64", "manylinux1_x86_64", 27),
        ("aarch64", "glibc 2.34", "manylinux_2_34_aarch64", "manylinux2014_aarch64", 19),
        ("ppc64le", "musl 1.2", "manylinux_2_17_ppc64le", "manylinux2014_ppc64le", 2),
        ("ppc64le", "glibc", "manylinux_2_17_ppc64le", "manylinux2014_ppc64le", 2),
        ("ppc64le", "", "manylinux_2_17_ppc64le", "manylinux2014_ppc64le", 2),
    ],
)
def test_no_wheel_is_newer_than_the_glibc_of_the_site(
    machine: str, libc: str, first: str, last: str, count: int
) -> None:
    found = uv.platforms(machine, libc)
    assert (found[0], found[-1], len(found)) == (first, last, count)
