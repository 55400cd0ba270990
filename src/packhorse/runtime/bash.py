"""Syntax check of a script with bash, without running any of it."""

from __future__ import annotations

import re
import shutil
import subprocess

SECONDS = 10.0


def syntax_error(script: str) -> str:
    """Return bash's complaint about a script, or "" where it is valid or bash is not installed."""
    bash = shutil.which("bash")
    if bash is None:
        return ""
    try:  # by standard input, since a script may be too long for a command line
        done = subprocess.run(
            [bash, "-n"], input=script, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 0:
        return ""
    return re.sub(r"^.*?: line \d+: ", "", done.stderr.strip(), flags=re.MULTILINE) or "bash cannot read it"
