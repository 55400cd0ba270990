"""Job scripts for a site, from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packhorse.app.jobs.script import Script


def script(
    command: str,
    *,
    site: str = "",
    scheduler: str = "",
    name: str = "",
    partition: str = "",
    kind: str = "",
    account: str = "",
    qos: str = "",
    time: str = "",
    nodes: int = 1,
    tasks: int | None = None,
    cores: int | None = None,
    memory: str | int = "",
    memory_per_core: str | int = "",
    gpus: int = 0,
    array: str = "",
    after: str | Sequence[str] = (),
    log: str = "",
    error_log: str = "",
    mail: str = "",
    mail_when: str | Sequence[str] = (),
    modules: str | Sequence[str] = (),
    environment: str = "",
    setup: str | Sequence[str] = (),
    options: str | Sequence[str] = (),
    folder: str | os.PathLike[str] | None = None,
) -> Script:
    """Return a job script for a site; the keywords are the options of `packhorse script`.

    `command` is one shell line or several. The result's `text` is the script, `notes` are remarks, and `save` writes
    it. Raises UsageError, StudyError for a value that cannot be parsed, RunError for a job that cannot run there.
    """
    from packhorse.app.jobs.script import make_script
    from packhorse.model.form import Form

    form = Form(
        command=command,
        site=site,
        scheduler=scheduler,
        name=name,
        partition=partition,
        kind=kind,
        account=account,
        qos=qos,
        time=time,
        nodes=nodes,
        tasks=tasks,
        cores=cores,
        memory=str(memory),
        memory_per_core=str(memory_per_core),
        gpus=gpus,
        array=array,
        after=_texts(after),
        log=log,
        error_log=error_log,
        mail=mail,
        mail_when=",".join(_texts(mail_when)),
        modules=_texts(modules),
        environment=environment,
        setup=_texts(setup),
        options=_texts(options),
    )
    return make_script(form, Path.cwd() if folder is None else Path(folder))


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value)
