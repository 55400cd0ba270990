"""Interpreters that studies name, and resolution of a command's first word."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from packhorse.model.errors import RunError
from packhorse.model.study import Environment
from packhorse.runtime.interpreter import Interpreter, resolve
from packhorse.runtime.programs import resolve_command, script_command

NONE = Environment()
# Keeps the environment it finds, as the real one does, and writes a lock where there is none.
UV = """#!/bin/sh
echo "$@" >> asked
[ -f uv.lock ] || echo made > uv.lock
[ -x .venv/bin/python ] || "PYTHON" -m venv --without-pip .venv
"""


@pytest.fixture(scope="module")
def real_venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("env") / "my venv"
    venv.create(place, with_pip=False, symlinks=True)
    return place


def program(path: Path, text: str = "#!/bin/sh\nexit 0\n", mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def path_of(*folders: Path) -> dict[str, str]:
    return {"PATH": os.pathsep.join(map(str, folders)), "HOME": "/nowhere"}


def prefix_of(interpreter: Interpreter) -> str:
    command = ["python", "-c", "import sys; print(sys.prefix)"]
    env = interpreter.environ(dict(os.environ))
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout.strip()


def test_the_active_environment_is_used_and_nothing_changed(tmp_path: Path, real_venv: Path) -> None:
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        env = path_of(tmp_path) | {variable: str(real_venv)}
        found = resolve(NONE, tmp_path, env=env)
        assert found.python == str(real_venv / "bin" / "python")
        assert found.environ(env) == env


def test_without_an_active_one_python3_on_path_is_used_then_python_then_our_own(tmp_path: Path) -> None:
    three, two = program(tmp_path / "a" / "python3"), program(tmp_path / "b" / "python")
    gone = {"VIRTUAL_ENV": str(tmp_path / "removed")}
    assert resolve(NONE, tmp_path, env=path_of(two.parent, three.parent) | gone).python == str(three)
    assert resolve(NONE, tmp_path, env=path_of(two.parent)).python == str(two)
    own = resolve(NONE, tmp_path, env=path_of(tmp_path))
    assert own.python == sys.executable
    assert "no python3 or python on PATH" in own.notes[0]


def test_a_shim_is_resolved_where_the_study_stands(tmp_path: Path) -> None:
    shim = program(
        tmp_path / "shims" / "python3",
        f'#!/bin/sh\n[ -f chosen ] && exec "{sys.executable}" "$@"\nexit 127\n',
    )
    own = Path(sys.executable).with_name("python3")
    env = path_of(shim.parent, own.parent)
    (tmp_path / "chosen").touch()
    assert resolve(NONE, tmp_path, env=env).python == sys.executable
    (tmp_path / "chosen").unlink()
    assert resolve(NONE, tmp_path, env=path_of(shim.parent)).notes, "a shim that starts nothing is no Python"


def test_a_virtual_environment_comes_first_on_path(tmp_path: Path, real_venv: Path) -> None:
    (tmp_path / "env").symlink_to(real_venv)
    found = resolve(Environment(kind="venv", path="env"), tmp_path, env={"PYTHONHOME": "/x", **os.environ})
    assert prefix_of(found) == str(tmp_path / "env")
    changed = found.environ({"PATH": "/bin", "PYTHONHOME": "/x"})
    assert changed["VIRTUAL_ENV"] == str(tmp_path / "env")
    assert "PYTHONHOME" not in changed


def test_a_missing_virtual_environment_is_refused_with_the_command_that_makes_it(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").touch()
    with pytest.raises(RunError, match="does not exist") as refusal:
        resolve(Environment(kind="venv", path="my env"), tmp_path, env={})
    assert f"python3 -m venv '{tmp_path}/my env'" in refusal.value.hint
    assert "-r requirements.txt" in refusal.value.hint
    (tmp_path / "my env" / "bin").mkdir(parents=True)
    (tmp_path / "my env" / "bin" / "python").symlink_to("/removed/python3.8")
    with pytest.raises(RunError, match="its Python was removed") as refusal:
        resolve(Environment(kind="venv", path="my env"), tmp_path, env={})
    assert "--clear" in refusal.value.hint


def test_an_interpreter_by_path_or_name(tmp_path: Path, real_venv: Path) -> None:
    python = real_venv / "bin" / "python"
    found = resolve(Environment(kind="python", path=str(python)), tmp_path, env=dict(os.environ))
    assert prefix_of(found) == str(real_venv)
    named = program(tmp_path / "bin" / "python3.9")
    assert resolve(
        Environment(kind="python", path="python3.9"), tmp_path, env=path_of(named.parent)
    ).python == str(named)
    with pytest.raises(RunError, match="no Python interpreter at") as refusal:
        resolve(Environment(kind="python", path="python3.10"), tmp_path, env=path_of(named.parent))
    assert "python3.9" in refusal.value.hint
    with pytest.raises(RunError, match="is a virtual environment") as refusal:
        resolve(Environment(kind="python", path=str(real_venv)), tmp_path, env={})
    assert f"venv: {real_venv}" in refusal.value.hint


def test_uv_builds_from_the_lock_that_is_there(tmp_path: Path) -> None:
    uv = program(tmp_path / "bin" / "uv", UV.replace("PYTHON", sys.executable))
    env = {**os.environ, "PATH": f"{uv.parent}:{os.environ['PATH']}"}
    project = tmp_path / "project"
    (project / "studies").mkdir(parents=True)
    (project / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    first = resolve(Environment(kind="uv"), project / "studies", env=env)
    assert prefix_of(first) == str(project / ".venv")
    assert "commit it" in first.notes[0]
    second = resolve(Environment(kind="uv", path="project"), tmp_path, env=env)
    assert second.notes == ()
    assert second.inputs["uv.lock"] == first.inputs["uv.lock"]
    asked = (project / "asked").read_text().splitlines()
    assert ["--frozen" in line for line in asked] == [False, True]


def test_uv_missing_or_failing_or_without_a_project(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a uv project"):
        resolve(Environment(kind="uv", path="nothing"), tmp_path, env={})
    (tmp_path / "uv.lock").touch()
    with pytest.raises(RunError, match="uv is not installed") as refusal:
        resolve(Environment(kind="uv"), tmp_path, env=path_of(tmp_path))
    assert "pip install --user uv" in refusal.value.hint
    program(tmp_path / "bin" / "uv", "#!/bin/sh\necho 'error: lock is stale' >&2\nexit 2\n")
    with pytest.raises(RunError, match="lock is stale") as refusal:
        resolve(Environment(kind="uv"), tmp_path, env=path_of(tmp_path / "bin", Path("/bin")))
    assert "sync" in refusal.value.hint


def command(
    *argv: str, folder: Path, path: list[Path], python: str = "/usr/bin/fallback"
) -> tuple[tuple[str, ...], str]:
    interpreter = Interpreter(kind="none", python=python)
    found = resolve_command(argv, interpreter, folder, env=path_of(*path))
    return found.argv, found.note


def test_programs_become_absolute_and_project_files_stay_relative(tmp_path: Path) -> None:
    tool = program(tmp_path / "bin" / "tool")
    program(tmp_path / "p" / "sim")
    assert command("tool", "-x", folder=tmp_path, path=[tool.parent]) == ((str(tool), "-x"), "")
    assert command("./sim", "a", folder=tmp_path / "p", path=[]) == (("./sim", "a"), "")
    assert command(str(tool), folder=tmp_path, path=[])[0] == (str(tool),)


def test_python_that_is_not_on_path_is_the_studys_interpreter_with_a_note(tmp_path: Path) -> None:
    argv, note = command("python", "sim.py", folder=tmp_path, path=[tmp_path])
    assert argv == ("/usr/bin/fallback", "sim.py")
    assert "python is not on PATH" in note
    here = program(tmp_path / "python")
    assert command("python", "sim.py", folder=tmp_path, path=[tmp_path]) == ((str(here), "sim.py"), "")


def test_a_file_of_the_project_is_started_by_its_suffix_with_a_note(tmp_path: Path) -> None:
    program(tmp_path / "sim.py", "print(1)\n", mode=0o644)
    argv, note = command("sim.py", "3", folder=tmp_path, path=[tmp_path / "bin"])
    assert argv == ("/usr/bin/fallback", "./sim.py", "3")
    assert "running sim.py as" in note


@pytest.mark.parametrize(
    ("word", "message", "hint"),
    [
        ("Rscript", "Rscript not found", "install R"),
        ("cd", "shell syntax", "shell: true"),
        ("OMP_NUM_THREADS=1", "not found", "OMP_NUM_THREADS: 1"),
        ("simluate", "not found", "simulate.sh"),
        ("./simulat.sh", "no such program", "simulate.sh"),
        (
            "./simulate.sh",
            "not executable",
            "chmod +x ./simulate.sh, or write the command as: bash ./simulate.sh",
        ),
        ("no/folder/x", "no such program", "does not exist either"),
        ("qqqqqq", "not found", "install it"),
    ],
)
def test_what_is_nothing_is_refused_with_the_nearest_thing(
    tmp_path: Path, word: str, message: str, hint: str
) -> None:
    program(tmp_path / "simulate.sh", mode=0o644)
    with pytest.raises(RunError, match=message) as refusal:
        command(word, folder=tmp_path, path=[tmp_path / "bin"])
    assert hint in refusal.value.hint


def test_scripts_are_run_by_their_suffix_or_by_themselves(tmp_path: Path) -> None:
    env = path_of(tmp_path / "bin")
    rscript, bash = program(tmp_path / "bin" / "Rscript"), program(tmp_path / "bin" / "bash")
    interpreter = Interpreter(kind="none", python="/py")
    for name in ("sim.py", "-x.R", "job.sh", "plain"):
        program(tmp_path / name, mode=0o644)
    program(tmp_path / "tool")

    def run(name: str) -> tuple[str, ...]:
        return script_command(name, interpreter, tmp_path, env=env)

    assert run("sim.py") == ("/py", "./sim.py")
    assert run("-x.R") == (str(rscript), "./-x.R")
    assert run("job.sh") == (str(bash), "./job.sh")
    assert run("tool") == ("./tool",)
    with pytest.raises(RunError, match="is not executable") as refusal:
        run("plain")
    assert "chmod +x plain" in refusal.value.hint
    with pytest.raises(RunError, match="does not exist") as refusal:
        run("simm.py")
    assert "sim.py" in refusal.value.hint
