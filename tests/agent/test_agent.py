"""The remote agent under the oldest and newest Python, with a loopback site instead of ssh."""

from __future__ import annotations

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from msgspec import structs

from packhorse.app.sites.ls import listed
from packhorse.model.command import Command
from packhorse.model.errors import RunError, UsageError
from packhorse.ssh import file_transfer
from packhorse.ssh.session import Session
from remote.loopback import Loop, Loopback
from running.project import until
from worker.old import oldest_python


@pytest.fixture
def site(tmp_path: Path) -> Loopback:
    return Loopback(tmp_path / "site")


def test_the_agent_replies_under_the_oldest_python(site: Loopback, tmp_path: Path) -> None:
    python, version = oldest_python()
    site.program("python3", python)
    source, folder = tmp_path / "latin\udce9", str(tmp_path / "there")
    source.write_bytes(b"x" * 100_000)
    with Session(site.there().login) as session:
        hello = session.call("hello", programs=["sh", "lfs"], paths=["~", "$NONE/x"])
        assert hello["version"].startswith(f"{version[0]}.{version[1]}.")
        assert hello["paths"][0]["mount"]
        assert session.ask(Command(argv=("sh", "-c", "echo there"))).stdout == "there\n"
        names = [("a b", source, 0), ("latin\udce9", source, 0), ("sub/-x", source, 0)]
        file_transfer.upload_files(session, folder, names)
        assert len(session.call("list", path=folder)["files"]) == 3
        assert session.call("begun", path=folder, files=[["a b", 100_000, source.stat().st_mtime]])[
            "found"
        ] == [-1]
        for head, blocks in file_transfer.stream_files(session, folder, [("sub/-x", 10), ("none", 0)]):
            assert len(b"".join(blocks)) == max(0, head["size"])
        digest = session.call("digest", path=folder, files=[["a b", 100_000]])["found"]
        assert digest == [hashlib.sha256(source.read_bytes()).hexdigest()]
        assert session.call("look", path=folder, known={})["there"]
        assert session.call("claim", path=f"{folder}/waves/1")["made"]
        assert not session.call("claim", path=f"{folder}/waves/1")["made"]
        assert session.call("loaded", lines=["export KEPT=1"])["status"] == 0
        assert session.call("find", programs=["sh"], pythons=True)["pythons"]
        assert session.call("environments", path=folder)["rows"]
        (tmp_path / "there" / "run.json").write_text('{"id": "me"}')
        assert session.call("extent", path=folder)["files"] >= 4
        assert session.call("remove", path=folder, run="me")["removed"]
        assert not session.call("remove", path=folder, run="me")["removed"]


def test_what_a_request_started_ends_with_the_session(site: Loopback, tmp_path: Path) -> None:
    site.program("python3", oldest_python()[0])
    pid = tmp_path / "pid"
    with Session(site.there().login) as session:
        session.send("loaded", lines=[f"echo $$ > {pid}", "exec sleep 300"])
        number = until(lambda: pid.exists() and pid.read_text().strip())
        assert session.process is not None
        assert session.process.stdin is not None
        session.process.stdin.close()  # as the system does when the laptop's process is killed
        until(lambda: not Path(f"/proc/{number}/exe").exists(), 10)


def test_a_folder_is_listed(site: Loopback, tmp_path: Path) -> None:
    site.program("python3", oldest_python()[0])
    (tmp_path / "site" / "area" / "a b.csv").write_text("x" * 2048)
    transport = site.there()
    with transport.open():
        assert re.search(r" 2\.0K .* a b\.csv\n", listed(transport, str(tmp_path / "site" / "area")))
        with pytest.raises(UsageError, match=r"loop cannot list none: .*No such file"):
            listed(transport, "none")


class ReadsInput(Loop, frozen=True, kw_only=True):
    """A login whose startup file reads a line of standard input, as `read -p "Which project? " project` does."""

    def session_argv(self, *more: str) -> list[str]:
        return [*super().session_argv(*more), 'read -r line; exec sh -c "$0"']


def test_a_startup_file_that_reads_standard_input_is_told(site: Loopback) -> None:
    site.program("python3", oldest_python()[0])
    login = site.there().login
    with Session(ReadsInput(**structs.asdict(login))) as session:
        with pytest.raises(RunError, match="reads standard input") as error:
            session.call("hello", programs=[])
        assert "~/.bashrc" in error.value.hint


@pytest.mark.parametrize("text", ["exit 1", "echo 'Python 2.7.18'; exit 1", "kill -9 $$"])
def test_a_python3_that_is_none_is_passed_over(site: Loopback, text: str) -> None:
    site.script("python3", text)
    site.program("python3.9", oldest_python()[0])
    with Session(site.there().login) as session:
        assert session.call("hello", programs=[])["python"]


def test_python_2_is_passed_over(site: Loopback) -> None:
    two = shutil.which("python2.7") or next(Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"), None)
    if two is None:
        pytest.skip("no Python 2.7")
    site.program("python3", str(two))
    site.program("python3.9", oldest_python()[0])
    with Session(site.there().login) as session:
        assert not session.call("hello", programs=[])["version"].startswith("2")
