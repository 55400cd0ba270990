"""Nothing that a command started outlives it, whichever signal ends it: tasks, checks, set-up."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from running.project import Project, until

SIGNALS = ("INT", "TERM", "HUP", "KILL")
# It starts a process of its own session, which is no child of it any more, as R's makeCluster does, and then waits.
LINGER = """
    import os, pathlib, sys, time

    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            pathlib.Path(os.environ["PACKHORSE_TEST_PIDS"], str(os.getpid())).touch()
            time.sleep(300)
        os._exit(0)
    os.wait()
    pathlib.Path(os.environ["PACKHORSE_TEST_PIDS"], str(os.getpid())).touch()
    time.sleep(300)
"""
BACKEND = """
    def build_editable(*_):
        import linger
    build_wheel = get_requires_for_build_editable = build_editable
"""


def alive(folder: Path) -> list[int]:
    """Return the processes that have left their numbers in a folder and have not ended."""
    pids = [int(path.name) for path in folder.iterdir()]
    return [pid for pid in pids if Path(f"/proc/{pid}/exe").exists()]


def heed_signals() -> None:
    """Heed signals that this session may ignore, as in the background of a shell or under nohup."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def prepared(project: Project, kind: str) -> list[str]:
    """Write what lingers in one part of a command; return the command."""
    project.write(linger_py=LINGER).study(command="python linger.py", parameters={"i": [0]})
    if kind == "try":
        return ["try"]
    if kind == "script":
        return ["run", "linger.py"]
    if kind == "check":
        project.study(command="python -V", parameters={"i": [0]}, checks=["python linger.py"])
    if kind == "set-up":  # uv makes the environment of a study from a project, whose build may take its time
        (project.path / "pyproject.toml").write_text(
            '[project]\nname = "p"\nversion = "1"\n'
            '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        )
        project.write(backend_py=BACKEND).study(
            command="python -V", parameters={"i": [0]}, environment={"uv": "."}
        )
    return ["run"]


@pytest.mark.parametrize("kind", ["try", "script", "check", "set-up"])
def test_what_a_command_started_ends_with_it(project: Project, tmp_path: Path, kind: str) -> None:
    if kind == "set-up" and not shutil.which(
        "uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    ):
        pytest.skip("uv is not installed")
    argv = prepared(project, kind)
    for name in SIGNALS:
        pids = tmp_path / name
        pids.mkdir()
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        env = {**os.environ, "PACKHORSE_TEST_PIDS": str(pids), "PATH": path}
        command = project.start(*argv, env=env, preexec_fn=heed_signals)
        until(lambda pids=pids: len(list(pids.iterdir())) == 2)
        os.kill(command.pid, getattr(signal, f"SIG{name}"))
        until(lambda pids=pids: not alive(pids), 10)
        printed, _ = command.communicate(timeout=30)
        assert command.returncode == (-signal.SIGKILL if name == "KILL" else 130), printed
        assert "Traceback" not in printed
