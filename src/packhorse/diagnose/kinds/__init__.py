"""All kinds of causes, by subject. To add one: a Kind in a module here, and a log of it in tests/diagnose/logs."""

from packhorse.diagnose.kind import Kind
from packhorse.diagnose.kinds import files, gpu, network, programs, python, r, scheduler, shell, submission

KINDS: tuple[Kind, ...] = (
    *scheduler.KINDS,
    *submission.KINDS,
    *shell.KINDS,
    *files.KINDS,
    *gpu.KINDS,
    *python.KINDS,
    *r.KINDS,
    *programs.KINDS,
    *network.KINDS,
)

__all__ = ["KINDS"]
