"""A project and a desk for each test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from continuation.desk import Desk
from running.project import Project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "project")


@pytest.fixture
def desk(project: Project, tmp_path: Path) -> Callable[..., Desk]:
    """Return `desk(study={...}, **what continue.json says)`."""

    def make(study: dict[str, Any], **said: Any) -> Desk:
        project.study(**study)
        return Desk(project, tmp_path / "spool", **said)

    return make
