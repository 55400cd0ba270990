"""Reading what a wave's workers and slots need to know."""

import json
import os

from packhorse.worker.space import Space

FACTS = "worker.json"


def complete(work, directory):
    """Add the places that follow from where the run directory is now, since a run can be moved."""
    library = os.path.join(directory, "library")
    return dict(work, directory=directory, library=library, r_library=os.path.join(library, "packhorse.R"))


def keep_facts(scratch, facts):
    """Tell the slots of a worker what is so for this worker only, such as its deadline."""
    with open(os.path.join(scratch, FACTS), "w") as stream:
        json.dump(facts, stream)


def load(work_file, scratch=None):
    """Return the content of waves/K/work.json and its space; in a slot with the facts of its worker."""
    with open(work_file, "rb") as stream:
        work = json.loads(stream.read().decode("utf-8"))
    work = complete(work, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(work_file)))))
    if scratch is not None:
        with open(os.path.join(scratch, FACTS)) as stream:
            work.update(json.load(stream))
    with open(os.path.join(work["directory"], work["space"]), "rb") as stream:
        space = Space(json.loads(stream.read().decode("utf-8")))
    return work, space
