"""Error messages of qsub, qstat and qdel that TORQUE and OpenPBS share, and how their replies are read."""

from __future__ import annotations

import re

from packhorse.schedulers.reply_rules import Meaning

JOB_NUMBER = re.compile(r"^(\d+(?:\[\])?(?:\.\S+)?)\s*$", re.MULTILINE)
_PROGRAM = re.compile(r"^q\w+: +")


def connection_errors(server: str, unreachable: str, unknown_host: str) -> tuple[Meaning, ...]:
    """Return the errors of a connection to the server, whose name stands in messages.

    `unreachable` and `unknown_host` are the patterns of a request that did not arrive.
    """
    return (
        # The request may have arrived.
        Meaning(
            r"End of File|Premature end|[Tt]imed out|Timeout|Connection reset|Broken pipe|did not answer within",
            f"the {server} server did not answer in time",
            "lost",
        ),
        # The request did not arrive, or at a bad time.
        Meaning(
            rf"Connection refused|[Cc]annot connect|No route to host|{unreachable}",
            f"the {server} server cannot be reached",
            "later",
        ),
        Meaning(unknown_host, f"the name of the {server} server cannot be resolved now", "later"),
        Meaning(
            r"[Ss]erver is? ?busy|shutting down|Resource temporarily", f"the {server} server is busy", "later"
        ),
    )


def queue_errors(job_limit: str) -> tuple[Meaning, ...]:
    """Return the errors of a queue that takes no more jobs now; `job_limit` is the pattern of too many jobs."""
    return (
        Meaning(job_limit, "as many jobs as you may have are already waiting and running", "later"),
        Meaning(r"Queue is not (enabled|started)|queue is disabled", "the queue takes no jobs now", "later"),
        Meaning(r"Unknown queue", "there is no such queue"),
    )


def request_errors(title: str, forbidden: str) -> tuple[Meaning, ...]:
    """Return the errors of a request that names what does not exist, or what is not allowed (`forbidden`)."""
    return (
        Meaning(r"Unknown resource", "there is no such resource"),
        Meaning(
            r"Illegal attribute or resource value", f"a resource has a value that {title} does not understand"
        ),
        Meaning(r"[Dd]ependency", f"{title} does not know, or no longer knows, the job to wait for"),
        Meaning(
            rf"Unauthorized|not permitted|Bad UID|ACL|{forbidden}", f"{title} does not allow this to you"
        ),
        Meaning(r"script (not a file|file)", "qsub cannot read the job script"),
        Meaning(
            r"Unknown Job|nonexistent job|Job has finished", "there is no such job, or it has already ended"
        ),
        Meaning(r"not found$", "the command is not on this machine"),
    )


def error_lines(text: str) -> list[str]:
    """Return the lines of an error message without usage, names of programs, and repetitions."""
    lines = (_PROGRAM.sub("", line.strip()) for line in text.partition("usage: ")[0].splitlines())
    return list(dict.fromkeys(line for line in lines if line))
