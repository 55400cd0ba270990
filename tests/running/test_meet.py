"""Tasks never meet: each begins in the project as it was planned, whatever the tasks before it left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from running.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


def values(
    project: Project, command: str, name: str = "y", tasks: int = 6, jobs: str = "-j1", **keys: Any
) -> list[Any]:
    """Return one column of a study over i = 1, 2, ..., run in one slot."""
    project.study(
        **{"command": command, "parameters": {"i": {"range": [1, tasks + 1]}}, "result": "json", **keys}
    )
    project.run(jobs)
    table = project.table()
    assert table["ph_index"].to_list() == list(range(tasks))
    found: list[Any] = table[name].to_list()
    return found


# Each script adds to what it finds, or takes it for its own; alone it gives i.
LEFT_BEHIND = {
    "append": 'echo $1 >> all.txt\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' all.txt)',
    "skip": '[ -f done.txt ] || echo $1 > done.txt\nprintf \'{"y": %s}\\n\' $(cat done.txt)',
    "first of a folder": 'mkdir -p results\necho $1 > results/$1.txt\nprintf \'{"y": %s}\\n\' $(cat results/$(ls results | head -1))',
    "lock": 'if mkdir lock; then y=$1; else y=0; fi\nprintf \'{"y": %s}\\n\' $y',
    "lock file": 'if ( set -C; : > run.lock ); then y=$1; else y=0; fi\nprintf \'{"y": %s}\\n\' $y',
    "changed": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\necho 100 > data/base.txt',
    "appended": 'echo 50 >> data/base.txt\nprintf \'{"y": %s}\\n\' $(( $(head -1 data/base.txt) * 0 + $(wc -l < data/base.txt) - 2 + $1 ))',
    "renamed": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nmv data/base.txt data/used.txt',
    "removed": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nrm -r data',
    "read-only": 'echo $1 > data/base.txt && printf \'{"y": %s}\\n\' $(cat data/base.txt)\nchmod 444 data/base.txt\nchmod 555 data',
    "unreadable": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nchmod 000 data/base.txt data',
    "replaced folder": 'printf \'{"y": %s}\\n\' $(( $(ls data | wc -l) - 1 + $1 ))\nrm -r data; mkdir data; touch data/a data/b',
    "moved away": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nmv data "$PACKHORSE_SCRATCH"; touch "$PACKHORSE_SCRATCH/data/c"',
    "link": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nrm data/base.txt; ln -s /etc/hostname data/base.txt',
    "hard link": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\nln data/base.txt other; echo 9 > other; rm other',
    "truncated": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\ntruncate -s 0 data/base.txt',
    "own source": 'printf \'{"y": %s}\\n\' $1\nprintf \'echo "{\\\\"y\\\\": 0}"\\n\' > sim.sh',
    "mode": '[ -x sim.sh ] && y=0 || y=$1\nprintf \'{"y": %s}\\n\' $y\nchmod +x sim.sh',
    "above": 'echo $1 >> ../all.txt\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' ../all.txt)',
    "two above": 'echo $1 >> ../../all.txt\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' ../../all.txt)',
    "temporary": 'echo $1 >> "$TMPDIR/all"\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' "$TMPDIR/all")',
    "scratch": 'mkdir -p "$PACKHORSE_SCRATCH/a/b"; echo $1 >> "$PACKHORSE_SCRATCH/a/b/c"\nprintf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' "$PACKHORSE_SCRATCH/a/b/c")',
    "own folder": 'printf \'{"y": %s}\\n\' $(( $(cat data/base.txt) + $1 ))\ncd ..; rm -rf project',
    "a thousand files": 'y=$(ls | wc -l)\ni=0; while [ $i -lt 1000 ]; do : > f$i; i=$((i+1)); done\nprintf \'{"y": %s}\\n\' $(( y - 3 + $1 ))',
    "pipe": 'if mkfifo pipe; then y=$1; else y=0; fi\nprintf \'{"y": %s}\\n\' $y',
    "strange names": 'n="$(printf \'a\\nb\')"; echo $1 >> "$n"; echo $1 >> "-x"; printf \'{"y": %s}\\n\' $(awk \'{s += $1} END {print s}\' "$n")',
}  # fmt: skip


@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_what_a_task_left_is_gone(project: Project, kind: str) -> None:
    project.file("sim.sh", LEFT_BEHIND[kind] + "\n")
    project.file("data/base.txt", "0\n")
    assert values(project, "sh sim.sh {i}") == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("kind", LEFT_BEHIND)
def test_without_inotify(project: Project, kind: str) -> None:
    if os.geteuid() != 0 or not shutil.which("unshare"):
        pytest.skip("only root can take inotify away")
    project.file("sim.sh", LEFT_BEHIND[kind] + "\n")
    project.file("data/base.txt", "0\n")
    project.study(command="sh sim.sh {i}", parameters={"i": {"range": [1, 7]}}, result="json")
    take = 'echo 0 > /proc/sys/user/max_inotify_instances && exec "$@"'
    argv = [
        "unshare",
        "-Ur",
        "sh",
        "-c",
        take,
        "sh",
        shutil.which("packhorse") or "",
        "run",
        "study.yaml",
        "-j1",
    ]
    done = subprocess.run(argv, cwd=project.path, capture_output=True, text=True, check=False, timeout=90)
    assert done.returncode == 0, done.stderr
    assert project.table()["y"].to_list() == [1, 2, 3, 4, 5, 6]
