"""The environments that Packhorse has built on a site."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from packhorse.environments.store import BuiltEnvironment, environments_of, remove_environments
from packhorse.model.json_output import JsonOutput
from packhorse.project.reporter import Reporter


class Environments(JsonOutput, frozen=True, kw_only=True, tag="packhorse-env/1"):
    """The environments on a site."""

    site: Annotated[str, Meta(description="The site's name.")]
    path: Annotated[str, Meta(description="Their folder on the site.")]
    environments: Annotated[tuple[BuiltEnvironment, ...], Meta(description="The environments.")]


class RemovedEnvironments(JsonOutput, frozen=True, kw_only=True, tag="packhorse-env-remove/1"):
    """The result of `packhorse env --remove`."""

    site: Annotated[str, Meta(description="The site's name.")]
    removed: Annotated[tuple[str, ...], Meta(description="The names of the removed environments.")]


def list_environments(site: str, folder: Path, reporter: Reporter) -> Environments:
    """Return the environments on a site."""
    path, found = environments_of(site, folder, reporter)
    return Environments(site=site, path=path, environments=tuple(found))


def remove(site: str, names: Sequence[str], folder: Path, reporter: Reporter) -> RemovedEnvironments:
    """Remove environments from a site; "all" means every one. Raise UsageError for an unknown name."""
    return RemovedEnvironments(site=site, removed=tuple(remove_environments(site, names, folder, reporter)))
