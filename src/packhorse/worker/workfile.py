"""Reading what a wave's workers and slots need to know."""

import json
import os

from packhorse.worker.space import Space


def load(work_file):
    """Return a work file's content, and its space."""
    with open(work_file, "rb") as stream:
        work = json.loads(stream.read().decode("utf-8"))
    # A run can be moved: places inside it are found from the work file, waves/K/work.json.
    work["directory"] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(work_file))))
    work["library"] = os.path.join(work["directory"], "library")
    work["r_library"] = os.path.join(work["library"], "packhorse.R")
    with open(os.path.join(work["directory"], work["space"]), "rb") as stream:
        space = Space(json.loads(stream.read().decode("utf-8")))
    return work, space
