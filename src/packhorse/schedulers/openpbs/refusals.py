"""OpenPBS's error messages: what each means, and whether to ask again. The rest is in pbs.refusals."""

from __future__ import annotations

from packhorse.schedulers.pbs.refusals import connection_errors, queue_errors, request_errors
from packhorse.schedulers.reply_rules import Meaning

# The texts are those of pbs_error.c and of the commands themselves; most do not say which option is wrong. The first
# that matches counts.
MEANINGS = (
    Meaning(
        r"illegal -|invalid option|directive error|illegally formed|cannot submit non-rerun|Cannot be used with",
        "OpenPBS does not understand an option",
    ),
    *connection_errors(
        "PBS", unreachable=r"Couldn't connect|Communication failure", unknown_host=r"Unknown Host"
    ),
    *queue_errors(job_limit=r"would exceed|per-user limit|Maximum number of jobs"),
    Meaning(r"not configured to maintain job history", "this site keeps no history of jobs"),
    Meaning(
        r"violates queue and/or server resource limits",
        "the job asks for more time, nodes, cores or memory than the queue allows",
        size=True,
    ),
    Meaning(r"Array job exceeds", "the array has more elements than the site allows"),
    Meaning(r"name is too long", "the job's name is too long"),
    *request_errors("OpenPBS", forbidden=r"[Aa]ccess"),
)
