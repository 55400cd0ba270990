"""Names of all kinds in a study's code and data: what runs there finds them as they are here."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from remote.laptop import Laptop
from remote.test_files import NAMES
from remote.test_run import project, table

COUNT = """
import hashlib, json, os
def digest(top):
    found = []
    for folder, _, names in os.walk(os.fsencode(top)):
        for name in names:
            path = os.path.join(folder, name)
            found.append([repr(os.path.relpath(path, os.fsencode(top))), open(path, "rb").read().decode("latin-1")])
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()
print(json.dumps({"code": digest("my $code"), "data": digest("in 'put'")}))
"""


def test_code_and_data_of_any_name_come_as_they_are(laptop: Laptop) -> None:
    assert laptop.connect("key")[0] == 0
    place = laptop.home / "study \n 'of' mine"
    for top in ("my $code", "in 'put'"):
        for name in (*NAMES, "latin\udce9"):
            path = Path(os.fsdecode(os.fsencode(place / top / "sub \n dir" / name)))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(os.fsencode(name))
    project(
        place,
        "command: python count.py\nparameters: {n: [1]}\ncode: [count.py, 'my $code/**']\ndata: [\"in 'put'\"]\n",
        **{"count.py": COUNT},
    )
    here = laptop.run("run", "study.yaml", "--run", "runs/here", cwd=place)
    assert here.returncode == 0, here
    done = laptop.run("run", "study.yaml", "--site", "key", cwd=place)
    assert done.returncode == 0, done
    assert table(place) == table(place, "runs/here")
    (row,) = table(place)
    assert row["code"] == row["data"] != hashlib.sha256(b"[]").hexdigest(), "all of both is there"
