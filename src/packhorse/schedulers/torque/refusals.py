"""What TORQUE means when a command fails: in plain words, and whether asking again later can help."""

from __future__ import annotations

import re

from packhorse.model.command import Answer
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.schedulers import reply_rules
from packhorse.schedulers.reply_rules import Meaning, Verdict

# The texts are those of pbs_error_db.h, with the details that the server puts behind MSG=.
MEANINGS = (
    Meaning(
        r"illegal -|invalid option|not a valid option|can only be used|illegally formed",
        "TORQUE does not understand an option",
    ),
    # Nobody knows what became of the question.
    Meaning(
        r"End of File|Premature end|[Tt]imed out|Timeout|Connection reset|Broken pipe|did not answer within",
        "the TORQUE server did not answer in time",
        "lost",
    ),
    # The question did not arrive, or came at a bad time.
    Meaning(
        r"Connection refused|[Cc]annot connect|Unable to communicate|connect to trqauthd|No route to host",
        "the TORQUE server cannot be reached",
        "later",
    ),
    Meaning(
        r"[Cc]an ?not resolve|unknown host", "the name of the TORQUE server cannot be looked up now", "later"
    ),
    Meaning(r"[Ss]erver is? ?busy|shutting down|Resource temporarily", "the TORQUE server is busy", "later"),
    Meaning(r"Server could not connect to MOM", "the node of the job does not answer", "later"),
    Meaning(
        r"Maximum number of jobs|exceeds the queue limit",
        "as many jobs as you may have are already waiting and running",
        "later",
    ),
    Meaning(r"Queue is not (enabled|started)|queue is disabled", "the queue takes no jobs now", "later"),
    # The request names something that is not there, or is larger than what is there.
    Meaning(r"Unknown queue", "there is no such queue"),
    Meaning(r"max walltime", "the job asks for more time than the queue allows"),
    Meaning(r"min walltime", "the job asks for less time than the queue is for"),
    Meaning(r"max (nodect|nodes)", "the job asks for more nodes than the queue allows"),
    Meaning(r"max (p?v?mem)", "the job asks for more memory than the queue allows"),
    Meaning(r"max (ncpus|procs|procct|ppn)", "the job asks for more cores than the queue allows"),
    Meaning(r"cannot locate feasible nodes", "no node has what the job asks for"),
    Meaning(r"exceeds queue resource limits", "the job asks for more than the queue allows"),
    Meaning(r"Unknown resource", "there is no such resource"),
    Meaning(r"Illegal attribute or resource value", "a resource has a value that TORQUE does not understand"),
    Meaning(r"Bad Job Array", "TORQUE does not understand the array, or it has too many elements"),
    Meaning(r"[Dd]ependency", "TORQUE does not know, or no longer knows, the job to wait for"),
    Meaning(r"Unauthorized|not permitted|Bad UID|run as root|ACL", "TORQUE does not allow this to you"),
    Meaning(r"script (not a file|file)", "qsub cannot read the job script"),
    Meaning(r"Unknown Job|nonexistent job", "there is no such job (any more)"),
    Meaning(r"not found$", "the command is not on this machine"),
)

_NUMBER = re.compile(r"^(\d+(?:\[\])?(?:\.\S+)?)\s*$", re.MULTILINE)
_PREFIX = re.compile(r"^q\w+: +")
_SUBMIT = re.compile(r"^submit error \((.*)\)$")


def submitted(answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
    """Read qsub's answer. A site's own notices may stand before the number."""
    return reply_rules.submitted(answer, _NUMBER.findall(answer.stdout), *understood(answer))


def understood(answer: Answer) -> tuple[str, Verdict]:
    """Return why a command failed, in plain words with TORQUE's own behind them, and what that means."""
    return reply_rules.understood(answer, MEANINGS, _own_words)


def _own_words(text: str) -> list[str]:
    """Return what TORQUE said, without its usage, the names of its programs, and what is said twice."""
    lines = []
    for line in text.partition("usage: ")[0].splitlines():
        said = _PREFIX.sub("", line.strip().strip("[]"))
        said = _SUBMIT.sub(r"\1", said).replace(" MSG=", ": ")
        if said and said != "exiting":
            lines.append(said)
    return list(dict.fromkeys(lines))
