"""Plain files between a laptop and a site: whole or not at all, resumable, under any name."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from packhorse.ssh.file_transfer import part_of
from remote.laptop import Laptop

NAMES = (
    "plain",
    "with space",
    "-dash",
    "quote's",
    'double"quote',
    "dollar$HOME",
    "new\nline",
    "ünïcödé",
    "tab\tx",
    "*",
    "~",
)


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


def test_names_of_all_kinds_go_and_come_back(connected: Laptop) -> None:
    source = connected.home / "data of 'mine'"
    for name in NAMES:
        (source / "sub $x" / name).parent.mkdir(parents=True, exist_ok=True)
        (source / "sub $x" / name).write_text(name)
    Path(os.fsdecode(os.fsencode(source) + b"/latin\xe9")).write_text("x")
    went = connected.run("put", source, "key:up 'there'/")
    assert went.returncode == 0, went.stderr
    back = connected.run("get", "key:up 'there'/data of 'mine'", connected.home / "back")
    assert back.returncode == 0, back.stderr
    found = {p.relative_to(connected.home / "back") for p in (connected.home / "back").rglob("*")}
    assert found == {p.relative_to(source) for p in source.rglob("*")}
    for name in NAMES:
        assert (connected.home / "back" / "sub $x" / name).read_text() == name
    assert connected.gate.logins() == [connected.gate.users["key"]]


def test_what_is_there_already_does_not_go_again(connected: Laptop) -> None:
    (connected.home / "one").write_bytes(os.urandom(300_000))
    assert "uploaded 300 KB" in connected.run("put", "one", "key:").stdout
    assert "nothing new" in connected.run("put", "one", "key:").stdout
    (connected.home / "one").write_bytes(os.urandom(300_001))
    assert "uploaded 300 KB" in connected.run("put", "one", "key:two").stdout
    assert json.loads(connected.run("get", "key:two", "one", "--json").stdout)["bytes"] == 0


def test_a_cut_transfer_goes_on_where_it_was_cut(connected: Laptop) -> None:
    whole = os.urandom(5_000_000)
    (connected.home / "big").write_bytes(whole)
    assert connected.run("put", "big", "key:big").returncode == 0
    about = (connected.home / "big").stat()
    part_of(connected.home / "again", about.st_size, about.st_mtime).write_bytes(whole[:3_333_333])
    said = connected.run("get", "key:big", "again", "--json")
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["bytes"] == len(whole) - 3_333_333
    assert (connected.home / "again").read_bytes() == whole


def test_a_part_with_other_bytes_is_never_taken_for_the_file(connected: Laptop) -> None:
    whole = os.urandom(1_000_000)
    (connected.home / "big").write_bytes(whole)
    home = connected.gate.cluster.workspace(connected.gate.users["key"])
    about = (connected.home / "big").stat()
    part = part_of(home / "big", about.st_size, about.st_mtime)
    part.write_bytes(b"another file's beginning")
    os.chown(part, home.stat().st_uid, home.stat().st_gid)
    first = connected.run("put", "big", f"key:{home}/big")
    assert first.returncode == 5
    assert "was damaged on the way" in first.stderr
    assert not (home / "big").exists()
    assert connected.run("put", "big", f"key:{home}/big").returncode == 0
    assert (home / "big").read_bytes() == whole


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("put", "none", "key:"), "none does not exist"),
        (("put", "one", "nowhere:"), "no site 'nowhere'"),
        (("put", "one", "two"), "names no site"),
        (("get", "key:none"), "key has no file none"),
        (("put", "one", "push:"), "packhorse connect push"),
        (("put", "one", "key:/proc/x/y"), "/proc/x"),
    ],
)
def test_what_cannot_be_carried_is_said(connected: Laptop, words: tuple[str, ...], said: str) -> None:
    (connected.home / "one").write_text("1")
    done = connected.run(*words)
    assert done.returncode in (2, 5), done
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_there_is_told(connected: Laptop) -> None:
    gate = connected.gate
    place = gate.cluster.workspace(gate.users["key"])
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", place], check=True)
    try:
        (connected.home / "big").write_bytes(os.urandom(3_000_000))
        done = connected.run("put", "big", f"key:{place}/big")
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)
    assert done.returncode == 5
    assert "No space left on device" in done.stderr
    assert "free some space there" in done.stderr


@pytest.mark.rsync
@pytest.mark.parametrize("works", [True, False], ids=["rsync works", "rsync fails"])
def test_large_files_go_by_rsync_and_without_it_all_the_same(connected: Laptop, works: bool) -> None:
    """A program before rsync on the laptop's PATH notes each call; it is rsync then, or fails."""
    notes, real = connected.home / "calls", shutil.which("rsync")
    (connected.home / "bin").mkdir()
    stand_in = connected.home / "bin" / "rsync"
    stand_in.write_text(
        f"#!/bin/sh\necho called >> {notes}\n" + (f'exec {real} "$@"\n' if works else "exit 12\n")
    )
    stand_in.chmod(0o755)
    path = {"PATH": f"{connected.home / 'bin'}:{os.environ['PATH']}"}
    whole = os.urandom(1_000_003) * 70
    name = "big 'file' of $x\n ü"
    (connected.home / name).write_bytes(whole)
    (connected.home / name).chmod(0o640)
    place = connected.gate.cluster.workspace(connected.gate.users["key"])
    about = (connected.home / name).stat()
    begun = part_of(place / name, about.st_size, about.st_mtime)
    begun.write_bytes(whole[:2_000_000])  # as of a transfer that was cut
    os.chown(begun, place.stat().st_uid, place.stat().st_gid)
    went = connected.run("put", name, f"key:{place}/", env=path)
    assert went.returncode == 0, went
    there = place / name
    assert there.read_bytes() == whole
    assert (there.stat().st_mode & 0o777, int(there.stat().st_mtime)) == (0o640, int(about.st_mtime))
    assert list(place.iterdir()) == [there]
    back = connected.run("get", f"key:{there}", "back", "--json", env=path)
    assert back.returncode == 0, back
    assert (connected.home / "back").read_bytes() == whole
    assert json.loads(back.stdout)["bytes"] == len(whole)
    assert notes.read_text() == "called\n" * 2
    assert connected.gate.logins() == [connected.gate.users["key"]]
