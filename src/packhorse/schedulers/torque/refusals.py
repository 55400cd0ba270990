"""TORQUE's error messages: what each means, and whether to ask again. The rest is in pbs.refusals."""

from __future__ import annotations

import re

from packhorse.schedulers.pbs import refusals as pbs
from packhorse.schedulers.pbs.refusals import connection_errors, queue_errors, request_errors
from packhorse.schedulers.reply_rules import Meaning

# The texts are those of pbs_error_db.h, with the details that the server adds after MSG=. The first that matches counts.
MEANINGS = (
    Meaning(
        r"illegal -|invalid option|not a valid option|can only be used|illegally formed",
        "TORQUE does not understand an option",
    ),
    *connection_errors(
        "TORQUE",
        unreachable=r"Unable to communicate|connect to trqauthd",
        unknown_host=r"[Cc]an ?not resolve|unknown host",
    ),
    Meaning(r"Server could not connect to MOM", "the node of the job does not answer", "later"),
    *queue_errors(job_limit=r"Maximum number of jobs|exceeds the queue limit"),
    Meaning(r"max walltime", "the job asks for more time than the queue allows", size=True),
    Meaning(r"min walltime", "the job asks for less time than the queue is for", size=True),
    Meaning(r"max (nodect|nodes)", "the job asks for more nodes than the queue allows", size=True),
    Meaning(r"max (p?v?mem)", "the job asks for more memory than the queue allows", size=True),
    Meaning(r"max (ncpus|procs|procct|ppn)", "the job asks for more cores than the queue allows", size=True),
    Meaning(r"cannot locate feasible nodes", "no node has what the job asks for"),
    Meaning(r"exceeds queue resource limits", "the job asks for more than the queue allows", size=True),
    Meaning(r"Bad Job Array", "TORQUE does not understand the array, or it has too many elements"),
    *request_errors("TORQUE", forbidden="run as root"),
)

_SUBMIT = re.compile(r"^submit error \((.*)\)$")


def error_lines(text: str) -> list[str]:
    """Return the lines of a TORQUE error message, with the text inside `submit error (...)` and its details."""
    lines = (line.strip().strip("[]") for line in text.partition("usage: ")[0].splitlines())
    texts = [_SUBMIT.sub(r"\1", line).replace(" MSG=", ": ") for line in pbs.error_lines("\n".join(lines))]
    return list(dict.fromkeys(line for line in texts if line != "exiting"))
