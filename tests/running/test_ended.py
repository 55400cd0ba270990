"""What failed and ended tasks leave: their files, what they printed, and a cause that says why."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import textwrap
from pathlib import Path
from typing import Any

import pytest

from running.project import Project, marked, until, workers

# Writes and prints step after step, and then goes on for longer than it may.
STEPS = """
    import os, sys, time
    for step in range(16):
        open(f"step{step}.npy", "wb").write(bytes(step))
        print("step", step)
    if "READY" in os.environ:
        open(os.environ["READY"], "w").close()
    time.sleep(60)
    """


def explained(project: Project, task: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(project.command("explain", "s", "--task", str(task), "--json"))
    return found


def kept(project: Project, task: int) -> list[str]:
    folder = project.directory / "artifacts" / str(task)
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def steps(project: Project, **keys: Any) -> Project:
    project.write(sim_py=STEPS)
    return project.study(
        command="python sim.py {n}", parameters={"n": [1]}, artifacts=["*.npy"], result="none", **keys
    )


def check_steps(project: Project, state: str, *, partial: bool = True) -> None:
    """Check that all that STEPS wrote and printed is kept, and told by `logs` and `explain`."""
    assert kept(project, 0) == sorted(f"step{step}.npy" for step in range(16))
    assert (project.directory / "artifacts" / "0.partial").exists() == partial
    told = project.command("logs", "s", "--task", "0")
    assert "".join(f"step {step}\n" for step in range(16)) in told
    assert ("partial" in told) == partial
    assert "step0.npy" in told
    found = explained(project, 0)
    assert (found["state"], found["partial"], len(found["files"])) == (state, partial, 16)
    assert "files kept: 16" in project.command("explain", "s", "--task", "0")


def test_a_time_limit_keeps_what_was_written_and_printed(project: Project) -> None:
    said = steps(project, time_limit="2 s").run(code=7)
    assert "no key names" not in said
    assert "longer than the time limit of 2 s" in said
    check_steps(project, "TIMEOUT")
    mark = json.loads((project.directory / "artifacts" / "0.partial").read_text())
    assert mark["outcome"] == "TIMEOUT"


def test_more_memory_than_allowed_keeps_what_was_written_and_printed(project: Project) -> None:
    steps(project, resources={"memory": "300 MB"})
    project.file("sim.py", STEPS.replace("time.sleep(60)", "block = bytearray(900 << 20); time.sleep(60)"))
    project.run(code=7)
    check_steps(project, "MEMORY")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_a_cancelled_task_wrote_is_kept_until_it_runs_again(project: Project, number: int) -> None:
    ready = project.path.parent / "ready"
    process = steps(project).start("run", "study.yaml", env={**os.environ, "READY": str(ready)})
    until(ready.exists)
    os.kill(process.pid, number)
    process.wait(30)
    assert process.stdout
    process.stdout.close()
    assert project.records() == 0, "an interruption is no outcome"
    check_steps(project, "MISSING")
    project.file("sim.py", 'print("at once"); open("only.npy", "w").close()\n')
    project.run()
    assert kept(project, 0) == ["only.npy"]
    assert not (project.directory / "artifacts" / "0.partial").exists()
    found = explained(project, 0)
    assert (found["state"], found["partial"], found["files"]) == ("OK", False, ["only.npy"])


def test_the_signal_of_a_node_to_the_worker_keeps_it_too(project: Project) -> None:
    ready = project.path.parent / "ready"
    process = steps(project).start("run", "study.yaml", env={**os.environ, "READY": str(ready)})
    until(ready.exists)
    os.kill(workers(project.directory)[0], signal.SIGTERM)
    process.wait(30)
    assert process.stdout
    process.stdout.close()
    check_steps(project, "MISSING")


def test_a_function_that_is_ended_keeps_its_files_and_prints(project: Project) -> None:
    body = textwrap.indent(textwrap.dedent(STEPS), "    ")
    project.file("sim.py", f"def f(n):\n{body}")
    project.study(function="sim:f", parameters={"n": [1]}, artifacts=["*.npy"], time_limit="3 s").run(code=7)
    check_steps(project, "TIMEOUT")


def test_a_function_that_fails_keeps_its_files_and_its_whole_cause(project: Project) -> None:
    project.write(
        sim_py="""
        def f(n):
            open("state.txt", "w").write(str(n))
            raise ValueError("no root in\\nthe interval [0, 1]")
        """
    )
    project.study(function="sim:f", parameters={"n": [1]}, artifacts=["state.txt"]).run(code=7)
    assert kept(project, 0) == ["state.txt"]
    assert project.failure()["cause"] == "ValueError: no root in the interval [0, 1]"


def test_a_success_without_files_removes_those_of_the_attempt_before(project: Project) -> None:
    steps(project, time_limit="2 s").run(code=7)
    project.file("sim.py", "print('nothing to write')\n")
    project.command("retry", "s", "--keep")
    assert not (project.directory / "artifacts" / "0").exists()
    assert not (project.directory / "artifacts" / "0.partial").exists()


def test_only_the_last_attempt_of_several_is_kept(project: Project) -> None:
    project.write(
        sim_py="""
        import sys
        from packhorse import task
        tries = task.checkpoint / "tries"
        number = int(tries.read_text()) + 1 if tries.exists() else 1
        tries.write_text(str(number))
        open(f"try{number}.txt", "w").close()
        sys.exit("try %d" % number if number < 4 else 0)
        """
    )
    keys: dict[str, Any] = {"command": "python sim.py", "artifacts": ["try*.txt"], "checkpoint": True}
    project.study(**keys, retries=2, result="none").run(code=7)
    assert (kept(project, 0), project.failure()["cause"]) == (["try3.txt"], "try 3")
    project.command("retry", "s")
    assert kept(project, 0) == ["try4.txt"]


@pytest.mark.r
def test_the_log_of_a_failing_batch_of_r_is_kept_and_tells_the_cause(project: Project) -> None:
    project.write(sim_R="x <- 1:3\nf <- function(n) stop('no data for subject ', n)\nf(7)\n")
    project.study(command="R CMD BATCH --no-save sim.R", artifacts=["*.Rout"], result="none").run(code=7)
    assert project.failure()["cause"] == "Error in f(7) : no data for subject 7 (in sim.Rout)"
    assert kept(project, 0) == ["sim.Rout"]
    told = project.command("logs", "s", "--task", "0")
    assert "-- sim.Rout --" in told
    assert "> f(7)" in told
    assert "Error in f(7) : no data for subject 7" in project.command("explain", "s", "--task", "0")


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (
            "raise ValueError('shapes (3, 4) and (5,) differ:\\n  ' + 'x' * 2000 + ' end')",
            "ValueError: shapes",
        ),
        ("raise KeyError('beta')", "KeyError: 'beta'"),
        ("sys.exit('no file with the name ' + 'y' * 900 + '/data.csv')", "no file with the name"),
        (
            "sys.stderr.write('z' * 200000 + '\\n'); raise RuntimeError('after much')",
            "RuntimeError: after much",
        ),
        (
            "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    raise OSError('disk gone') from error",
            "OSError: disk gone",
        ),
        ("assert 1 == 2, 'a remark\\non three\\nlines'", "AssertionError: a remark on three lines"),
    ],
)
def test_a_cause_has_its_beginning_and_its_end(project: Project, code: str, cause: str) -> None:
    project.file("sim.py", f"import sys\n{code}\n")
    project.study(command="python sim.py", result="none").run(code=7)
    found = project.failure()["cause"]
    assert found.startswith(cause)
    assert len(found) < 450
    if len(cause) < len(found):
        assert found.endswith((" end", "/data.csv"))


def test_explain_shows_the_last_frames_of_the_traceback(project: Project) -> None:
    project.write(
        sim_py="""
        def deep(n):
            if n:
                return deep(n - 1)
            return {}["alpha"]
        deep(9)
        """
    )
    project.study(command="python sim.py", result="none").run(code=7)
    rows = explained(project, 0)["traceback"]
    assert rows[-1] == "KeyError: 'alpha'"
    assert '  File "sim.py", line 4, in deep' in rows, "the place in the project, not in the working copy"
    assert len([row for row in rows if row.startswith("  File ")]) == 3
    assert "KeyError: 'alpha'" in project.command("explain", "s", "--task", "0")


def test_artifacts_that_cannot_be_kept_are_told_with_the_cause(project: Project) -> None:
    project.write(sim_py='import sys\nopen("a.txt", "w").close()\nsys.exit("bad input")\n')
    project.study(command="python sim.py", artifacts=["a.txt"], result="none")
    project.run(code=7)
    folder: Path = project.directory / "artifacts"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    folder.rmdir()
    folder.write_text("in the way")
    project.command("retry", "s", code=7)
    assert project.failure()["cause"].startswith("bad input; cannot keep its artifacts: ")


# Killed with SIGKILL, as schedulers do


def copies(project: Project) -> Path:
    """Return a folder for working copies that no other run on this machine tidies up."""
    folder = project.path.parent / "copies"
    folder.mkdir(exist_ok=True)
    return folder


def killed(project: Project, **keys: Any) -> Project:
    """Run STEPS until it has written all, and kill the worker, its slots and the command at once."""
    ready = project.path.parent / "ready"
    process = steps(project, **keys).start(
        "run", "study.yaml", env={**os.environ, "READY": str(ready), "TMPDIR": str(copies(project))}
    )
    until(ready.exists)
    for pid in [process.pid, *workers(project.directory), *marked(project.directory)]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait(30)
    assert process.stdout
    process.stdout.close()
    until(lambda: not marked(project.directory))
    return project


def test_collect_keeps_what_a_killed_worker_has_left(project: Project) -> None:
    killed(project)
    assert not kept(project, 0)
    project.command("collect", "s")
    check_steps(project, "MISSING")
    project.command("collect", "s")
    check_steps(project, "MISSING")


def test_the_next_wave_keeps_it_too_and_runs_the_task_again(project: Project) -> None:
    killed(project)
    project.file("sim.py", STEPS.replace("range(16)", "range(20)").replace("time.sleep(60)", "sys.exit(3)"))
    project.run(code=7, TMPDIR=str(copies(project)))
    assert len(kept(project, 0)) == 20, "the newer attempt replaces the older one"
    journals = b"".join(path.read_bytes() for path in project.directory.glob("journal/*.ndjson"))
    assert b'"stopped":{' in journals
    assert b"its worker was killed" in journals


def test_what_a_killed_worker_left_does_not_replace_what_came_later(project: Project) -> None:
    killed(project)
    hidden = project.path.parent / "tmp"
    hidden.mkdir()
    project.file("sim.py", 'open("only.npy", "w").close()\n')
    project.run(TMPDIR=str(hidden))
    project.command("collect", "s")
    assert kept(project, 0) == ["only.npy"]
    assert explained(project, 0)["state"] == "OK"


# Complete results of ended tasks


ROWS = """
    import sys, time
    with open("out.csv", "w") as stream:
        stream.write("step,y\\n")
        for step in range(3):
            stream.write("%d,%d\\n" % (step, step * step))
        stream.write({tail!r})
    time.sleep(60 if sys.argv[1] == "1" else 0)
    """


def rows_study(project: Project, tail: str, **keys: Any) -> Project:
    project.file("sim.py", ROWS.format(tail=tail))
    return project.study(
        command="python sim.py {n}", parameters={"n": [0, 1]}, result="out.csv", time_limit="2 s", **keys
    )


def test_a_complete_result_file_of_an_ended_task_counts_where_the_study_says_so(project: Project) -> None:
    said = rows_study(project, "", partial="accept").run(code=7)
    assert "partial results of 1 task" in said
    assert project.rows("n", "step", "y", "ph_partial") == [
        (0, 0, 0, False), (0, 1, 1, False), (0, 2, 4, False), (1, 0, 0, True), (1, 1, 1, True), (1, 2, 4, True),
    ]  # fmt: skip
    assert project.failure()["outcome"] == "TIMEOUT", "it is told as what it is, too"
    project.file("sim.py", ROWS.format(tail="").replace("60", "0"))
    project.command("retry", "s", "--keep")
    assert "ph_partial" not in project.table().columns
    assert len(project.rows("n")) == 6


@pytest.mark.parametrize(
    ("tail", "keys"), [("3,", {"partial": "accept"}), ("3,9", {"partial": "accept"}), ("", {})]
)
def test_a_result_file_that_is_cut_off_or_not_accepted_does_not_count(
    project: Project, tail: str, keys: dict[str, Any]
) -> None:
    rows_study(project, tail, **keys).run(code=None)
    assert 1 not in project.rows("n")
    assert "ph_partial" not in project.table().columns


@pytest.mark.parametrize(
    ("name", "content", "counts"),
    [
        ("out.json", '{"y": 1}', True),
        ("out.json", '{"y": 1', False),
        ("out.ndjson", '{"y": 1}\n{"y": 2}\n', True),
        ("out.ndjson", '{"y": 1}\n{"y": 2', False),
        ("out.txt", "1.5\n", True),
        ("out.txt", "1.5", False),
        ("out.csv", "a,b\n1,2\n3\n", False),
    ],
)
def test_every_format_tells_whether_it_is_complete(
    project: Project, name: str, content: str, counts: bool
) -> None:
    project.file("sim.py", f"import time\nopen({name!r}, 'w').write({content!r})\ntime.sleep(60)\n")
    project.study(command="python sim.py", result=name, time_limit="2 s", partial="accept").run(code=7)
    assert (project.table().height > 0) == counts
    assert project.failure()["outcome"] == "TIMEOUT"
    assert (f"{name} is not complete: " in project.failure()["cause"]) != counts


def test_a_function_has_no_result_file_to_accept(project: Project) -> None:
    project.file("sim.py", "def f():\n    return 1\n")
    assert "partial: accept is for commands" in project.study(function="sim:f", partial="accept").run(code=3)
