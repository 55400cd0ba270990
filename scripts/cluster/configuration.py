"""The configuration files of the cluster's daemons, written anew at each start."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import stat
from pathlib import Path

import machine
from machine import program
from place import Cluster

GPUS = 4
# Of the database, which listens on this machine alone and holds what jobs on this cluster did.
PASSWORD = "accounting"

SLURM = """\
ClusterName=packhorse
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={owner}
AuthType=auth/munge
CredType=cred/munge
# A requeued job may start again when its credential has expired, which takes two minutes otherwise.
AuthInfo=socket={socket},cred_expire=5
SlurmctldPidFile={top}/run/slurmctld.pid
SlurmdPidFile={top}/run/slurmd.%n.pid
StateSaveLocation={top}/state
SlurmdSpoolDir={top}/spool/%n
SlurmctldLogFile={top}/log/slurmctld.log
SlurmdLogFile={top}/log/%n.log
SlurmctldDebug=info
SlurmdDebug=info
PlugStackConfig={top}/etc/plugstack.conf
MailProg={top}/bin/mail
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# Eight cores a node on a machine that has fewer.
SlurmdParameters=config_overrides
PropagateResourceLimits=NONE
EnforcePartLimits=ALL
DefMemPerCPU=100
MaxArraySize=10001
MaxJobCount=20000
MinJobAge=300
JobRequeue=1
# Nothing preempts anything as long as no partition has another PriorityTier; tests make one that has.
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
# Quick for tests: jobs start when they are submitted, and what is lost is lost within half a minute.
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1,bf_continue
PriorityType=priority/basic
KillWait=3
CompleteWait=0
InactiveLimit=0
BatchStartTimeout=10
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=10
ResumeTimeout=20
UnkillableStepTimeout=30
JobAcctGatherFrequency=1
"""

CGROUP = """\
CgroupPlugin={plugin}
CgroupMountpoint=/sys/fs/cgroup
CgroupAutomount={mount}
ConstrainRAMSpace=yes
ConstrainSwapSpace=no
ConstrainCores=no
ConstrainDevices=no
"""

DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={socket}
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser={user}
LogFile={top}/log/slurmdbd.log
PidFile={top}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={storage}
StorageUser=slurm
StoragePass={password}
StorageLoc=slurm_acct_db
CommitDelay=1
"""

# Slurm calls it as `mail -s SUBJECT ADDRESS` with the text on stdin.
MAIL = """\
#!/bin/sh
# Keep a mail that Slurm sends, instead of sending it.
subject=
while [ $# -gt 1 ]; do
    [ "$1" = -s ] && {{ subject=$2; shift; }}
    shift
done
name={top}/mail/$(date +%s%N).$$
{{ printf 'To: %s\\nSubject: %s\\n\\n' "$1" "$subject"; cat; }} >"$name.new"
mv "$name.new" "$name.mail"
"""

ENV = """\
# Source this to use the cluster: . {top}/env
export SLURM_CONF={conf}
case ":$PATH:" in *":{bin}:"*) ;; *) export PATH="{bin}:$PATH" ;; esac
"""


def service_user(cluster: Cluster) -> str:
    """Return who runs slurmctld and slurmdbd: a user of the packages, or oneself."""
    return "slurm" if cluster.root else getpass.getuser()


def lay_out(cluster: Cluster) -> None:
    """Make the folders, each with the owner that its daemon asks for."""
    slurm = service_user(cluster)
    owners = {"etc": None, "log": slurm, "run": slurm, "state": slurm, "mail": slurm, "bin": None}
    for name, owner in (owners | {"pids": None, "spool": None, "dev": None, "home": None}).items():
        folder(cluster, cluster.path(name), owner)
    folder(cluster, cluster.path("munge"), "munge")
    for node in cluster.nodes:
        folder(cluster, cluster.path("spool", node), None)


def folder(cluster: Cluster, path: Path, owner: str | None) -> None:
    """Make a folder that everybody may read, owned by a user of the machine where we are root."""
    path.mkdir(mode=0o755, exist_ok=True)
    path.chmod(0o755)
    if cluster.root and owner:
        shutil.chown(path, owner, pwd.getpwnam(owner).pw_gid)


def write(cluster: Cluster) -> None:
    """Write every file that the daemons and the users of the cluster read."""
    top = cluster.directory
    etc = cluster.path("etc")
    _file(etc / "slurm.conf", slurm(cluster))
    _file(etc / "plugstack.conf", "")
    mount = "no" if cluster.limits == "cgroup/v1" else "yes"
    systemd = "" if machine.systemd() else "IgnoreSystemd=yes\n"
    plugin = "cgroup/v1" if cluster.limits == "none" else cluster.limits
    _file(
        etc / "cgroup.conf", CGROUP.format(plugin=plugin, mount=mount) + (systemd if mount == "yes" else "")
    )
    _file(etc / "gres.conf", gpus(cluster))
    _file(cluster.path("bin", "mail"), MAIL.format(top=top), mode=0o755)
    conf, packhorse = cluster.configuration, cluster.path("packhorse", "current", "bin")
    _file(cluster.path("env"), ENV.format(top=top, conf=conf, bin=packhorse))
    if cluster.accounting:
        user = service_user(cluster)
        text = DATABASE.format(
            top=top, socket=cluster.socket, port=cluster.port("slurmdbd"), user=user,
            storage=cluster.port("mariadbd"), password=PASSWORD,
        )  # fmt: skip
        # slurmdbd refuses a file that others may read or that is not its user's own.
        _file(etc / "slurmdbd.conf", text, mode=0o600)
        if cluster.root:
            shutil.chown(etc / "slurmdbd.conf", user, user)


