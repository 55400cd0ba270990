"""The command `packhorse sites`: for people, and as JSON for programs."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from msgspec import to_builtins

from sites.full import ANT, FULL

Run = Callable[..., CompletedProcess[str]]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which the user has no sites yet."""
    return {"XDG_CONFIG_HOME": str(tmp_path / "settings")}


def test_the_list_says_name_title_and_where_from(
    packhorse: Run, tmp_path: Path, settings: dict[str, str]
) -> None:
    folder = tmp_path / "packhorse-sites"
    folder.mkdir()
    (folder / "ant.yaml").write_text("title: The ants' cluster")
    done = packhorse("sites", env=settings)
    assert done.returncode == 0
    rows = done.stdout.splitlines()
    assert rows[0].split() == ["ant", "The", "ants'", "cluster", "Slurm", str(folder / "ant.yaml")]
    names = [row.split()[0] for row in rows]
    assert names[:3] == ["ant", "bede", "bigred200"]
    assert names[-4:-1] == ["bigred3", "carbonate", "karst"], "what is gone stands at the end"
    assert "retired; see quartz, bigred200" in rows[-2]
    assert rows[1].endswith("shipped")
    said = json.loads(packhorse("sites", "--json", env=settings).stdout)
    assert said["here"] is None
    assert {"ant", "local", "testbed", "quartz"} <= {one["name"] for one in said["sites"]}
    assert said["sites"][0] == {
        "name": "ant",
        "origin": "project",
        "path": str(folder / "ant.yaml"),
        "title": "The ants' cluster",
        "scheduler": "slurm",
    }


def test_a_site_that_is_wrong_stands_in_the_list_with_its_place(
    packhorse: Run, tmp_path: Path, settings: dict[str, str]
) -> None:
    folder = tmp_path / "settings" / "packhorse" / "sites"
    folder.mkdir(parents=True)
    (folder / "ant.yaml").write_text("hots: ant")
    done = packhorse("sites", env=settings)
    assert done.returncode == 0
    assert "ant.yaml:1:1: The site has no key 'hots'. Did you mean 'hosts'?" in done.stdout
    (row,) = [
        one
        for one in json.loads(packhorse("sites", "--json", env=settings).stdout)["sites"]
        if "fault" in one
    ]
    assert row["name"] == "ant"
    shown = packhorse("sites", "show", "ant", env=settings)
    assert shown.returncode == 3
    assert "ant.yaml:1:1" in shown.stderr


def test_a_site_is_shown_with_its_partitions_and_limits(packhorse: Run, settings: dict[str, str]) -> None:
    done = packhorse("sites", "show", "testbed", "--verbose", env=settings)
    assert done.returncode == 0
    rows = [row.split() for row in done.stdout.splitlines()]
    assert ["general", "4", "8", "16000", "MB", "-", "1", "h", "7", "d", "default"] in rows
    assert ["gpu", "1", "8", "16000", "MB", "4", "gpu:a100", "1", "h", "2", "d"] in rows
    assert "indices up to 10,000" in done.stdout
    said = json.loads(packhorse("sites", "show", "testbed", "--json", env=settings).stdout)
    assert said["partitions"][1]["max_nodes"] == 2
    assert said["partitions"][1]["max_time"] == 4 * 3600
    assert said["origin"] == "shipped"


def test_a_default_site_is_taken_where_none_is_named(
    packhorse: Run, tmp_path: Path, settings: dict[str, str]
) -> None:
    (tmp_path / "a.sh").write_text("#!/bin/bash\n#SBATCH --time=99-0\nhostname\n")
    assert "name one with --site NAME" in packhorse("submit", "a.sh", env=settings).stderr
    assert "no site 'tesbed'" in packhorse("sites", "default", "tesbed", env=settings).stderr
    assert packhorse("sites", "default", "testbed", env=settings).stdout == "testbed\n"
    assert packhorse("sites", "default", env=settings).stdout == "testbed\n"
    # It is the testbed's limits that the script exceeds; nothing is submitted.
    assert "the job asks for 99 d" in packhorse("submit", "a.sh", env=settings).stderr


