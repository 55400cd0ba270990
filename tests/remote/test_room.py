"""Room where a run will live: quotas are asked before anything is sent, and an area that has room is named."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from packhorse.agent.paths import mounted
from remote.laptop import Laptop
from remote.test_run import project, table

LFS = """#!/bin/sh
# stand-in: answers as lfs-quota(1) does, since there is no Lustre here
echo "$*" >> {asked}
echo '  {area} {row}'
"""


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


@pytest.fixture
def lustre(connected: Laptop) -> Iterator[Callable[[str], tuple[Path, Path]]]:
    """Return `lustre(row)`: a site whose first area has such a quota; it returns the area and what was asked."""
    gate = connected.gate
    user = gate.users["key"]
    area, other, programs = (gate.cluster.workspace(user) for _ in range(3))
    asked = programs / "asked"

    def make(row: str) -> tuple[Path, Path]:
        (programs / "lfs").write_text(LFS.format(asked=asked, area=area, row=row))
        (programs / "lfs").chmod(0o755)
        asked.touch()
        gate.cluster.give(user, asked)
        connected.site(
            "areas",
            f"extends: key\nquota_commands: lfs quota -q -u $USER {area}\nstorage:\n"
            f"  tight: {{path: {area}, purpose: [runs]}}\n  wide: {{path: {other}, purpose: [scratch]}}\n",
        )
        return area, asked

    profile = gate.cluster.home(user) / ".profile"
    before = profile.read_text()
    profile.write_text(f"{before}\nPATH={programs}:$PATH\n")
    yield make
    profile.write_text(before)


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("1000000 0 1005000 - 10 0 0 -", "5 MB left of your quota; too little for a run"),
        ("1000000* 900000 2000000 none 10 0 0 -", "0 MB left of your quota; too little for a run"),
        ("1000000 0 1015000 - 10 0 0 -", "15 MB left of your quota; the upload has 6 MB"),
        ("1000 0 0 - 880 0 990 -", "can hold 110 more files left of your quota"),
    ],
)
def test_a_quota_that_is_used_up_is_refused_and_another_area_named(
    connected: Laptop, lustre: Callable[[str], tuple[Path, Path]], row: str, told: str
) -> None:
    area, asked = lustre(row)
    data = connected.home / "study" / "input"
    data.mkdir(parents=True)
    for number in range(30):
        (data / str(number)).write_bytes(bytes(200_000))
    place = project(
        data.parent,
        "command: cat {input}/{n}\nparameters: {n: [1]}\n".replace("{input}", "input") + "data: [input]\n",
    )
    full = connected.run("run", "study.yaml", "--site", "areas", cwd=place)
    assert full.returncode == 5, full
    assert told in full.stderr
    assert "--area wide" in full.stderr
    assert f"quota -q -u {connected.gate.users['key']} {area}" in asked.read_text()
    assert not list(area.rglob("packhorse-*"))
    assert not list(area.rglob("plan.json"))


def test_an_area_that_may_have_no_more_files_is_passed_over(
    connected: Laptop, lustre: Callable[[str], tuple[Path, Path]]
) -> None:
    area, _ = lustre("1000 0 0 - 1000 0 1050 -")
    place = project(connected.home / "study")
    plan = connected.run("plan", "study.yaml", "--site", "areas", "--verbose", cwd=place)
    assert plan.returncode == 0, plan
    assert "run directory there" in plan.stdout
    assert str(area) not in plan.stdout
    only = connected.run("plan", "study.yaml", "--site", "areas", "--area", "tight", cwd=place)
    assert only.returncode == 5, only
    assert f"tight ({area}): it can hold 50 more files" in only.stderr


def test_what_a_quota_command_says_otherwise_does_not_matter(
    connected: Laptop, lustre: Callable[[str], tuple[Path, Path]]
) -> None:
    area, _ = lustre("is full; ask the desk")
    place = project(connected.home / "study")
    plan = connected.run("plan", "study.yaml", "--site", "areas", "--verbose", cwd=place)
    assert plan.returncode == 0, plan
    assert f"run directory there: {area}/" in plan.stdout


def test_the_file_system_of_a_path_is_the_longest_that_fits(tmp_path: Path) -> None:
    table = tmp_path / "mounts"
    inside = tmp_path / "with space" / "deep"
    inside.mkdir(parents=True)
    escaped = str(tmp_path / "with space").replace(" ", "\\040")
    table.write_text(
        "/dev/sda1 / ext4 rw 0 0\n"
        f"10.0.0.1@o2ib:/s {escaped} lustre rw 0 0\n"
        f"gpfs0 {escaped}/dee gpfs rw 0 0\n"
        "half a\n"
    )
    assert mounted(bytes(inside), str(table)) == ["lustre", "10.0.0.1@o2ib:/s", str(tmp_path / "with space")]
    assert mounted(b"/elsewhere", str(table)) == ["ext4", "/dev/sda1", "/"]
    assert mounted(b"/elsewhere", str(tmp_path / "none")) == ["", "", ""]


def test_a_disk_that_fills_while_the_run_is_sent_is_told_and_the_same_command_goes_on(
    connected: Laptop,
) -> None:
    gate = connected.gate
    area = gate.cluster.workspace(gate.users["key"])
    connected.site("areas", f"extends: key\nstorage:\n  one: {{path: {area}, purpose: [runs]}}\n")
    place = project(connected.home / "study")
    (place / "big.py").write_bytes(b"#" * 8_000_000)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=30m,mode=777", "tmpfs", area], check=True)
    try:
        # Full, and not seen when it was asked: quotas of groups and projects are so.
        (area / "packhorse").mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", area / "packhorse"], check=True
        )
        full = connected.run("run", "study.yaml", "--site", "areas", cwd=place)
        assert full.returncode == 5, full
        assert "No space left on device" in full.stderr
        assert "packhorse sites show areas" in full.stderr
        assert not list(area.rglob("plan.json"))
        subprocess.run(["mount", "-o", "remount,size=30m", area / "packhorse"], check=True)
        again = connected.run("run", "study.yaml", "--site", "areas", cwd=place)
        assert again.returncode == 0, again
        assert len(table(place)) == 10
    finally:
        subprocess.run(["umount", "--lazy", area / "packhorse"], check=True)
        subprocess.run(["umount", "--lazy", area], check=True)


def test_a_connected_site_is_shown_with_what_is_free(
    connected: Laptop, lustre: Callable[[str], tuple[Path, Path]]
) -> None:
    area, _ = lustre("1000000 0 1005000 - 10 0 500 -")
    shown = connected.run("sites", "show", "areas").stdout
    assert "free now: tight 5 MB and 490 files of your quota; wide " in shown
    tight, wide = json.loads(connected.run("sites", "show", "areas", "--json").stdout)["free"]
    assert tight == {"area": "tight", "path": str(area), "bytes": 5000 * 1024, "files": 490, "quota": True}
    assert (wide["area"], wide["quota"]) == ("wide", False)
    assert connected.run("connect", "areas", "--close").returncode == 0
    assert "free now" not in connected.run("sites", "show", "areas").stdout
