"""What ssh means when a login fails, by the words of OpenSSH's messages (sshconnect.c, sshconnect2.c, ssh.c)."""

from __future__ import annotations

import re
from typing import Literal

Failure = Literal["denied", "changed", "unknown", "name", "away", "closed", "settings", "other"]

# The first that fits counts: a changed key also "failed verification", and a closed door also closes the connection.
WORDS: tuple[tuple[Failure, str], ...] = (
    ("settings", r"Bad configuration option|Bad owner or permissions|terminating, \d+ bad configuration"),
    ("settings", r"Can't open user config file|unsupported option|no argument after keyword"),
    ("changed", r"REMOTE HOST IDENTIFICATION HAS CHANGED"),
    ("changed", r"Host key for \S+ was revoked"),
    ("unknown", r"Host key verification failed|No \S+ host key is known for"),
    ("denied", r"Permission denied \(|Too many authentication failures"),
    ("name", r"Could not resolve hostname"),
    ("away", r"Connection refused|[Tt]imed out|No route to host|Network is (unreachable|down)|Host is down"),
    ("closed", r"Connection (closed|reset)|kex_exchange_identification|Not allowed at this time"),
)
SENT = re.compile(
    r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s*$", re.MULTILINE
)


def login_failure(said: str) -> Failure:
    """Return why a login failed, by what ssh said on standard error."""
    return next((kind for kind, words in WORDS if re.search(words, said)), "other")


def offered_key(said: str) -> str:
    """Return the kind and fingerprint of the key that a host sent which is not the one that is known, "" for none."""
    found = SENT.search(said)
    return f"{found[1]} {found[2]}" if found else ""
