"""Rules of paths: what a cluster does not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packhorse.lint.job import Job
from packhorse.lint.rule import Note, rule

_LAPTOP = re.compile(r"(?<![\w/.-])(/Users/\w[\w.-]*/[\w./-]*|[A-Z]:\\\\?[\w\\.-]+)")


@rule("J52", "warning", "The path is that of a laptop.")
def laptop_path(job: Job) -> Iterator[Note]:
    """Use paths that the cluster has, relative to the folder of the job where possible.

    `/Users/...` is a Mac, a drive such as C: is Windows; neither is on a cluster.
    """
    if not job.script.dialect:
        return
    for line in job.script.lines:
        text = line.text
        if text.lstrip().startswith("#") and not text.startswith(("#SBATCH", "#PBS")):
            continue
        found = _LAPTOP.search(text.partition(" #")[0])
        if found:
            yield Note(message=f"{found[1]} is a path of a laptop", line=line.number, column=found.start())
