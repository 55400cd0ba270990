"""Slurm's error messages: what each means, and whether to try again."""

from __future__ import annotations

import re

from packhorse.model.command import Answer
from packhorse.model.job import SubmissionRefused, SubmissionUnknown, Submitted
from packhorse.schedulers import reply_rules
from packhorse.schedulers.reply_rules import Meaning, Verdict

# The texts are those of slurm_errno.c, with the details that sbatch prints before them. The last line says why a
# command failed, since a site's plugins may print anything before it; the first meaning that matches counts.
MEANINGS = (
    Meaning(
        r"unrecognized option|Invalid --|Invalid time specification|Invalid numeric|not a valid|ambiguous"
        r"|mutually exclusive|doesn't allow an argument",
        "Slurm does not understand an option",
    ),
    # The request may have arrived.
    Meaning(r"Socket timed out", "the Slurm controller did not answer in time", "lost"),
    Meaning(
        r"controller \((receive|send|shutdown) failure\)|Message (receive|send) failure|shutdown failure"
        r"|Zero Bytes were|Header lengths|Insane message|Unexpected message|Connection reset|Broken pipe",
        "the connection to the Slurm controller broke",
        "lost",
    ),
    # The request did not arrive, or at a bad time.
    Meaning(
        r"Unable to contact slurm controller|Communication connection failure|Unable to (resolve|establish)",
        "the Slurm controller cannot be reached",
        "later",
    ),
    Meaning(r"standby mode", "the Slurm controller is changing over to its backup", "later"),
    Meaning(
        r"authentication error|Munge encode failed|Invalid authentication|Token Generation",
        "this machine cannot authenticate you to Slurm; its munge service may be down",
        "later",
    ),
    Meaning(
        r"Unable to process configuration|Could not establish a configuration source|s_p_parse_file",
        "Slurm's configuration cannot be read on this machine",
        "later",
    ),
    Meaning(r"Rate limit exceeded|Slurm temporarily unable", "the Slurm controller is too busy", "later"),
    Meaning(r"try again|Resource temporarily unavailable", "Slurm cannot take the job now", "later"),
    Meaning(r"submissions disabled", "the site accepts no jobs now", "later"),
    Meaning(r"MaxSubmit|GrpSubmit", "as many jobs as you may have are already waiting and running", "later"),
    Meaning(r"storage is disabled", "this cluster has no accounting", "never"),
    Meaning(
        r"Connection refused|Problem talking to the database|connect to database",
        "Slurm's accounting database cannot be reached",
        "later",
    ),
    # A limit that the request itself exceeds; without a detail, the text is about any limit, also on the number of jobs.
    Meaning(r"(QOS|Assoc)\w*Wall", "the job asks for more time than your account or QOS may have", size=True),
    Meaning(r"(QOS|Assoc)\w*Mem", "the job asks for more memory than your account or QOS may have"),
    Meaning(r"(QOS|Assoc)\w*Node", "the job asks for more nodes than your account or QOS may have"),
    Meaning(r"(QOS|Assoc)\w*C[Pp][Uu]", "the job asks for more cores than your account or QOS may have"),
    Meaning(r"(QOS|Assoc)\w*GRES", "the job asks for more GPUs than your account or QOS may have"),
    Meaning(r"\b(QOS|Assoc)\w+", "the job is over a limit of your account or QOS"),
    Meaning(
        r"violates accounting/QOS policy",
        "the job, or the number of your jobs, is over a limit of your account or QOS",
        "later",
        vague=True,
    ),
    # The request names something that does not exist, or is too large.
    Meaning(r"[Ii]nvalid partition|No partition specified", "there is no such partition"),
    Meaning(r"group not permitted", "this partition is not open to you"),
    Meaning(
        r"Required partition not available|Partition in DOWN state", "the partition is closed now", "later"
    ),
    Meaning(
        r"partition configuration not available now|nodes are busy|Required node not available",
        "the nodes are not available now",
        "later",
    ),
    Meaning(r"Invalid account", "you may not use this account, or not in this partition"),
    Meaning(r"Invalid qos", "you may not use this QOS, or there is no such QOS"),
    Meaning(
        r"time limit is invalid|Time limit specification|--time specification",
        "the time asked for is more than the partition allows, or is missing",
        size=True,
    ),
    Meaning(
        r"Memory specification|Memory required", "no node of the partition has this much memory", size=True
    ),
    Meaning(r"[Gg]eneric resource|GRES", "the partition has no such GPUs"),
    Meaning(
        r"More processors requested", "the job asks for more cores or nodes than the partition has", size=True
    ),
    Meaning(
        r"[Nn]ode count", "the job asks for more nodes than one job may have in the partition", size=True
    ),
    Meaning(
        r"node configuration is not available",
        "no node of the partition has what the job asks for",
        vague=True,
    ),
    Meaning(r"nodes not in this partition|Invalid node name", "a node that is named is not in the partition"),
    Meaning(r"Invalid job array", "the array has more elements than the site allows"),
    Meaning(r"[Dd]ependency", "Slurm does not know, or no longer knows, the job to wait for"),
    Meaning(r"feature|constraint", "no node has the features asked for"),
    Meaning(r"[Rr]eservation", "the reservation cannot be used"),
    Meaning(r"license", "there is no such licence"),
    Meaning(r"Unable to open file|Batch script|batch script", "sbatch cannot read the job script"),
    Meaning(r"[Pp]ermission denied", "Slurm does not allow this to you"),
    Meaning(r"not found$", "the command is not on this machine"),
)

# With --parsable, the number is followed only by the cluster; a site's wrapper may print sbatch's usual sentence.
_NUMBER = re.compile(r"^(?:Submitted batch job )?(\d+)(?:;\S*| on cluster \S+)?\s*$", re.MULTILINE)
_PREFIX = re.compile(
    r"^\w+: (?:error: |fatal: )?|^allocation failure: |^slurm_\w+ error: ?|^Batch job submission failed: "
)
_CHATTER = re.compile(r"^\s*$|retrying in \d|^Try .* for more information|If munged is up")


def submitted(answer: Answer) -> Submitted | SubmissionRefused | SubmissionUnknown:
    """Read sbatch's answer. A site's own notices may precede the number."""
    return reply_rules.submitted(answer, _NUMBER.findall(answer.stdout), *understood(answer))


def understood(answer: Answer) -> tuple[str, Verdict]:
    """Return why a command failed, in plain words followed by Slurm's own, and whether to try again."""
    return reply_rules.understood(answer, MEANINGS, _error_lines)


def _error_lines(text: str) -> list[str]:
    """Return the lines of an error message without names of programs and repetitions."""
    lines = [line.strip() for line in text.splitlines() if not _CHATTER.search(line)]
    for _ in range(2):  # a program's name, and then what it was doing
        lines = [_PREFIX.sub("", line) for line in lines]
    return list(dict.fromkeys(lines))
