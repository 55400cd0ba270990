"""The real sbatch takes every script and every submission that the golden files show."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

from cluster.testbed import Cluster
from scripts.plans import CASES, Case, rendered


def said(case: Case, home: Path, job: str) -> Iterator[list[str]]:
    """Render a case for somebody; yield what stands behind `sbatch` for each of its golden files."""
    for name, text in rendered(case, home, job=job).items():
        if not name.endswith(".sh"):
            yield shlex.split(text)[2:]  # behind sbatch --parsable
    folder = next(home.rglob("waves"))
    for mail in folder.glob("mail-begin.sh"):  # is filled when it is submitted
        mail.write_text(mail.read_text().replace("{job}", job))
    yield from ([str(folder / name), "1", "3"] for name in case.shows if name.endswith(".sh"))


def test_sbatch_takes_every_script_and_submission(cluster: Cluster) -> None:
    held = cluster.run("alice", ["sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap=true"])
    assert held.returncode == 0, held.stderr
    job, refused = held.stdout.strip(), {}
    for case in CASES:
        home = cluster.workspace("alice")
        # The cases name nodes of a cluster without a prefix.
        plain, named = (",".join(names) for names in (case.exclude, map(cluster.node, case.exclude)))
        words = [
            [word.replace(f"--exclude={plain}", f"--exclude={named}") for word in argv]
            for argv in said(case, home, job)
        ]
        cluster.give("alice", home, *home.rglob("*"))
        for argv in words:
            told = cluster.run("alice", ["sbatch", "--test-only", *argv], cwd=home)
            if told.returncode or "to start at" not in told.stderr:
                refused[case.name, *argv] = told.stderr
        assert len(words) == len(case.shows)
    assert not refused
    assert cluster.run("alice", ["scancel", job]).returncode == 0
