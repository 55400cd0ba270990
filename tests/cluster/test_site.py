"""The shipped site `testbed` says what the real Slurm of the tests says of itself."""

from __future__ import annotations

import json
import re

from cluster.testbed import Cluster
from packhorse.model.site import Site
from packhorse.text.units import duration


def told(cluster: Cluster, *what: str) -> list[dict[str, str]]:
    """Return what scontrol shows, a dict for each entry."""
    lines = cluster.ask("scontrol", "--oneliner", "show", *what).splitlines()
    return [dict(re.findall(r"(\w+)=(\S*)", line)) for line in lines if "=" in line]


def shipped(cluster: Cluster) -> Site:
    """Return the site as the Packhorse of the cluster's users knows it."""
    from msgspec import convert

    user = cluster.users[0]
    done = cluster.run(user, ["packhorse", "sites", "show", "testbed", "--json"], cwd=cluster.home(user))
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.pop("origin") == "shipped"
    return convert(said, Site)


def seconds(said: str) -> int:
    return int(duration(said))


def test_the_partitions_are_those_of_the_cluster(cluster: Cluster) -> None:
    site = shipped(cluster)
    nodes = {one["NodeName"]: one for one in told(cluster, "node")}
    real = told(cluster, "partition")
    assert [one["PartitionName"] for one in real] == [one.name for one in site.partitions]
    for said, one in zip(site.partitions, real, strict=True):
        node = next(node for node in nodes.values() if said.name in node["Partitions"].split(","))
        assert said.nodes == int(one["TotalNodes"])
        assert said.cores == int(node["CPUTot"])
        assert said.memory == int(node["RealMemory"])
        assert f"{said.gres}:{said.gpus}" == node["Gres"] if said.gpus else node["Gres"] == "(null)"
        assert (said.default_time, said.max_time) == (seconds(one["DefaultTime"]), seconds(one["MaxTime"]))
        assert str(said.max_nodes or "UNLIMITED") == one["MaxNodes"]
        assert said.default == (one["Default"] == "YES")


def test_the_limits_are_those_of_the_cluster(cluster: Cluster) -> None:
    site = shipped(cluster)
    config = cluster.ask("scontrol", "show", "config")
    found = dict(re.findall(r"^(\w+)\s*= (\S*)$", config, re.MULTILINE))
    assert site.max_array_index == int(found["MaxArraySize"]) - 1
    assert site.default_memory == int(found["DefMemPerCPU"])
