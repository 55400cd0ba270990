"""The state of the code in git, in real repositories."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from packhorse.model.errors import SnapshotError
from packhorse.record import git

HOSTILE = ["with space.py", "new\nline.py", "-dash.py", "größe.py", "*.py"]


@pytest.fixture(autouse=True)
def person(monkeypatch: pytest.MonkeyPatch) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "ada@example.org")


def ask(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "a project"
    place.mkdir()
    ask(place, "init", "-q", "-b", "main")
    (place / "sim.py").write_text("print(1)\n")
    ask(place, "add", "-A")
    ask(place, "commit", "-q", "-m", "first")
    return place


def test_a_tag_is_in_the_summary(root: Path) -> None:
    commit = git.git_state(root)["commit"][:12]
    ask(root, "tag", "v1.2")
    assert git.git_state(root)["summary"] == f"commit {commit} (v1.2) on main, nothing uncommitted"
    (root / "sim.py").write_text("print(2)\n")
    assert git.git_state(root)["summary"].startswith(
        f"commit {commit} (v1.2) on main, uncommitted: 1 changed"
    )


def test_a_clean_repository(root: Path) -> None:
    said = git.git_state(root)
    assert said["commit"] == ask(root, "rev-parse", "HEAD")
    assert said["branch"] == "main"
    assert said["dirty"] is False
    assert said["describe"] == said["commit"][:7]
    assert said["summary"] == f"commit {said['commit'][:12]} on main, nothing uncommitted"
    assert "note" not in said


def test_what_is_uncommitted_is_said_and_the_diff_can_be_applied(root: Path) -> None:
    (root / "sim.py").write_text("print(2)\n")
    for name in HOSTILE:
        (root / name).write_text("x\n")
    said = git.git_state(root)
    assert said["dirty"] is True
    assert said["changed"] == ["sim.py"]
    assert sorted(said["untracked"]) == sorted(HOSTILE)
    assert "1 changed (sim.py) and 5 untracked" in said["summary"]
    ask(root, "checkout", "-q", "sim.py")
    subprocess.run(["git", "apply"], cwd=root, input=said["diff"], text=True, check=True)
    assert (root / "sim.py").read_text() == "print(2)\n"
    json.dumps(said).encode()


def test_renamed_and_deleted_files_are_changes(root: Path) -> None:
    ask(root, "mv", "sim.py", "new name.py")
    assert set(git.git_state(root)["changed"]) == {"sim.py", "new name.py"}


def test_a_long_diff_is_cut_with_a_note(root: Path) -> None:
    (root / "sim.py").write_text("x" * 99 + "\n" * 30_000_000)
    said = git.git_state(root)
    assert len(said["diff"]) == git.DIFF_LIMIT
    assert "cut at 1,000,000 bytes" in said["note"]


def test_secrets_never_enter_the_diff(root: Path) -> None:
    (root / ".env").write_text("A=1\n")
    ask(root, "add", "-A")
    ask(root, "commit", "-q", "-m", "oh dear")
    (root / ".env").write_text("A=hunter2\n")
    (root / "sim.py").write_text("print(2)\n")
    said = git.git_state(root)
    assert "hunter2" not in json.dumps(said)
    assert "print(2)" in said["diff"]
    assert ".env" in said["note"]


def test_no_repository_no_commit_detached_and_a_subfolder(tmp_path: Path, root: Path) -> None:
    assert git.git_state(tmp_path)["summary"] == "no git repository"
    ask(root, "checkout", "-q", "--detach")
    detached = git.git_state(root)
    assert detached["branch"] is None
    assert "detached" in detached["summary"]
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    ask(fresh, "init", "-q", "-b", "trunk")
    (fresh / "sim.py").touch()
    said = git.git_state(fresh)
    assert (said["commit"], said["branch"], said["untracked"]) == (None, "trunk", ["sim.py"])
    assert "no commit yet" in said["note"]


def test_no_git_and_a_repository_that_git_refuses_give_a_note(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert "belongs to another user" in git.git_state(root)["note"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "git could not be started" in git.git_state(root)["note"]


def test_a_path_that_breaks_careless_quoting(weird_path: Path) -> None:
    ask(weird_path, "init", "-q")
    (weird_path / "sim.py").touch()
    commit = git.commit_all(weird_path, "first", ["sim.py"])
    (weird_path / "sim.py").write_text("x\n")
    said = git.git_state(weird_path)
    assert (said["commit"], said["changed"]) == (commit, ["sim.py"])
    assert "+x" in said["diff"]


def test_variables_of_a_git_hook_do_not_lead_astray(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = git.git_state(root)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert git.git_state(root) == expected


def test_commit_all_commits_the_given_paths_only(root: Path) -> None:
    for name in (*HOSTILE, "ignored.csv", "mine.txt"):
        (root / name).write_text("x\n")
    (root / ".gitignore").write_text("*.csv\n")
    (root / "sim.py").write_text("print(2)\n")
    ask(root, "add", "mine.txt")
    before = ask(root, "rev-parse", "HEAD")
    made = git.commit_all(root, "-m is a message", ["sim.py", *HOSTILE, "ignored.csv", "absent.py"])
    assert made == ask(root, "rev-parse", "HEAD") != before
    assert ask(root, "log", "-1", "--format=%s") == "-m is a message"
    tree = set(ask(root, "ls-tree", "-r", "-z", "--name-only", "HEAD").split("\0"))
    assert tree - {""} == {"sim.py", *HOSTILE}
    assert ask(root, "diff", "--cached", "--name-only") == "mine.txt"


def test_commit_all_in_a_fresh_repository_with_deleted_files_and_with_nothing_new(tmp_path: Path) -> None:
    ask(tmp_path, "init", "-q")
    (tmp_path / "sim.py").touch()
    (tmp_path / "old.py").touch()
    first = git.commit_all(tmp_path, "first", ["sim.py", "old.py"])
    assert git.commit_all(tmp_path, "again", ["sim.py"]) == first
    assert git.commit_all(tmp_path, "nothing", []) == first
    (tmp_path / "old.py").unlink()
    second = git.commit_all(tmp_path, "second", ["sim.py", "old.py"])
    assert second != first
    assert ask(tmp_path, "ls-tree", "-r", "--name-only", "HEAD") == "sim.py"


def test_commit_all_tells_why_git_refuses(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root / "sim.py").write_text("print(2)\n")
    hook = root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho 'lint: line 1 is bad' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(SnapshotError, match="lint: line 1 is bad"):
        git.commit_all(root, "second", ["sim.py"])
    hook.unlink()
    for name in [name for name in os.environ if name.startswith(("GIT_AUTHOR", "GIT_COMMITTER", "EMAIL"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    ask(root, "config", "user.useConfigOnly", "true")
    with pytest.raises(SnapshotError, match="no author name and email") as refusal:
        git.commit_all(root, "second", ["sim.py"])
    assert "git config --global user.email" in refusal.value.hint
    with pytest.raises(SnapshotError, match="git commit failed"):
        git.commit_all(tmp_path, "none", ["x"])
