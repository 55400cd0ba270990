"""A script of the user's own that was submitted as it is. Moments in Unix seconds."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from packhorse.model.site import Site


class ScriptJob(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """`job.json`: the intent to submit a script, then the fact, and at last how it ended."""

    format: str = "packhorse-job"
    version: int = 1
    site: Site
    user: str  # there
    script: str  # its path in the folder
    arguments: tuple[str, ...] = ()
    folder: str  # in which the job works, as the site's nodes see it
    far: bool = False  # whether that is reached over ssh
    files: tuple[str, ...] = ()  # that were brought there, beside the script
    token: str
    argv: tuple[str, ...] = ()
    intended: float = 0.0
    submitted: float = 0.0
    job: str = ""
    output: str = ""  # where it writes, once the scheduler has said so
    error: str = ""
    end: dict[str, Any] = field(default_factory=dict)  # the row of `packhorse jobs` that told how it ended
