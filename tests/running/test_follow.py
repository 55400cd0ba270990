"""`logs --follow`: what a task prints, while it prints it."""

from __future__ import annotations

import os
import signal
import subprocess
import textwrap
import time
from typing import Any

import pytest

from running.project import PACKHORSE, Project, until

CLOCK = """
    import os, sys, time
    def main(n):
        for step in range(100):
            print("step", step, "of", n)
            if step == 3:
                print("a warning", file=sys.stderr)
            open(os.environ["READY"], "w").close()
            if os.path.exists(GO):
                break
            time.sleep(0.1)
        print("last line")
    if __name__ == "__main__":
        main(sys.argv[1])
    """


class Follower:
    """`packhorse logs ... --follow` in the background, with all that it has shown so far."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.path = project.path / "followed.txt"
        with self.path.open("wb") as stream:
            self.process = subprocess.Popen(
                [PACKHORSE, "logs", *arguments, "--follow"], cwd=project.path, stdout=stream, stderr=stream
            )

    def text(self) -> str:
        return self.path.read_text()


def clock(project: Project, **keys: Any) -> Project:
    project.file("sim.py", f"GO = {str(project.path.parent / 'go')!r}\n" + "\n")
    with (project.path / "sim.py").open("a") as stream:
        stream.write(textwrap.dedent(CLOCK))
    chosen = keys or {"command": "python sim.py {n}", "result": "none"}
    return project.study(**chosen, parameters={"n": [5, 6]})


@pytest.mark.parametrize("keys", [{}, {"function": "sim:main"}])
def test_a_running_task_is_followed_to_its_end(project: Project, keys: dict[str, Any]) -> None:
    ready = project.path.parent / "ready"
    process = clock(project, **keys).start(
        "run", "study.yaml", "-j2", env={**os.environ, "READY": str(ready)}
    )
    until(ready.exists)
    follower = Follower(project, "s", "--task", "1")
    until(lambda: "step 6 of 6" in follower.text())
    assert process.poll() is None, "shown while the task runs"
    assert "step 0 of 6" in follower.text()
    assert "a warning" in follower.text()
    (project.path.parent / "go").touch()
    assert follower.process.wait(30) == 0
    process.wait(30)
    assert process.stdout
    process.stdout.close()
    text = follower.text()
    assert "last line" in text
    assert "task 1 has ended: OK" in text
    assert "of 5" not in text, "the other task's output is not shown"
    steps = [row for row in text.splitlines() if row.startswith("step ")]
    assert steps == [f"step {number} of 6" for number in range(len(steps))], "each line once, in order"
    assert not list((project.directory / "watch").iterdir())


def test_an_ended_task_is_shown_at_once_and_one_of_several_must_be_named(project: Project) -> None:
    (project.path.parent / "go").touch()
    clock(project).run(READY=str(project.path.parent / "ready"))
    said = project.command("logs", "s", "--task", "0", "--follow")
    assert "step 0 of 5\nlast line\n" in said
    assert "task 0 has ended: OK" in said
    assert "--follow shows one task, and the run has 2" in project.command("logs", "s", "--follow", code=2)


def test_a_task_that_never_runs_is_not_waited_for(project: Project) -> None:
    ready = project.path.parent / "ready"
    process = clock(project).start("run", "study.yaml", "-j1", env={**os.environ, "READY": str(ready)})
    until(ready.exists)
    follower = Follower(project, "s", "--where", "n=6")
    until(lambda: "task 1 has printed nothing yet" in follower.text())
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert process.stdout
    process.stdout.close()
    began = time.monotonic()
    assert follower.process.wait(30) == 5
    assert time.monotonic() - began < 20
    assert "task 1 is not running: the run is incomplete" in follower.text()
