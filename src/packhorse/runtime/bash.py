"""Asking bash whether it can read a script, without running anything of it."""

from __future__ import annotations

import re
import shutil
import subprocess

SECONDS = 10.0


def syntax_error(text: str) -> str:
    """Return what bash has to say against a script; nothing where it can read it, or where there is no bash."""
    bash = shutil.which("bash")
    if bash is None:
        return ""
    try:  # the text goes in by standard input, as its words could be too many for a command line
        done = subprocess.run(
            [bash, "-n"], input=text, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return ""
    if done.returncode == 0:
        return ""
    return re.sub(r"^.*?: line \d+: ", "", done.stderr.strip(), flags=re.MULTILINE) or "bash cannot read it"
