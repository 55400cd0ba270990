"""A real notebook kernel: functions of its cells, and a kernel that is killed and started again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import DeadKernelError

FIRST = """
import os, time, packhorse
factor = 3
def scaled(n):
    time.sleep(0.05)
    return {"x": factor * n}
pool = packhorse.Executor(2, name="cells")
futures = [pool.submit(scaled, n) for n in range(30)]
print(futures[0].result())
"""
KILL = "os.kill(os.getpid(), 9)"
BROKEN = """
import time, packhorse
def broken(n):
    time.sleep(0.01)
    return 1 / n  # at zero
with packhorse.Executor(1) as pool:
    print(pool.submit(broken, 0).exception().__cause__)
found = packhorse.map(broken, {"n": [1.0, 2.0, 4.0]}, progress=True)
"""
SECOND = """
import packhorse
with packhorse.Executor.attach("cells") as pool:
    print([future.result()["x"] for future in pool.futures] == list(range(0, 90, 3)))
run = packhorse.open("cells")
run
"""


def execute(folder: Path, *cells: str) -> list[Any]:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    client = NotebookClient(notebook, timeout=100, resources={"metadata": {"path": str(folder)}})
    try:
        client.execute()
    finally:
        outputs = [output for cell in notebook.cells for output in cell.outputs]
    return outputs


@pytest.mark.filterwarnings("ignore")  # of the client's own libraries
def test_a_kernel_that_was_killed_finds_its_calls_again(tmp_path: Path) -> None:
    with pytest.raises(DeadKernelError):
        execute(tmp_path, FIRST, KILL)
    assert (tmp_path / "runs/cells/calls/000000000000.ndjson").exists()
    printed, shown = execute(tmp_path, SECOND)
    assert printed["text"] == "True\n"
    assert "30 of 30 tasks done" in shown["data"]["text/html"]


@pytest.mark.filterwarnings("ignore")
def test_progress_and_tracebacks_in_a_notebook(tmp_path: Path) -> None:
    outputs = execute(tmp_path, BROKEN)
    (printed,) = (output["text"] for output in outputs if output.get("name") == "stdout")
    assert "in broken\n    return 1 / n  # at zero\nZeroDivisionError" in printed
    (bar,) = (output["data"]["text/html"] for output in outputs if output.output_type == "display_data")
    assert "3 of 3 tasks" in bar
