"""The executor from a laptop: its calls run on the cluster over ssh, and functions of the script need nothing there."""

from __future__ import annotations

import os
import subprocess
import sys

from remote.laptop import Laptop

SCRIPT = """
from packhorse import Executor

class Point:
    def __init__(self, x):
        self.x = x

def double(point):
    return Point(2 * point.x)

with Executor(site="key", name="far", resources={"time": "2 min"}) as pool:
    print(sum(pool.map(lambda n: 3 * n, range(500))))
    print(pool.submit(double, Point(4)).result(100).x, len(pool.submit(bytes, 2_000_000).result(100)))
    print(repr(pool.submit(divmod, 1, 0).exception(100)))
"""


def test_calls_run_over_ssh(laptop: Laptop) -> None:
    assert laptop.connect("key")[0] == 0
    (laptop.home / "work").mkdir()
    (laptop.home / "work" / "script.py").write_text(SCRIPT)
    seen = {**os.environ, **laptop.environment}
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=laptop.home / "work",
        env={name: value for name, value in seen.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    total, sizes, error = done.stdout.splitlines()
    assert (total, sizes) == (str(3 * sum(range(500))), "8 2000000")
    assert error.startswith("ZeroDivisionError")
