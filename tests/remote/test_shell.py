"""Shells at a site, typed in a terminal: on the login node, and in jobs that a cut line does not end."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from cluster.testbed import Cluster
from remote.gate import Gate
from remote.laptop import Laptop


@pytest.fixture
def connected(laptop: Laptop, gate: Gate) -> Iterator[Laptop]:
    """Return a laptop that is connected as the user with a key, who leaves nothing behind."""
    assert laptop.connect("key")[0] == 0
    yield laptop
    entry = pwd.getpwnam(gate.users["key"])
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "comm").read_text()
            if folder.stat().st_uid == entry.pw_uid and words.startswith(("tmux", "screen")):
                os.kill(int(folder.name), signal.SIGKILL)
    for left in (f"/tmp/tmux-{entry.pw_uid}", f"/run/screen/S-{entry.pw_name}"):
        shutil.rmtree(left, ignore_errors=True)


numbers = itertools.count(1)


def answer(talk: pexpect.spawn, command: str) -> str:
    """Type a command that prints a word and return the word; a terminal shows what is typed too, and what was before."""
    mark = f"={next(numbers)}="
    talk.sendline(f"echo {mark}{command}{mark}")
    talk.expect(rf"{mark}([^$\r\n\x1b]*){mark}")
    assert talk.match is not None
    return str(talk.match[1])


def test_a_shell_on_the_login_node_rides_on_the_connection(connected: Laptop, gate: Gate) -> None:
    talk = connected.terminal("shell", "key")
    assert answer(talk, "$(hostname)-$(id -un)") == f"testbed-login-{gate.users['key']}"
    talk.sendline("exit 7")
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 7
    assert gate.logins() == [gate.users["key"]]


def test_a_shell_in_a_job_has_what_was_asked_for_and_outlives_a_cut_line(
    connected: Laptop, gate: Gate, cluster: Cluster
) -> None:
    talk = connected.terminal("shell", "key", "--gpus", "2", "--cores", "3", "--memory", "1 GB")
    talk.expect_exact(
        "srun --job-name=packhorse-shell --partition=gpu --nodes=1 --ntasks-per-node=1 --cpus-per-task=3 "
        "--mem=1024M --gres=gpu:a100:2 --time=0-01:00:00 --pty bash -l"
    )
    talk.expect_exact("$ ")
    assert (
        answer(talk, "$(hostname)-$SLURM_CPUS_PER_TASK-$CUDA_VISIBLE_DEVICES")
        == f"{cluster.node('g1')}-3-0,1"
    )
    answer(talk, "${KEPT:=$RANDOM}")
    kept = answer(talk, "$KEPT")
    job = answer(talk, "$SLURM_JOB_ID")
    second = connected.terminal("shell", "key", "--job")
    second.expect_exact("you have an open interactive job already")
    second.expect(pexpect.EOF)
    gate.restart(cut=True)
    talk.expect_exact("not connected to key")
    talk.expect_exact("programs in tmux or screen still run: packhorse shell key --attach")
    talk.expect(pexpect.EOF)
    assert cluster.states(job) == ["RUNNING"]
    assert connected.connect("key")[0] == 0
    back = connected.terminal("shell", "key", "--attach")
    back.expect_exact("$ ")
    assert answer(back, "$KEPT") == kept
    back.send("\x02d")
    back.expect_exact("the job still runs; packhorse shell key --attach returns to it")
    back.expect(pexpect.EOF)
    back.close()
    assert back.exitstatus == 0
    ends(connected)
    assert cluster.ended(job) == ["COMPLETED"]
    assert "there is no interactive job on key" in attach(connected)
    assert gate.logins() == [gate.users["key"]] * 2


def ends(laptop: Laptop) -> None:
    """Return to the job and end its shell."""
    talk = laptop.terminal("shell", "key", "--attach")
    talk.expect_exact("$ ")
    talk.sendline("exit")
    talk.expect(pexpect.EOF)


def attach(laptop: Laptop) -> str:
    """Return what `--attach` says where it attaches to nothing."""
    talk = laptop.terminal("shell", "key", "--attach")
    talk.expect(pexpect.EOF)
    return str(talk.before)


@pytest.fixture
def without(gate: Gate, tmp_path: Path) -> Iterator[object]:
    """Return `without(*names)`: from then on the user with a key finds no such programs."""
    profile = gate.cluster.home(gate.users["key"]) / ".profile"
    before = profile.read_text()

    def hide(*names: str) -> None:
        programs = gate.cluster.workspace(gate.users["key"]) / "bin"
        programs.mkdir()
        for path in Path("/usr/bin").iterdir():
            if path.name not in names:
                (programs / path.name).symlink_to(path)
        profile.write_text(f"{before}\nPATH={programs}\n")

    yield hide
    profile.write_text(before)


def test_on_the_login_node_itself_a_job_needs_no_connection(
    connected: Laptop, gate: Gate, cluster: Cluster
) -> None:
    talk = connected.terminal("shell", "key")
    talk.expect_exact("$ ")
    talk.sendline("packhorse shell testbed --job --cores 2")
    talk.expect_exact("--cpus-per-task=2 --time=0-01:00:00 --pty bash -l")
    talk.expect_exact("$ ")
    assert answer(talk, "$(hostname)-$SLURM_CPUS_PER_TASK") == f"{cluster.node('n1')}-2"
    talk.sendline("exit")
    assert answer(talk, "$(hostname)") == "testbed-login"
    talk.sendline("exit")
    talk.expect(pexpect.EOF)
    assert gate.logins() == [gate.users["key"]]


def test_where_there_is_no_tmux_screen_keeps_the_job(connected: Laptop, gate: Gate, without) -> None:
    without("tmux")
    talk = connected.terminal("shell", "key", "--job", "--partition", "debug")
    talk.expect_exact("$ ")
    answer(talk, "${KEPT:=$RANDOM}")
    kept = answer(talk, "$KEPT")
    talk.kill(signal.SIGKILL)
    talk.expect(pexpect.EOF)
    back = connected.terminal("shell", "key", "--attach")
    assert answer(back, "$KEPT-$SLURM_JOB_PARTITION") == f"{kept}-debug"
    back.sendline("exit")
    back.expect(pexpect.EOF)


def test_where_there_is_neither_a_job_is_had_all_the_same(connected: Laptop, without) -> None:
    without("tmux", "screen")
    talk = connected.terminal("shell", "key", "--job", "--time", "10 min")
    talk.expect_exact("--time=0-00:10:00 --pty bash -l")
    talk.expect_exact(
        "note: tmux and screen are not installed here; the job ends when the connection is lost"
    )
    assert answer(talk, "$SLURM_JOB_PARTITION") == "general"
    talk.sendline("exit 3")
    talk.expect(pexpect.EOF)
    talk.close()
    assert talk.exitstatus == 3


def test_a_session_on_another_login_node_is_told(connected: Laptop, gate: Gate) -> None:
    note = gate.cluster.home(gate.users["key"]) / ".cache" / "packhorse" / "shell"
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text("login2\n")
    try:
        said = attach(connected)
    finally:
        note.unlink()
    assert "The session is on login2, but this connection goes to testbed-login." in said
    assert "there: ssh to the node named above" in said


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (["--gpus", "5"], 2, "a task asks for 5 GPUs"),
        (["--partition", "debug", "--time", "5 h"], 2, "debug allows 4 h"),
        (["--memory", "8"], 3, "Memory '8' has no unit"),
        (["--partition", "gpuu"], 2, "has no partition gpuu"),
        (["--job"], 5, "an interactive job needs a terminal"),
        ([], 5, "a shell needs a terminal"),
    ],
)
def test_what_cannot_be_had_is_told_before_anything_is_asked(
    laptop: Laptop, words: list[str], status: int, told: str
) -> None:
    done = laptop.run("shell", "key", *words)
    assert (done.returncode, told in done.stderr) == (status, True), done.stderr


def test_without_a_connection_a_shell_says_to_log_in(laptop: Laptop, gate: Gate) -> None:
    talk = laptop.terminal("shell", "push")
    talk.expect_exact("log in: packhorse connect push")
    talk.expect(pexpect.EOF)
    assert gate.attempts() == []


def test_where_all_sessions_are_in_use_a_shell_says_so(connected: Laptop, gate: Gate) -> None:
    gate.change("MaxSessions 1")
    connected.run("connect", "key", "--close")
    connected.connect("key")
    with connected.session("key"):
        talk = connected.terminal("shell", "key")
        talk.expect_exact("too many sessions at once on the connection to key")
        talk.expect(pexpect.EOF)
    assert gate.logins() == [gate.users["key"]] * 2


def test_other_programs_ride_on_the_connection_and_never_log_in(laptop: Laptop, gate: Gate) -> None:
    block = laptop.run("ssh-config", "key")
    assert block.returncode == 0
    assert "insert this above every `Host *`" in block.stderr
    laptop.prefer(*block.stdout.splitlines())
    alone = laptop.ssh("ph-key", "true")
    assert alone.returncode == 255
    assert "no connection to key, or no free session: packhorse connect key" in alone.stderr
    assert laptop.connect("key")[0] == 0
    assert laptop.ssh("ph-key", "id -un").stdout == f"{gate.users['key']}\n"
    sent = laptop.home / "sent.txt"
    sent.write_text("as it is")
    copied = subprocess.run(["scp", "-q", "-F", laptop.ssh_config, sent, "ph-key:got.txt"], check=False)
    assert copied.returncode == 0
    got = gate.cluster.home(gate.users["key"]) / "got.txt"
    assert got.read_text() == "as it is"
    got.unlink()
    assert re.findall("Accepted", "\n".join(gate.log())) == ["Accepted"]