def _file(path: Path, text: str, mode: int = 0o644) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as file:
        file.write(text)
    path.chmod(mode)


def slurm(cluster: Cluster) -> str:
    """Return slurm.conf."""
    host = socket.gethostname().partition(".")[0]
    user = service_user(cluster)
    text = SLURM.format(
        top=cluster.directory, host=host, port=cluster.port("slurmctld"), user=user,
        owner="root" if cluster.root else user, socket=cluster.socket,
    )  # fmt: skip
    return text + tracking(cluster) + accounting(cluster) + nodes(cluster, host)


def tracking(cluster: Cluster) -> str:
    """Return the lines that say how processes are followed and memory is limited."""
    if cluster.limits == "none":
        return (
            "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\n"
            "JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherParams=OverMemoryKill\n"
        )
    return "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\nJobAcctGatherType=jobacct_gather/cgroup\n"


def accounting(cluster: Cluster) -> str:
    """Return the lines that say who remembers jobs when they have ended."""
    if not cluster.accounting:
        log = cluster.path("log", "jobcomp.txt")
        return (
            f"AccountingStorageType=accounting_storage/none\nJobCompType=jobcomp/filetxt\nJobCompLoc={log}\n"
        )
    # Clients of slurmdbd read the socket of munge here and nowhere else (AccountingStoragePass in slurm.conf(5)).
    return (
        "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1\n"
        f"AccountingStoragePort={cluster.port('slurmdbd')}\nAccountingStoragePass={cluster.socket}\n"
        "AccountingStorageEnforce=associations,limits,qos\nAccountingStorageTRES=gres/gpu\n"
        "AccountingStoreFlags=job_comment,job_script,job_env\nJobCompType=jobcomp/none\n"
    )


def nodes(cluster: Cluster, host: str) -> str:
    """Return the lines of nodes and partitions; without root every node has this machine's host name."""
    size = (
        "CPUs=8 Boards=1 SocketsPerBoard=1 CoresPerSocket=8 ThreadsPerCore=1 RealMemory=16000 State=UNKNOWN"
    )
    name = cluster.prefix
    lines = [f"NodeName=DEFAULT {size}"]
    for node in cluster.nodes:
        line = f"NodeName={node} NodeAddr=127.0.0.1 Port={cluster.port(node)}"
        line += "" if cluster.root else f" NodeHostname={host}"
        line += f" Gres=gpu:a100:{GPUS}" if node == f"{name}g1" and gpus(cluster) else ""
        lines.append(line)
    lines += [
        f"PartitionName=general Nodes={name}n[1-4] Default=YES MaxTime=7-00:00:00 DefaultTime=01:00:00 State=UP",
        f"PartitionName=debug Nodes={name}d[1-2] MaxNodes=2 MaxTime=04:00:00 DefaultTime=00:30:00 State=UP",
        f"PartitionName=gpu Nodes={name}g1 MaxTime=2-00:00:00 DefaultTime=01:00:00 State=UP",
    ]
    return "\n".join(lines) + "\n"


def gpus(cluster: Cluster) -> str:
    """Return gres.conf. Slurm takes only character devices for GPUs, so ours are further copies of /dev/null."""
    made = [cluster.path("dev", f"gpu{number}") for number in range(GPUS)]
    if cluster.root:
        for path in made:
            if not path.exists():
                os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
                path.chmod(0o666)
        files = str(cluster.path("dev", f"gpu[0-{GPUS - 1}]"))
    else:
        files = "/dev/null,/dev/zero,/dev/full,/dev/random"
    return f"NodeName={cluster.prefix}g1 Name=gpu Type=a100 Flags=nvidia_gpu_env File={files}\n"


def munge_key(cluster: Cluster) -> Path:
    """Make munge's key once; it is of this cluster alone."""
    key = cluster.path("munge", "key")
    if not key.exists():
        with os.fdopen(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(os.urandom(128))
        if cluster.root:
            shutil.chown(key, "munge", "munge")
    return key


def munged(cluster: Cluster) -> list[str]:
    """Return the command of munge's daemon."""
    here = cluster.path("munge")
    argv = [
        program("munged"),
        "--foreground",
        f"--key-file={munge_key(cluster)}",
        f"--socket={cluster.socket}",
    ]
    argv += [
        f"--pid-file={here}/pid",
        f"--seed-file={here}/seed",
        f"--log-file={here}/log",
        "--num-threads=4",
    ]
    # Where a user's own folders may be written by their group, munge warns instead of refusing.
    return argv if cluster.root else [*argv, "--force"]
