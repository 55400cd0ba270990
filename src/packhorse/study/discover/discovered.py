"""What the text of a script shows, and what that means for its study."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from packhorse.study.discover.cores.use import CoreUse
from packhorse.study.discover.job_script import JobRequest
from packhorse.study.discover.script import ScriptFacts
from packhorse.study.discover.seeding import SeedCall


class Discovered(Struct, frozen=True, kw_only=True):
    """What the text of a script shows, and what that means for its study.

    `program` runs it. `module` is its name for `python -m`, empty for a script that is run by its file. `notes` are for
    the author. `settings` are the values of the files of settings that it reads, by their names. `request` is what its
    job script asks for, and `called` the script that a job script runs.
    """

    filename: str
    program: str = ""
    facts: ScriptFacts = ScriptFacts()
    index_variable: str = ""
    start: int = 0
    seeds: tuple[SeedCall, ...] = ()
    cores: CoreUse = CoreUse()
    random: bool = False  # whether it draws random numbers
    sources: bool = False  # whether it runs other files of code, which may do what is not found here
    joined: bool = True  # --n={n}; some libraries know only --n {n}
    module: str = ""
    asks_packhorse: bool = False  # whether it reads its parameters from Packhorse
    notes: tuple[str, ...] = ()
    settings: dict[str, dict[str, Any]] = {}
    request: JobRequest | None = None
    called: str = ""
    data: tuple[str, ...] = ()  # folders outside of the project with files that it names
    study_file: str = "study.yaml"

    @property
    def script(self) -> str:
        """The name of the script that computes: of a job script, the one that it runs."""
        return self.called or self.filename

    @property
    def seed(self) -> str:
        """The seed placeholder that fits the script's generator."""
        return "{seed32}" if self.facts.seed32 else "{seed}"

    @property
    def is_r(self) -> bool:
        """Whether the script is in R."""
        return self.script.lower().endswith(".r")
