"""What tasks find on a site that is reached over ssh: its interpreter, its programs, its packages."""

from __future__ import annotations

from msgspec import Struct

from packhorse.app.reach import There
from packhorse.app.siting import Place
from packhorse.app.source import Source
from packhorse.app.watch import Watcher
from packhorse.run.environment import Interpreter


class Abroad(Struct, frozen=True, kw_only=True):
    """The surroundings of a study's tasks on a site."""

    interpreter: Interpreter
    programs: dict[
        str, str
    ]  # where the programs are that the study's command names, "" for one that is not there
    digest: str  # of the environment: another one is another environment to the run
    told: dict[str, object]  # for the provenance
    notes: tuple[str, ...] = ()


def abroad(source: Source, place: Place, there: There, watcher: Watcher) -> Abroad:
    """Return what a study's tasks find on the site; raise RunError with the cure where something is missing.

    Called with a session that is open and has said hello.
    """
    hello = there.hello
    python = str(hello["programs"].get("python3") or hello["python"])
    told = {"kind": "none", "python": python, "version": hello["version"]}
    return Abroad(
        interpreter=Interpreter(
            kind="none", python=python, description=f"python3 on PATH of {place.site.name}"
        ),
        programs=dict(hello["programs"]),
        digest=f"{hello['version']}-{hello['machine']}",
        told=told,
    )
