"""Looking at a cluster from a laptop: sites probe and modules ride on the one login, and make none of their own."""

from __future__ import annotations

import json

import pytest

from remote.laptop import Laptop


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    status, shown = laptop.connect("key")
    assert status == 0, shown
    return laptop


def test_a_cluster_is_probed_from_afar_as_on_its_login_node(connected: Laptop) -> None:
    before = len(connected.gate.logins())
    done = connected.run("sites", "probe", "key", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert [one for one in said["changes"] if one["how"] != "learned"] == []
    assert said["known"] == "key"
    assert said["machine"]["python"]
    assert said["silent"] == []
    written = connected.run("sites", "probe", "key", "--output", "mine.yaml")
    assert written.returncode == 0, written.stderr
    assert "the file of key agrees with the cluster" in written.stdout
    assert (connected.home / "mine.yaml").read_text().startswith("# Written by packhorse sites probe")
    assert len(connected.gate.logins()) == before, "nothing logs in by itself"


def test_a_host_that_nobody_described_becomes_a_site(laptop: Laptop) -> None:
    refused = laptop.run("sites", "probe", "new.example.org")
    assert refused.returncode == 2
    assert "new.example.org is a host of ssh, but not a site" in refused.stderr
    assert "login: new.example.org" in refused.stderr
    laptop.prefer("Host new.example.org", f"    User {laptop.gate.users['key']}")
    laptop.site("new", "scheduler: slurm\nlogin: new.example.org\n")
    status, shown = laptop.connect("new", [])
    assert status == 0, shown
    done = laptop.run("sites", "probe", "new", "--output", "packhorse-sites/new.yaml")
    assert done.returncode == 0, done.stderr
    text = (laptop.home / "packhorse-sites" / "new.yaml").read_text()
    assert "# Please add what a probe cannot find" in text
    new, testbed = (
        json.loads(laptop.run("sites", "show", name, "--json").stdout) for name in ("new", "testbed")
    )
    assert new["login"] == "new.example.org"
    for partition in testbed["partitions"]:
        partition.pop("test", None)  # what a partition is meant for, no machine tells
    assert new["partitions"] == testbed["partitions"]


def test_modules_are_asked_for_from_afar(connected: Laptop) -> None:
    done = connected.run("modules", "key", "--module", "no-such-module")
    assert done.returncode == 5
    assert "python3: " in done.stdout
    assert "Traceback" not in done.stderr


def test_without_a_login_the_way_to_it_is_told(laptop: Laptop) -> None:
    for words in (("sites", "probe", "key"), ("modules", "key")):
        done = laptop.run(*words)
        assert done.returncode == 5
        assert "packhorse connect key" in done.stderr
