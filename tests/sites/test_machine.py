"""What a login node tells: the script that looks runs for real here, and answers of other machines are read."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from packhorse.model.command import Answer
from packhorse.model.site import Site
from packhorse.model.site_parts import Storage
from packhorse.runtime.dialogue import run_command
from packhorse.sites.machine import parse_probe, probe_command


def text_of(**parts: str) -> str:
    return "".join(f"\n==packhorse== {name.replace('_', ' ')}\n{said}\n" for name, said in parts.items())


def test_this_machine_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_SCRATCH", str(tmp_path))
    monkeypatch.setenv("SCRATCH_TOKEN", "secret")
    area = tmp_path / "an area's"
    area.mkdir()
    storage = (
        Storage(name="here", path=f"{tmp_path}"),
        Storage(name="scratch", path="$MY_SCRATCH"),
        Storage(name="gone", path="/nowhere/at/all"),
        Storage(name="project", path="/projects/{project}"),
    )
    command = probe_command(Site(name="ant", storage=storage, quota_commands=("echo 5 of 10 GB",)))
    seen = parse_probe(run_command(command))
    assert seen.host == os.uname().nodename
    assert seen.python.startswith("3.")
    rooms = {one.area: one for one in seen.rooms}
    assert rooms["here"].size == rooms["scratch"].size
    assert rooms["here"].size
    assert rooms["gone"].size is None
    assert "project" not in rooms, "nobody knows whose project"
    assert seen.quotas == {"echo 5 of 10 GB": "5 of 10 GB"}
    assert seen.places["MY_SCRATCH"] == str(tmp_path)
    assert "SCRATCH_TOKEN" not in seen.places, "only what names a place is looked at"
    assert "secret" not in run_command(command).stdout


def test_a_look_changes_nothing(tmp_path: Path) -> None:
    """The script has no word that writes, beside what goes to /dev/null."""
    script = probe_command(Site(name="ant", setup=("source /etc/profile",))).argv[-1]
    assert not [
        line for line in script.splitlines() if ">" in line.replace("2>&1", "").replace(">/dev/null", "")
    ]
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, check=False)
    assert done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_redhat_with_lmod_is_read() -> None:
    said = text_of(
        system="Red Hat Enterprise Linux 8.10 (Ootpa)",
        host="h1.quartz.uits.iu.edu",
        python="Python 3.6.8",
        rscript="R scripting front-end version 3.6.3 (2020-02-29)",
        avail="/N/soft/mod/core:\ngcc/12.2.0\npython/3.13.5\nr/4.5.1(default)",
        loaded="xalt/3.0",
        lmod="8.7.30",
        modules="",
        variables="SCRATCH=/N/scratch/me",
        room_slate="Filesystem 1024-blocks Used Available Capacity Mounted on\nfs 102400 2048 100352 2% /N/slate\n"
        "Filesystem Inodes IUsed IFree IUse% Mounted on\nfs 6400000 10 6399990 1% /N/slate",
    )
    seen = parse_probe(Answer(status=0, stdout=f"Welcome! Maintenance on Sunday.\n{said}"))
    assert (seen.system, seen.host) == ("Red Hat Enterprise Linux 8.10 (Ootpa)", "h1.quartz.uits.iu.edu")
    assert (seen.python, seen.rscript) == ("3.6.8", "3.6.3")
    assert (seen.module_system, seen.modules) == ("lmod", ("gcc/12.2.0", "python/3.13.5", "r/4.5.1"))
    assert seen.loaded == ("xalt/3.0",)
    assert seen.places == {"SCRATCH": "/N/scratch/me"}
    (room,) = seen.rooms
    assert (room.area, room.path, room.size, room.free, room.files) == ("slate", "/N/slate", 100, 98, 6400000)


def test_what_is_not_there_is_not_known() -> None:
    said = text_of(
        system="bash: /etc/os-release: No such file or directory",
        python="bash: python3: command not found",
        rscript="bash: Rscript: command not found",
        avail="bash: module: command not found",
        loaded="bash: module: command not found",
        room_a="df: /x: No such file or directory",
    )
    seen = parse_probe(Answer(status=0, stdout=said))
    assert (seen.system, seen.python, seen.rscript, seen.modules) == ("", "", "", ())
    assert seen.rooms[0].size is None
    nothing = parse_probe(Answer(status=None, stderr="bash: did not answer"))
    assert nothing.modules == ()
