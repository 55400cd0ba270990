"""What becomes of a run's directory on a site: removed with the run, kept when asked, left for another place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remote.laptop import Laptop
from remote.test_killed import finished
from remote.test_run import project, table


@pytest.fixture
def connected(laptop: Laptop) -> Laptop:
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop


def far(place: Path) -> Path:
    """Return where the run lives there."""
    return Path(json.loads((place / "runs/study/cluster.json").read_text())["folder"])


@pytest.fixture
def done(connected: Laptop) -> Path:
    """Return a project whose study has run there."""
    place = project(connected.home / "study")
    ran = connected.run("run", "study.yaml", "--site", "key", cwd=place)
    assert ran.returncode == 0, ran
    return place


def test_a_run_is_removed_there_too(connected: Laptop, done: Path) -> None:
    folder = far(done)
    asked = connected.run("rm", "study", cwd=done)
    assert asked.returncode == 5
    assert f"; {folder} on key: " in asked.stderr
    assert folder.is_dir()
    removed = connected.run("rm", "study", "--yes", cwd=done)
    assert removed.returncode == 0, removed
    assert f"{folder} on key" in removed.stdout
    assert list(folder.parent.glob(f"{folder.name}*")) == []
    assert not (done / "runs/study").exists()


def test_without_a_login_only_what_is_here_can_be_removed(connected: Laptop, done: Path) -> None:
    folder = far(done)
    assert connected.run("connect", "key", "--close").returncode == 0
    refused = connected.run("rm", "study", "--yes", cwd=done)
    assert refused.returncode == 5
    assert "packhorse connect key" in refused.stderr
    assert (done / "runs/study").is_dir()
    here = connected.run("rm", "study", "--yes", "--here", cwd=done)
    assert here.returncode == 0, here
    assert f"{folder} on key stays" in here.stdout
    assert folder.is_dir()


def test_a_folder_that_is_another_run_is_never_removed(connected: Laptop, done: Path) -> None:
    folder = far(done)
    (folder / "run.json").write_text('{"id": "another"}')
    refused = connected.run("rm", "study", "--yes", cwd=done)
    assert refused.returncode == 5
    assert "is another run; nothing was removed" in refused.stderr
    assert folder.is_dir()
    assert (done / "runs/study").is_dir()


def test_a_run_that_waits_or_runs_there_is_not_removed(connected: Laptop) -> None:
    place = project(connected.home / "study", "command: sleep {n}\nparameters: {n: [600]}\n")
    assert connected.run("run", "study.yaml", "--site", "key", "--detach", cwd=place).returncode == 0
    refused = connected.run("rm", "study", "--yes", cwd=place)
    assert refused.returncode == 5
    assert "packhorse cancel" in refused.stderr
    assert far(place).is_dir()
    assert connected.run("cancel", "study", cwd=place).returncode == 0


def test_a_run_goes_to_another_site_and_home_and_back(connected: Laptop) -> None:
    code, shown = connected.connect("both")
    assert code == 0, shown
    place, cluster = connected.home / "study", connected.gate.cluster

    def ran(tasks: int, *where: str) -> None:
        """Run a study that has grown."""
        project(
            place,
            f"command: python sim.py --n 10 --seed {{seed}}\nparameters: {{i: {{range: [{tasks}]}}}}\nseed: 1\n",
        )
        done = connected.run("run", "study.yaml", *where, "--keep", cwd=place)
        assert done.returncode == 0, done

    ran(5, "--site", "key")
    first = far(place)
    ran(10, "--site", "key", "--detach")
    cluster.until("the jobs are over", lambda: not cluster.ask("squeue", "--noheader"))
    ran(11, "--site", "both")  # brings first what has come to be there
    assert far(place) != first
    ran(15)
    assert not (place / "runs/study/cluster.json").exists()
    ran(20, "--site", "key")
    assert far(place) == first
    assert len(table(place)) == 20
    assert finished(place) == list(range(20)), "each task ran once"


def test_what_a_site_has_purged_does_not_hold_a_run_there(connected: Laptop, done: Path) -> None:
    folder = far(done)
    folder.rename(f"{folder}-away")
    project(
        done, "command: python sim.py --n {n} --seed {seed}\nparameters: {n: [10, 20, 30]}\nreplicates: 5\n"
    )
    said = connected.run("run", "study.yaml", "--site", "key", cwd=done)
    assert said.returncode == 5
    assert f"{folder} does not exist on key" in said.stderr
    ran = connected.run("run", "study.yaml", "--keep", cwd=done)
    assert ran.returncode == 0, ran
    assert "does not exist on key" in ran.stderr
    assert len(table(done)) == 15


def test_without_a_login_the_last_known_state_is_shown_with_its_time(connected: Laptop, done: Path) -> None:
    assert connected.run("connect", "key", "--close").returncode == 0
    shown = connected.run("status", "study", cwd=done)
    assert shown.returncode == 0, shown
    assert "key cannot be reached (not connected to key); this is the state of 20" in shown.stdout
    assert "study: done, 10 of 10 tasks done" in shown.stdout
    told = json.loads(connected.run("status", "study", "--json", cwd=done).stdout)
    assert (told["done"], told["known"] > 1e9) == (10, True)
    (done / "runs/study/results.csv").unlink()
    collected = connected.run("collect", "study", cwd=done)
    assert collected.returncode == 0, collected
    assert "key cannot be reached" in collected.stdout
    assert len(table(done)) == 10
    for words in (("logs", "study", "--task", "0"), ("explain", "study", "--task", "0")):
        looked = connected.run(*words, cwd=done)
        assert looked.returncode == 0, looked
        assert "key cannot be reached" in looked.stdout + looked.stderr
