"""How long the command takes to start, against importing the two libraries it cannot do without."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from timing import command, interleave, judge, report

ROUNDS = 15
MOST = 2.0  # times the bare imports


def main() -> None:
    """Time `--help` and `status` of a finished run, whole processes."""
    packhorse = Path(sys.executable).with_name("packhorse")
    # An installed package has its bytecode; where this is set, an editable one is compiled at every start.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "one.py").write_text("print('{\"x\": 1}')\n")
        command(packhorse, "run", "one.py", cwd=folder)()
        imports = "python -c 'import click, msgspec'"
        contestants = {
            imports: command(sys.executable, "-c", "import click, msgspec", cwd=folder),
            "packhorse --help": command(packhorse, "--help", cwd=folder),
            "packhorse status": command(packhorse, "status", cwd=folder),
        }
        times = interleave(contestants, ROUNDS)
    report(times, against=imports)
    base = times.pop(imports).median
    judge(
        {
            f"{name} costs at most {MOST:g} times the imports": one.median <= MOST * base
            for name, one in times.items()
        }
    )


if __name__ == "__main__":
    main()
