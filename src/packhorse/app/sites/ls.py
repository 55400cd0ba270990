"""List a folder of a site."""

from __future__ import annotations

from pathlib import Path

from packhorse.model.command import Command
from packhorse.model.errors import UsageError
from packhorse.project.sites import find_site
from packhorse.remote.transfer import split_site_path
from packhorse.remote.transport import Transport, transport_for

LIST_SECONDS = 60.0


def ls(place: str, folder: Path) -> str:
    """Return the listing of `SITE:PATH`; raise UsageError with the reason where it cannot be listed."""
    site, path = split_site_path(place, "packhorse ls hec:project")
    transport = transport_for(find_site(site, folder))
    with transport.open():
        return listed(transport, path)


def listed(transport: Transport, path: str) -> str:
    """Return the files of a folder, which is the home without a path; a relative path begins there."""
    home = path.removeprefix("~").removeprefix("/") if path.startswith("~") else path
    argv = ("ls", "-lhA", "--", home or ".")
    answer = transport.run_command(Command(argv=argv, timeout=LIST_SECONDS))
    if answer.status != 0:
        site = transport.site.name
        reason = answer.stderr.strip().splitlines()[-1:] or ["no reply"]
        raise UsageError(
            f"{site} cannot list {path or '~'}: {reason[0]}", f"packhorse ls {site}: lists the home"
        )
    return answer.stdout
