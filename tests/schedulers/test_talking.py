"""The driver of all talks, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from packhorse.model.command import Answer, Command, Dialogue
from packhorse.runtime.dialogue import command_environment, run_command, run_dialogue


def python(code: str, **more: object) -> Answer:
    return run_command(Command(argv=(sys.executable, "-c", code), **more))  # type: ignore[arg-type]


def alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def ends(pid: int) -> bool:
    """Whether a process that was killed ends."""
    give_up = time.monotonic() + 30
    while alive(pid) and time.monotonic() < give_up:
        time.sleep(0.01)
    return not alive(pid)


def test_what_a_command_says_is_told_apart() -> None:
    said = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert said == Answer(status=3, stdout="out\n", stderr="err\n")


def test_a_command_ended_by_a_signal_has_a_status() -> None:
    assert python("import os; os.kill(os.getpid(), 9)").status == -9


def test_there_is_no_input_to_wait_for() -> None:
    # The asking process has an input that never ends; a command must not read it.
    code = "from packhorse.model.command import Command; from packhorse.runtime.dialogue import run_command\n"
    code += "print(run_command(Command(argv=('cat',), timeout=60)).status)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "0\n"


def test_megabytes_on_both_outputs_are_read() -> None:
    said = python("import sys; [s.write('x' * 5_000_000) for s in (sys.stdout, sys.stderr)]")
    assert (len(said.stdout), len(said.stderr)) == (5_000_000, 5_000_000)


def test_bytes_that_are_no_text_are_replaced() -> None:
    said = python(r"import sys; sys.stdout.buffer.write(b'a\xff\xc3\xa9\n')")
    assert said.stdout == "a�é\n"


def test_a_command_that_hangs_ends_with_all_its_children(tmp_path: Path) -> None:
    said = run_command(
        Command(argv=("sh", "-c", "echo $$; sleep 600 & echo $!; echo late >&2; wait"), timeout=1.5)
    )
    assert said.status is None
    assert "late\nsh: did not answer within 1.5 s" in said.stderr
    first, second = map(int, said.stdout.split())
    assert ends(first)
    assert ends(second)


@pytest.mark.parametrize("how", ["sleep 600 &", "setsid sleep 600 &"])
def test_a_child_that_keeps_the_output_open_is_not_waited_for(how: str) -> None:
    said = run_command(Command(argv=("sh", "-c", f"echo before; {how} echo $!; exit 7"), timeout=60))
    assert said.status == 7
    before, child = said.stdout.split()
    try:
        assert before == "before"
        assert alive(int(child))  # it was there all the time
    finally:
        os.kill(int(child), signal.SIGKILL)


def test_a_command_that_closes_its_output_is_still_waited_for() -> None:
    said = python(
        "import os, sys, time; print('x', flush=True); os.close(1); os.close(2); time.sleep(1.2); os._exit(5)"
    )
    assert (said.status, said.stdout) == (5, "x\n")


def test_a_missing_command_is_an_answer() -> None:
    assert run_command(Command(argv=("no-such-squeue",))) == Answer(
        status=None, stderr="no-such-squeue: not found"
    )


def test_a_command_that_cannot_start_is_an_answer(tmp_path: Path) -> None:
    program = tmp_path / "squeue"
    program.write_text("#!/no/such/interpreter\n")
    assert run_command(Command(argv=(str(program),))).status is None
    program.chmod(0o755)
    assert run_command(Command(argv=(str(program),))).status is None
    long = run_command(Command(argv=("true", *("x" * 100_000 for _ in range(100)))))
    assert long.status is None
    assert "could not be started" in long.stderr


def test_an_interrupt_leaves_no_process_behind(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[int] = []
    told = tmp_path / "pid"

    def interrupted(*_: object) -> Answer:
        give_up = time.monotonic() + 60
        while not (told.exists() and told.read_text().endswith("\n")) and time.monotonic() < give_up:
            time.sleep(0.01)
        started.append(int(told.read_text()))
        raise KeyboardInterrupt

    monkeypatch.setattr("packhorse.runtime.dialogue._collect_output", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_command(Command(argv=("sh", "-c", f"echo $$ > '{told}'; exec sleep 600")))
    assert ends(started[0])


def test_the_environment_of_a_command() -> None:
    command = Command(
        argv=("x",), env={"SLURM_TIME_FORMAT": "standard"}, unset=("SQUEUE_*", "SLURM_CLUSTERS")
    )
    inherited = {
        "PATH": "/bin",
        "SQUEUE_FORMAT": "%i",
        "SQUEUE_USERS": "bob",
        "SLURM_CLUSTERS": "other",
        "SLURM_CLUSTERS_2": "kept",
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_TIME_FORMAT": "relative",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "fr_FR",
        "LANGUAGE": "de",
    }
    assert command_environment(command, inherited) == {
        "PATH": "/bin",
        "SLURM_CLUSTERS_2": "kept",
        "SLURM_CONF": "/etc/slurm.conf",
        "SLURM_TIME_FORMAT": "standard",
        "LANG": "de_DE.UTF-8",
        "LC_ALL": "C",
    }


def test_the_environment_reaches_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SQUEUE_FORMAT", "%i")
    code = "import os; print(os.environ.get('SQUEUE_FORMAT'), os.environ['LC_ALL'], os.environ['MINE'])"
    assert python(code, unset=("SQUEUE_*",), env={"MINE": "1"}).stdout == "None C 1\n"


def test_a_talk_is_led_from_command_to_answer_to_its_meaning() -> None:
    def steps() -> Dialogue[int]:
        first = yield Command(argv=("echo", "20"))
        second = yield Command(argv=("expr", first.stdout.strip(), "+", "2"))
        return int(second.stdout)

    assert run_dialogue(steps()) == 22


def test_a_talk_may_ask_nothing() -> None:
    def steps() -> Dialogue[str]:
        if False:
            yield Command(argv=("never",))
        return "said"

    assert run_dialogue(steps()) == "said"


def test_a_talk_can_be_answered_by_somebody_else() -> None:
    asked: list[tuple[str, ...]] = []

    def answer(command: Command) -> Answer:
        asked.append(command.argv)
        return Answer(status=0, stdout="x")

    def steps() -> Dialogue[str]:
        said = yield Command(argv=("a", "b"))
        return said.stdout

    assert run_dialogue(steps(), answer) == "x"
    assert asked == [("a", "b")]
