"""How a task ended is known when its warm process is killed, also in the moment in which the task ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="warm starts need Linux")

# A launcher, which becomes the parent of orphans. `late` kills the warm process when it has waited for the task and
# before it replies: its pipe is full. Otherwise the task itself kills it and ends at once.
LAUNCHER = """
import json, os, signal, sys, time
from pathlib import Path
from packhorse.worker import process
from packhorse.worker.warm.command import understand
from packhorse.worker.warm.python_process import WarmPython

python, folder, ending, late, times = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4] == "late", int(sys.argv[5])
process.adopt_orphans()
kill = "" if late else "os.kill(os.getppid(), 9)"
Path(folder, "x.py").write_text(f"import os\\nblock = b'x' * (30 << 20)\\n{kill}\\n{ending}\\n")
variables = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
command = understand([python, "x.py"], python)
os.chdir(folder)
for _ in range(times):
    server = WarmPython(command, python, folder, variables)
    server.warm([], folder)
    pid = server.start(command, variables, folder)
    if late:
        full = os.open(f"/proc/self/fd/{server.replies}", os.O_WRONLY | os.O_NONBLOCK)
        try:
            while True:
                os.write(full, bytes(1 << 12))
        except BlockingIOError:
            pass
        os.close(full)
        while Path(f"/proc/{pid}").exists():
            time.sleep(0.002)
        os.kill(server.pid, signal.SIGKILL)
        while os.read(server.replies, 1 << 16):
            pass
    status, cpu, peak, _ = server.wait(pid)
    server.close()
    print(json.dumps([status, peak]))
"""


def endings(tmp_path: Path, ending: str, when: str, times: int) -> list[list[int]]:
    """Return [status, peak of memory in KiB] of so many tasks that end with a line of Python."""
    argv = [sys.executable, "-c", LAUNCHER, sys.executable, str(tmp_path), ending, when, str(times)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("ending", "status"),
    [("", 0), ("os._exit(3)", 3 << 8), ("os.kill(os.getpid(), 15)", 15)],
)
@pytest.mark.parametrize("when", ["late", "at the end"])
def test_the_ending_of_a_task_survives_its_warm_process(
    tmp_path: Path, ending: str, status: int, when: str
) -> None:
    found = endings(tmp_path, ending, when, 3)
    assert [one for one, _ in found] == [status] * 3
    assert all(30 << 10 < peak < 300 << 10 for _, peak in found)
