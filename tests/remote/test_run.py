"""Studies from a laptop: one login, then the whole way by itself."""

from __future__ import annotations

import textwrap
from pathlib import Path

from remote.laptop import Laptop

SIM = """
import argparse, json, random
parser = argparse.ArgumentParser()
parser.add_argument("--n", type=int)
parser.add_argument("--seed", type=int)
given = parser.parse_args()
rng = random.Random(given.seed)
print(json.dumps({"mean": sum(rng.random() for _ in range(given.n)) / given.n}))
"""
STUDY = """
command: python sim.py --n {n} --seed {seed}
parameters: {n: [10, 20]}
replicates: 20
"""


def project(place: Path, study: str = STUDY, **files: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "study.yaml").write_text(textwrap.dedent(study))
    (place / "sim.py").write_text(SIM)
    for name, text in files.items():
        (place / name).write_text(text)
    return place


def test_a_study_goes_there_runs_and_comes_home(laptop: Laptop) -> None:
    assert laptop.connect("key")[0] == 0
    place = project(laptop.home / "study of 'mine' $x")
    done = laptop.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert "40 of 40 tasks done" in done.stdout
    local = laptop.run("run", "study.yaml", "--run", "here", cwd=place)
    assert local.returncode == 0, local
    assert laptop.gate.logins() == [laptop.gate.users["key"]]