def test_a_site_is_shown_first_in_a_few_lines(packhorse: Run, settings: dict[str, str]) -> None:
    for name in ("testbed", "hec", "quartz", "bede"):
        rows = packhorse("sites", "show", name, env=settings).stdout.splitlines()
        assert len(rows) <= 7
        assert rows[1].startswith("scheduler: ")
        assert "partitions: " in rows[2]
        assert rows[-1] == f"all that is known: packhorse sites show {name} --verbose"


def test_everything_that_a_site_asks_of_jobs_is_shown(
    packhorse: Run, tmp_path: Path, settings: dict[str, str]
) -> None:
    (tmp_path / "ant.yaml").write_text(
        "max_jobs: 5000\naccount_needed: true\narray_mail: false\ncompute_submits: false\n"
        "scratch: $TMPDIR\nsetup: source /etc/profile\n"
        "partitions: {a: {by_request: true, whole_nodes: true, max_nodes: 1}}\n"
    )
    shown = packhorse("sites", "show", "./ant.yaml", "--verbose", env=settings).stdout
    for words in ("5,000 jobs", "an account", "must not request email", "cannot submit", "$TMPDIR"):
        assert words in shown
    assert "every job starts with: source /etc/profile" in shown
    assert "by request; whole nodes; at most 1 node per job" in shown
    assert shown.count("?") >= 5, "what is not known is not shown as a number"


def test_everything_in_a_site_file_is_shown(packhorse: Run, tmp_path: Path, settings: dict[str, str]) -> None:
    """Each text and number of a file in which every key is said stands somewhere in what is shown."""
    (tmp_path / "ant.yaml").write_text(FULL, encoding="utf-8")
    shown = packhorse("sites", "show", "./ant.yaml", "--verbose", env=settings).stdout
    elsewhere = {"hill", "the-hill", "labour", "toil", "source /etc/profile", "login", "extends", "lmod"}
    elsewhere |= {"torque", "user", "project", "access", "job", "node_type"}
    missing = [word for word in texts_of(to_builtins(ANT)) if word not in shown and word not in elsewhere]
    assert not missing
    for words in (
        "retired since 2026-12-01; replaced by: bee, wasp",
        "28 d after the last access",
        "512 cores",
    ):
        assert words in shown


def texts_of(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in value.values():
            yield from texts_of(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from texts_of(one)
    elif isinstance(value, str):
        yield value


def test_a_site_that_is_gone_is_shown_and_not_run_on(packhorse: Run, tmp_path: Path) -> None:
    shown = packhorse("sites", "show", "Karst")
    assert "retired since 2020-12-18; replaced by: quartz, bigred200" in shown.stdout
    (tmp_path / "study.yaml").write_text("command: echo {n}\nparameters: {n: [1, 2]}\n")
    for words in (("plan",), ("run", "study.yaml")):
        refused = packhorse(*words, "--site", "karst")
        assert refused.returncode == 2
        assert "IU Karst is retired since 2020-12-18" in refused.stderr
        assert "--site quartz" in refused.stderr


def test_an_unknown_site_and_a_word_in_a_command_s_place_are_told_the_way(
    packhorse: Run, settings: dict[str, str]
) -> None:
    unknown = packhorse("sites", "show", "tesbed", env=settings)
    assert unknown.returncode == 2
    assert "Did you mean 'testbed'?" in unknown.stderr
    word = packhorse("sites", "testbed", env=settings)
    assert word.returncode == 2
    assert "packhorse sites show testbed" in word.stderr


def test_the_schema_goes_to_the_terminal_or_into_a_file(packhorse: Run, tmp_path: Path) -> None:
    printed = json.loads(packhorse("sites", "schema").stdout)
    assert printed["title"] == "Packhorse site"
    done = packhorse("sites", "schema", "-o", "site.schema.json")
    assert "the first line of a site file" in done.stdout
    assert json.loads((tmp_path / "site.schema.json").read_text()) == printed


def test_the_wheel_brings_the_shipped_sites(tmp_path: Path) -> None:
    from hatchling.builders.wheel import WheelBuilder

    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
    held = zipfile.ZipFile(path).namelist()
    for site in (ROOT / "src" / "packhorse" / "sites" / "data").glob("*.yaml"):
        assert f"packhorse/sites/data/{site.name}" in held
