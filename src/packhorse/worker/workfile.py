"""Reading what a wave's workers and slots need to know."""

import json
import os

from packhorse.worker.space import Space


def complete(work, directory):
    """Add the places that follow from where the run directory is now, since a run can be moved."""
    library = os.path.join(directory, "library")
    return dict(work, directory=directory, library=library, r_library=os.path.join(library, "packhorse.R"))


def load(work_file):
    """Return the content of waves/K/work.json, and its space."""
    with open(work_file, "rb") as stream:
        work = json.loads(stream.read().decode("utf-8"))
    work = complete(work, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(work_file)))))
    with open(os.path.join(work["directory"], work["space"]), "rb") as stream:
        space = Space(json.loads(stream.read().decode("utf-8")))
    return work, space
