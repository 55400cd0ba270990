"""Remove a run, here and on its site."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from packhorse.app.runs.du import size_of
from packhorse.model.errors import RunError
from packhorse.remote.open_store import open_store
from packhorse.remote.run_store import RunStore
from packhorse.rundir.directory import RunDirectory, find_run
from packhorse.rundir.lock import lock_holder
from packhorse.rundir.submissions import read_script_job
from packhorse.text.amounts import counted


def remove(where: Path, name: str, *, sure: bool, here: bool = False) -> str:
    """Remove a run: its directory, and the one on its site unless `here`; return a sentence for the user.

    Raises RunError while the run is running, and where the user has not confirmed (`sure`).
    """
    run = find_run(where, name)
    if lock_holder(run.path) is not None:
        raise RunError(f"{run.path} is running", f"packhorse cancel {run.argument}")
    store = open_store(run)
    if here and store.remote_folder:
        return _remove(run, name, f"; {store.path} on {store.transport.site.name} stays", sure=sure)
    with store.open():
        _refuse_while_alive(run, store)
        size, files = store.remote_size()
        about = f"; {store.path} on {store.transport.site.name}: {_amount(files, size)}"
        if sure:
            store.remove_remote()  # first what can fail: without the directory here it cannot be found again
        return _remove(run, name, about if store.remote_folder else "", sure=sure)


def _refuse_while_alive(run: RunDirectory, store: RunStore) -> None:
    if (run.path / "cluster.json").exists():
        from packhorse.execution.leave_site import leave_site

        leave_site(run, store, keep=True)
    script_job = read_script_job(run)
    if script_job is not None:
        from packhorse.cluster.script_job import refuse_while_alive

        refuse_while_alive(run, script_job)


def _remove(run: RunDirectory, name: str, elsewhere: str, *, sure: bool) -> str:
    about = size_of(run)
    if not sure:
        message = f"{run.path} has {_amount(about.files, about.bytes)}{elsewhere}; nothing was removed"
        raise RunError(message, f"packhorse rm {shlex.quote(name)} --yes")
    run.about()  # never remove what is not a run
    shutil.rmtree(run.path)
    return f"removed {run.path}: {_amount(about.files, about.bytes)}{elsewhere}"


def _amount(files: int, size: int) -> str:
    return f"{counted(files, 'file')}, {counted(size, 'byte')}"
