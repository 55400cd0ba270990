"""`packhorse sites probe` on the real Slurm: what is shipped comes back, and what was changed there is named."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert

from cluster.testbed import Cluster
from packhorse.model.site import Site

FROM_A_PROBE = {"sources", "scheduler_version", "system", "origin", "path", "modules"}


def say(cluster: Cluster, folder: Path, *words: str) -> dict[str, Any]:
    """Return what a command of Packhorse says as JSON to a user of the cluster."""
    done = cluster.run(cluster.users[0], ["packhorse", "sites", *words, "--json"], cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def changes(cluster: Cluster, folder: Path) -> list[tuple[str, ...]]:
    """Return what differs; what the file does not say is no difference."""
    found = say(cluster, folder, "probe", "testbed")["changes"]
    return [
        (one["how"], one["partition"], one["key"], one["file"], one["cluster"])
        for one in found
        if one["how"] != "learned"
    ]


def facts(site: dict[str, Any]) -> Site:
    return convert({key: value for key, value in site.items() if key not in FROM_A_PROBE}, Site)


def test_the_shipped_site_comes_back(cluster: Cluster) -> None:
    folder = cluster.workspace(cluster.users[0])
    shipped = say(cluster, folder, "show", "testbed")
    assert changes(cluster, folder) == []
    say(cluster, folder, "probe", "testbed", "--output", "packhorse-sites/testbed.yaml")
    again = say(cluster, folder, "show", "testbed")
    assert again["path"] == str(folder / "packhorse-sites" / "testbed.yaml")
    assert facts(again) == facts(shipped)
    assert again["sources"][0]["name"] == "partitions"


def test_a_cluster_that_nobody_described_becomes_a_file(cluster: Cluster) -> None:
    folder = cluster.workspace(cluster.users[0])
    shipped = say(cluster, folder, "show", "testbed")
    say(cluster, folder, "probe", "--output", "packhorse-sites/new.yaml")
    new = say(cluster, folder, "show", "new")
    for one in (shipped, new):
        for partition in one["partitions"]:
            partition.pop("test", None)  # what a partition is meant for, no machine tells
    assert new["partitions"] == shipped["partitions"]
    assert new["max_array_index"] == shipped["max_array_index"]
    assert new["default_memory"] == shipped["default_memory"]
    text = (folder / "packhorse-sites" / "new.yaml").read_text()
    assert new["hosts"] == [platform.node()], "so that commands that are typed there know where they are"
    assert "# Please add what a probe cannot find" in text
    again = cluster.run(
        cluster.users[0], ["packhorse", "sites", "probe", "-o", "packhorse-sites/new.yaml"], cwd=folder
    )
    assert again.returncode == 2, "a file that is there is not overwritten"
    assert (folder / "packhorse-sites" / "new.yaml").read_text() == text


@pytest.fixture
def changed_cluster(cluster: Cluster) -> Iterator[Cluster]:
    """Return the cluster with debug called quick, and with two days for jobs of general in place of seven."""
    nodes = f"Nodes={cluster.node('d[1-2]')}"
    debug = [nodes, "MaxNodes=2", "DefaultTime=30", "MaxTime=4:00:00", "PriorityJobFactor=1"]
    cluster.ask("scontrol", "delete", "PartitionName=debug")
    try:
        cluster.ask("scontrol", "create", "PartitionName=quick", *debug)
        cluster.ask("scontrol", "update", "PartitionName=general", "MaxTime=2-00:00:00")
        yield cluster
    finally:
        cluster.ask("scontrol", "update", "PartitionName=general", "MaxTime=7-00:00:00")
        cluster.ask("scontrol", "delete", "PartitionName=quick")
        cluster.ask("scontrol", "create", "PartitionName=debug", *debug)
        cluster.ask("scontrol", "reconfigure")


def test_a_renamed_partition_and_a_lowered_limit_are_named_and_nothing_else(changed_cluster: Cluster) -> None:
    folder = changed_cluster.workspace(changed_cluster.users[0])
    assert changes(changed_cluster, folder) == [
        ("renamed", "debug", "", "debug", "quick"),
        ("changed", "general", "max_time", "7 days", "2 days"),
    ]
    words = ["packhorse", "sites", "probe", "testbed", "-o", "packhorse-sites/testbed.yaml"]
    said = changed_cluster.run(changed_cluster.users[0], words, cwd=folder)
    assert said.returncode == 0, said.stderr
    assert "partition debug is now called quick" in said.stdout
    assert "partition general: max_time: 2 days (file: 7 days)" in said.stdout
    # The file that was written is right about the cluster as it is now, and knows the old name.
    assert changes(changed_cluster, folder) == []
    (folder / "study.yaml").write_text("command: echo {n}\nparameters: {n: [1, 2]}\n")
    plan = ["packhorse", "plan", "--site", "testbed", "--partition", "debug"]
    refused = changed_cluster.run(changed_cluster.users[0], plan, cwd=folder)
    assert "it is called quick" in refused.stderr


def test_a_probe_changes_nothing_and_submits_nothing(cluster: Cluster) -> None:
    folder = cluster.workspace(cluster.users[0])

    def state() -> str:
        return "\n".join(cluster.ask("scontrol", "show", what) for what in ("partition", "job"))

    before = state()
    say(cluster, folder, "probe", "testbed")
    assert state() == before
    assert list(folder.iterdir()) == []


def test_a_scheduler_that_does_not_answer_is_told(cluster: Cluster) -> None:
    folder = cluster.workspace(cluster.users[0])
    bare = {"PATH": str(cluster.directory / "packhorse" / "current" / "bin")}
    words = ["packhorse", "sites", "probe", "testbed"]
    done = cluster.run(cluster.users[0], words, cwd=folder, env=bare)
    assert done.returncode == 5
    for words in ("no scheduler answers on testbed: slurm: ", "; torque or openpbs: qstat: not found"):
        assert words in done.stderr
    assert "Traceback" not in done.stderr
