"""Good scripts, and mutants of them: one directive is changed in a way that people get wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator

GOOD = (
    "--time=1:00:00", "-t 30", "--time=1-12", "--mem=4G", "--mem-per-cpu 2000M", "-n4", "--ntasks=8", "-N 1-2", "-c 2",
    "--cpus-per-task=4# four", "--job-name='my run'", "-J fit", "--output=fit_%A_%a.out", "--error fit.err",
    "--array=1-10%2", "-a 0-9:3", "--mail-type=END,FAIL", "--mail-user=a@uni.edu", "--exclusive", "--exclusive=user",
    "--signal=B:USR1@60", "--open-mode=append", "--requeue", "--no-requeue", "--export=ALL,A=1", "--nice=10", "--hold",
    "--begin=now+1hour", "--chdir=/tmp", "--comment='a # b'", "--dependency=singleton", "-N 1 -n 4 --mem 8G  # one node",
    "--out=x.txt", "--kill-on-invalid-dep=yes", "--hint=nomultithread", "--ntasks-per-node=4", "--parsable", "",
)  # fmt: skip
VALUES = (
    "x", "0", "-1", "4.5", "1.5G", "4GiB", "4X", "2h", "1:2:3:4", "1-2-3", "10-1", "1,2", "a-b", "SOMETIMES", "4G8", "4k",
    "", "2", "1:00", "1-", "10gb", "yes", "END", "END,x", "1-3%0", "[1-3]", "2-4", "ALL", "user", "append", "USR1", "@60",
)  # fmt: skip
HABITS = (
    "--workdir=/tmp", "-j fit", "--cpus_per_task=4", "--job-name = fit", "--mem=4 G", "'open", "--ex", "--gpu-x=1", "-z",
    "--requeue=1", "--walltime=1:00", "–time=10", "--time", "-n", "stray", ": -n 2", "--exc=user", "--n=4", "-t=10", "-",
    "--", "--=x", "\\", '"', "--mem=4G --mem-per-cpu=2G", "--nodes", "--wait-all", "--cluster=x --nope",
)  # fmt: skip


def mutants(number: int, seed: int = 1) -> Iterator[str]:
    """Yield scripts, of which about half are good."""
    draw = random.Random(seed)
    for _ in range(number):
        lines = draw.sample(GOOD, draw.randint(1, 5))
        kind = draw.random()
        if kind < 0.5:
            at = draw.randrange(len(lines))
            name = lines[at].replace("=", " ").split(" ")[0]
            lines[at] = (
                f"{name}={draw.choice(VALUES)}" if name.startswith("--") else f"{name} {draw.choice(VALUES)}"
            )
        elif kind < 0.75:
            lines.insert(draw.randint(0, len(lines)), draw.choice(HABITS))
        first = draw.choice(["#!/bin/bash\n"] * 12 + ["", "\n#!/bin/bash\n", "#! /bin/sh\n"])
        end = draw.choice(["\n"] * 15 + ["\r\n"])
        text = first + "".join(f"#SBATCH {line}\n" for line in lines) + "hostname\n"
        yield text.replace("\n", end)
