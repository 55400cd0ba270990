"""Files from a laptop to a login node over the one login: Packhorse, tar through ssh, rsync; all on the same master.

The sshd is the test cluster's, on this machine, so that no network limits anybody: what is measured is what each does
beside it. Packhorse compares a SHA-256 of every file at both ends; tar compares nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from cluster.rates import cluster_up
from timing import interleave, judge, report

from remote.gate import Gate
from remote.laptop import Laptop, Run

ROUNDS = 5
FILES, EACH = 5_000, 2_048
BIG = 1 << 30


def packhorse(*words: str | Path, cwd: Path, env: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    """Run the installed command; it must succeed."""
    seen = {name: value for name, value in {**os.environ, **env}.items() if value is not None}
    argv = [".venv/bin/packhorse", *map(str, words)]
    argv[0] = str(Path(argv[0]).absolute())
    done = subprocess.run(argv, cwd=cwd, env=seen, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{argv} ended with {done.returncode}\n{done.stderr}")
    return done


class Bench:
    """Files on a laptop that is connected to the cluster."""

    def __init__(self, laptop: Laptop) -> None:
        self.laptop, self.numbers = laptop, count()
        (socket,) = laptop.sockets()
        self.ssh = [
            "ssh",
            "-F",
            str(laptop.ssh_config),
            "-o",
            f"ControlPath={socket}",
            "-o",
            "ControlMaster=no",
        ]
        self.many, self.big = laptop.home / "many", laptop.home / "big"
        for number in range(FILES):
            path = self.many / f"{number % 50}" / f"{number}.dat"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.urandom(EACH))
        with self.big.open("wb") as stream:
            for _ in range(BIG >> 20):
                stream.write(os.urandom(1 << 20))

    def place(self) -> str:
        """Return a place there that nobody has used; what stood in the last one is removed."""
        number = next(self.numbers)
        self.there(f"rm -rf bench-{number - 1}; mkdir bench-{number}")
        return f"bench-{number}"

    def there(self, line: str) -> None:
        """Run a line of the shell there."""
        subprocess.run([*self.ssh, "login-key", line], stdin=subprocess.DEVNULL, check=True)

    def put(self, path: Path) -> None:
        """Send with packhorse to a new place."""
        self.laptop.run("put", path, f"key:{self.place()}/")

    def put_again(self) -> None:
        """Send what is there already."""
        self.laptop.run("put", self.many, "key:kept/")

    def tar(self) -> None:
        """Send with the system's tar through ssh."""
        place = self.place()
        with subprocess.Popen(
            ["tar", "-C", self.laptop.home, "-cf", "-", "many"], stdout=subprocess.PIPE
        ) as packing:
            subprocess.run(
                [*self.ssh, "login-key", f"tar -C {place} -xf -"], stdin=packing.stdout, check=True
            )

    def rsync(self) -> None:
        """Send the big file with rsync."""
        shell = " ".join(self.ssh)
        subprocess.run(["rsync", "-a", "-e", shell, self.big, f"login-key:{self.place()}/"], check=True)


@contextlib.contextmanager
def connected() -> Iterator[Bench]:
    """Bring the cluster up, log in once, and make the files."""
    run: Run = packhorse
    with cluster_up() as cluster, tempfile.TemporaryDirectory(prefix="laptop-", dir="/tmp") as home:
        description = json.loads((cluster.directory / "cluster.json").read_text())
        laptop = Laptop(Path(home), Gate(cluster, description), run)
        status, shown = laptop.connect("key")
        if status:
            raise SystemExit(shown)
        try:
            yield Bench(laptop)
        finally:
            laptop.run("connect", "key", "--close")
            shutil.rmtree(home, ignore_errors=True)


def main() -> None:
    """Time all, and judge what is promised."""
    with connected() as bench:
        bench.put_again()
        many = interleave(
            {
                "tar | ssh tar": bench.tar,
                "packhorse put": lambda: bench.put(bench.many),
                "packhorse put, all there": bench.put_again,
                "ssh true": lambda: bench.there("true"),
            },
            ROUNDS,
        )
        print(f"{FILES:,} files of {EACH:,} bytes")
        report(many, against="tar | ssh tar")
        big = interleave({"rsync": bench.rsync, "packhorse put": lambda: bench.put(bench.big)}, ROUNDS)
        print("one file of 1 GiB")
        report(big, against="rsync")
        bench.there("rm -rf bench-* kept")
    judge(
        {
            "5,000 files at 1.5 times tar": many["packhorse put"].median
            <= 1.5 * many["tar | ssh tar"].median,
            "nothing new: 0.3 s and a round trip": many["packhorse put, all there"].median
            <= 0.3 + many["ssh true"].median,
            "1 GiB at 0.9 of rsync's rate": big["packhorse put"].median <= big["rsync"].median / 0.9,
        }
    )


if __name__ == "__main__":
    main()
