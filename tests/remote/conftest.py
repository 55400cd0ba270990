"""Logging in to the test cluster from a laptop; on the real Slurm of tests/cluster, and only where root is."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.conftest import cluster, cluster_of_session
from cluster.testbed import Cluster
from remote.gate import Gate
from remote.laptop import Laptop, Run

__all__ = ["cluster", "cluster_of_session"]  # fixtures
HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before `-m cluster` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests here as the cluster's."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture
def gate(cluster: Cluster) -> Iterator[Gate]:
    """Return the sshd in front of the cluster; what the test changes is undone after it, and connections end."""
    description = json.loads((cluster.directory / "cluster.json").read_text())
    if not (cluster.directory / "pids" / "sshd.json").exists():
        why = (
            "without root nobody else can log in" if cluster.one_user else "no sshd: scripts/system-packages"
        )
        (pytest.fail if os.environ.get("CI") and not cluster.one_user else pytest.skip)(why)
    door = Gate(cluster, description)
    yield door
    door.repair()


@pytest.fixture
def laptop(gate: Gate, packhorse: Run) -> Iterator[Laptop]:
    """Return a laptop with a site for each kind of user; its path is short, since sockets stand in it."""
    with tempfile.TemporaryDirectory(prefix="laptop-", dir="/tmp", ignore_cleanup_errors=True) as home:
        machine = Laptop(Path(home), gate, packhorse)
        yield machine
        for socket in machine.sockets():
            machine.ssh("-o", f"ControlPath={socket}", "-O", "exit", "any")
        shutil.rmtree(home, ignore_errors=True)
