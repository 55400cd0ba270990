"""Causes of a failed login, recognised in OpenSSH's messages (sshconnect.c, sshconnect2.c, ssh.c)."""

from __future__ import annotations

import re
from typing import Literal

Failure = Literal["denied", "changed", "unknown", "name", "away", "closed", "settings", "other"]

# The first match wins: a changed key also "failed verification", and a refused login also closes the connection.
PATTERNS: tuple[tuple[Failure, str], ...] = (
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
OFFERED_KEY = re.compile(
    r"The fingerprint for the (\S+) key sent by the remote host is\s+(\S+?)\.?\s*$", re.MULTILINE
)


def login_failure(errors: str) -> Failure:
    """Return why a login failed, from ssh's standard error."""
    return next((kind for kind, pattern in PATTERNS if re.search(pattern, errors)), "other")


def offered_key(errors: str) -> str:
    """Return kind and fingerprint of the unexpected key that a host offered, or "" where ssh reports none."""
    match = OFFERED_KEY.search(errors)
    return f"{match[1]} {match[2]}" if match else ""
