"""Job scripts as users ask for them: every shipped site, every wish, every dialect.

`python tests/scripts/plain_cases.py` writes the files in plain/ anew; `git diff` then shows what changed for users.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import packhorse
from packhorse.app.jobs.script import Script

GOLDEN = Path(__file__).parent / "plain"
FILES = {
    "fit.py": "import json, sys\nprint(json.dumps(sys.argv[1:]))\n",
    "fit.R": "cat(mean(rnorm(100)), '\\n')\n",
    "Makefile": "all:\n\t@echo made\n",
}
HOSTILE = 'it\'s "my" $(id) `id` $HOME \\ * # 5% {n} λ'


@dataclass(frozen=True)
class Case:
    """What a user asks for, and a word of each note that it brings."""

    name: str
    command: str
    words: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def case(name: str, command: str, /, *notes: str, **words: Any) -> Case:
    """Return a case."""
    return Case(name, command, words, notes)


TESTBED = (
    case("one-core", "python3 fit.py --n 100", site="testbed", time="6 h"),
    case("usual", "python3 fit.py", site="testbed"),
    case("name", "python3 fit.py", site="testbed", name="my first 'fit'"),
    case("partition", "python3 fit.py", site="testbed", partition="debug", time="10 min"),
    case("account-qos", "python3 fit.py", site="testbed", account="lab", qos="normal", time="1-12:00:00"),
    case("memory", "python3 fit.py", "fits into debug", site="testbed", memory="1.5 GB", time="30 min"),
    case("memory-per-core", "make -j 8", site="testbed", cores=8, memory_per_core="500 MB"),
    case("memory-zero", "python3 fit.py", site="testbed", memory=0),
    case("gpus", "python3 fit.py", site="testbed", gpus=2, time="1 h"),
    case("threads", "Rscript fit.R", "but fit.R uses only one", site="testbed", cores=4, time="5 h"),
    case("mpi", "srun hostname", site="testbed", nodes=2, tasks=4, cores=4, time="5 h"),
    case("idle-nodes", "hostname", "which are charged although idle", site="testbed", nodes=2, time="5 h"),
    case("array", 'echo "$SLURM_ARRAY_TASK_ID"', site="testbed", array="1-10%3", time="5 h"),
    case("array-list", "python3 fit.py", "every element of the array does the same", site="testbed", array="0-12:4,20", time="5 h"),
    case("after", "hostname", site="testbed", after=["ok:85", "end:86", "fail:87", "start:88", "each:89_2"], time="5 h"),
    case("logs", "hostname", "mkdir -p logs", site="testbed", log="logs/{name}-{job}.out", error_log="logs/%x-%j.err", time="5 h"),
    case("mail", "hostname", site="testbed", mail="ada@example.org", mail_when=["begin", "end", "fail"], time="5 h"),
    case("modules", "Rscript fit.R", site="testbed", modules=["r/4.5.1", "openblas"], time="5 h"),
    case("conda", "python3 fit.py", site="testbed", environment="conda:stats", time="5 h"),
    case("venv", "python3 fit.py", site="testbed", environment="venv:~/envs/my stats", time="5 h"),
    case("uv", "python3 fit.py", site="testbed", environment="uv", time="5 h"),
    case("setup", "python3 fit.py", site="testbed", setup=["export A='b c'", "ulimit -c 0"], time="5 h"),
    case("options", "hostname", site="testbed", options=["--nice=100", "--comment='of a user'"], time="5 h"),
    case("several-lines", "python3 fit.py 1 > one.txt\npython3 fit.py 2 > two.txt\n", site="testbed", time="5 h"),
    case("hostile", "printf '%s' 'λ $x'", site="testbed", name=HOSTILE, log=HOSTILE.replace("\\", "").replace("%", "%%"), environment=f"venv:{HOSTILE}", modules=[HOSTILE], time="5 h"),
    case("scheduler-alone", "python3 fit.py", "are not described", scheduler="slurm", cores=2, time="1 h"),
)  # fmt: skip
SITES = (
    case("quartz", "Rscript fit.R", site="quartz", account="lab", modules=["r/4.5.1"], memory="8 GB", time="2 days"),
    case("quartz-gpu", "python train.py", site="quartz", account="lab", partition="h100-single", gpus=1, environment="conda:torch", time="1 h"),
    case("bigred200", "python fit.py", "are not described", site="bigred200", account="lab", time="2 h"),
    case("bigred200-gpu", "python train.py", site="bigred200", account="lab", gpus=4, time="1 h"),
    case("hec", "python fit.py", "the module miniforge provides python", site="hec", time="2 h"),
    case("hec-parallel", "mpirun ./solve", site="hec", cores=16, tasks=16, kind="10Geth64G", time="2 h"),
    case("hec-gpu", "python train.py", "since the job asks", site="hec", gpus=1, kind="h200", modules=["miniforge"], time="30 h"),
    case("bede", "python train.py", site="bede", account="bdlan01", gpus=1, time="2 h"),
    case("penguins", "python fit.py", site="penguins", cores=8, environment="venv:.venv", time="2 h"),
)  # fmt: skip
DIALECTS = ("slurm", "torque", "openpbs")
OTHERS = tuple(
    case(f"{dialect}-{kind}", command, "are not described", scheduler=dialect, **words)
    for dialect in DIALECTS[1:]
    for kind, command, words in (
        ("usual", "python3 fit.py", {"time": "2 h"}),
        ("full", "mpirun ./solve", {"nodes": 2, "tasks": 4, "cores": 8, "memory": "4 GB", "gpus": 1, "partition": "batch", "account": "lab", "mail": "ada@example.org", "modules": ["r"], "time": "3 days"}),
        ("array", "Rscript fit.R", {"array": "1-10%3", "memory_per_core": "2 GB", "cores": 2, "after": ["ok:85"], "time": "1 h"}),
    )
)  # fmt: skip
CASES = (*TESTBED, *SITES, *OTHERS)


def made(one: Case, folder: Path) -> Script:
    """Return the script of a case for somebody in a folder, who has the programs there."""
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return packhorse.script(one.command, folder=folder, **one.words)


if __name__ == "__main__":
    for old in GOLDEN.iterdir():
        old.unlink()
    for each in CASES:
        with tempfile.TemporaryDirectory() as place:
            (GOLDEN / f"{each.name}.sh").write_text(made(each, Path(place)).text, encoding="utf-8")
