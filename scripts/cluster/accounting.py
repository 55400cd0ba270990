"""A database and slurmdbd: who remembers jobs after the controller has forgotten them."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path
from typing import Any

import configuration
import daemons
from machine import program
from place import Cluster, Refused

ACCOUNT = "lab"


def start(cluster: Cluster) -> None:
    """Start MariaDB and slurmdbd, and make the accounts."""
    if not cluster.accounting:
        return
    _database(cluster)
    daemons.start(cluster, "slurmdbd", [program("slurmdbd"), "-D"], user=configuration.service_user(cluster))
    daemons.ready(
        cluster,
        "slurmdbd",
        lambda: _ask(cluster, "--noheader", "show", "cluster").returncode == 0,
        seconds=60,
    )
    _accounts(cluster)


def _client(cluster: Cluster) -> list[str]:
    """Return MariaDB's own client as the database's administrator."""
    user = "mysql" if cluster.root else getpass.getuser()
    return ["--no-defaults", f"--user={user}", f"--socket={_socket(cluster)}"]


def _socket(cluster: Cluster) -> Path:
    return cluster.path("mysql", "socket")


def _database(cluster: Cluster) -> None:
    """Start MariaDB on a data directory of its own; it reads no configuration of this machine."""
    data = cluster.path("mysql", "data")
    user = "mysql" if cluster.root else getpass.getuser()
    configuration.folder(cluster, cluster.path("mysql"), "mysql")
    if not (data / "mysql").is_dir():
        argv = [program("mariadb-install-db"), "--no-defaults", f"--user={user}", f"--datadir={data}"]
        argv += [
            "--auth-root-authentication-method=socket",
            f"--auth-root-socket-user={user}",
            "--skip-test-db",
        ]
        made = subprocess.run(argv, capture_output=True, text=True, check=False)
        if made.returncode:
            raise Refused(f"mariadb-install-db failed:\n{(made.stdout + made.stderr)[-2000:]}")
    argv = [program("mariadbd"), "--no-defaults", f"--datadir={data}", f"--socket={_socket(cluster)}"]
    argv += ["--bind-address=127.0.0.1", f"--port={cluster.port('mariadbd')}", "--skip-name-resolve"]
    argv += ["--innodb-buffer-pool-size=128M", "--innodb-lock-wait-timeout=900", "--performance-schema=0"]
    # Tests need no durability, and two cores have better things to do than to wait for the disk.
    argv += ["--innodb-flush-log-at-trx-commit=0", f"--pid-file={cluster.path('mysql', 'pid')}"]
    daemons.start(cluster, "mariadbd", argv, user="mysql")
    ping = [program("mariadb-admin"), *_client(cluster), "ping"]
    daemons.ready(
        cluster,
        "mariadbd",
        lambda: subprocess.run(ping, capture_output=True, check=False, **_as(cluster)).returncode == 0,
        seconds=60,
    )
    user_sql = (
        "CREATE DATABASE IF NOT EXISTS slurm_acct_db;"
        f"CREATE USER IF NOT EXISTS slurm@'127.0.0.1' IDENTIFIED BY '{configuration.PASSWORD}';"
        "GRANT ALL ON slurm_acct_db.* TO slurm@'127.0.0.1';"
    )
    subprocess.run([program("mariadb"), *_client(cluster), "-e", user_sql], check=True, **_as(cluster))


def _as(cluster: Cluster) -> dict[str, Any]:
    return daemons.as_user("mysql" if cluster.root else None)


def _ask(cluster: Cluster, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [program("sacctmgr"), *words],
        env=cluster.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def _accounts(cluster: Cluster) -> None:
    """Make one account with everybody in it; adding what is there already is no failure to sacctmgr."""
    users = ",".join([*cluster.everybody, "root"]) if cluster.root else getpass.getuser()
    said = _ask(
        cluster, "--noheader", "--parsable2", "show", "association", f"account={ACCOUNT}", "format=user"
    )
    if set(users.split(",")) <= set(said.stdout.split()):
        return
    for words in (
        ["cluster", "packhorse"],
        ["account", ACCOUNT, "Description=lab", "Organization=lab", "Cluster=packhorse"],
        ["user", users, f"Account={ACCOUNT}", f"DefaultAccount={ACCOUNT}", "Cluster=packhorse"],
    ):
        done = _ask(cluster, "--immediate", "add", *words)
        if done.returncode and "already exists" not in done.stdout and "Nothing new" not in done.stdout:
            raise Refused(f"sacctmgr add {' '.join(words)} failed:\n{done.stdout}")


def stop(cluster: Cluster) -> None:
    """Stop slurmdbd, then the database."""
    daemons.stop(cluster, "slurmdbd")
    daemons.stop(cluster, "mariadbd", patience=30)
