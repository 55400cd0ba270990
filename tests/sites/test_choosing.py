"""`packhorse sites choose`: which of the shipped sites take a job or a study, where it goes, and why not elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from packhorse.app.sites.choose import request_of, sites_for_job, sites_for_study
from packhorse.model.errors import StudyError

Run = Callable[..., CompletedProcess[str]]


@pytest.fixture(autouse=True)
def nobodys_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))


def job(folder: Path, **sizes: Any) -> dict[str, Any]:
    return {one.site: one for one in sites_for_job(request_of(**sizes), folder).sites}


@pytest.mark.parametrize(
    ("sizes", "fitting"),
    [
        ({"cores": 1, "time": "1 h"}, {"hec": "serial", "quartz": "general", "testbed": "general"}),
        ({"cores": 16, "memory": "60 GB"}, {"hec": "parallel", "quartz": "general", "penguins": "Penguin"}),
        (
            {"gpus": 1, "time": "1 h"},
            {"hec": "gpu-short", "bede": "gpu", "bigred200": "gpu", "testbed": "gpu"},
        ),
        ({"gpus": 1, "time": "3 days"}, {"hec": "gpu-long", "quartz": "v100"}),
        ({"nodes": 3, "cores": 8}, {"testbed": "general"}),
    ],
)
def test_each_job_goes_where_it_is_meant_to(
    tmp_path: Path, sizes: dict[str, Any], fitting: dict[str, str]
) -> None:
    found = job(tmp_path, **sizes)
    assert {name: found[name].partition for name in fitting} == fitting
    assert all(found[name].fits for name in fitting)


def test_what_fits_comes_first_and_what_nobody_described_after_what_was_checked(tmp_path: Path) -> None:
    found = sites_for_job(request_of(cores=64, memory="100 GB"), tmp_path).sites
    assert [one.fits for one in found] == sorted((one.fits for one in found), reverse=True)
    names = [one.site for one in found]
    assert names.index("hec") < names.index("bigred200") < names.index("testbed")
    assert "karst" not in names
    assert "local" not in names


def test_why_not_elsewhere_is_said_of_each_partition(tmp_path: Path) -> None:
    found = job(tmp_path, cores=4, time="1 h")["hec"]
    assert found.others["serial"] == ("the job asks for 4 cores; a job of serial may have 1",)
    assert found.others["test"] == ("the job asks for 1 h; test allows 5 min",)
    assert found.others["gpu-short"] == ("its GPUs would be idle",)
    assert found.others["astro-tier1"] == ("open only to its group",)
    large = job(tmp_path, cores=500)["testbed"]
    assert not large.fits
    assert "nodes of general have 8" in large.why[0]


def test_nodes_of_a_kind_that_is_large_enough_are_asked_for(tmp_path: Path) -> None:
    """The GPU partitions of HEC are sized by their V100 nodes; two of their nodes have more memory."""
    found = job(tmp_path, gpus=2, memory="300 GB", time="2 days")["hec"]
    assert (found.fits, found.partition) == (True, "gpu-medium")
    assert found.kind == "--gres=gpu:nvidia_h200_nvl:N"
    assert found.also["gpu-long"] == found.kind


def test_gpus_do_not_lie_idle_for_a_job_that_is_too_large_without(tmp_path: Path) -> None:
    found = job(tmp_path, cores=200)["quartz"]
    assert not found.fits
    assert any("where the GPUs would be idle" in why for why in found.why)


def test_a_site_whose_resources_follow_gpus_takes_no_job_without(tmp_path: Path) -> None:
    found = job(tmp_path, cores=1)["bede"]
    assert not found.fits
    assert "by their GPUs" in found.why[0]
    assert job(tmp_path, cores=1)["bigred200"].fits, "nobody has described where it goes there"


def test_a_site_that_needs_an_account_says_so_and_is_not_refused_for_it(tmp_path: Path) -> None:
    without = job(tmp_path, cores=1)["quartz"]
    assert without.fits
    assert any("a job needs an account" in note for note in without.notes)
    named = job(tmp_path, cores=1, account="r00123")["quartz"]
    assert not any("account" in note for note in named.notes)


def test_one_partition_can_be_meant(tmp_path: Path) -> None:
    found = job(tmp_path, cores=1, partition="debug")
    assert (found["quartz"].fits, found["testbed"].partition) == (True, "debug")
    assert not found["hec"].fits
    assert "has no partition debug" in found["hec"].why[0]


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(
        "command: echo {n}\nparameters: {n: [1, 2, 3]}\nreplicates: 1000\n"
        "resources: {memory: 20 GB, time: 2 h, expected: 10 min}\n"
        "sites: {quartz: {cluster: {account: r00123}}}\n"
    )
    return path


def test_a_study_is_priced_at_each_site(study: Path) -> None:
    found = {one.site: one for one in sites_for_study(study, {}, study.parent).sites}
    assert found["hec"].partition == "serial"
    assert "102 jobs of 1 core" in found["hec"].sentence, "a user has no more than 2 TB there at a time"
    assert "core-hours expected" in found["quartz"].sentence
    assert not any("account" in note for note in found["quartz"].notes), "the study names one for that site"
    assert not found["testbed"].fits
    assert "nodes of general have 16000 MB" in found["testbed"].why[0]


def test_the_command_says_it_to_people_and_to_programs(packhorse: Run, study: Path) -> None:
    done = packhorse("sites", "choose", "--cores", "4", "--time", "1 h")
    assert done.returncode == 0, done.stderr
    assert "hec: parallel" in done.stdout.splitlines()
    assert "  not serial: the job asks for 4 cores; a job of serial may have 1" in done.stdout.splitlines()
    said = json.loads(packhorse("sites", "choose", "study.yaml", "--json").stdout)["sites"]
    assert {one["site"] for one in said} >= {"hec", "quartz", "bede"}
    nowhere = packhorse("sites", "choose", "--cores", "100000", "--partition", "none")
    assert "no known site fits" in nowhere.stdout


def test_words_that_do_not_go_together_and_amounts_without_a_unit_are_refused(
    packhorse: Run, study: Path
) -> None:
    mixed = packhorse("sites", "choose", "study.yaml", "--cores", "4")
    assert mixed.returncode == 2
    assert "under resources in study.yaml" in mixed.stderr
    for words, hint in ((("--time", "60"), "'60 min'"), (("--memory", "16"), "'16 MB'")):
        done = packhorse("sites", "choose", *words)
        assert done.returncode == 3
        assert hint in done.stderr
    with pytest.raises(StudyError):
        request_of(time="60")
