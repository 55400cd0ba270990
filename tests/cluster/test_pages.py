"""Pages about clusters are true: alice types what they tell, on the real cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.testbed import Cluster
from docs.pages import CLUSTERED, PROGRESS, ROOT, Command, File, matches, steps


@pytest.mark.parametrize("page", CLUSTERED, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_console_block_prints_what_it_shows(cluster: Cluster, page: Path) -> None:
    folder = cluster.workspace("alice")
    for reply in (cluster.home("alice") / ".cache").rglob("queue-*.json"):
        reply.unlink()  # of the test before, and perhaps younger than the second for which it counts
    for step in steps(page):
        if isinstance(step, File):
            path = folder / step.name
            path.write_text(step.content, encoding="utf-8")
            cluster.give("alice", path)
        else:
            follow(cluster, step, page, folder)


def follow(cluster: Cluster, step: Command, page: Path, folder: Path) -> None:
    """Let alice type a command of a page, and compare."""
    argv = ["bash", "-c", f"exec 2>&1\n{step.text}"]
    done = cluster.run("alice", argv, cwd=folder, env={"COLUMNS": "100"}, timeout=180)
    place = f"{page.name}:{step.line}"
    assert done.returncode == step.status, f"{place}: $ {step.text}\n{done.stdout}"
    if step.shown:
        printed = PROGRESS.sub("", done.stdout)
        shown = "\n".join(step.shown)
        assert matches(step.shown, printed), f"{place}: $ {step.text}\n{done.stdout}\nis not\n{shown}"
