"""Packages on a real cluster: built over the user's one login, on the login node or in a job, before anything is submitted."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from cluster.testbed import Cluster
from remote.laptop import Laptop
from remote.loopback import wheel

SIM = """
import json, sys, alpha
print(json.dumps({"version": alpha.VERSION, "python": sys.executable, "x": int(sys.argv[1])}))
"""
STUDY = """
command: python sim.py {{n}}
parameters: {{n: [1, 2, 3]}}
cluster:
  setup: ["export PIP_NO_INDEX=1 PIP_FIND_LINKS={wheels} UV_OFFLINE=1 UV_FIND_LINKS={wheels}"]
"""


@pytest.fixture
def there(laptop: Laptop) -> Path:
    """Return a folder on the cluster that is empty, for a laptop that is connected."""
    code, shown = laptop.connect("key")
    assert code == 0, shown
    return laptop.gate.cluster.workspace(laptop.gate.users["key"])


def project(laptop: Laptop, there: Path, **files: str) -> Path:
    """Write a study whose package is one that nobody else has, and the site that keeps environments in a folder of its own."""
    wheel(there / "wheels", "alpha", "1.0")
    place = laptop.home / "study"
    place.mkdir(exist_ok=True)
    (place / "sim.py").write_text(SIM)
    (place / "study.yaml").write_text(STUDY.format(wheels=there / "wheels"))
    (place / "requirements.txt").write_text("alpha==1.0\n")
    for name, text in files.items():
        (place / name).write_text(text)
    return place


def site(laptop: Laptop, there: Path, *lines: str) -> None:
    areas = f"storage:\n  fast: {{path: {there}, purpose: [environments, runs]}}\n"
    laptop.site(
        "key", "extends: testbed\nlogin: login-key\n" + areas + "".join(f"{line}\n" for line in lines)
    )


def rows(place: Path) -> list[dict[str, str]]:
    with (place / "runs" / "study" / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_the_python_is_told_by_the_plan_and_runs_the_tasks(laptop: Laptop, there: Path) -> None:
    place = project(laptop, there)
    site(laptop, there)
    plan = laptop.run("plan", "--site", "key", "--verbose", cwd=place)
    assert plan.returncode == 0, plan
    assert "1 package of requirements.txt, to be built in" in plan.stdout
    assert not (there / "packhorse" / "environments").exists()
    done = laptop.run("run", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert "building an environment on key" in done.stderr
    (environment,) = (
        path.parent for path in there.glob("packhorse/environments/*/packhorse-environment.json")
    )
    assert {row["python"] for row in rows(place)} == {f"{environment}/bin/python"}
    assert {row["version"] for row in rows(place)} == {"1.0"}
    (place / "study.yaml").write_text((place / "study.yaml").read_text().replace("3]", "3, 4]"))
    plan = laptop.run("plan", "--site", "key", "--verbose", cwd=place)
    assert f"1 package of requirements.txt, {environment}" in plan.stdout
    told = json.loads(laptop.run("provenance", "--json", cwd=place).stdout)
    assert "alpha" in {row["name"] for row in told["environment"]["python"]["packages"]}


def test_where_the_site_says_so_a_job_builds(laptop: Laptop, there: Path, cluster: Cluster) -> None:
    place = project(laptop, there)
    site(laptop, there, "build_on: job")
    done = laptop.run("run", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert re.search(r"job \d+ builds the environment on key", done.stderr)
    (whole,) = there.glob("packhorse/environments/*/packhorse-environment.json")
    assert json.loads(whole.read_text())["host"].startswith(cluster.node("n"))
    assert {row["version"] for row in rows(place)} == {"1.0"}


def test_a_build_that_fails_submits_nothing_and_says_why(laptop: Laptop, there: Path) -> None:
    place = project(laptop, there, **{"requirements.txt": "alpha==2.5\n"})
    site(laptop, there)
    done = laptop.run("run", "--site", "key", cwd=place)
    assert done.returncode == 5, done
    assert "alpha==2.5" in done.stderr
    assert "full log: " in done.stderr
    assert "Traceback" not in done.stderr
    assert "submitted" not in done.stderr
    listed = laptop.run("env", "key", "--json", cwd=place)
    assert json.loads(listed.stdout)["environments"] == []


def test_a_job_that_ends_before_it_builds_is_told(laptop: Laptop, there: Path) -> None:
    place = project(laptop, there)
    study = (place / "study.yaml").read_text()
    # What the login node can do and a node cannot.
    (place / "study.yaml").write_text(
        study.replace(
            'setup: ["', 'setup: ["test -z \\"$SLURM_JOB_ID\\" || { echo no such module; false; }", "'
        )
    )
    site(laptop, there, "build_on: job")
    done = laptop.run("run", "--site", "key", cwd=place)
    assert done.returncode == 5, done
    assert "it ended before the build started" in done.stderr
    assert "no such module" in done.stderr
    assert not list(there.glob("packhorse/environments/*.new"))


R = 'cat(sprintf(\'{"library": "%s", "n": %s}\\n\', .libPaths()[1], commandArgs(TRUE)[1]))\n'


@pytest.mark.r
def test_tasks_of_r_find_the_users_library_and_a_missing_package_is_told_before(
    laptop: Laptop, there: Path
) -> None:
    text = "command: Rscript sim.R {n}\nparameters: {n: [1, 2]}\n"
    place = project(laptop, there, **{"study.yaml": text, "sim.R": f"library(bayez)\n{R}"})
    site(laptop, there)
    done = laptop.run("run", "--site", "key", cwd=place)
    assert done.returncode == 5, done
    assert "sim.R loads bayez, which R version" in done.stderr
    assert "install.packages" in done.stderr
    (place / "sim.R").write_text(R)
    done = laptop.run("run", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    (library,) = there.glob("packhorse/R/*")
    assert {row["library"] for row in rows(place)} == {str(library)}
