"""Write a study file for a script."""

from __future__ import annotations

from pathlib import Path

from packhorse.model.errors import UsageError
from packhorse.study.discover.draft import discover, study_lines


def write_study(script: Path, output: Path | None, *, replace: bool) -> tuple[Path, str]:
    """Write a study for a script; return its path and a sentence on the parameters that were found."""
    try:
        source = script.read_bytes().decode("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{script} cannot be read: {error.strerror}", "packhorse init SCRIPT") from None
    found = discover(source, script.name)
    path = output or script.parent / "study.yaml"
    if path.exists() and not replace:
        raise UsageError(f"{path} exists", f"packhorse init {script} --force, or -o another.yaml")
    path.write_text(study_lines(found), encoding="utf-8")
    names = [p.name for p in found.facts.parameters if p.role == "parameter"]
    return path, f"parameters {', '.join(names)}" if names else "no parameters found in the script"
