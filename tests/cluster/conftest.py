"""A real Slurm for a session of tests: brought up once, shared by the tests, taken down again.

As root it has ordinary users (alice, bob) and limits memory; else it is the caller's own (`one_user`). It stays
where `make cluster` brought it up before, where another session uses it, or where PACKHORSE_CLUSTER_KEEP=1.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from cluster.testbed import DIRECTORY, SETTINGS, Cluster, script

HERE = Path(__file__).parent
LACKING = 3  # the exit status of scripts/cluster where programs are not installed


@pytest.hookimpl(tryfirst=True)  # before `-m cluster` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that uses the cluster: some tests break it, so that they run one after another."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.cluster)


@pytest.fixture(scope="session")
def cluster_of_session() -> Iterator[Cluster]:
    """Bring the cluster up; see `cannot_be` for where that fails."""
    handle = _join()
    try:
        yield Cluster(DIRECTORY)
    finally:
        os.close(handle)
        if SETTINGS.get("PACKHORSE_CLUSTER_KEEP") != "1":
            left = script("down", "--passing")
            assert left.returncode == 0, left.stdout


def cannot_be(why: str, *, lacking: bool) -> NoReturn:
    """Skip where programs are `lacking` or the user is not root; fail elsewhere, and wherever CI is set."""
    skips = (lacking or os.geteuid() != 0) and not os.environ.get("CI")
    (pytest.skip if skips else pytest.fail)(why)


def _join() -> int:
    """Bring the cluster up and return a shared lock on it, while which no other session takes it down."""
    for _ in range(3):
        up = script("up", "--passing")
        if up.returncode:
            cannot_be(f"no cluster: {up.stdout.strip()}", lacking=up.returncode == LACKING)
        handle = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(handle, fcntl.LOCK_SH)  # held otherwise only by a `down` that ends soon
        with contextlib.suppress(FileNotFoundError):
            if os.fstat(handle).st_ino == DIRECTORY.stat().st_ino and (DIRECTORY / "cluster.json").exists():
                return handle
        os.close(handle)  # another session's end took it down in between
    pytest.fail("another session takes the cluster down again and again")


@pytest.fixture
def cluster(cluster_of_session: Cluster) -> Iterator[Cluster]:
    """Return the cluster, whole and for this test alone; what the test breaks is repaired after it."""
    with (DIRECTORY / "tests.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # another session's test may cancel all jobs, or kill a node
        yield cluster_of_session
        cluster_of_session.repair()
