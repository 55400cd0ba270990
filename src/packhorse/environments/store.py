"""The environments that Packhorse has built on a site: list and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from packhorse.environments.environment_file import BuiltFrom, read_environment_file
from packhorse.environments.site_probe import SiteProbe
from packhorse.model.errors import UsageError
from packhorse.project.placement import Place
from packhorse.project.reporter import Reporter
from packhorse.project.sites import find_site
from packhorse.remote.transport import SshTransport, transport_for
from packhorse.ssh.replies import EnvironmentList, EnvironmentRow

COUNT_SECONDS = 600.0  # to read the size of every file of an environment, on a busy file system


class BuiltEnvironment(Struct, frozen=True, kw_only=True):
    """An environment on a site; `made_of` is the name of its lock, `built` is in Unix seconds, 0 where it is incomplete."""

    name: str
    bytes: int
    files: int
    python: str = ""
    packages: int = 0
    made_of: str = ""
    built: float = 0.0


def environments_of(name: str, folder: Path, reporter: Reporter) -> tuple[str, list[BuiltEnvironment]]:
    """Return the folder of a site's environments, and the environments."""
    ssh = _transport(name, folder)
    with ssh.open():
        ssh.locate([], [])
        top = SiteProbe(Place(site=ssh.site), ssh, reporter).top
        reply = ssh.session.call("environments", COUNT_SECONDS, path=f"{top}/environments")
    listed = msgspec.convert(reply, EnvironmentList)
    return listed.path, [_environment(row) for row in listed.rows]


def remove_environments(site: str, names: Sequence[str], folder: Path, reporter: Reporter) -> list[str]:
    """Remove environments of a site and return their names; "all" removes all of them.

    Raises UsageError for a name that does not exist.
    """
    where, environments = environments_of(site, folder, reporter)
    known = [environment.name for environment in environments]
    chosen = known if "all" in names else list(dict.fromkeys(names))
    unknown = [name for name in chosen if name not in known]
    if unknown:
        raise UsageError(
            f"no environment {unknown[0]} in {where} on {site}", f"packhorse env {site} lists them"
        )
    ssh = _transport(site, folder)
    with ssh.open():
        for name in chosen:
            ssh.session.call("forget", COUNT_SECONDS, path=where, name=name)
    return chosen


def _transport(name: str, folder: Path) -> SshTransport:
    transport = transport_for(find_site(name, folder))
    if not isinstance(transport, SshTransport):
        raise UsageError(
            f"{name} is this machine, where Packhorse builds no environments",
            "it builds environments only on sites that are reached over ssh",
        )
    return transport


def _environment(row: EnvironmentRow) -> BuiltEnvironment:
    found = read_environment_file(row.whole)
    about = found.about if found else BuiltFrom()
    return BuiltEnvironment(
        name=row.name,
        bytes=row.bytes,
        files=row.files,
        python=about.python,
        packages=len(found.found.packages or ()) if found else 0,
        made_of=about.file,
        built=found.built if found else 0.0,
    )
