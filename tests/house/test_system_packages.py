"""The script that installs system programs: nothing is lost silently, on any machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "system-packages"
R_PACKAGES = (
    "foreach",
    "doParallel",
    "doRNG",
    "batchtools",
    "future.apply",
    "testthat",
    "data.table",
    "dplyr",
    "ggplot2",
)


@pytest.fixture
def machine(tmp_path: Path):
    """Return `machine(user=, apt=, **env)`: run the script where no program is installed but the basic ones."""

    def run(
        *arguments: str, user: int, apt: int | None, seen: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        programs = {"id": f"echo {user}"}
        if apt is not None:
            programs["apt-get"] = (
                f'echo "apt-get $*"; {{ echo "$*"; {seen or ":"}; }} >>"{tmp_path}/asked"; exit {apt}'
            )
        for name, body in programs.items():
            program = tmp_path / name
            program.write_text(f"#!/bin/sh\n{body}\n")
            program.chmod(0o755)
        for name in ("mktemp", "rm", "tail", "chmod"):
            (tmp_path / name).symlink_to(shutil.which(name) or "")
        return subprocess.run(
            [shutil.which("bash") or "", SCRIPT, *arguments],
            env={
                "PATH": str(tmp_path),
                "DAEMONS": "",
                "FILES": str(tmp_path),
                "POLICY": str(tmp_path / "policy-rc.d"),
                **env,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    return run


def test_a_user_is_told_what_is_lost(machine) -> None:
    told = machine(user=1000, apt=0)
    assert told.returncode == 0
    assert "Rscript (package r-base-core) is missing: tests marked r are skipped" in told.stdout
    assert told.stdout.splitlines()[-1].startswith(
        "To install them, as root: apt-get install r-base-core parallel"
    )


def test_a_user_cannot_go_on_without_a_package_that_is_asked_for(machine) -> None:
    told = machine("python3-venv", user=1000, apt=None)
    assert told.returncode == 1
    assert "apt-get install python3-venv" in told.stdout


def test_root_installs_what_is_missing(machine, tmp_path: Path) -> None:
    assert machine(user=0, apt=0).returncode == 0
    update, install = (tmp_path / "asked").read_text().splitlines()
    assert update == "update"
    assert install.endswith(
        "r-base-core parallel rsync shellcheck procps time environment-modules slurm-wlm-torque tcsh fish zsh "
        "r-cran-foreach r-cran-doparallel r-cran-dorng r-cran-batchtools r-cran-future.apply r-cran-testthat r-cran-data.table r-cran-dplyr r-cran-ggplot2 "
        "munge slurmctld slurmd slurm-client slurmdbd mariadb-server "
        "openssh-server gcc libpam0g-dev libpam-google-authenticator tmux screen slurm-wlm-mysql-plugin"
    )


def test_a_cluster_alone_can_be_asked_for(machine, tmp_path: Path) -> None:
    assert machine("--cluster", user=0, apt=0).returncode == 0
    assert "slurmctld" in (tmp_path / "asked").read_text()
    assert "r-base-core" not in (tmp_path / "asked").read_text()


def test_packages_do_not_start_their_daemons(machine, tmp_path: Path) -> None:
    """While apt-get works, policy-rc.d is there and forbids; then it is gone again."""
    policy = tmp_path / "policy-rc.d"
    assert machine(user=0, apt=0, seen=f'"{policy}" slurmctld start; echo "policy said $?"').returncode == 0
    assert "policy said 101" in (tmp_path / "asked").read_text()
    assert not policy.exists()


@pytest.mark.parametrize(("answer", "installs"), [(0, False), (101, True)])
def test_a_policy_of_the_machine_is_kept_and_obeyed(
    machine, tmp_path: Path, answer: int, installs: bool
) -> None:
    policy = tmp_path / "policy-rc.d"
    policy.write_text(f"#!{shutil.which('sh')}\nexit {answer}\n")
    policy.chmod(0o755)
    told = machine(user=0, apt=0)
    assert told.returncode == 0
    assert (tmp_path / "asked").exists() is installs
    assert ("lets packages start their daemons" in told.stdout) is not installs
    assert policy.read_text().endswith(f"exit {answer}\n")


@pytest.mark.parametrize(("ci", "status"), [("true", 1), ("", 0)])
def test_a_failed_installation_stops_only_where_everything_must_run(machine, ci: str, status: int) -> None:
    told = machine(user=0, apt=100, CI=ci)
    assert told.returncode == status
    assert "apt-get update" in told.stdout


def test_every_marker_of_a_program_is_told_of(machine) -> None:
    told = machine(user=1000, apt=None).stdout
    markers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"]["ini_options"]["markers"]
    needing = [marker.partition(":")[0] for marker in markers if ": needs " in marker]
    assert needing
    assert [marker for marker in needing if f"tests marked {marker} are skipped" not in told] == []


def test_a_machine_that_has_everything_hears_nothing(tmp_path: Path) -> None:
    daemons = ("munged", "slurmctld", "slurmd", "sbatch", "slurmdbd", "mariadbd", "sshd")
    others = ("parallel", "rsync", "shellcheck", "ps", "time", "modulecmd", "qsub", "gcc", "tmux", "screen")
    for name in ("Rscript", *others, *daemons):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    for name in (
        "usr/include/security/pam_modules.h",
        "usr/lib/x86/security/pam_google_authenticator.so",
        *(f"usr/lib/R/site-library/{library}/DESCRIPTION" for library in R_PACKAGES),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    env = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "FILES": str(tmp_path)}
    assert subprocess.run(["bash", SCRIPT], env=env, stdout=subprocess.PIPE, check=True).stdout == b""
