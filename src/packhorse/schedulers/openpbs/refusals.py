"""What OpenPBS means when a command fails: in plain words, and whether asking again later can help."""

from __future__ import annotations

import re

from packhorse.model.command import Answer
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.schedulers import reply_rules
from packhorse.schedulers.reply_rules import Meaning, Verdict

# The texts are those of pbs_error.c and of the commands themselves. Most say little: an option that is wrong, and no more.
MEANINGS = (
    Meaning(
        r"illegal -|invalid option|directive error|illegally formed|cannot submit non-rerun|Cannot be used with",
        "OpenPBS does not understand an option",
    ),
    # Nobody knows what became of the question.
    Meaning(
        r"End of File|Premature end|[Tt]imed out|Timeout|Connection reset|Broken pipe|did not answer within",
        "the PBS server did not answer in time",
        "lost",
    ),
    # The question did not arrive, or came at a bad time.
    Meaning(
        r"Connection refused|[Cc]annot connect|Couldn't connect|No route to host|Communication failure",
        "the PBS server cannot be reached",
        "later",
    ),
    Meaning(r"Unknown Host", "the name of the PBS server cannot be looked up now", "later"),
    Meaning(r"[Ss]erver is? ?busy|shutting down|Resource temporarily", "the PBS server is busy", "later"),
    Meaning(
        r"would exceed|per-user limit|Maximum number of jobs",
        "as many jobs as you may have are already waiting and running",
        "later",
    ),
    Meaning(r"Queue is not (enabled|started)", "the queue takes no jobs now", "later"),
    Meaning(r"not configured to maintain job history", "this site keeps no history of jobs"),
    # The request names something that is not there, or is larger than what is there.
    Meaning(r"Unknown queue", "there is no such queue"),
    Meaning(
        r"violates queue and/or server resource limits",
        "the job asks for more time, nodes, cores or memory than the queue allows",
    ),
    Meaning(r"Unknown resource", "there is no such resource"),
    Meaning(
        r"Illegal attribute or resource value", "a resource has a value that OpenPBS does not understand"
    ),
    Meaning(r"Array job exceeds", "the array has more elements than the site allows"),
    Meaning(r"[Dd]ependency", "OpenPBS does not know the job to wait for"),
    Meaning(r"name is too long", "the job's name is too long"),
    Meaning(r"Unauthorized|not permitted|[Aa]ccess|Bad UID|ACL", "OpenPBS does not allow this to you"),
    Meaning(r"script (not a file|file)", "qsub cannot read the job script"),
    Meaning(r"Unknown Job|Job has finished", "there is no such job (any more)"),
    Meaning(r"not found$", "the command is not on this machine"),
)

_NUMBER = re.compile(r"^(\d+(?:\[\])?(?:\.\S+)?)\s*$", re.MULTILINE)
_PREFIX = re.compile(r"^q\w+: +")


def submitted(answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
    """Read qsub's answer. A site's own notices may stand before the number."""
    return reply_rules.submitted(answer, _NUMBER.findall(answer.stdout), *understood(answer))


def understood(answer: Answer) -> tuple[str, Verdict]:
    """Return why a command failed, in plain words with OpenPBS's own behind them, and what that means."""
    return reply_rules.understood(answer, MEANINGS, _own_words)


def _own_words(text: str) -> list[str]:
    """Return what OpenPBS said, without its usage, the names of its programs, and what is said twice."""
    lines = (_PREFIX.sub("", line.strip()) for line in text.partition("usage: ")[0].splitlines())
    return list(dict.fromkeys(line for line in lines if line))
