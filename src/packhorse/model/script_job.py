"""A job that was submitted from the user's own script. Points in time are Unix seconds."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from packhorse.model.job import Details
from packhorse.model.site import Site


class ScriptJob(Struct, frozen=True, kw_only=True, omit_defaults=False):
    """`job.json`: the intent to submit a script, then the submitted job, and finally its end."""

    format: str = "packhorse-job"
    version: int = 1
    site: Site
    user: str  # the login name at the site
    script: str  # path in the folder
    arguments: tuple[str, ...] = ()
    folder: str  # the job's working directory, as the site's nodes see it
    far: bool = False  # whether the site is reached over ssh
    files: tuple[str, ...] = ()  # uploaded beside the script
    token: str
    argv: tuple[str, ...] = ()
    intended: float = 0.0
    submitted: float = 0.0
    job: str = ""
    output: str = ""  # a path, once the scheduler has reported it
    error: str = ""
    elements: tuple[
        Details, ...
    ] = ()  # of an array: where each element writes, as far as that was known when submitted
    end: dict[str, Any] = field(default_factory=dict)  # the row of `packhorse jobs` once the job has ended
