"""A real Slurm on this machine, all in one directory. `up` and `down` are make cluster and make cluster-down."""

from __future__ import annotations

import argparse
import sys
import time

import faults
import whole
from machine import no_login
from place import Cluster, Refused, claim, directory, known, turn


def main() -> int:
    """Do what the command line says; 1 and a sentence where that is refused, 3 where programs are missing."""
    options = arguments()
    place = directory()
    try:
        with turn(place):
            options.act(options, known(place))
    except Refused as why:
        print(why, file=sys.stderr)
        return why.status
    return 0


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python scripts/cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    verb = verbs.add_parser("up", help="bring the cluster up, or repair it")
    verb.add_argument(
        "--memory", choices=("cgroup", "none"), help="who limits memory: the kernel, or Slurm by looking"
    )
    verb.add_argument("--accounting", choices=("yes", "no"), help="whether slurmdbd remembers jobs")
    verb.add_argument("--passing", action="store_true", help="for a test session, which takes it down again")
    verb.add_argument("--bare", action="store_true", help="Slurm alone, without a Packhorse for its users")
    verb.set_defaults(act=up)
    verb = verbs.add_parser("down", help="stop everything and remove what was made")
    verb.add_argument(
        "--passing", action="store_true", help="only what a test session brought up and none uses now"
    )
    verb.set_defaults(act=down)
    for act, text in (
        (faults.kill, "kill a daemon, and with a node's all that its jobs started"),
        (faults.start, "start it again"),
        (faults.freeze, "stop it by SIGSTOP"),
        (faults.thaw, "let it go on"),
    ):
        verb = verbs.add_parser(act.__name__, help=text)
        verb.add_argument("name", help="n1 to n4, d1, d2, g1, slurmctld, slurmdbd, sshd")
        verb.set_defaults(act=fault, fault=act)
        if act is faults.kill:
            verb.add_argument(
                "--alone", action="store_true", help="leave a node's jobs, or sshd's connections, alive"
            )
    return parser.parse_args()


def up(options: argparse.Namespace, cluster: Cluster | None) -> None:
    """Bring the cluster up, and say how to use it."""
    begin = time.monotonic()
    remembering = None if options.accounting is None else options.accounting == "yes"
    wanted = whole.Wanted(options.memory, remembering, passing=options.passing, bare=options.bare)
    cluster = whole.bring_up(cluster, wanted)
    limits = {
        "cgroup/v1": "control groups (v1)",
        "cgroup/v2": "control groups (v2)",
        "none": "Slurm, which looks every second, as no control groups are used",
    }
    print(f"A Slurm of {len(cluster.nodes)} nodes is up after {time.monotonic() - begin:.1f} s.")
    print(f"Memory is limited by {limits[cluster.limits]}.")
    print(
        f"Ended jobs are remembered by {'slurmdbd' if cluster.accounting else 'nobody: there is no accounting'}."
    )
    if not no_login(cluster):
        print(f"An sshd with second factors listens at port {cluster.port('sshd')} of 127.0.0.1.")
    elif cluster.root:
        print(f"No sshd: {no_login(cluster)}.")
    print("To use it:")
    print(f"  runuser -l {cluster.users[0]}" if cluster.root else f"  . {cluster.path('env')}")
    print("  packhorse run study.yaml --site testbed")
    print("To remove it: make cluster-down")


def down(options: argparse.Namespace, cluster: Cluster | None) -> None:
    """Take the cluster down."""
    if cluster is None:
        print(f"No cluster is in {directory()}.")
    elif options.passing and (cluster.keep or not claim(cluster)):
        print(f"The cluster in {cluster.directory} stays: it is kept, or in use.")
    else:
        whole.take_down(cluster)
        print(f"The cluster in {cluster.directory} is gone.")


def fault(options: argparse.Namespace, cluster: Cluster | None) -> None:
    """Do something to one daemon."""
    if cluster is None:
        raise Refused(f"No cluster is in {directory()}. To bring it up: make cluster")
    more = {"alone": True} if getattr(options, "alone", False) else {}
    options.fault(cluster, options.name, **more)


if __name__ == "__main__":
    sys.exit(main())
